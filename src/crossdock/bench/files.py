"""Whole files of products, prices and stock: sent to the API, loaded as jobs, told row by row.

Each kind comes once as CSV and once as NDJSON, gzipped. Half of the rows of products and stock
change what is there, the others begin something; prices all change; one row in 10,000 is wrong.
The clock runs from the first byte sent until the job is done, and for stock until it is booked: by
an API process, a loader and a worker beside each other, as `crossdock serve` runs them.

The limit is the very same rows by COPY, into twins of their tables with all indexes and checks.
"""

from __future__ import annotations

import contextlib
import gzip
import io
import multiprocessing
import time
from collections.abc import Callable, Iterable, Iterator, Mapping
from datetime import UTC, datetime
from functools import partial
from typing import Any, NamedTuple

import msgspec

from crossdock import db, invariants, postgres
from crossdock.api.files.loading import PORTION
from crossdock.api.files.runner import run_files
from crossdock.app import registry
from crossdock.bench import api, files_store, limit, store
from crossdock.bench.result import BenchResult
from crossdock.client import Client
from crossdock.client.model import FileJob
from crossdock.engine.store import ensure_zone_shards
from crossdock.engine.transaction import Transaction
from crossdock.engine.worker import Worker
from crossdock.inventory.store import ensure_ledger_partitions
from crossdock.inventory.upkeep import Opening, load_opening_stock
from crossdock.kernel.clock import SystemClock

ROWS = 1_000_000
"""Of each kind, half of them in each form."""
AIM_PER_SECOND = 1_000_000 / 60
WRONG_EVERY = 10_000
STORES, DCS, ZONES = 600, 2, 4
SKUS_OF_A_NODE = 10_000
TABLES: Mapping[str, tuple[str, ...]] = {
    "products": ("product", "master_data_change"),
    "prices": ("product", "master_data_change"),
    "stock": ("stock_level", "stock_ledger"),
}
FORMS = ("csv", "ndjson")

Row = dict[str, Any]


class Loaded(NamedTuple):
    """What loading one file took."""

    per_second: float
    processor: dict[str, float]
    """Microseconds per row, by process."""


def run(seed: int = 1, scale: float = 1.0) -> BenchResult:
    """Six files; the value is the slowest one's rows a second. `seed` moves the numbers in them."""
    count = max(5_000, round(ROWS * scale / len(FORMS)))
    with (
        postgres.serve(ephemeral=True) as server,
        contextlib.closing(db.connect(server.url)) as connection,
    ):
        db.migrate(connection)
        _open(connection, count, seed)
        grants = ("master_data", "inventory:write", "inventory:read")
        key = api.new_key(connection, *grants)
        processes = _Processes(files_store.postmaster(connection))
        limits: dict[str, float] = {}
        loaded: dict[str, Loaded] = {}
        with (
            api.serving(server.url) as (port, _),
            processes.running("loader", load, server.url),
            processes.running("worker", work, server.url),
            Client(f"http://127.0.0.1:{port}", key) as client,
        ):
            for kind, tables in TABLES.items():
                for form in FORMS:
                    rows = partial(MADE[kind], form, count, seed)
                    loaded[f"{kind}, {form}"] = _load(client, kind, form, rows, processes)
                limits[kind] = _copied(connection, tables, kind)
        broken = invariants.check(connection, rows_per_rule=1)
        assert not broken, f"rules are broken: {broken}"
    return _result(count, loaded, limits)


# What the files hold -----------------------------------------------------------------------------


