"""Which reservations of a line a command means, and what becomes of units a node could not find."""

from __future__ import annotations

from collections.abc import Iterable, Sequence

from crossdock.engine.transaction import Transaction
from crossdock.inventory.reservations.book import (
    ALLOCATED,
    BACKORDERED,
    PICKED,
    SOFT,
    Reservation,
    ReservationBook,
)

SHORT_BUCKETS = {
    "damaged": "damaged",
    "expired": "damaged",
    "quality": "quality_control",
    "no_capacity": "free",
    "too_late": "free",
}
"""Where short units are by their reason; of any other reason nobody knows: `unexplained`."""


def short_bucket(reason: str, short: Reservation) -> str:
    """The ledger bucket of units that were not picked.

    Of a kit nobody says which component was missing, so none is written off.
    """
    return "free" if short.kit else SHORT_BUCKETS.get(reason, "unexplained")


def queued_of_line(reservations: Iterable[Reservation], line: int) -> list[Reservation]:
    """Units of a line without a node; backordered ones first, because they are given up first."""
    found = [r for r in reservations if r.line == line and r.node is None]
    return [r for r in found if r.state == BACKORDERED] + [r for r in found if r.state == SOFT]


def held_of_line(
    reservations: Iterable[Reservation], line: int, node: str, *states: str
) -> list[Reservation]:
    """Units of a line at a node, in the order of `states`."""
    found = [r for r in reservations if r.line == line and r.node == node]
    return [r for state in states for r in found if r.state == state]


def units_of_line(reservations: Sequence[Reservation]) -> int:
    """Units of the order line these stand for; a kit counts when all its components are there."""
    units = 0
    parts: dict[tuple[str, str], int] = {}
    per_unit: dict[tuple[str, str], int] = {}
    for r in reservations:
        if r.kit:
            key = (r.kit, r.sku)
            parts[key] = parts.get(key, 0) + r.quantity
            per_unit[key] = r.per_unit
        else:
            units += r.quantity
    if not parts:
        return units
    kits: dict[str, int] = {}
    for (kit, sku), quantity in parts.items():
        whole = quantity // per_unit[kit, sku]
        kits[kit] = min(kits.get(kit, whole), whole)
    return units + sum(kits.values())


def take_units(
    book: ReservationBook, tx: Transaction, reservations: Sequence[Reservation], units: int
) -> tuple[list[Reservation], int]:
    """Reservations of exactly `units` of the line, or of as many as there are; and how many."""
    taken: list[Reservation] = []
    open_units = units
    for r in reservations:
        if open_units and not r.kit:
            part = book.take(r, min(r.quantity, open_units), tx)
            taken.append(part)
            open_units -= part.quantity
    kits: dict[str, list[Reservation]] = {}
    for r in reservations:
        if r.kit:
            kits.setdefault(r.kit, []).append(r)
    for of_kit in kits.values():
        whole = min(open_units, units_of_line(of_kit))
        if whole:
            taken += _take_kits(book, tx, of_kit, whole)
            open_units -= whole
    return taken, units - open_units


def _take_kits(
    book: ReservationBook, tx: Transaction, of_kit: Sequence[Reservation], kits: int
) -> list[Reservation]:
    taken: list[Reservation] = []
    missing: dict[str, int] = {}
    for r in of_kit:
        wanted = missing.setdefault(r.sku, kits * r.per_unit)
        if wanted:
            part = book.take(r, min(r.quantity, wanted), tx)
            taken.append(part)
            missing[r.sku] = wanted - part.quantity
    return taken


__all__ = [
    "ALLOCATED",
    "PICKED",
    "SHORT_BUCKETS",
    "held_of_line",
    "queued_of_line",
    "short_bucket",
    "take_units",
    "units_of_line",
]
