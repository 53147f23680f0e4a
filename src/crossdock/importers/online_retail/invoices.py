"""Invoices of the export, row by row: what becomes an order, what a credit, what something else."""

from __future__ import annotations

from collections.abc import Iterator

from crossdock.importers.arrivals import EntryArrival, OrderArrival, StockArrival
from crossdock.importers.gathering import Gathering
from crossdock.importers.online_retail.credits import Credits
from crossdock.importers.online_retail.mapping import Code, Codes, Mapping
from crossdock.importers.online_retail.rows import Sold, prefix_of
from crossdock.importers.rejects import Reason
from crossdock.importers.seeded import fraction
from crossdock.importers.text import Reading
from crossdock.importers.towns import town_for
from crossdock.kernel.money import rounded_to_minor
from crossdock.model.orders import Adjustment, Charge, Tender
from crossdock.model.outside import (
    OutsideAddress,
    OutsideGroup,
    OutsideLine,
    OutsideOrder,
    OutsideParty,
)

JITTER_DEGREES = 0.05


class Invoices:
    """Gives every row of an invoice exactly one fate."""

    def __init__(
        self, mapping: Mapping, gathering: Gathering, reading: Reading, credits_: Credits
    ) -> None:
        self.mapping = mapping
        self.codes = Codes(mapping)
        self.gathering = gathering
        self.reading = reading
        self.credits = credits_
        self.seed = gathering.seed
        self.channel = mapping.file.channel
        self.currency = mapping.file.currency

    def close(self, rows: list[Sold]) -> None:
        """All rows of one invoice, in file order."""
        rows = list(self._agreeing(self._once(rows)))
        if not rows:
            return
        kind = self.mapping.invoices.get(prefix_of(rows[0].invoice))
        if kind is None:
            for row in rows:
                message = f"an invoice number like {row.invoice!r} is not in the mapping"
                self.reading.reject(row.line, Reason.UNKNOWN_CODE, message, row.raw)
        elif kind == "sale":
            self._sale(rows)
        elif kind == "credit":
            self._credit(rows)
        else:
            for row in rows:
                self._entry(row, self._kind_of(row))

    def _once(self, rows: list[Sold]) -> Iterator[Sold]:
        """Exact doubles are counted, and dropped where the mapping says so."""
        seen: set[tuple[object, ...]] = set()
        for row in rows:
            # All but line and raw text.
            content = row[1:-1]
            if content not in seen:
                seen.add(content)
            elif self.mapping.file.doubled_rows == "drop":
                message = f"invoice {row.invoice} has the very same row before"
                self.reading.reject(row.line, Reason.DOUBLED_ROW, message, row.raw)
                continue
            else:
                self.gathering.remark("exact doubles of a row, kept")
            yield row

    def _agreeing(self, rows: Iterator[Sold]) -> Iterator[Sold]:
        """The rows that name the customer and country the first one names."""
        first: Sold | None = None
        for row in rows:
            first = first or row
            if (row.customer, row.country) == (first.customer, first.country):
                yield row
                continue
            message = (
                f"invoice {row.invoice} is of customer {first.customer or 'unknown'}, "
                f"{first.country}; this row says {row.customer or 'unknown'}, {row.country}"
            )
            self.reading.reject(row.line, Reason.MIXED_INVOICE, message, row.raw)

    def _sale(self, rows: list[Sold]) -> None:
        goods: list[tuple[Sold, str]] = []
        extras: list[tuple[Sold, Code]] = []
        # A whole invoice without customer and price is how this shop corrects its stock.
        correction = not rows[0].customer and all(row.price == 0 for row in rows)
        for row in rows:
            known = self.codes.find(row.code)
            if known is None:
                message = f"stock code {row.code!r} is no product and not in the mapping"
                self.reading.reject(row.line, Reason.UNKNOWN_CODE, message, row.raw)
            elif row.quantity == 0:
                message = f"invoice {row.invoice} has a row about nothing"
                self.reading.reject(row.line, Reason.ZERO_QUANTITY, message, row.raw)
            elif correction:
                self._correct_stock(row, known[0], is_product=known[1] is None)
            elif row.quantity < 0:
                message = f"invoice {row.invoice} is no credit and has {row.quantity} units"
                self.reading.reject(row.line, Reason.NEGATIVE_QUANTITY, message, row.raw)
            elif row.price < 0 and not (known[1] and known[1].use == "entry"):
                message = f"invoice {row.invoice} has the price {row.price}"
                self.reading.reject(row.line, Reason.NEGATIVE_PRICE, message, row.raw)
            elif known[1] is None or known[1].use == "item":
                goods.append((row, known[0]))
            elif known[1].use == "entry":
                self._entry(row, known[1].kind)
            else:
                extras.append((row, known[1]))
        if goods:
            self._order(goods, extras)
            return
        for row, code in extras:
            self._entry(row, code.kind)

    def _order(self, goods: list[tuple[Sold, str]], extras: list[tuple[Sold, Code]]) -> None:
        first = goods[0][0]
        address = self._address(first)
        if address is None:
            message = f"country {first.country!r} is not in the mapping"
            for row, _ in goods:
                self.reading.reject(row.line, Reason.UNKNOWN_COUNTRY, message, row.raw)
            for row, _ in extras:
                self.reading.reject(row.line, Reason.ORDER_REFUSED, message, row.raw)
            return
        lines = tuple(
            OutsideLine(
                number=number,
                sku=sku,
                quantity=row.quantity,
                unit_price=row.price,
                total=self._amount(row),
            )
            for number, (row, sku) in enumerate(goods, start=1)
        )
        charges, adjustments = self._extras(extras)
        total = sum(line.total or 0 for line in lines)
        total += sum(charge.amount for charge in charges)
        total += sum(adjustment.amount for adjustment in adjustments)
        order = OutsideOrder(
            channel=self.channel,
            number=first.invoice,
            placed_at=first.at,
            currency=self.currency,
            total=total,
            lines=lines,
            groups=(OutsideGroup(address=address),),
            customer=_customer(first),
            charges=charges,
            adjustments=adjustments,
            tenders=(Tender(number=1, amount=total, reference=f"card-{first.invoice}"),)
            if total
            else (),
        )
        self.gathering.add(OrderArrival(at=order.placed_at, line=first.line, order=order))
        self.gathering.took("order line", len(goods))
        for line, (row, sku) in zip(lines, goods, strict=True):
            self.credits.bought(row, sku, order, line.number)

    def _extras(
        self, extras: list[tuple[Sold, Code]]
    ) -> tuple[tuple[Charge, ...], tuple[Adjustment, ...]]:
        charges: list[Charge] = []
        adjustments: list[Adjustment] = []
        for row, code in extras:
            if code.use == "adjustment":
                adjustments.append(
                    Adjustment(
                        number=len(adjustments) + 1, source=code.kind, amount=-self._amount(row)
                    )
                )
                self.gathering.took("adjustment")
                continue
            charges.append(
                Charge(
                    number=len(charges) + 1,
                    kind=code.kind,
                    amount=self._amount(row),
                    description=row.description,
                )
            )
            self.gathering.took("gift card" if code.use == "gift_card" else "charge")
        return tuple(charges), tuple(adjustments)

    def _credit(self, rows: list[Sold]) -> None:
        for row in rows:
            known = self.codes.find(row.code)
            if known is None:
                message = f"stock code {row.code!r} is no product and not in the mapping"
                self.reading.reject(row.line, Reason.UNKNOWN_CODE, message, row.raw)
            elif row.quantity == 0:
                message = f"credit {row.invoice} has a row about nothing"
                self.reading.reject(row.line, Reason.ZERO_QUANTITY, message, row.raw)
            elif known[1] is not None and known[1].use != "item":
                self._entry(row, known[1].kind)
            elif row.quantity > 0:
                message = f"credit {row.invoice} has {row.quantity} units; credits are below zero"
                self.reading.reject(row.line, Reason.ORDER_REFUSED, message, row.raw)
            else:
                self.credits.credit(row, known[0])

    def _correct_stock(self, row: Sold, sku: str, *, is_product: bool) -> None:
        if not is_product:
            # Somebody typed a fee's code into a stock correction: there is no stock of fees.
            self.gathering.used("stock remark on a code without stock")
            return
        self.gathering.add(
            StockArrival(
                at=row.at,
                line=row.line,
                move_id=f"{self.channel}-{row.invoice}-{row.line}",
                sku=sku,
                quantity=row.quantity,
                reason=self._stock_reason(row.description),
                remark=row.description,
            )
        )
        self.gathering.used("stock correction")

    def _stock_reason(self, remark: str) -> str:
        lower = remark.lower()
        for reason, words in self.mapping.stock_remarks.items():
            if any(word in lower for word in words):
                return reason
        return "unexplained"

    def _entry(self, row: Sold, kind: str) -> None:
        self.gathering.add(
            EntryArrival(
                at=row.at,
                line=row.line,
                kind=kind,
                amount_minor=self._amount(row),
                number=row.invoice,
                customer=row.customer,
            )
        )
        self.gathering.used(f"entry: {kind}")

    def _kind_of(self, row: Sold) -> str:
        known = self.codes.find(row.code)
        return known[1].kind if known and known[1] else "other"

    def _amount(self, row: Sold) -> int:
        return rounded_to_minor(row.price * row.quantity, self.currency)

    def _address(self, row: Sold) -> OutsideAddress | None:
        """A town of the country for each customer (or invoice): the data name no place."""
        codes = self.mapping.countries.get(row.country)
        if not codes:
            return None
        who = row.customer or row.invoice
        country = codes[int(fraction(self.seed, "country", who) * len(codes))]
        town = town_for(self.seed, country, who)
        if town is None:
            return OutsideAddress(country=country)
        east = fraction(self.seed, "east", who) - 0.5
        north = fraction(self.seed, "north", who) - 0.5
        return OutsideAddress(
            country=country,
            postal_code=town.postal_code,
            city=town.name,
            latitude=round(town.latitude + north * JITTER_DEGREES, 5),
            longitude=round(town.longitude + east * JITTER_DEGREES, 5),
        )


def _customer(row: Sold) -> OutsideParty | None:
    if not row.customer:
        return None
    return OutsideParty(name=f"Customer {row.customer}", number=row.customer)