def _open(connection: db.Connection, count: int, seed: int) -> None:
    """Nodes; half of the products; and of stock every other level, with another number."""
    store.make_network(connection, STORES, DCS, count // 2, ZONES)
    ensure_zone_shards(connection, [f"zone-{number}" for number in range(ZONES)])
    now = SystemClock().now()
    tx = Transaction(connection, now)
    ensure_ledger_partitions(tx, now, now)
    for form in FORMS:
        kept = (row for i, row in enumerate(_stock(form, count, seed, right=True)) if i % 2)
        load_opening_stock(tx, (Opening(row["sku"], row["node"], sellable=100) for row in kept))
        tx.flush_books()
        connection.commit()
    store.analyze(connection)


def _products(form: str, count: int, seed: int) -> Iterator[Row]:
    """Half of them are there: those of the set-up, then those of the first file."""
    first = FORMS.index(form) * (count // 2)
    for number in range(first, first + count):
        yield {
            "sku": f"SKU-{number:06d}",
            "name": "" if _is_wrong(number) else f"Brass lamp no. {number}",
            "brand": "northwind",
            "category": f"lighting/{number % 90}",
            "weight_grams": -1 if _is_wrong(number) else 200 + (number + seed) % 4_000,
            "length_mm": 100 + number % 900,
            "width_mm": 80 + number % 200,
            "height_mm": 60,
            "currency": "USD",
            "price": 990 + FORMS.index(form) + (number + seed) % 9_000,
            "cost": 400 + number % 3_000,
            "country_of_origin": "US",
            "customs_code": "940511",
        }


def _prices(form: str, count: int, seed: int) -> Iterator[Row]:
    first = FORMS.index(form) * (count // 2)
    for number in range(first, first + count):
        sku = f"GONE-{number}" if _is_wrong(number) else f"SKU-{number:06d}"
        price = 1_000 + FORMS.index(form) + (number * 7 + seed) % 9_000
        yield {"sku": sku, "currency": "USD", "price": price, "cost": 500 + number % 3_000}


def _stock(form: str, count: int, seed: int, *, right: bool = False) -> Iterator[Row]:
    """As CSV node by node, as a WMS writes it; as NDJSON SKU by SKU over all nodes, as an ERP.

    `right`: also what the file gets wrong.
    """
    for number in range(count):
        if form == "csv":
            node, sku = number // SKUS_OF_A_NODE, number % SKUS_OF_A_NODE
        else:
            node, sku = number % STORES, SKUS_OF_A_NODE + number // STORES
        wrong = _is_wrong(number) and not right
        yield {
            "sku": f"SKU-{sku:06d}",
            "node": f"S{node:04d}",
            "quantity": -1 if wrong else (number * 7 + seed) % 60,
        }


MADE: Mapping[str, Callable[[str, int, int], Iterable[Row]]] = {
    "products": _products,
    "prices": _prices,
    "stock": _stock,
}


def _is_wrong(number: int) -> bool:
    return number % WRONG_EVERY == 0


def written(form: str, rows: Iterable[Row]) -> bytes:
    """The rows as a gzipped file. None of their words has to be quoted."""
    text = io.BytesIO()
    with gzip.open(text, "wb", compresslevel=1) as file:
        if form == "ndjson":
            file.writelines(msgspec.json.encode(row) + b"\n" for row in rows)
        else:
            for number, row in enumerate(rows):
                if not number:
                    file.write(",".join(row).encode() + b"\n")
                file.write(",".join(map(str, row.values())).encode() + b"\n")
    return text.getvalue()


# Loading ------------------------------------------------------------------------------------------


def _load(
    client: Client, kind: str, form: str, rows: Callable[[], Iterable[Row]], processes: _Processes
) -> Loaded:
    """One file from its announcement to its end; what became of its rows is looked at."""
    content = io.BytesIO(written(form, rows()))
    faulty = [_looks_wrong(kind, row) for row in rows()]
    wrong = [place for place, is_wrong in enumerate(faulty, start=1) if is_wrong]
    of_stock: dict[str, Any] = {}
    if kind == "stock":
        of_stock = {"source": f"bench-{form}", "as_of": datetime.now(UTC)}
    before = processes.seconds()
    begun = time.perf_counter()
    job = client.send_file(kind, content, form=form, compression="gzip", **of_stock)
    while not _is_over(job):
        time.sleep(0.05)
        job = client.file(job.id)
    seconds = time.perf_counter() - begun
    spent = {name: used - before[name] for name, used in processes.seconds().items()}
    told = [one.row for one in client.file_results(job.id, refused=True)]
    assert (job.status, job.rows_taken) == ("done", len(faulty) - len(wrong)), f"{job}"
    assert told == wrong, f"{kind}, {form}: other rows were refused: {told[:10]}"
    processor = {name: used / len(faulty) * 1e6 for name, used in spent.items()}
    return Loaded(len(faulty) / seconds, processor)


def _is_over(job: FileJob) -> bool:
    return job.status not in ("receiving", "waiting", "running") and not job.messages_waiting


def _looks_wrong(kind: str, row: Row) -> bool:
    if kind == "prices":
        return bool(row["sku"].startswith("GONE"))
    return bool(row.get("weight_grams", 0) < 0 or row.get("quantity", 0) < 0)


def load(url: str, ready: Any, stop: Any) -> None:
    """The loader's process."""
    ready.set()
    run_files(lambda: db.connect(url, application_name="bench files"), stop)


def work(url: str, ready: Any, stop: Any) -> None:
    """The worker's process."""

    def connect(autocommit: bool) -> db.Connection:
        return db.connect(url, application_name="bench worker", autocommit=autocommit)

    ready.set()
    Worker(registry(), connect, SystemClock(), name="bench").run(stop)


class _Processes:
    """Processes beside the one that measures, and what they have used of the processor."""

    def __init__(self, server: int) -> None:
        self._ids = {"PostgreSQL": server}

    @contextlib.contextmanager
    def running(self, name: str, body: Callable[[str, Any, Any], None], url: str) -> Iterator[None]:
        """A process of that name for the length of the block."""
        spawn = multiprocessing.get_context("spawn")
        ready, stop = spawn.Event(), spawn.Event()
        process = spawn.Process(target=body, args=(url, ready, stop), daemon=True)
        process.start()
        ready.wait()
        assert process.pid is not None
        self._ids[name] = process.pid
        try:
            yield
        finally:
            stop.set()
            process.join()

    def seconds(self) -> dict[str, float]:
        """What each has used so far."""
        return {name: api.processor_seconds(number) for name, number in self._ids.items()}


def _copied(connection: db.Connection, tables: tuple[str, ...], kind: str) -> float:
    """Rows a second of what the files left, by COPY, in as many commits."""
    twins = files_store.twins_of(connection, *tables)
    rows = len(next(iter(twins.values())))
    seconds = limit.copy_again(connection, twins, max(1, rows // PORTION[kind]))
    files_store.drop(connection, *twins)
    return rows / seconds


def _result(count: int, loaded: Mapping[str, Loaded], limits: Mapping[str, float]) -> BenchResult:
    slowest = min(loaded, key=lambda name: loaded[name].per_second)
    value, bound = loaded[slowest].per_second, limits[slowest.partition(",")[0]]
    parts: dict[str, Any] = {"rows of each file": count, "the slowest": slowest}
    for name, one in loaded.items():
        parts[f"{name}: rows/s"] = one.per_second
        used = {process: round(each, 1) for process, each in one.processor.items()}
        parts[f"{name}: processor us per row"] = used
    parts |= {f"{kind}: limit, rows/s": each for kind, each in limits.items()}
    return BenchResult(
        name="files",
        value=value,
        unit="rows/s",
        limit=bound,
        ratio=value / bound,
        aim=f">= {AIM_PER_SECOND:,.0f} rows/s of each kind in each form: 1,000,000 in a minute",
        met=value >= AIM_PER_SECOND,
        parts=parts,
    )
