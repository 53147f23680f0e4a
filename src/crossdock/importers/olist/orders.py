"""Orders of the Olist dataset: items, freight and payments joined to one order."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping
from datetime import datetime, timedelta
from decimal import Decimal

from crossdock.importers.arrivals import CancelArrival, OrderArrival
from crossdock.importers.fill import seeded_hours
from crossdock.importers.gathering import Gathering
from crossdock.importers.olist.tables import (
    Item,
    Payment,
    Person,
    Places,
    Record,
    Tables,
    local_time,
)
from crossdock.importers.rejects import Reason
from crossdock.importers.text import Row
from crossdock.kernel.money import rounded_to_minor
from crossdock.model.orders import Adjustment, Charge, Tender
from crossdock.model.outside import (
    OutsideAddress,
    OutsideGroup,
    OutsideLine,
    OutsideOrder,
    OutsideParty,
)

CHANNEL = "olist"
CURRENCY = "BRL"
MOST_HOURS_TO_CANCEL = 48.0

_TENDER_KINDS = {
    "credit_card": "card",
    "debit_card": "debit_card",
    "boleto": "boleto",
    "voucher": "voucher",
}

Offer = tuple[str, str, Decimal]
"""Product, seller and price: items of one order that agree in them are one line."""


class Orders:
    """Joins the tables order by order, and sees to it that every item and payment has a fate."""

    def __init__(
        self,
        tables: Tables,
        gathering: Gathering,
        places: Places,
        customers: Mapping[str, Person],
        items: dict[str, list[Item]],
        payments: dict[str, list[Payment]],
    ) -> None:
        self.tables = tables
        self.gathering = gathering
        self.places = places
        self.customers = customers
        self.items = items
        self.payments = payments
        self.seen: set[str] = set()
        self.served: set[str] = set()
        """Customers of orders taken."""
        self.sold: Counter[tuple[str, str]] = Counter()
        """Units by seller and product."""

    def take(self, record: Record) -> None:
        """Take one row of the orders table, with its items and payments."""
        row, fields = record
        number = fields["order_id"]
        placed_at = local_time(fields["order_purchase_timestamp"])
        if not number:
            self.tables.reject("orders", row, Reason.EMPTY_FIELD, "the order number is empty")
        elif number in self.seen:
            message = f"order {number} is there before"
            self.tables.reject("orders", row, Reason.DOUBLED_ORDER_NUMBER, message)
        elif placed_at is None:
            message = f"the time {fields['order_purchase_timestamp'][:40]!r} cannot be read"
            self._refuse(row, number, Reason.UNREADABLE_TIME, message)
        elif number not in self.items:
            message = f"order {number} ({fields['order_status']}) has no items"
            self._refuse(row, number, Reason.ORDER_WITHOUT_LINES, message)
        elif self.customers and fields["customer_id"] not in self.customers:
            message = f"order {number} names customer {fields['customer_id']}, who is not there"
            self._refuse(row, number, Reason.ORDER_WITHOUT_CUSTOMER, message)
        else:
            self._order(row, fields, number, placed_at)

    def leave_out_the_rest(self) -> None:
        """Items and payments of orders that are not in the files."""
        for number, items in self.items.items():
            for item in items:
                message = f"order {number} is not in the orders file"
                self.tables.reject("items", item.row, Reason.ROW_WITHOUT_ORDER, message)
        rest = sum(len(payments) for payments in self.payments.values())
        if rest:
            self.gathering.used("payment of an order not in the files", rest)

    def _refuse(self, row: Row, number: str, reason: Reason, message: str) -> None:
        self.seen.add(number)
        self.tables.reject("orders", row, reason, message)
        for item in self.items.pop(number, ()):
            self.tables.reject("items", item.row, Reason.ORDER_REFUSED, message)
        payments = self.payments.pop(number, ())
        if payments:
            self.gathering.used("payment of an order that is not taken", len(payments))

    def _order(self, row: Row, fields: Mapping[str, str], number: str, placed_at: datetime) -> None:
        self.seen.add(number)
        items = self.items.pop(number)
        payments = sorted(self.payments.pop(number, ()))
        lines, charges = _lines(items)
        total = sum(line.total or 0 for line in lines) + sum(c.amount for c in charges)
        paid = sum(rounded_to_minor(payment.amount, CURRENCY) for payment in payments)
        adjustments: tuple[Adjustment, ...] = ()
        if payments and paid > total:
            # Interest of paying by installments, which the items do not show.
            interest = Charge(number=len(charges) + 1, kind="interest", amount=paid - total)
            charges = (*charges, interest)
            self.gathering.remark("orders paid with more than their items")
        elif payments and paid < total:
            adjustments = (Adjustment(number=1, source="unexplained", amount=paid - total),)
            self.gathering.remark("orders paid with less than their items")
        total = paid if payments else total
        customer = self.customers.get(fields["customer_id"])
        order = OutsideOrder(
            channel=CHANNEL,
            number=number,
            placed_at=placed_at,
            currency=CURRENCY,
            total=total,
            lines=lines,
            groups=(
                OutsideGroup(
                    address=self._address(customer),
                    promised_by=local_time(fields.get("order_estimated_delivery_date", "")),
                ),
            ),
            customer=OutsideParty(number=customer.number) if customer else None,
            charges=charges,
            adjustments=adjustments,
            tenders=_tenders(payments, number, total),
        )
        self.gathering.add(OrderArrival(at=placed_at, line=row.number, order=order))
        self.gathering.took("order")
        self.gathering.took("item", len(items))
        self.gathering.took("payment", len(payments))
        self.served.add(fields["customer_id"])
        self.sold.update((item.seller, item.product) for item in items)
        if fields["order_status"] == "canceled":
            self._cancel(row, order, local_time(fields.get("order_approved_at", "")))

    def _cancel(self, row: Row, order: OutsideOrder, approved: datetime | None) -> None:
        start = max(approved or order.placed_at, order.placed_at)
        hours = seeded_hours(
            self.gathering.seed, "hours to cancel", order.number, MOST_HOURS_TO_CANCEL
        )
        self.gathering.add(
            CancelArrival(
                at=start + timedelta(hours=hours, seconds=1),
                line=row.number,
                order_id=order.id,
                request_id=f"cancel-{order.number}",
                number=order.number,
            )
        )

    def _address(self, person: Person | None) -> OutsideAddress:
        if person is None:
            return OutsideAddress(country="BR")
        found = self.places.find(person.prefix)
        if found is None or not found[2]:
            self.gathering.remark("customers at the point of the next postal prefix")
        return OutsideAddress(
            country="BR",
            postal_code=person.prefix,
            city=person.city,
            administrative_area=person.state,
            latitude=found[0] if found else None,
            longitude=found[1] if found else None,
        )


def _lines(items: list[Item]) -> tuple[tuple[OutsideLine, ...], tuple[Charge, ...]]:
    """Items of one offer are one line; its freight is a charge of that line."""
    offers: dict[Offer, list[Item]] = {}
    for item in items:
        offers.setdefault((item.product, item.seller, item.price), []).append(item)
    lines: list[OutsideLine] = []
    charges: list[Charge] = []
    for number, ((product, seller, price), units) in enumerate(offers.items(), start=1):
        lines.append(
            OutsideLine(
                number=number,
                sku=product,
                quantity=len(units),
                unit_price=price,
                total=rounded_to_minor(price * len(units), CURRENCY),
                attributes={"olist.seller": seller},
            )
        )
        freight = sum((unit.freight for unit in units), Decimal(0))
        if freight:
            charges.append(
                Charge(
                    number=len(charges) + 1,
                    kind="shipping",
                    amount=rounded_to_minor(freight, CURRENCY),
                    line=number,
                )
            )
    return tuple(lines), tuple(charges)


def _tenders(payments: list[Payment], number: str, total: int) -> tuple[Tender, ...]:
    """The marketplace has the money already; an order without payment rows is paid by card."""
    if not payments:
        return (Tender(number=1, amount=total, reference=number, paid=True),) if total else ()
    return tuple(
        Tender(
            number=place,
            kind=_TENDER_KINDS.get(payment.kind, "other"),
            amount=rounded_to_minor(payment.amount, CURRENCY),
            reference=f"{number}-{payment.sequence}",
            paid=True,
            order_of_use=place,
        )
        for place, payment in enumerate(payments, start=1)
    )
