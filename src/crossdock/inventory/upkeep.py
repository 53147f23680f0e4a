"""What keeps inventory true over time: opening stock, changed master data, buffers, closing."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Sequence
from datetime import datetime, timedelta
from typing import NamedTuple

from crossdock.engine.inbox import Connection, Inbound, receive
from crossdock.engine.process import Address
from crossdock.engine.routing import route_of_text
from crossdock.engine.transaction import Transaction
from crossdock.engine.upkeep_store import take_turn
from crossdock.inventory import ats_store, rules
from crossdock.inventory.errors import LedgerStillOpen
from crossdock.inventory.facts.lots import hold_back, settle_lots
from crossdock.inventory.model import STATION, BackordersReviewRequested, LevelKey
from crossdock.inventory.reservations.capability import expire
from crossdock.inventory.store import StockBook, ensure_ledger_partitions

CLOSES_AFTER = timedelta(days=1)
"""The ledger is closed only up to a time when no batch can still be writing."""


ROUND_MINUTES = 60
"""Every node's levels are aligned once in so many minutes, an equal share of the nodes a minute."""


def keep_up(connection: Connection, now: datetime) -> None:
    """A minute's small regular work; the caller commits.

    Ledger partitions ahead of time, lots that are over no longer offered, a share of the nodes
    aligned, and (once an hour) backorders reviewed that missed the stock they waited for.
    """
    if not take_turn(connection, "inventory"):
        return
    tx = Transaction(connection, now)
    ensure_ledger_partitions(tx, now, now + timedelta(days=62))
    settle_lots(tx)
    minute = int(now.timestamp()) // 60
    share = ats_store.all_nodes(tx)[minute % ROUND_MINUTES :: ROUND_MINUTES]
    if share:
        align_levels(tx, share)
    tx.flush_books()
    hour = now.replace(minute=0, second=0, microsecond=0).isoformat()
    review = BackordersReviewRequested()
    receive(connection, [Inbound("upkeep", f"backorders {hour}", review, REVIEWER, now)], now)


def give_up_expired(connection: Connection, now: datetime, step: int = 1_000) -> bool:
    """A step of giving up queued demand whose time is over; whether there may be more."""
    if not take_turn(connection, "reservations"):
        return False
    tx = Transaction(connection, now)
    units = expire(tx, step)
    tx.flush_books()
    return units >= step


REVIEWER = Address(STATION, "backorders", route_of_text("backorders"))


class Opening(NamedTuple):
    """What a new level holds at the beginning."""

    sku: str
    node: str
    owner: str = ""
    lot: str = ""
    sellable: int = 0
    damaged: int = 0
    quality_control: int = 0
    in_transit: int = 0


def load_opening_stock(tx: Transaction, stock: Iterable[Opening | Sequence[object]]) -> int:
    """Open levels that do not exist yet, by COPY; returns how many. Facts change them from then.

    To be fast with millions of levels, give them by SKU and node.
    """
    return ats_store.load_opening(tx, stock)


def align_levels(tx: Transaction, nodes: Collection[str] | None = None) -> None:
    """Bring levels in line with master data and feeds: zone, methods, safety stock, buffer.

    To be called for nodes whose master data changed, and for all of them every hour, so that
    buffers widen while a feed is silent. Give nodes in portions: each is locked as a whole.
    """
    wanted = ats_store.all_nodes(tx) if nodes is None else sorted(nodes)
    widenings = [
        (node, rules.widening(tx.now - heard_at if heard_at else timedelta(0), probability))
        for node, heard_at, probability in ats_store.feed_ages(tx, wanted)
    ]
    tx.book(StockBook).add_all(tx, ats_store.align_levels(tx, widenings))
    hold_back(tx, ats_store.places_in_lots(tx, wanted))


def quarantine(tx: Transaction, keys: Collection[LevelKey], *, lift: bool = False) -> None:
    """Offer nothing from levels where an invariant is broken, until that is lifted."""
    tx.book(StockBook).add_all(tx, ats_store.quarantine(tx, sorted(keys), not lift))


def close_ledger(tx: Transaction, until: datetime) -> int:
    """Replace the ledger before `until` (recorded time) by a closing balance per level.

    Closed partitions may be archived then; what a level holds does not need them any more.
    Raises LedgerStillOpen when batches may still write there.
    """
    closed = ats_store.closed_until(tx)
    if until > tx.now - CLOSES_AFTER or (closed is not None and until <= closed):
        raise LedgerStillOpen(until)
    return ats_store.close_ledger(tx, until)
