"""Rows that cannot be taken: each with its line, a reason code, and what to do about it."""

from __future__ import annotations

from collections import Counter
from enum import StrEnum
from pathlib import Path
from types import TracebackType
from typing import IO, Self

import msgspec

from crossdock.importers.errors import UnusableInput

EXCERPT_CHARACTERS = 300
SAMPLES_KEPT = 50


class Reason(StrEnum):
    """Why a row is not taken, besides what the model's validation of an order may say.

    Both give one word for machines; `REMEDIES` has one line for people for each of these.
    """

    TRUNCATED_FILE = "truncated_file"
    DAMAGED_FILE = "damaged_file"
    LINE_TOO_LONG = "line_too_long"
    NOT_UTF8 = "not_utf8"
    UNSTORABLE_CHARACTER = "unstorable_character"
    UNCLOSED_QUOTE = "unclosed_quote"
    WRONG_COLUMN_COUNT = "wrong_column_count"
    NOT_JSON = "not_json"
    WRONG_SHAPE = "wrong_shape"
    UNREADABLE_NUMBER = "unreadable_number"
    UNREADABLE_TIME = "unreadable_time"
    EMPTY_FIELD = "empty_field"
    UNKNOWN_CURRENCY = "unknown_currency"
    UNKNOWN_COUNTRY = "unknown_country"
    UNKNOWN_CHANNEL = "unknown_channel"
    UNKNOWN_SKU = "unknown_sku"
    UNKNOWN_NODE = "unknown_node"
    UNKNOWN_OWNER = "unknown_owner"
    UNKNOWN_CODE = "unknown_code"
    BAD_PRICE = "bad_price"
    NEGATIVE_PRICE = "negative_price"
    NEGATIVE_QUANTITY = "negative_quantity"
    ZERO_QUANTITY = "zero_quantity"
    ORDER_WITHOUT_LINES = "order_without_lines"
    DOUBLED_ORDER_NUMBER = "doubled_order_number"
    DOUBLED_ROW = "doubled_row"
    CANCEL_OF_UNKNOWN_ORDER = "cancel_of_unknown_order"
    MIXED_INVOICE = "mixed_invoice"
    CREDIT_WITHOUT_CUSTOMER = "credit_without_customer"
    CREDIT_WITHOUT_PURCHASE = "credit_without_purchase"
    CREDIT_EXCEEDS_PURCHASES = "credit_exceeds_purchases"
    ROW_WITHOUT_ORDER = "row_without_order"
    ORDER_WITHOUT_CUSTOMER = "order_without_customer"
    ORDER_REFUSED = "order_refused"
    PLACE_OUT_OF_RANGE = "place_out_of_range"


REMEDIES: dict[Reason, str] = {
    Reason.TRUNCATED_FILE: "Fetch the file again: its compressed data end too early.",
    Reason.DAMAGED_FILE: "Fetch the file again: its data are damaged at this row or before it.",
    Reason.LINE_TOO_LONG: "Check the line ends of the file; one row may have 16 MiB.",
    Reason.NOT_UTF8: "Save the file as UTF-8 (for instance: iconv -f WINDOWS-1252 -t UTF-8).",
    Reason.UNSTORABLE_CHARACTER: "Remove NUL and other control characters from the row.",
    Reason.UNCLOSED_QUOTE: 'Close the quotation mark, or write " inside a quoted field as "".',
    Reason.WRONG_COLUMN_COUNT: "Give the row as many fields as the header has; quote commas.",
    Reason.NOT_JSON: "Write one whole JSON object per line.",
    Reason.WRONG_SHAPE: "Compare with the schema of an order (crossdock schema export DIR).",
    Reason.UNREADABLE_NUMBER: "Write numbers with digits and a decimal point only.",
    Reason.UNREADABLE_TIME: "Write times like 2026-11-27 14:05:00.",
    Reason.EMPTY_FIELD: "Fill the field in.",
    Reason.UNKNOWN_CURRENCY: "Send a code of ISO 4217, such as USD.",
    Reason.UNKNOWN_COUNTRY: "Add the country's name to the mapping file.",
    Reason.UNKNOWN_CHANNEL: "Add the channel to the network folder, or correct its name.",
    Reason.UNKNOWN_SKU: "Add the product to the network folder, or correct the SKU.",
    Reason.UNKNOWN_NODE: "Add the node to the network folder, or correct its name.",
    Reason.UNKNOWN_OWNER: "Add the legal entity to the network folder, or correct its code.",
    Reason.UNKNOWN_CODE: "Say in the mapping file what this code stands for.",
    Reason.BAD_PRICE: "Send a number of major units, not below zero.",
    Reason.NEGATIVE_PRICE: "Write discounts as adjustments, not as negative prices.",
    Reason.NEGATIVE_QUANTITY: "Only credits and stock adjustments go below zero.",
    Reason.ZERO_QUANTITY: "A row is about one unit or more.",
    Reason.ORDER_WITHOUT_LINES: "Add the lines the order has, or remove the order.",
    Reason.DOUBLED_ORDER_NUMBER: "The first one is taken; give the other a number of its own.",
    Reason.DOUBLED_ROW: "The first one is taken; remove the other.",
    Reason.CANCEL_OF_UNKNOWN_ORDER: "A cancel follows, in the same file, the order it names.",
    Reason.MIXED_INVOICE: "Rows of one invoice name one customer and one country.",
    Reason.CREDIT_WITHOUT_CUSTOMER: "Without a customer no purchase can be found; book by hand.",
    Reason.CREDIT_WITHOUT_PURCHASE: "No earlier purchase by customer, SKU, price; book by hand.",
    Reason.CREDIT_EXCEEDS_PURCHASES: "The units above what was bought are left; book by hand.",
    Reason.ROW_WITHOUT_ORDER: "Add the order this row belongs to, or remove the row.",
    Reason.ORDER_WITHOUT_CUSTOMER: "Add the customer the order names.",
    Reason.ORDER_REFUSED: "Correct what is wrong with the order: it is taken whole or not at all.",
    Reason.PLACE_OUT_OF_RANGE: "Give latitude and longitude in degrees.",
}


