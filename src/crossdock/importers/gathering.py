"""What an importer gathers while it reads, and how a Dataset is made of it in the end."""

from __future__ import annotations

from collections import Counter
from datetime import date

import msgspec

from crossdock.catalog.model import Network, Node, Product
from crossdock.importers.arrivals import (
    Arrival,
    CancelArrival,
    CreditArrival,
    OrderArrival,
    StockArrival,
)
from crossdock.importers.dataset import Dataset, Report
from crossdock.importers.errors import UnusableInput
from crossdock.importers.fill import Wanted, fill_frame, fill_nodes, fill_product, fill_stock
from crossdock.importers.rejects import Rejects
from crossdock.importers.spool import Spool
from crossdock.importers.stock import StockColumns, empty
from crossdock.importers.text import Reading
from crossdock.model.outside import OutsideOrder, line_total, summed


class Known(msgspec.Struct, frozen=True):
    """Master data and stock that came with the orders; empty parts are filled."""

    network: Network = Network()
    """Its `stock` is what `stock` has no columns for: other buckets and owners."""
    stock: StockColumns = msgspec.field(default_factory=empty)


class Gathering:
    """Collects arrivals and keeps the account."""

    def __init__(self, form: str, seed: int, rejects: Rejects) -> None:
        self.seed = seed
        self.rejects = rejects
        self.report = Report(format=form, seed=seed)
        self.spool = Spool()
        self.wanted: dict[str, Wanted] = {}
        self.channels: set[str] = set()
        self.countries: Counter[str] = Counter()
        self.days: Counter[date] = Counter()
        self.currencies: Counter[str] = Counter()

    def add(self, arrival: Arrival) -> None:
        """Take an arrival; orders are also counted for what they want."""
        self.spool.append(arrival)
        if isinstance(arrival, OrderArrival):
            self._count(arrival.order)
        elif isinstance(arrival, CancelArrival):
            self.report.cancels += 1
        elif isinstance(arrival, CreditArrival):
            self.report.credits += 1
        elif isinstance(arrival, StockArrival):
            # What will be written off has to be there first.
            self._wanted(arrival.sku).units += max(-arrival.quantity, 0)

    def took(self, what: str, rows: int = 1) -> None:
        """Rows that became (a part of) an order or of what happens to one."""
        self.report.taken[what] = self.report.taken.get(what, 0) + rows

    def used(self, what: str, rows: int = 1) -> None:
        """Rows that say something else."""
        self.report.otherwise[what] = self.report.otherwise.get(what, 0) + rows

    def remark(self, what: str, count: int = 1) -> None:
        """Something worth knowing that changes no row's fate."""
        self.report.remarks[what] = self.report.remarks.get(what, 0) + count

    def read(self, *readings: Reading) -> None:
        """Enter what whole files brought into the account."""
        for reading in readings:
            self.report.lines_read += reading.read
            self.report.blank += reading.blank
            self.report.rejected += reading.rejected

    def finish(
        self,
        name: str,
        known: Known,
        *,
        products: dict[str, Product] | None = None,
        nodes: tuple[Node, ...] = (),
        stock: StockColumns | None = None,
        paid: bool = False,
    ) -> Dataset:
        """The dataset: what is known, else what the importer made of the data (`products`, `nodes`,
        `stock`), else what the seed fills in. Raises UnusableInput for no order.
        """
        if not self.report.orders:
            self.spool.close()
            raise UnusableInput(f"{name} holds no order that can be taken.", advice=self._why())
        assert self.report.balanced, f"rows are missing from the account: {self.report}"
        currency = self.currencies.most_common(1)[0][0]
        network = self._completed(known.network, currency, products or {}, nodes, paid=paid)
        if known.stock.row_count:
            stock = known.stock
            self.report.real("opening stock", "given")
        else:
            if stock is None or known.network.nodes:
                units = {sku: wanted.units for sku, wanted in self.wanted.items()}
                stock = fill_stock(network.nodes, units, self.seed)
            self.report.filled("opening stock", f"seed {self.seed}")
        return Dataset(
            name=name,
            currency=currency,
            network=network,
            stock=stock,
            arrivals=lambda: iter(self.spool),
            arrival_count=len(self.spool),
            first=self.spool.first,
            last=self.spool.last,
            report=self.report,
            rejects=self.rejects,
            close=self.spool.close,
        )

    @property
    def busiest_day(self) -> int:
        """Orders of the busiest day: who ships them all is made for it."""
        return max(self.days.values())

    @property
    def home(self) -> str:
        """The country most orders go to."""
        return self.countries.most_common(1)[0][0]

    def _count(self, order: OutsideOrder) -> None:
        report = self.report
        report.orders += 1
        report.order_lines += len(order.lines)
        report.value_minor += summed(order) if order.total is None else order.total
        self.channels.add(order.channel)
        self.currencies[order.currency] += 1
        self.days[order.placed_at.date()] += 1
        self.countries[order.groups[0].address.country] += 1
        for line in order.lines:
            report.units += line.quantity
            wanted = self._wanted(line.sku)
            wanted.units += line.quantity
            if not wanted.price_minor:
                wanted.price_minor = line_total(line, order.currency) // line.quantity

    def _wanted(self, sku: str) -> Wanted:
        wanted = self.wanted.get(sku)
        if wanted is None:
            wanted = self.wanted[sku] = Wanted()
        return wanted

    def _completed(
        self,
        network: Network,
        currency: str,
        products: dict[str, Product],
        own_nodes: tuple[Node, ...],
        *,
        paid: bool,
    ) -> Network:
        seed, home = self.seed, self.home
        frame = fill_frame(home, currency, self.channels, paid=paid)
        filled: dict[str, object] = {}
        if not network.channels:
            filled["channels"] = frame.channels
        if network.nodes:
            self.report.real("nodes", "given")
        elif own_nodes:
            filled |= {"nodes": own_nodes, "zones": frame.zones}
        else:
            nodes = fill_nodes(home, currency, seed, self.busiest_day)
            filled |= {"nodes": nodes, "zones": frame.zones}
            self.report.filled("nodes, hours, capacity, cost rates", f"seed {seed}")
        if not network.legal_entities:
            filled["legal_entities"] = frame.legal_entities
        elif not network.channels:
            # The filled channels sell for a company that is there.
            entity = network.legal_entities[0].code
            filled["channels"] = tuple(
                msgspec.structs.replace(channel, selling_entity=entity)
                for channel in frame.channels
            )
        if not network.products:
            filled["products"] = tuple(
                products.get(sku) or fill_product(sku, self.wanted[sku], currency, seed)
                for sku in sorted(self.wanted)
            )
            if not products:
                self.report.filled("product weights, sizes, costs", f"seed {seed}")
        return msgspec.structs.replace(network, **filled)

    def _why(self) -> str:
        if not self.rejects.samples:
            return ""
        first = self.rejects.samples[0]
        return f"First reject, line {first.line}: {first.message}. {first.remedy}"
