"""Credits without a pointer, and the purchases they are about.

A credit is matched to purchases of the same customer, SKU and price that were made before it, the
latest first (what was just bought is what is sent back), each unit once.
"""

from __future__ import annotations

from typing import NamedTuple

from crossdock.importers.arrivals import CreditArrival
from crossdock.importers.gathering import Gathering
from crossdock.importers.online_retail.rows import CreditKey, Sold
from crossdock.importers.rejects import Reason
from crossdock.importers.text import Reading
from crossdock.kernel.money import rounded_to_minor
from crossdock.model.messages import LineQuantity
from crossdock.model.outside import OutsideOrder


class Purchase:
    """Units of an order line that a credit may still be about."""

    __slots__ = ("left", "line", "order")

    def __init__(self, order: OutsideOrder, line: int, left: int) -> None:
        self.order = order
        self.line = line
        self.left = left


class Matched(NamedTuple):
    """Units of a purchase that a credit is about."""

    purchase: Purchase
    quantity: int


class Credits:
    """Remembers purchases some credit asks for, then matches all credits in time order."""

    def __init__(self, credited: set[CreditKey], currency: str) -> None:
        self._purchases: dict[CreditKey, list[Purchase]] = {key: [] for key in credited}
        self._waiting: list[tuple[Sold, str]] = []
        self._currency = currency

    def bought(self, row: Sold, sku: str, order: OutsideOrder, line: int) -> None:
        """An order line was taken."""
        purchases = self._purchases.get((row.customer, sku, str(row.price)))
        if purchases is not None:
            purchases.append(Purchase(order, line, row.quantity))

    def credit(self, row: Sold, sku: str) -> None:
        """A credit row; it is matched when all purchases are known."""
        self._waiting.append((row, sku))

    def settle(self, gathering: Gathering, reading: Reading) -> None:
        """Match every credit, or reject it."""
        for purchases in self._purchases.values():
            purchases.sort(key=lambda purchase: purchase.order.placed_at)
        for row, sku in sorted(self._waiting, key=lambda waiting: (waiting[0].at, waiting[0].line)):
            self._settle_one(row, sku, gathering, reading)

    def _settle_one(self, row: Sold, sku: str, gathering: Gathering, reading: Reading) -> None:
        if not row.customer:
            message = f"credit {row.invoice} names no customer"
            reading.reject(row.line, Reason.CREDIT_WITHOUT_CUSTOMER, message, row.raw)
            return
        wanted = -row.quantity
        matched = self._match((row.customer, sku, str(row.price)), row, wanted)
        found = sum(match.quantity for match in matched)
        if not found:
            message = (
                f"credit {row.invoice}: customer {row.customer} bought no {sku} at {row.price} "
                "before, or all of it is credited already"
            )
            reading.reject(row.line, Reason.CREDIT_WITHOUT_PURCHASE, message, row.raw)
            return
        for arrival in self._arrivals(row, matched):
            gathering.add(arrival)
        if found == wanted:
            gathering.took("credit")
            return
        gathering.took("credit, matched in part")
        message = (
            f"credit {row.invoice} is about {wanted} units, {found} of them were bought before"
        )
        reading.remark(row.line, Reason.CREDIT_EXCEEDS_PURCHASES, message, row.raw)

    def _match(self, key: CreditKey, row: Sold, wanted: int) -> list[Matched]:
        matched = []
        for purchase in reversed(self._purchases.get(key, ())):
            if not wanted:
                break
            if not purchase.left or purchase.order.placed_at > row.at:
                continue
            taken = min(wanted, purchase.left)
            purchase.left -= taken
            wanted -= taken
            matched.append(Matched(purchase, taken))
        return matched

    def _arrivals(self, row: Sold, matched: list[Matched]) -> list[CreditArrival]:
        by_order: dict[str, list[Matched]] = {}
        for match in matched:
            by_order.setdefault(match.purchase.order.id, []).append(match)
        return [
            CreditArrival(
                at=row.at,
                line=row.line,
                order_id=order_id,
                credit_id=f"{row.invoice}-{row.line}-{part}",
                number=matches[0].purchase.order.number,
                lines=tuple(
                    LineQuantity(match.purchase.line, match.quantity)
                    for match in sorted(matches, key=lambda match: match.purchase.line)
                ),
                amount_minor=rounded_to_minor(
                    row.price * sum(match.quantity for match in matches), self._currency
                ),
            )
            for part, (order_id, matches) in enumerate(by_order.items(), start=1)
        ]
