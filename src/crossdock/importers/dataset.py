"""What every importer hands over, and the account of what became of each line."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from datetime import datetime

import msgspec

from crossdock.catalog.model import Network
from crossdock.importers.arrivals import Arrival
from crossdock.importers.rejects import Rejects
from crossdock.importers.stock import StockColumns


class Provided(msgspec.Struct, frozen=True, kw_only=True):
    """One thing an order needs, where it came from, and whether it was recorded or made up."""

    what: str
    source: str
    real: bool


class Report(msgspec.Struct, kw_only=True):
    """The account of an import. Lines in = taken + otherwise used + blank + rejected."""

    format: str
    seed: int
    lines_read: int = 0
    """Rows of data, header left out; a quoted field may spread a row over several lines."""
    taken: dict[str, int] = {}
    """Rows that became (a part of) an order or of what happens to one, by what they became."""
    otherwise: dict[str, int] = {}
    """Rows that say something else (a bank charge, a stock adjustment), by what it is."""
    blank: int = 0
    rejected: int = 0
    orders: int = 0
    order_lines: int = 0
    units: int = 0
    value_minor: int = 0
    cancels: int = 0
    credits: int = 0
    remarks: dict[str, int] = {}
    """Things worth knowing that change no row's fate: doubled rows kept, spellings merged."""
    provided: list[Provided] = []

    @property
    def balanced(self) -> bool:
        """Whether every row is accounted for exactly once."""
        used = sum(self.taken.values()) + sum(self.otherwise.values())
        return self.lines_read == used + self.blank + self.rejected

    def filled(self, what: str, source: str) -> None:
        """Note something the data lack."""
        self.provided.append(Provided(what=what, source=source, real=False))

    def real(self, what: str, source: str) -> None:
        """Note something the data hold."""
        self.provided.append(Provided(what=what, source=source, real=True))


@dataclass(frozen=True)
class Dataset:
    """A retailer's business for a while: where, what, how much, and what happens in which order.

    `arrivals()` may be called again and gives the same; so does the same file and seed.
    `network` carries no stock: that is in `stock`. `report` and `rejects` are complete already.
    """

    name: str
    currency: str
    network: Network
    stock: StockColumns
    arrivals: Callable[[], Iterator[Arrival]]
    arrival_count: int
    first: datetime | None
    """When the first arrival comes."""
    last: datetime | None
    report: Report
    rejects: Rejects = field(default_factory=Rejects)
    close: Callable[[], None] = lambda: None
    """Gives disk space back; the dataset is of no use afterwards."""
