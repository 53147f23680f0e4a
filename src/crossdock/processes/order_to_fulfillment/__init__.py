"""The process order-to-fulfillment: from a channel's order to a closed one."""

from crossdock.processes.order_to_fulfillment import changes, editing, payment, process
from crossdock.processes.order_to_fulfillment.declaration import process as order_to_fulfillment
from crossdock.processes.order_to_fulfillment.store import project

order_to_fulfillment.projector = project

__all__ = ["changes", "editing", "order_to_fulfillment", "payment", "process"]
