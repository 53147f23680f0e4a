"""The tables of the Olist dataset, read into memory: it has some 100,000 orders in all."""

from __future__ import annotations

from bisect import bisect_left
from collections.abc import Iterator
from contextlib import suppress
from datetime import UTC, datetime
from decimal import Decimal, InvalidOperation
from pathlib import Path
from typing import NamedTuple
from zoneinfo import ZoneInfo

from crossdock.importers.errors import UnusableInput
from crossdock.importers.rejects import Reason, Rejects
from crossdock.importers.text import Reading, Row

HOME = ZoneInfo("America/Sao_Paulo")
MOST_MONEY = Decimal(10) ** 9

# File name beginnings; samples have something between it and .csv.
_BEGINNINGS = {
    "orders": "olist_orders",
    "items": "olist_order_items",
    "payments": "olist_order_payments",
    "reviews": "olist_order_reviews",
    "customers": "olist_customers",
    "places": "olist_geolocation",
    "products": "olist_products",
    "sellers": "olist_sellers",
    "categories": "product_category_name_translation",
}
_COLUMNS = {
    "orders": ("order_id", "customer_id", "order_status", "order_purchase_timestamp"),
    "items": ("order_id", "order_item_id", "product_id", "seller_id", "price", "freight_value"),
    "payments": ("order_id", "payment_sequential", "payment_type", "payment_value"),
    "reviews": ("order_id",),
    "customers": (
        "customer_id",
        "customer_unique_id",
        "customer_zip_code_prefix",
        "customer_city",
        "customer_state",
    ),
    "places": ("geolocation_zip_code_prefix", "geolocation_lat", "geolocation_lng"),
    "products": ("product_id", "product_category_name", "product_weight_g"),
    "sellers": ("seller_id", "seller_zip_code_prefix", "seller_city", "seller_state"),
    "categories": ("product_category_name", "product_category_name_english"),
}
NEEDED = ("orders", "items")
_GIVE_THE_FOLDER = "Give the folder with the tables of the Olist dataset."


class Record(NamedTuple):
    """A row with its fields by column name."""

    row: Row
    fields: dict[str, str]


class Item(NamedTuple):
    """One unit of an order."""

    row: Row
    product: str
    seller: str
    price: Decimal
    freight: Decimal


class Payment(NamedTuple):
    """One way of paying of an order."""

    sequence: int
    kind: str
    amount: Decimal


class Person(NamedTuple):
    """A customer (by `number`) or a seller, and where they are as far as the data say."""

    number: str
    prefix: str
    city: str
    state: str


class Good(NamedTuple):
    """What a product weighs (grams) and measures (millimetres); 0 is not known."""

    category: str
    grams: int
    length: int
    width: int
    height: int


class Places:
    """Points of postal prefixes. Of a prefix without a point in Brazil, the nearest number's."""

    def __init__(self) -> None:
        self._points: dict[int, tuple[float, float]] = {}
        self._sorted: list[int] = []

    def add(self, prefix: str, latitude: float, longitude: float) -> bool:
        """Keep the first point of a prefix; False for one outside Brazil."""
        if not (-34.0 <= latitude <= 5.5 and -74.5 <= longitude <= -32.0):
            return False
        with suppress(ValueError):
            self._points.setdefault(int(prefix), (latitude, longitude))
        return True

    def find(self, prefix: str) -> tuple[float, float, bool] | None:
        """Latitude, longitude, and whether it is the prefix's own."""
        try:
            number = int(prefix)
        except ValueError:
            return None
        if number in self._points:
            return (*self._points[number], True)
        if not self._points:
            return None
        if len(self._sorted) != len(self._points):
            self._sorted = sorted(self._points)
        # Postal numbers follow geography, so the neighbor in number is one on the map.
        at = bisect_left(self._sorted, number)
        near = min(self._sorted[max(at - 1, 0) : at + 1], key=lambda other: abs(other - number))
        return (*self._points[near], False)


class Tables:
    """The folder's files, each read once; `readings` has the account of all of them."""

    def __init__(self, folder: Path, rejects: Rejects) -> None:
        self.folder = folder
        self._rejects = rejects
        self.readings: dict[str, Reading] = {}
        self._files = files_of(folder)
        for name in NEEDED:
            if name not in self._files:
                raise UnusableInput(
                    f"{folder} has no file {_BEGINNINGS[name]}*.csv.",
                    advice=_GIVE_THE_FOLDER,
                )

    def has(self, name: str) -> bool:
        """Whether the folder has that table."""
        return name in self._files

    def records(self, name: str) -> Iterator[Record]:
        """The rows of a table; none where the folder lacks it."""
        path = self._files.get(name)
        if path is None:
            return
        reading = self.readings[name] = Reading(path, self._rejects)
        rows = reading.rows()
        header = next(rows)
        missing = [column for column in _COLUMNS[name] if column not in header.fields]
        if missing:
            raise UnusableInput(f"{path} has no column {', '.join(missing)}.")
        for row in rows:
            fields = zip(header.fields, (field.strip() for field in row.fields), strict=True)
            yield Record(row, dict(fields))

    def reject(self, name: str, row: Row, reason: Reason, message: str) -> None:
        """Leave out a row of a table."""
        self.readings[name].reject(row.number, reason, message, row.raw)


def files_of(folder: Path) -> dict[str, Path]:
    """The tables in a folder, by what they are; `olist_orders` does not stand for `_items`.

    Raises UnusableInput for what is no folder or cannot be looked into.
    """
    try:
        files = sorted(folder.iterdir())
    except OSError as error:
        raise UnusableInput(
            f"{folder} cannot be read as a folder: {error.strerror}.", advice=_GIVE_THE_FOLDER
        ) from error
    found: dict[str, Path] = {}
    for file in files:
        if not file.name.removesuffix(".gz").endswith(".csv"):
            continue
        for name, beginning in _BEGINNINGS.items():
            rest = file.name.removeprefix(beginning)
            if rest != file.name and rest[0] in "._" and name not in found:
                found[name] = file
    return found


def is_olist(folder: Path) -> bool:
    """Whether a folder holds the dataset."""
    return set(NEEDED) <= set(files_of(folder))


def money(text: str) -> Decimal | None:
    """An amount of reais, None for what is no sensible one."""
    try:
        amount = Decimal(text)
    except InvalidOperation:
        return None
    if not amount.is_finite() or not 0 <= amount <= MOST_MONEY:
        return None
    return round(amount, 2)


def local_time(text: str) -> datetime | None:
    """A time of day in São Paulo as an instant, None where there is none that can be read."""
    try:
        at = datetime.fromisoformat(text)
    except ValueError:
        return None
    if not 1990 <= at.year <= 2200:
        return None
    return (at if at.tzinfo else at.replace(tzinfo=HOME)).astimezone(UTC)


def whole(text: str, factor: int = 1) -> int:
    """A measure as a whole number, 0 for none."""
    try:
        return int(float(text) * factor) if text else 0
    except (ValueError, OverflowError):
        return 0
