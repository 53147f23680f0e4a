"""Loading a portion of rows: products and prices by bulk statements, stock as chunk messages."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from datetime import date, datetime
from typing import Any

import msgspec

from crossdock.api.files import store
from crossdock.api.files.reading import FileRow
from crossdock.api.files.store import Open
from crossdock.api.stock.store import known_nodes
from crossdock.catalog import loading as catalog
from crossdock.catalog.loading import PRICES, PRODUCTS, Refusal
from crossdock.catalog.model import Price, Product
from crossdock.db import Connection
from crossdock.engine.inbox import Inbound, deliver
from crossdock.inventory.facts.station import inventory_address
from crossdock.inventory.rules import MOST_UNITS
from crossdock.kernel.messages import Message
from crossdock.model.checks import Findings, is_key
from crossdock.model.messages import InventoryCounted, StockCount
from crossdock.model.problems import Problem
from crossdock.model.shape import convert
from crossdock.model.stock import LEVEL_BUCKETS
from crossdock.model.validation import MAX_MOVES


class StockRow(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """A row of a stock file."""

    sku: str
    quantity: int
    node: str = ""
    """The job's node, when not given."""
    bucket: str = "sellable"
    lot: str = ""
    expires_on: date | None = None


RECORDS: Mapping[str, type[msgspec.Struct]] = {
    "stock": StockRow,
    "products": Product,
    "prices": Price,
}
PORTION = {"stock": 50_000, "products": 5_000, "prices": 5_000}
"""Rows of one transaction. Stock is gathered by node, so that its chunks are long."""


def load_portion(
    connection: Connection, job: Open, rows: Sequence[FileRow], now: datetime
) -> list[Refusal]:
    """Load rows, in the caller's transaction; returns those that were refused."""
    refused = [
        Refusal(row.number, str(row.content.get("sku", ""))[:200], row.problems)
        for row in rows
        if row.problems
    ]
    sound = [row for row in rows if not row.problems]
    if job.kind == "stock":
        refused += _load_stock(connection, job, sound, now)
    else:
        kind = PRODUCTS if job.kind == "products" else PRICES
        found = [catalog.Row(row.number, row.content) for row in sound]
        loaded = catalog.load(connection, kind, found, job.created_by)
        refused += loaded.refused
        if job.is_full:
            named = {str(row.content.get("sku")) for row in sound}
            store.add_named(connection, job.id, {"": [sku for sku in named if is_key(sku)]})
    return sorted(refused)


def _load_stock(
    connection: Connection, job: Open, rows: Sequence[FileRow], now: datetime
) -> Iterator[Refusal]:
    nodes = {str(row.content.get("node") or job.node) for row in rows}
    known = known_nodes(connection, nodes)
    counts: dict[str, list[StockCount]] = {}
    for row in rows:
        read = _stock_row(row.content, job.node, known)
        if isinstance(read, list):
            yield Refusal(row.number, str(row.content.get("sku", ""))[:200], read)
        else:
            counts.setdefault(read.node, []).append(read)
    first = rows[0].number if rows else 0
    messages = [
        (f"{first}/{node}/{start}", node, _counted(job, node, of_node[start : start + MAX_MOVES]))
        for node, of_node in counts.items()
        for start in range(0, len(of_node), MAX_MOVES)
    ]
    send(connection, job, messages, now)
    if job.is_full:
        named = {
            node: [store.named(one.sku, one.lot) for one in of_node if one.bucket == "sellable"]
            for node, of_node in counts.items()
        }
        store.add_named(connection, job.id, named)


def _stock_row(
    content: Mapping[str, Any], job_node: str, known: set[str]
) -> StockCount | list[Problem]:
    sku, quantity = content.get("sku"), content.get("quantity")
    node, bucket = content.get("node") or job_node, content.get("bucket", "sellable")
    if (
        type(sku) is str
        and type(quantity) is int
        and 0 <= quantity <= MOST_UNITS
        and node in known
        and bucket in LEVEL_BUCKETS
        and is_key(sku)
        and content.keys() <= _PLAIN_FIELDS
    ):
        return StockCount(sku, node, quantity, bucket)
    row = convert(dict(content), StockRow)
    if isinstance(row, list):
        return row
    return _stock_problems(row, job_node, known) or StockCount(
        row.sku, row.node or job_node, row.quantity, row.bucket, row.lot, row.expires_on
    )


_PLAIN_FIELDS = frozenset(("sku", "quantity", "node", "bucket"))


def _stock_problems(row: StockRow, job_node: str, known: set[str]) -> list[Problem]:
    problems: list[Problem] = []
    found = Findings(problems)
    found.key(row.sku, "", "sku")
    if not 0 <= row.quantity <= MOST_UNITS:
        said = f"{row.quantity} is no quantity here."
        found.add("quantity", "bad_quantity", said, f"Send 0 to {MOST_UNITS:,}.")
    if (row.node or job_node) not in known:
        said = f"There is no node {(row.node or job_node)[:60]!r}."
        found.add("node", "unknown_node", said, "Correct it, or add the node.")
    if row.bucket not in LEVEL_BUCKETS:
        said = f"{row.bucket[:60]!r} is no bucket that is counted."
        found.add("bucket", "unknown_bucket", said, f"Send one of {', '.join(LEVEL_BUCKETS)}.")
    found.lot(row.lot, row.expires_on, "")
    return problems


def zeros(job: Open, node: str, gone: Sequence[tuple[str, str]]) -> list[tuple[str, str, Message]]:
    """Chunks that say that nothing is left of these (SKU, lot)."""
    counts = [StockCount(sku, node, 0, lot=lot) for sku, lot in gone]
    return [
        (f"cleared/{node}/{start}", node, _counted(job, node, counts[start : start + MAX_MOVES]))
        for start in range(0, len(counts), MAX_MOVES)
    ]


def _counted(job: Open, node: str, counts: Sequence[StockCount]) -> InventoryCounted:
    assert job.as_of is not None, "stock_is_of_a_time_and_source"
    return InventoryCounted(
        source=job.source,
        as_of=job.as_of,
        node=node,
        counts=tuple(counts),
        part_of_full=job.is_full,
    )


def send(
    connection: Connection,
    job: Open,
    messages: Sequence[tuple[str, str, Message]],
    now: datetime,
) -> None:
    """Put (name, node, message) into the inbox; the job is their correlation id.

    The job's place moves in the same transaction, so that no chunk comes twice.
    """
    inbounds = [
        Inbound(
            source=f"file:{job.id}",
            source_id=name,
            message=message,
            to=inventory_address(node),
            occurred_at=now,
            actor=job.created_by,
            correlation_id=job.id,
        )
        for name, node, message in messages
    ]
    deliver(connection, inbounds, now)
