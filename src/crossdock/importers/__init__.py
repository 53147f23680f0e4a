"""Datasets of retailers as Crossdock takes them.

`open_dataset(path, ...)` reads order files of a known format; it never loses a row silently: what
cannot be taken goes to the rejects with line, reason and remedy, and `Report.balanced` holds.
The simulator's seeded retailer is a `Dataset` too.
"""

from crossdock.importers.arrivals import (
    Arrival,
    CancelArrival,
    CreditArrival,
    EntryArrival,
    OrderArrival,
    StockArrival,
)
from crossdock.importers.dataset import Dataset, Provided, Report
from crossdock.importers.errors import UnusableInput
from crossdock.importers.gathering import Known
from crossdock.importers.opening import FORMATS, detect_format, open_dataset
from crossdock.importers.rejects import Reason, Reject, Rejects
from crossdock.importers.stock import StockColumns, StockRow

__all__ = [
    "FORMATS",
    "Arrival",
    "CancelArrival",
    "CreditArrival",
    "Dataset",
    "EntryArrival",
    "Known",
    "OrderArrival",
    "Provided",
    "Reason",
    "Reject",
    "Rejects",
    "Report",
    "StockArrival",
    "StockColumns",
    "StockRow",
    "UnusableInput",
    "detect_format",
    "open_dataset",
]
