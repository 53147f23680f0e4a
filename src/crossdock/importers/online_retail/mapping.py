"""The mapping file: what columns, codes, invoices and countries of an export stand for."""

from __future__ import annotations

import re
import tomllib
from collections.abc import Mapping as MappingType
from fnmatch import fnmatchcase
from importlib import resources
from pathlib import Path
from typing import Any, Literal

import msgspec

from crossdock.importers.errors import UnusableInput
from crossdock.kernel.money import is_currency
from crossdock.model.codes import is_country, is_time_zone

Use = Literal["charge", "gift_card", "adjustment", "entry", "item"]


class Code(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """What a code that is no product is used for."""

    use: Use
    kind: str


class File(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """Facts about the whole file."""

    channel: str
    currency: str
    time_zone: str
    doubled_rows: Literal["keep", "drop"]


class Columns(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """Names a column may have."""

    invoice: tuple[str, ...]
    code: tuple[str, ...]
    description: tuple[str, ...]
    quantity: tuple[str, ...]
    time: tuple[str, ...]
    price: tuple[str, ...]
    customer: tuple[str, ...]
    country: tuple[str, ...]


class Products(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """How a product's code looks, as a regular expression."""

    product: str


class Mapping(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """The whole mapping file."""

    file: File
    columns: Columns
    invoices: dict[str, Literal["sale", "credit", "entry"]]
    products: Products
    codes: dict[str, Code]
    countries: dict[str, tuple[str, ...]]
    stock_remarks: dict[str, tuple[str, ...]]


class Codes:
    """Looks codes up, each only once."""

    def __init__(self, mapping: Mapping) -> None:
        self._product = re.compile(mapping.products.product).fullmatch
        self._codes = {pattern.upper(): code for pattern, code in mapping.codes.items()}
        self._known: dict[str, tuple[str, Code | None] | None] = {}

    def find(self, written: str) -> tuple[str, Code | None] | None:
        """The SKU and None for a product, the code and its use, or None for an unknown code."""
        if written not in self._known:
            self._known[written] = self._find(written.strip().upper())
        return self._known[written]

    def _find(self, code: str) -> tuple[str, Code | None] | None:
        if code in self._codes:
            return code, self._codes[code]
        if self._product(code):
            return code, None
        for pattern, use in self._codes.items():
            if fnmatchcase(code, pattern):
                return code, use
        return None


def load_mapping(path: Path | None = None) -> Mapping:
    """The shipped mapping with what the file at `path` says otherwise. Raises UnusableInput."""
    shipped = resources.files("crossdock.importers.online_retail").joinpath("mapping.toml")
    merged = tomllib.loads(shipped.read_text("utf-8"))
    if path is not None:
        try:
            own = tomllib.loads(path.read_text("utf-8"))
        except (OSError, UnicodeDecodeError, tomllib.TOMLDecodeError) as error:
            raise UnusableInput(f"The mapping file {path} cannot be read: {error}") from error
        merged = _merged(merged, own)
    try:
        mapping = msgspec.convert(merged, Mapping)
        re.compile(mapping.products.product)
    except (msgspec.ValidationError, re.error) as error:
        raise UnusableInput(f"The mapping file {path} is not right: {error}") from error
    _check(mapping, path)
    return mapping


def _merged(shipped: MappingType[str, Any], own: MappingType[str, Any]) -> dict[str, Any]:
    merged = dict(shipped)
    for name, value in own.items():
        known = merged.get(name)
        if isinstance(known, dict) and isinstance(value, dict) and "use" not in value:
            value = _merged(known, value)
        merged[name] = value
    return merged


def _check(mapping: Mapping, path: Path | None) -> None:
    wrong = [
        f"{name}: {code} is no country"
        for name, codes in mapping.countries.items()
        for code in codes
        if not is_country(code)
    ]
    wrong += [
        f"{name} has no country code" for name, codes in mapping.countries.items() if not codes
    ]
    if not is_currency(mapping.file.currency):
        wrong.append(f"{mapping.file.currency} is no currency")
    if not is_time_zone(mapping.file.time_zone):
        wrong.append(f"{mapping.file.time_zone} is no time zone")
    if wrong:
        raise UnusableInput(f"The mapping file {path} is not right: {'; '.join(wrong)}.")
