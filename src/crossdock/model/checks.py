"""The single checks that validation is made of; each adds a Problem where it finds one."""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence
from datetime import date, datetime
from decimal import Decimal

from crossdock.kernel.money import is_currency
from crossdock.kernel.quantity import MAX_QUANTITY
from crossdock.model.codes import COUNTRIES, is_gln, is_gtin, is_time_zone
from crossdock.model.problems import Problem

FIRST_YEAR, LAST_YEAR = 1971, 2999
"""Of any time from outside: ids begin with milliseconds since 1970."""
MAX_KEY_CHARACTERS = 200
"""SKUs, order numbers and node codes; PostgreSQL indexes nothing over some 2,700 bytes."""
MAX_MINOR = 10**15
"""Ten trillion dollars in cents: more is a mistake, and sums of it still fit 64 bits."""
MAX_DECIMALS = 20
"""Of a price or a rate; PostgreSQL writes every zero of 1e-9999 down."""
MAX_ATTRIBUTES = 64
MAX_ATTRIBUTE_KEY_CHARACTERS = 128
MAX_ATTRIBUTE_CHARACTERS = 4_096
MAX_ATTRIBUTES_BYTES = 16_384
"""All keys and values of one object together, in UTF-8."""

_uuid = re.compile(r"[0-9a-f]{8}(?:-[0-9a-f]{4}){3}-[0-9a-f]{12}").fullmatch
_attribute_key = re.compile(r"[a-z0-9_-]+(?:\.[a-zA-Z0-9_-]+)+").fullmatch


def is_key(text: str) -> bool:
    """Whether `text` can name something: printable, not blank at an end, not too long."""
    return 0 < len(text) <= MAX_KEY_CHARACTERS and text.isprintable() and text == text.strip()


def is_price(value: Decimal) -> bool:
    """Whether it is a number of major units that can be meant and be written down."""
    return value.is_finite() and value.adjusted() >= -MAX_DECIMALS and 0 <= value <= MAX_MINOR


def is_moment(value: datetime) -> bool:
    """Whether a time says in which zone, and can be meant."""
    return value.tzinfo is not None and FIRST_YEAR <= value.year <= LAST_YEAR


