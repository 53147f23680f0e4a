"""Orders and looks at ATS over HTTP: an API process, a load generator beside it, PostgreSQL.

Orders come as fast as they are answered, with workers idle and busy; looks at so many a second.

The limit is an endpoint that does nothing, behind the same credentials, limits and log, in the same
run: what is between the two is decoding, looking at the order, and making it durable.
"""

from __future__ import annotations

import contextlib
import multiprocessing
import os
import random
import socket
import tempfile
import time
from collections.abc import Iterator, Sequence
from typing import Any, NamedTuple

import msgspec
from litestar import Litestar, post

from crossdock import db
from crossdock.api import asgi
from crossdock.api.access import keys
from crossdock.api.access.permissions import Scope
from crossdock.app import registry
from crossdock.bench import load, store, world
from crossdock.bench.load import Load
from crossdock.bench.result import BenchResult
from crossdock.client import Client
from crossdock.engine.runner import Runner
from crossdock.kernel.clock import SystemClock
from crossdock.model.outside import OutsideOrder
from crossdock.settings import Settings, load_settings

ORDERS = 20_000
CONNECTIONS = 96
WARM_UP = 500
AIM_PER_SECOND, AIM_MILLISECONDS = 2_500.0, 100.0
READS_PER_SECOND, AIM_READ_MILLISECONDS = 1_000.0, 10.0
READERS = 32
LOOKED_AT = 200
TARGET = "crossdock.bench.api:make"


class Measured(NamedTuple):
    """Requests for nothing; orders with idle workers; orders with a busy one; looks at ATS."""

    empty: Load
    orders: Load
    processor_seconds: float
    """Of the API process, for the orders."""
    beside_worker: Load
    reads: Load


