"""A typed client of the HTTP API.

with Client("http://127.0.0.1:8480", key) as crossdock:
    placed = crossdock.place_order(order)
    for event in crossdock.events(types=["crossdock.shipment.*"]):
        ...
"""

from crossdock.client.client import Client
from crossdock.client.http import ApiError, Unreachable
from crossdock.client.webhooks import Refused, verify

__all__ = ["ApiError", "Client", "Refused", "Unreachable", "verify"]