class Findings:
    """Collects problems. `at` is the path of the object, ending in a dot, or empty."""

    def __init__(self, problems: list[Problem]) -> None:
        self.problems = problems

    def add(self, path: str, code: str, message: str, remedy: str) -> None:
        """One problem more."""
        self.problems.append(Problem(path, code, message, remedy))

    def key(self, value: str, at: str, name: str) -> None:
        """A code or number that names something."""
        if not is_key(value):
            self.add(
                at + name,
                "bad_key",
                f"{value[:MAX_KEY_CHARACTERS]!r} cannot name anything.",
                f"Send 1 to {MAX_KEY_CHARACTERS} printable characters without blanks at the ends.",
            )

    def lot(self, lot: str, expires_on: date | None, at: str) -> None:
        """A lot and its last day; '' is none."""
        if lot:
            self.key(lot, at, "lot")
        elif expires_on is not None:
            self.add(
                f"{at}expires_on",
                "date_without_lot",
                "A date is known of a lot, and none is named.",
                "Send the lot, or leave the date out.",
            )

    def identifier(self, value: str | None, at: str, name: str) -> None:
        """An id of ours, or nothing yet."""
        if value and not _uuid(value):
            self.add(
                at + name,
                "bad_id",
                f"{value[:60]!r} is no UUID.",
                "Send lower-case 8-4-4-4-12 hex digits, or leave it out.",
            )

    def currency(self, value: str, at: str, name: str) -> None:
        """An ISO 4217 code."""
        if not is_currency(value):
            self.add(
                at + name,
                "unknown_currency",
                f"{value[:20]!r} is no ISO 4217 code.",
                "Send three capital letters, such as USD or JPY.",
            )

    def country(self, value: str, at: str, name: str = "country") -> None:
        """An ISO 3166-1 code."""
        if value not in COUNTRIES:
            self.add(
                at + name,
                "unknown_country",
                f"{value[:20]!r} is no ISO 3166-1 alpha-2 code.",
                "Send two capital letters, such as US or GB.",
            )

    def aware(self, value: datetime | None, at: str, name: str) -> None:
        """A time that says in which zone, and that can be meant."""
        if value is None or is_moment(value):
            return
        if value.tzinfo is None:
            self.add(
                at + name,
                "time_without_zone",
                "The time does not say its zone.",
                "End it with Z or an offset such as +01:00.",
            )
        else:
            self.add(
                at + name,
                "bad_time",
                f"The year {value.year} cannot be meant.",
                f"Send a time from {FIRST_YEAR} to {LAST_YEAR}.",
            )

    def quantity(self, value: int, at: str, name: str = "quantity", least: int = 1) -> None:
        """Units of something."""
        if not least <= value <= MAX_QUANTITY:
            self.add(
                at + name,
                "bad_quantity",
                f"{value} is no quantity here.",
                f"Send {least} to {MAX_QUANTITY:,}.",
            )

    def number(self, value: int, at: str, name: str = "number") -> None:
        """A position within its document."""
        if not 0 < value <= MAX_QUANTITY:
            self.add(at + name, "bad_number", f"{value} is no number.", "Count from 1.")

    def amount(self, value: int, at: str, name: str = "amount", least: int = 0) -> None:
        """Minor units of money."""
        if not least <= value <= MAX_MINOR:
            self.add(
                at + name,
                "bad_amount",
                f"{value} minor units cannot be.",
                f"Send {least:,} to {MAX_MINOR:,} minor units.",
            )

    def price(self, value: Decimal, at: str, name: str) -> None:
        """Major units, not below zero."""
        if not is_price(value):
            self.add(
                at + name,
                "bad_price",
                f"{str(value)[:40]} is no price.",
                f"Send major units, not below zero, of at most {MAX_DECIMALS} decimals.",
            )

    def exchange_rate(self, value: Decimal | None, at: str, name: str) -> None:
        """Units of one currency for one of another, or nothing."""
        if value is not None and not (is_price(value) and value > 0):
            self.add(
                at + name,
                "bad_exchange_rate",
                f"{str(value)[:40]} is no exchange rate.",
                f"Send a number above zero of at most {MAX_DECIMALS} decimals, or leave it out.",
            )

    def reference(self, value: int | None, known: set[int], at: str, name: str) -> None:
        """A number of something else in the same document, or nothing."""
        if value is not None and value not in known:
            self.add(
                at + name,
                "unknown_reference",
                f"There is no {name} {value} in this order.",
                "Send a number that is there, or add what it names.",
            )

    def distinct(self, numbers: Sequence[int], what: str, at: str) -> None:
        """Numbers that are each used once."""
        if len(set(numbers)) == len(numbers):
            return
        seen: set[int] = set()
        for index, number in enumerate(numbers):
            if number in seen:
                self.add(
                    f"{at}[{index}].number",
                    "duplicate_number",
                    f"There are two of {what} {number}.",
                    "Number each once.",
                )
            seen.add(number)

    def place(self, latitude: float | None, longitude: float | None, at: str) -> None:
        """Degrees, both or neither."""
        if latitude is None and longitude is None:
            return
        if latitude is None or longitude is None:
            self.add(
                at + ("latitude" if latitude is None else "longitude"),
                "half_a_place",
                "Only one of latitude and longitude is there.",
                "Send both or neither.",
            )
        elif not (-90 <= latitude <= 90 and -180 <= longitude <= 180):
            self.add(
                f"{at}latitude",
                "no_place_on_earth",
                f"{latitude}, {longitude} is nowhere.",
                "Send degrees, north and east positive.",
            )

    def time_zone(self, value: str, at: str, name: str = "time_zone") -> None:
        """A zone of the IANA database."""
        if not is_time_zone(value):
            self.add(
                at + name,
                "unknown_time_zone",
                f"{value[:60]!r} is no IANA time zone.",
                "Send a name such as America/New_York.",
            )

    def gtin(self, value: str, at: str, name: str = "gtin") -> None:
        """A GTIN with its check digit, or nothing."""
        if value and not is_gtin(value):
            self.add(
                at + name,
                "bad_gtin",
                f"{value[:30]!r} is no GTIN: its length or check digit is wrong.",
                "Send 8, 12, 13 or 14 digits as on the barcode, or leave it out.",
            )

    def gln(self, value: str, at: str, name: str = "gln") -> None:
        """A GLN with its check digit, or nothing."""
        if value and not is_gln(value):
            self.add(
                at + name,
                "bad_gln",
                f"{value[:30]!r} is no GLN: its length or check digit is wrong.",
                "Send 13 digits, or leave it out.",
            )

    def attributes(self, attributes: dict[str, str], at: str) -> None:
        """Attributes travel everywhere: keys are `namespace.name`, sizes small."""
        if not attributes:
            return
        path = f"{at}attributes"
        if len(attributes) > MAX_ATTRIBUTES:
            self._attributes(path, f"{len(attributes)} attributes are over {MAX_ATTRIBUTES}.")
        for key, value in attributes.items():
            inner = f"{path}.{ascii(key[:MAX_ATTRIBUTE_KEY_CHARACTERS])[1:-1]}"
            if len(key) > MAX_ATTRIBUTE_KEY_CHARACTERS or not _attribute_key(key):
                self.add(
                    inner,
                    "bad_attribute_key",
                    "The key is too long or is not `namespace.name`.",
                    "Use letters, digits, _ and - with a dot, such as acme.gift_note.",
                )
            if len(value) > MAX_ATTRIBUTE_CHARACTERS:
                self._attributes(inner, f"It is over {MAX_ATTRIBUTE_CHARACTERS:,} characters.")
        size = _bytes_of(attributes)
        if size > MAX_ATTRIBUTES_BYTES:
            self._attributes(path, f"Together they are {size:,} bytes of {MAX_ATTRIBUTES_BYTES:,}.")

    def _attributes(self, path: str, message: str) -> None:
        self.add(path, "attributes_too_large", message, "Keep what is large in its own system.")


def _bytes_of(attributes: dict[str, str]) -> int:
    texts: Iterable[str] = (text for pair in attributes.items() for text in pair)
    return sum(len(text.encode("utf-8", "surrogatepass")) for text in texts)
