"""What one batch changed in an order, for the tables that readers see. Never stored as such."""

from __future__ import annotations

from datetime import datetime
from typing import Any

from crossdock.model.events import Event
from crossdock.model.messages import OrderEditRequested
from crossdock.model.orders import SalesOrder
from crossdock.ordering.rules import Share


class News:
    """Collected by the handlers of one batch, written by the projector."""

    __slots__ = (
        "answers",
        "arrivals",
        "cancellations",
        "closed_at",
        "edit_answers",
        "edits",
        "entries",
        "groups",
        "joined",
        "lines",
        "packages",
        "placed",
        "postings",
        "promises",
        "received",
        "shares",
        "shipment_lines",
        "shipments",
        "stage",
        "tenders",
        "told",
    )

    def __init__(self) -> None:
        self.placed: SalesOrder | None = None
        """The order itself, in the batch that opened it."""
        self.shares: list[Share] = []
        self.stage = False
        """Whether the stage or the policy changed."""
        self.closed_at: datetime | None = None
        self.lines: set[int] = set()
        self.tenders: set[int] = set()
        self.joined: list[int] = []
        """Tenders that the order did not have when it was opened."""
        self.received: list[tuple[str, str, str, datetime]] = []
        """What became of payments nobody asked for: id, status, reason, when."""
        self.groups: dict[int, dict[str, Any]] = {}
        """Changed columns of a delivery group."""
        self.promises: list[tuple[Any, ...]] = []
        self.entries: dict[str, list[Any]] = {}
        """Asked of payment providers, by key: tender, kind, amount, shipment, reason, status,
        asked at, settled at, reference."""
        self.answers: dict[str, tuple[str, datetime, str, str]] = {}
        """Their answers to what was asked in earlier batches: status, when, reference, reason."""
        self.postings: list[tuple[Any, ...]] = []
        self.shipments: list[tuple[Any, ...]] = []
        self.packages: list[tuple[Any, ...]] = []
        self.shipment_lines: list[tuple[Any, ...]] = []
        self.arrivals: list[tuple[str, int, str, datetime]] = []
        """Shipment, package, column, when."""
        self.cancellations: dict[tuple[str, int], list[Any]] = {}
        """By (request, line): requested, canceled, stopped, refused, reason, requested_at."""
        self.told: list[Event] = []
        """What the world is told because of the message at hand; the log takes it."""
        self.edits: list[OrderEditRequested] = []
        """Those that were applied."""
        self.edit_answers: list[tuple[Any, ...]] = []
        """Request, when, expected revision, revision after it, result."""
