"""The process fulfillment: one node's work for part of an order."""

from crossdock.processes.fulfillment import process
from crossdock.processes.fulfillment.declaration import process as fulfillment
from crossdock.processes.fulfillment.store import project

fulfillment.projector = project

__all__ = ["fulfillment", "process"]
