"""The process checkout: units kept for a customer until the order, the customer or time decides."""

from crossdock.processes.checkout.process import process as checkout
from crossdock.processes.checkout.store import project

checkout.projector = project

__all__ = ["checkout"]