def run(seed: int = 1, scale: float = 1.0) -> BenchResult:
    """A network of stores, and the orders of its channels as JSON."""
    count = max(1_000, round(ORDERS * scale))
    dataset = world.make(seed, 0.05, 2 * count + WARM_UP, paid=True)
    with world.shop(dataset) as shop:
        key = new_key(shop.connection, "orders:write", "ats:read")
        headers = {"Authorization": f"Bearer {key}"}
        orders = list(shop.coming)
        requests = [
            load.request_bytes("POST", "/v1/orders", msgspec.json.encode(order), headers)
            for order in orders
        ]
        nothing = [load.request_bytes("POST", "/bench/nothing", b"{}", headers)] * count
        draw = random.Random(seed)
        skus, channel = store.skus(shop.connection), store.a_channel(shop.connection)
        asked = [f"/v1/ats?channel={channel}&sku={draw.choice(skus)}" for _ in range(count // 2)]
        reads = [load.request_bytes("GET", path, b"", headers) for path in asked]
        with serving(shop.url) as (port, process):
            measured = _measure(shop.url, port, process, requests, nothing, reads)
            _assert_taken(shop.connection, port, key, orders)
    return _result(measured, sum(map(len, requests)) / len(requests))


def _measure(
    url: str,
    port: int,
    process: int,
    requests: Sequence[bytes],
    nothing: Sequence[bytes],
    reads: Sequence[bytes],
) -> Measured:
    count = len(nothing)
    load.send(port, nothing[:WARM_UP], CONNECTIONS)
    load.send(port, requests[:WARM_UP], CONNECTIONS)
    empty = load.send(port, nothing, CONNECTIONS)
    before = processor_seconds(process)
    orders = load.send(port, requests[WARM_UP : WARM_UP + count], CONNECTIONS)
    spent = processor_seconds(process) - before
    load.send(port, reads[:WARM_UP], READERS)
    looks = load.send(port, reads, READERS, READS_PER_SECOND)
    with busy_worker(url):
        beside = load.send(port, requests[WARM_UP + count :], CONNECTIONS)
    for found in (orders, beside):
        assert set(found.statuses) == {201}, f"answers other than 201: {found.statuses}"
    assert set(looks.statuses) == {200}, f"answers other than 200: {looks.statuses}"
    return Measured(empty, orders, spent, beside, looks)


def _result(measured: Measured, bytes_each: float) -> BenchResult:
    empty, orders, _, beside, reads = measured
    count = len(orders.milliseconds)
    return BenchResult(
        name="api",
        value=orders.per_second,
        unit="orders/s",
        limit=empty.per_second,
        ratio=orders.per_second / empty.per_second,
        aim=f">= {AIM_PER_SECOND:,.0f} orders/s, p99 < {AIM_MILLISECONDS:,.0f} ms, workers idle;"
        f" {READS_PER_SECOND:,.0f} looks at ATS a second, p99 < {AIM_READ_MILLISECONDS:,.0f} ms",
        met=orders.per_second >= AIM_PER_SECOND
        and orders.percentile(0.99) < AIM_MILLISECONDS
        and reads.percentile(0.99) < AIM_READ_MILLISECONDS,
        parts={
            "orders": count,
            "bytes per request": bytes_each,
            "connections": CONNECTIONS,
            "p50 ms": orders.percentile(0.5),
            "p99 ms": orders.percentile(0.99),
            "empty endpoint p50 ms": empty.percentile(0.5),
            "empty endpoint p99 ms": empty.percentile(0.99),
            "processor us per order, API": measured.processor_seconds / count * 1e6,
            "beside a busy worker: orders/s": beside.per_second,
            "beside a busy worker: p99 ms": beside.percentile(0.99),
            "looks at ATS/s": reads.per_second,
            "looks at ATS, p50 ms": reads.percentile(0.5),
            "looks at ATS, p99 ms": reads.percentile(0.99),
        },
    )


def _assert_taken(
    connection: db.Connection, port: int, key: str, orders: Sequence[OutsideOrder]
) -> None:
    """All are durable, each once: the client places some of them again, and there is none more."""
    taken = store.row_count(connection, "external_ref")
    assert taken == len(orders), f"{taken} orders of {len(orders)} are durable"
    with Client(f"http://127.0.0.1:{port}", key) as client:
        for order in orders[:: max(1, len(orders) // LOOKED_AT)]:
            placed = client.place_order(order)
            assert placed.number == order.number, f"{placed} is answered for {order.number}"
    connection.commit()
    again = store.row_count(connection, "external_ref")
    assert again == taken, f"{again - taken} orders were taken twice"


def new_key(connection: db.Connection, *grants: str) -> str:
    """The secret of a key that may do that, as often as it likes."""
    new = keys.NewKey(name="bench", grants=grants, scope=Scope(), requests=0, lifetime_days=1)
    made = keys.create(connection, new, SystemClock().now(), "bench")
    connection.commit()
    return made.secret


@post("/bench/nothing", opt={"permission": "orders:write", "shed": "last"}, status_code=201)
async def nothing() -> None:
    """Behind everything that every request goes through, and nothing else."""


def make() -> Litestar:
    """What the measured process serves."""
    app = asgi.make()
    app.register(nothing)
    return app


@contextlib.contextmanager
def serving(url: str) -> Iterator[tuple[int, int]]:
    """An API process over that database; yields its port and process id."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = int(probe.getsockname()[1])
    spawn = multiprocessing.get_context("spawn")
    with tempfile.NamedTemporaryFile(prefix="crossdock-api-", suffix=".log") as log:
        process = spawn.Process(target=_serve, args=(url, port, log.name))
        process.start()
        try:
            _await_port(port)
            assert process.pid is not None
            yield port, process.pid
        finally:
            process.terminate()
            process.join()


def _serve(url: str, port: int, log: str) -> None:
    # A line for each request, as in production, but not on the screen of whoever measures.
    os.dup2(os.open(log, os.O_WRONLY | os.O_APPEND), 2)
    os.environ["CROSSDOCK_DATABASE_URL"] = url
    # The orders of this run are never worked off while it lasts.
    os.environ["CROSSDOCK_LIMITS_OLDEST_WAITING_SECONDS"] = "3600"
    asgi.server(load_settings().api, "127.0.0.1", port, TARGET).serve()


def _await_port(port: int) -> None:
    deadline = time.monotonic() + 60
    while True:
        try:
            socket.create_connection(("127.0.0.1", port), timeout=1).close()
            return
        except OSError:
            assert time.monotonic() < deadline, "the API does not answer"
            time.sleep(0.1)


@contextlib.contextmanager
def busy_worker(url: str) -> Iterator[None]:
    """A worker over everything that was taken in, standing back as `crossdock serve` makes it."""
    spawn = multiprocessing.get_context("spawn")
    ready, stop = spawn.Event(), spawn.Event()
    process = spawn.Process(target=work, args=(url, ready, stop), daemon=True)
    process.start()
    ready.wait()
    try:
        yield
    finally:
        stop.set()
        process.join()


def work(url: str, ready: Any, stop: Any) -> None:
    """The worker's process: batches until told to stop."""
    os.nice(Settings().api.worker_niceness)
    with contextlib.closing(db.connect(url, application_name="bench")) as connection:
        runner = Runner(registry(), connection, SystemClock(), name="bench")
        runner.start()
        ready.set()
        while not stop.is_set():
            runner.run_batch()


def processor_seconds(process: int) -> float:
    """What the process and its children have used so far."""
    ticks = 0
    for folder in os.listdir("/proc"):
        if folder.isdigit():
            with contextlib.suppress(OSError):
                with open(f"/proc/{folder}/stat", encoding="ascii", errors="replace") as file:
                    fields = file.read().rpartition(")")[2].split()
                if process in (int(folder), int(fields[1])):
                    ticks += int(fields[11]) + int(fields[12])
    return ticks / os.sysconf("SC_CLK_TCK")
