"""Opening stock: what is plainly sellable in bulk, other buckets, owners and lots as moves."""

from __future__ import annotations

from datetime import datetime

from crossdock import db
from crossdock.catalog.model import Network
from crossdock.engine.transaction import Transaction
from crossdock.importers.stock import StockColumns
from crossdock.inventory.facts.lots import hold_back, keep_dates
from crossdock.inventory.model import Move
from crossdock.inventory.rules import bucket_of
from crossdock.inventory.store import apply_moves
from crossdock.model.validation import MAX_MOVES
from crossdock.simulator.opening_store import load_stock

OPENING = "opening"
"""Reason in the ledger of what did not come in bulk, and source of its lots' dates."""


def open_stock(
    connection: db.Connection, plain: StockColumns, network: Network, now: datetime
) -> int:
    """Load what a database without stock begins with; returns how many levels.

    The caller commits.
    """
    made = load_stock(connection, plain.by_node())
    tx = Transaction(connection, now)
    dated = {
        (lot.sku, lot.lot): (lot.expires_on, now, OPENING)
        for lot in network.lots
        if lot.expires_on is not None
    }
    keep_dates(tx, dated)
    moves = _moves(network)
    for start in range(0, len(moves), MAX_MOVES):
        levels = apply_moves(tx, moves[start : start + MAX_MOVES])
        made += sum(not any(level.before) for level in levels)
    hold_back(tx, {(lot.sku, lot.node) for lot in network.lots})
    tx.flush_books()
    return made


def _moves(network: Network) -> list[Move]:
    moves = [
        Move(sku, stock.node, units, "unexplained", bucket_of(stock.bucket), OPENING,
             owner=stock.owner)
        for stock in network.stock
        for sku, units in stock.quantities.items()
        if units
    ]  # fmt: skip
    return moves + [
        Move(each.sku, each.node, each.quantity, "unexplained", "free", OPENING, lot=each.lot)
        for each in network.lots
        if each.quantity
    ]
