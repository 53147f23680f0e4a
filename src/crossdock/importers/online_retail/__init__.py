"""Exports in the form of UCI Online Retail: invoice lines, credits without a pointer, stray codes.

The file is read twice: once to learn how many rows each invoice has and which purchases credits ask
for, then to take it. Only open invoices, and the purchases some credit may be about, are in memory.
"""

from __future__ import annotations

from pathlib import Path
from zoneinfo import ZoneInfo

from crossdock.catalog.model import Product
from crossdock.importers.dataset import Dataset
from crossdock.importers.fill import Wanted, fill_product
from crossdock.importers.gathering import Gathering, Known
from crossdock.importers.online_retail.credits import Credits
from crossdock.importers.online_retail.invoices import Invoices
from crossdock.importers.online_retail.mapping import Mapping, load_mapping
from crossdock.importers.online_retail.rows import (
    Sold,
    Survey,
    Unread,
    layout_of,
    read_row,
    survey,
)
from crossdock.importers.rejects import Rejects
from crossdock.importers.text import Reading
from crossdock.kernel.money import rounded_to_minor

FORMAT = "online-retail"

__all__ = ["FORMAT", "load_mapping", "read_online_retail"]


def read_online_retail(
    path: Path, known: Known, seed: int, rejects: Rejects, mapping: Mapping
) -> Dataset:
    """The orders, credits, stock corrections and entries of an export. Raises UnusableInput."""
    ahead = survey(Reading(path, None), mapping)
    reading = Reading(path, rejects)
    gathering = Gathering(FORMAT, seed, rejects)
    credits_ = Credits(ahead.credited, mapping.file.currency)
    _take(reading, gathering, mapping, ahead, credits_)
    credits_.settle(gathering, reading)
    gathering.read(reading)
    _provide(gathering, path, ahead)
    products = _products(gathering, ahead, mapping.file.currency)
    return gathering.finish(path.name, known, products=products)


def _take(
    reading: Reading, gathering: Gathering, mapping: Mapping, ahead: Survey, credits_: Credits
) -> None:
    invoices = Invoices(mapping, gathering, reading, credits_)
    rows = reading.rows()
    layout = layout_of(next(rows), mapping.columns, reading.path)
    zone = ZoneInfo(mapping.file.time_zone)
    left = ahead.rows_of_invoice.copy()
    open_invoices: dict[str, list[Sold]] = {}
    for row in rows:
        invoice = row.fields[layout.invoice].strip()
        sold = read_row(row, layout, zone)
        if isinstance(sold, Unread):
            reading.reject(row.number, sold.reason, sold.message, row.raw)
        else:
            open_invoices.setdefault(invoice, []).append(sold)
        left[invoice] -= 1
        if not left[invoice]:
            invoices.close(open_invoices.pop(invoice, []))
    assert not open_invoices, "both passes read the same rows"


def _provide(gathering: Gathering, path: Path, ahead: Survey) -> None:
    report = gathering.report
    if ahead.spellings:
        gathering.remark("stock codes that differ only by case, merged", ahead.spellings)
    for what in ("orders, lines, quantities, prices", "credits", "customers' countries"):
        report.real(what, path.name)
    for what in ("customers' towns, names", "payments"):
        report.filled(what, f"seed {gathering.seed}")
    report.filled("product weights, sizes, costs", f"seed {gathering.seed}")


def _products(gathering: Gathering, ahead: Survey, currency: str) -> dict[str, Product]:
    """Every SKU that is ordered or corrected: its usual name and price are in the data."""
    products = {}
    for sku, wanted in gathering.wanted.items():
        prices = ahead.prices.get(sku)
        names = ahead.names.get(sku)
        usual = Wanted(
            units=wanted.units,
            price_minor=rounded_to_minor(prices.most_common(1)[0][0], currency) if prices else 0,
            name=names.most_common(1)[0][0] if names else "",
        )
        products[sku] = fill_product(sku, usual, currency, gathering.seed)
    return products