class Reject(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """One entry of a rejects file."""

    file: str
    line: int
    reason: str
    message: str
    remedy: str
    raw: str
    part: bool = False
    """Only a part of the row is left out (the rest was taken), or the file itself is meant."""


class Rejects:
    """Counts rejects, keeps the first few, and writes all of them to a file if one is named.

    The file (JSON Lines) appears with the first reject, so no file means no rejects.
    """

    def __init__(self, path: Path | None = None) -> None:
        self.path = path
        self.lines = 0
        """Rows not taken."""
        self.parts = 0
        """Rejects that are not a row of their own."""
        self.by_reason: Counter[str] = Counter()
        self.samples: list[Reject] = []
        self.first_of: dict[str, Reject] = {}
        """The first of each reason."""
        self._file: IO[bytes] | None = None
        self._encoder = msgspec.json.Encoder()

    def __len__(self) -> int:
        return self.lines + self.parts

    def add(
        self,
        file: Path,
        line: int,
        reason: str,
        message: str,
        raw: str | bytes,
        *,
        remedy: str = "",
        part: bool = False,
    ) -> None:
        """Record one; `raw` is cut to a short excerpt, a Reason brings its remedy."""
        if not remedy and isinstance(reason, Reason):
            remedy = REMEDIES[reason]
        self._record(
            Reject(
                file=file.name,
                line=line,
                reason=str(reason),
                message=message,
                remedy=remedy,
                raw=excerpt(raw),
                part=part,
            )
        )

    def close(self) -> None:
        """Finish the file; harmless when there is none."""
        if self._file is not None:
            self._file.close()
            self._file = None

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        self.close()

    def _record(self, reject: Reject) -> None:
        if reject.part:
            self.parts += 1
        else:
            self.lines += 1
        self.by_reason[reject.reason] += 1
        self.first_of.setdefault(reject.reason, reject)
        if len(self.samples) < SAMPLES_KEPT:
            self.samples.append(reject)
        if self.path is None:
            return
        try:
            if self._file is None:
                # An earlier run's rejects are not this run's.
                self._file = self.path.open("ab" if self.lines + self.parts > 1 else "wb")
            self._file.write(self._encoder.encode(reject) + b"\n")
        except OSError as error:
            raise UnusableInput(
                f"The rejects file {self.path} cannot be written: {error.strerror}.",
                advice="Name a file in a folder you may write to, on a disk with room.",
            ) from error


def excerpt(raw: str | bytes) -> str:
    """The beginning of a row, printable, whatever it is made of."""
    if isinstance(raw, bytes):
        raw = raw[: EXCERPT_CHARACTERS * 4].decode("utf-8", "backslashreplace")
    short = raw[:EXCERPT_CHARACTERS].rstrip("\r\n")
    safe = short.encode("utf-8", "backslashreplace").decode("utf-8")
    return safe.replace("\0", "\\x00") + ("…" if len(raw) > EXCERPT_CHARACTERS else "")
