"""One row of the export, read; and the first pass over the file, which says what is coming."""

from __future__ import annotations

from collections import Counter
from contextlib import suppress
from datetime import UTC, datetime
from decimal import Decimal, InvalidOperation
from functools import lru_cache
from typing import NamedTuple
from zoneinfo import ZoneInfo

from crossdock.importers.errors import UnusableInput
from crossdock.importers.online_retail.mapping import Codes, Columns, Mapping
from crossdock.importers.rejects import Reason
from crossdock.importers.text import Reading, Row

MOST_UNITS = 1_000_000_000
MOST_PRICE = Decimal(10) ** 9
_CENT = Decimal("0.01")
_TIME_FORMS = ("%m/%d/%Y %H:%M", "%m/%d/%y %H:%M", "%d.%m.%Y %H:%M")

CreditKey = tuple[str, str, str]
"""Customer, SKU and price as written in full: what a credit is matched by."""


class Sold(NamedTuple):
    """A row whose fields could be read. `line` is its place in the file."""

    line: int
    invoice: str
    code: str
    """As written."""
    description: str
    quantity: int
    at: datetime
    price: Decimal
    customer: str
    country: str
    raw: str


class Unread(NamedTuple):
    """Why a row could not be read."""

    reason: Reason
    message: str


class Layout(NamedTuple):
    """Which column is which."""

    invoice: int
    code: int
    description: int
    quantity: int
    time: int
    price: int
    customer: int
    country: int


class Survey(NamedTuple):
    """What the first pass learned; it rejects nothing."""

    rows_of_invoice: Counter[str]
    credited: set[CreditKey]
    """What some credit may point to: only these purchases have to be remembered."""
    names: dict[str, Counter[str]]
    prices: dict[str, Counter[Decimal]]
    spellings: int
    """Codes that differ from another one only by case or blanks."""


def layout_of(header: Row, columns: Columns, path: object) -> Layout:
    """Which column is which. Raises UnusableInput for a header that lacks one."""
    found = {}
    for field in Layout._fields:
        names: tuple[str, ...] = getattr(columns, field)
        present = [name for name in names if name in header.fields]
        if not present:
            raise UnusableInput(
                f"{path} has no column {' or '.join(names)}; its header is: {header.raw[:200]}",
                advice="Name the column in the mapping file ([columns]) and give it by --mapping.",
            )
        found[field] = header.fields.index(present[0])
    return Layout(**found)


def matches(header: Row, columns: Columns) -> bool:
    """Whether a header is that of such an export."""
    return all(
        any(name in header.fields for name in getattr(columns, field)) for field in Layout._fields
    )


def survey(reading: Reading, mapping: Mapping) -> Survey:
    """Read the whole file once for what must be known before its first invoice is closed."""
    rows = reading.rows()
    layout = layout_of(next(rows), mapping.columns, reading.path)
    codes = Codes(mapping)
    zone = ZoneInfo(mapping.file.time_zone)
    written: dict[str, set[str]] = {}
    found = Survey(Counter(), set(), {}, {}, 0)
    for row in rows:
        found.rows_of_invoice[row.fields[layout.invoice].strip()] += 1
        sold = read_row(row, layout, zone)
        if isinstance(sold, Unread):
            continue
        known = codes.find(sold.code)
        if known is None or known[1] is not None:
            continue
        sku = known[0]
        written.setdefault(sku, set()).add(sold.code)
        kind = mapping.invoices.get(prefix_of(sold.invoice))
        if kind == "credit" and sold.customer:
            found.credited.add((sold.customer, sku, str(sold.price)))
        elif kind == "sale" and sold.price > 0 and sold.quantity > 0:
            found.names.setdefault(sku, Counter())[sold.description] += 1
            found.prices.setdefault(sku, Counter())[sold.price] += 1
    return found._replace(spellings=sum(len(codes) - 1 for codes in written.values()))


def read_row(row: Row, layout: Layout, zone: ZoneInfo) -> Sold | Unread:
    """The row's fields as what they are."""
    fields = row.fields
    invoice, code = fields[layout.invoice].strip(), fields[layout.code].strip()
    if not invoice or not code:
        return Unread(Reason.EMPTY_FIELD, "the invoice number or the stock code is empty")
    quantity = _whole(fields[layout.quantity].strip())
    if quantity is None:
        return Unread(
            Reason.UNREADABLE_NUMBER, f"the quantity {fields[layout.quantity][:40]!r} is no number"
        )
    price = _price(fields[layout.price].strip())
    if price is None:
        return Unread(
            Reason.UNREADABLE_NUMBER, f"the price {fields[layout.price][:40]!r} is no number"
        )
    at = _time(fields[layout.time].strip(), zone)
    if at is None:
        return Unread(
            Reason.UNREADABLE_TIME, f"the time {fields[layout.time][:40]!r} cannot be read"
        )
    customer = fields[layout.customer].strip().removesuffix(".0")
    return Sold(
        row.number,
        invoice,
        code,
        fields[layout.description].strip(),
        quantity,
        at,
        price,
        customer,
        fields[layout.country].strip(),
        row.raw,
    )


def prefix_of(invoice: str) -> str:
    """The letters before an invoice's number."""
    return invoice.rstrip("0123456789")


@lru_cache(maxsize=65_536)
def _whole(text: str) -> int | None:
    try:
        number = int(text)
    except ValueError:
        return None
    return number if -MOST_UNITS <= number <= MOST_UNITS else None


@lru_cache(maxsize=65_536)
def _price(text: str) -> Decimal | None:
    try:
        number = Decimal(text)
    except InvalidOperation:
        return None
    if not number.is_finite() or abs(number) > MOST_PRICE:
        return None
    # 10.5 and 10.50 are one price; three decimals are kept.
    shortened = round(number, 6).normalize()
    return shortened.quantize(_CENT) if shortened == shortened.quantize(_CENT) else shortened


@lru_cache(maxsize=65_536)
def _time(text: str, zone: ZoneInfo) -> datetime | None:
    at = _parsed(text)
    if at is None or not 1980 <= at.year <= 2200:
        return None
    return (at if at.tzinfo else at.replace(tzinfo=zone)).astimezone(UTC)


def _parsed(text: str) -> datetime | None:
    with suppress(ValueError):
        return datetime.fromisoformat(text)
    for form in _TIME_FORMS:
        with suppress(ValueError):
            # The zone of the file is added by the caller.
            return datetime.strptime(text, form)  # noqa: DTZ007
    return None
