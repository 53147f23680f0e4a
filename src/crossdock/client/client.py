"""The client: one method for each thing that channels, nodes and systems do most."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from datetime import UTC, datetime
from types import TracebackType
from typing import Any, BinaryIO, Self
from urllib.parse import quote

import httpx2

from crossdock.client.http import ApiError, Http
from crossdock.client.model import (
    AvailableToSell,
    BulkResult,
    CancelTaken,
    Checkout,
    Decisions,
    DecisionSeen,
    Event,
    Events,
    FileJob,
    Order,
    OrderPage,
    PlacedOrder,
    Promises,
    RowResult,
    RowResultPage,
    Taken,
    TrackingTaken,
    Units,
    Webhook,
    WebhookSecret,
    Work,
    WorkPage,
    WorkTaken,
)
from crossdock.model.outside import OutsideOrder

Body = Mapping[str, Any]

PIECE_BYTES = 8 << 20
"""Of a file, in one request: what a lost answer costs to send again."""


class Client:
    """Blocking, and safe for several threads. Raises ApiError and Unreachable.

    Whoever may send something twice names it with `key`; what is sent again after a lost answer
    carries the same key in any case.
    """

    def __init__(
        self,
        url: str,
        key: str,
        *,
        timeout_seconds: float = 30.0,
        tries: int = 6,
        transport: httpx2.BaseTransport | None = None,
    ) -> None:
        self.http = Http(
            url, key, timeout_seconds=timeout_seconds, tries=tries, transport=transport
        )

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self.close()

    def close(self) -> None:
        """End its connections."""
        self.http.close()

    # Channels ------------------------------------------------------------------------------------

    def place_order(self, order: OutsideOrder | Body, *, key: str | None = None) -> PlacedOrder:
        """Place an order; it is durable once this returns, and placed once however often sent."""
        return self.http.send("POST", "/v1/orders", PlacedOrder, order, key=key)

    def place_orders(
        self, orders: Sequence[OutsideOrder | Body], *, key: str | None = None
    ) -> BulkResult:
        """Place up to 5,000 orders; look at each item of the answer."""
        return self.http.send("POST", "/v1/orders/bulk", BulkResult, orders, key=key)

    def order(self, order: str) -> Order:
        """An order, by our id or `channel:number`."""
        return self.http.send("GET", f"/v1/orders/{quote(order, safe='')}", Order)

    def orders(
        self, channel: str | None = None, changed_since: datetime | None = None
    ) -> Iterator[Order]:
        """All orders, or those of a channel, or those that changed since then."""
        since = changed_since.isoformat() if changed_since else None
        query = {"channel": channel, "changed_since": since}
        while True:
            page = self.http.send("GET", "/v1/orders", OrderPage, query=query)
            yield from page.items
            if page.next is None:
                return
            query["cursor"] = page.next

    def cancel_order(
        self,
        order: str,
        lines: Iterable[Units] = (),
        *,
        reason: str = "customer",
        key: str | None = None,
    ) -> CancelTaken:
        """Ask for units back, all that is left without lines; the order tells what comes of it."""
        body = {"lines": list(lines), "reason": reason}
        path = f"/v1/orders/{quote(order, safe='')}/cancel"
        return self.http.send("POST", path, CancelTaken, body, key=key)

    def decisions(self, order: str) -> tuple[DecisionSeen, ...]:
        """Every choice of nodes for an order: the plan, its cost, what else was looked at."""
        query = {"correlation_id": order}
        return self.http.send("GET", "/v1/records/decisions", Decisions, query=query).items

    def available(self, channel: str, skus: Sequence[str], method: str = "ship") -> dict[str, int]:
        """Units of each SKU that the channel may sell now."""
        body = {"channel": channel, "skus": skus, "method": method}
        answer = self.http.send("POST", "/v1/ats", AvailableToSell, body)
        return {one.sku: one.available for one in answer.items}

    def promises(self, channel: str, quantities: Mapping[str, int], destination: Body) -> Promises:
        """By when and how these units could be there: `destination` has at least a country."""
        lines = [{"sku": sku, "quantity": quantity} for sku, quantity in quantities.items()]
        body = {"channel": channel, "lines": lines, "destination": destination}
        return self.http.send("POST", "/v1/promises", Promises, body)

    def reserve(
        self,
        channel: str,
        quantities: Mapping[str, int],
        *,
        minutes: int | None = None,
        key: str | None = None,
    ) -> Checkout:
        """Keep units for a checkout; an order with its id as `checkout_id` takes them over."""
        lines = [{"sku": sku, "quantity": quantity} for sku, quantity in quantities.items()]
        body = {"channel": channel, "lines": lines, "minutes": minutes}
        return self.http.send("POST", "/v1/checkouts", Checkout, body, key=key)

    def extend_checkout(self, checkout: str, minutes: int) -> Checkout:
        """Keep them for so long from now."""
        path = f"/v1/checkouts/{checkout}/extend"
        return self.http.send("POST", path, Checkout, {"minutes": minutes})

    def drop_checkout(self, checkout: str) -> Checkout:
        """Nobody buys them: they are for sale again."""
        return self.http.send("DELETE", f"/v1/checkouts/{checkout}", Checkout)

    # Nodes ---------------------------------------------------------------------------------------

    def work(self, node: str | None = None, cursor: str | None = None) -> WorkPage:
        """All open work at first; with the `next` of the page before, what changed since."""
        query = {"node": node, "cursor": cursor}
        return self.http.send("GET", "/v1/work", WorkPage, query=query)

    def open_work(self, node: str | None = None) -> Iterator[Work]:
        """All work that is open now."""
        page = self.work(node)
        yield from page.items
        while page.more:
            page = self.work(node, page.next)
            yield from page.items

    def read_work(self, work: str) -> Work:
        """One piece of work, by its id or `system:reference`."""
        return self.http.send("GET", f"/v1/work/{quote(work, safe='')}", Work)

    def acknowledge(self, work: str) -> WorkTaken:
        """The node takes the work."""
        return self._tell(work, "acknowledge", {})

    def decline(self, work: str, reason: str) -> WorkTaken:
        """The node gives back what it has not shipped."""
        return self._tell(work, "decline", {"reason": reason})

    def pick(
        self,
        work: str,
        picked: Iterable[Units],
        short: Mapping[int, tuple[int, str]] | None = None,
        *,
        pick_id: str | None = None,
    ) -> WorkTaken:
        """Units in hand; `short` are units by line that could not be found, with a reason."""
        missing = [
            {"line": line, "quantity": quantity, "reason": reason}
            for line, (quantity, reason) in (short or {}).items()
        ]
        body = {"pick_id": pick_id, "picked": list(picked), "short": missing}
        return self._tell(work, "pick", body, pick_id)

    def pack(self, work: str, lines: Iterable[Units], *, pack_id: str | None = None) -> WorkTaken:
        """Units closed into packages."""
        return self._tell(work, "pack", {"pack_id": pack_id, "lines": list(lines)}, pack_id)

    def ship(
        self,
        work: str,
        lines: Iterable[Units],
        *,
        carrier: str = "",
        tracking: str = "",
        shipment_id: str | None = None,
    ) -> WorkTaken:
        """One package handed to the carrier; nothing else has to be told before."""
        package = {"lines": list(lines), "carrier": carrier, "tracking": tracking}
        body = {"shipment_id": shipment_id, "packages": [package]}
        return self._tell(work, "ship", body, shipment_id)

    def hand_over(self, work: str, *, shipment_id: str | None = None) -> WorkTaken:
        """The customer has all of it in hand."""
        return self._tell(work, "hand-over", {"shipment_id": shipment_id}, shipment_id)

    def answer_recall(
        self, work: str, request_id: str, given_back: Iterable[Units] = ()
    ) -> WorkTaken:
        """What the node gives back of what it was asked for."""
        body = {"request_id": request_id, "given_back": list(given_back)}
        return self._tell(work, "answer-recall", body)

    def _tell(self, work: str, what: str, body: Body, name: str | None = None) -> WorkTaken:
        path = f"/v1/work/{quote(work, safe='')}/{what}"
        # The node's own name of it says already that a repeat is one; the key may be any.
        key = f"{work}/{what}/{name}" if name else None
        return self.http.send("POST", path, WorkTaken, body, key=key)

    def delivered(self, tracking: str, at: datetime | None = None, *, work: str = "") -> WorkTaken:
        """The carrier says that the package of that number arrived.

        `work` lets it be told before the node's own shipment is booked.
        """
        body = {
            "event": "delivered",
            "tracking": tracking,
            "work": work,
            "at": at or datetime.now(UTC),
        }
        taken = self.http.send("POST", "/v1/shipments/tracking", TrackingTaken, body)
        return WorkTaken(taken.work_id, taken.order_id)

    # Stock ---------------------------------------------------------------------------------------

    def count_stock(
        self,
        node: str,
        quantities: Mapping[str, int],
        *,
        source: str,
        as_of: datetime | None = None,
        full: bool = False,
    ) -> Taken:
        """What a node has of each SKU; `full` says that whatever is not named is zero."""
        body = {
            "source": source,
            "node": node,
            "as_of": as_of or datetime.now(UTC),
            "full": full,
            "counts": [{"sku": sku, "quantity": count} for sku, count in quantities.items()],
        }
        return self.http.send("POST", "/v1/inventory/counts", Taken, body)

    # Files ---------------------------------------------------------------------------------------

    def send_file(
        self,
        kind: str,
        content: BinaryIO,
        *,
        form: str = "ndjson",
        compression: str = "none",
        full: bool = False,
        source: str = "",
        node: str = "",
        as_of: datetime | None = None,
        key: str | None = None,
    ) -> FileJob:
        """Send a whole file of stock, products or prices, which is loaded as one job.

        Sent again under the same `key` after an interruption, it goes on where it broke.
        """
        wanted = {
            "kind": kind,
            "format": form,
            "compression": compression,
            "full": full,
            "source": source,
            "node": node,
            "as_of": as_of,
        }
        begun = self.http.send("POST", "/v1/files", FileJob, wanted, key=key)
        job = self.file(begun.id)  # The same key gets the same answer, however far it is by now.
        path = f"/v1/files/{job.id}"
        while job.status == "receiving":
            content.seek(job.received_bytes)
            piece = content.read(PIECE_BYTES)
            if not piece:
                query = {"total_bytes": job.received_bytes}
                return self.http.send("POST", f"{path}/complete", FileJob, query=query)
            query = {"offset": job.received_bytes}
            try:
                job = self.http.send("PUT", f"{path}/content", FileJob, piece, query=query)
            except ApiError as refused:
                # What was sent again after a lost answer may have arrived, or some of it.
                if refused.code != "wrong_offset":
                    raise
                job = self.file(job.id)
        return job

    def file(self, job: str) -> FileJob:
        """How far a file has come."""
        return self.http.send("GET", f"/v1/files/{job}", FileJob)

    def file_results(self, job: str, *, refused: bool = False) -> Iterator[RowResult]:
        """What became of each row that was read so far, or of those that were refused."""
        query: dict[str, Any] = {"refused": refused, "limit": 500}
        while True:
            page = self.http.send("GET", f"/v1/files/{job}/results", RowResultPage, query=query)
            yield from page.items
            if page.next is None:
                return
            query["cursor"] = page.next

    # Events --------------------------------------------------------------------------------------

    def read_events(
        self,
        after: int | None = None,
        types: Sequence[str] | None = None,
        order: str | None = None,
        limit: int = 500,
    ) -> Events:
        """Events after one of them, or the oldest kept; keep `last` for the next time."""
        query = {
            "after": after,
            "types": ",".join(types) if types else None,
            "order": order,
            "limit": limit,
        }
        return self.http.send("GET", "/v1/events", Events, query=query)

    def events(
        self, after: int | None = None, types: Sequence[str] | None = None, order: str | None = None
    ) -> Iterator[Event]:
        """All events there are after one of them, or all that are kept, in their order."""
        more = True
        while more:
            page = self.read_events(after, types, order)
            yield from page.events
            after, more = page.last, page.more

    # Webhooks ------------------------------------------------------------------------------------

    def create_webhook(
        self,
        name: str,
        url: str,
        types: Sequence[str],
        *,
        after: int | None = None,
        key: str | None = None,
    ) -> WebhookSecret:
        """Be sent events; `crossdock.client.verify` takes the secret."""
        body = {"name": name, "url": url, "types": types, "after": after}
        return self.http.send("POST", "/v1/webhooks", WebhookSecret, body, key=key)

    def webhook(self, webhook_id: str) -> Webhook:
        """How a webhook goes."""
        return self.http.send("GET", f"/v1/webhooks/{webhook_id}", Webhook)

    def resume_webhook(self, webhook_id: str) -> Webhook:
        """Go on where a paused or disabled webhook stopped."""
        return self.http.send("PATCH", f"/v1/webhooks/{webhook_id}", Webhook, {"active": True})

    def replay_webhook(self, webhook_id: str, after: int) -> Webhook:
        """Be sent again what came after an event."""
        return self.http.send(
            "POST", f"/v1/webhooks/{webhook_id}/replay", Webhook, {"after": after}
        )

    def delete_webhook(self, webhook_id: str) -> None:
        """Be sent nothing more."""
        self.http.send("DELETE", f"/v1/webhooks/{webhook_id}", type(None))
