"""Inventory moves: from durable in the inbox to booked in levels, ledger and totals.

Two feeds are measured: moves that are each deduplicated on their own (handed over in messages of
500), and chunks of 5,000 moves that are deduplicated as a whole. The limit is the very same ledger
rows and dedupe rows written by COPY.
"""

from __future__ import annotations

import contextlib
import multiprocessing
import random
import resource
import time
from collections.abc import Iterator, Sequence
from datetime import UTC, datetime, timedelta
from typing import Any, NamedTuple

from crossdock import db, postgres
from crossdock.bench import limit, shelves, store
from crossdock.bench.result import BenchResult
from crossdock.engine.inbox import Inbound, receive
from crossdock.engine.registry import Registry
from crossdock.engine.runner import Limits, Runner
from crossdock.inventory.facts.station import InventoryFacts, inventory_address
from crossdock.kernel.clock import VirtualClock
from crossdock.model.messages import InventoryMoved, StockMove

MOVES = 400_000
NODES_PER_FEED = 40
SINGLE_AIM, CHUNK_AIM = 10_000.0, 20_000.0
WORKERS = 2
NOW = datetime(2026, 11, 2, 12, 0, tzinfo=UTC)

KINDS = (
    ("sellable", "customer", "sold"),
    ("sellable", "customer", "sold"),
    ("sellable", "customer", "sold"),
    ("supplier", "sellable", "received"),
    ("customer", "sellable", "returned"),
    ("sellable", "damaged", "damaged"),
)


class Feed(NamedTuple):
    """One way of handing moves over."""

    name: str
    per_message: int
    messages_per_batch: int
    in_chunks: bool


SINGLE = Feed("each on its own", 500, 10, in_chunks=False)
CHUNKS = Feed("in chunks", 5_000, 2, in_chunks=True)


class Applied(NamedTuple):
    """What applying one feed took."""

    per_second: float
    limit: float
    intake_seconds: float
    wal_bytes: float
    """Per move."""
    hot_share: float
    """Of the updates of stock_level that stayed in their page."""
    peak_mib: float


def run(seed: int = 1, scale: float = 1.0) -> BenchResult:
    """Both feeds over the network's levels; the value is that of moves deduplicated singly."""
    moves = max(10_000, round(MOVES * scale))
    with (
        postgres.serve(ephemeral=True) as server,
        contextlib.closing(db.connect(server.url)) as connection,
    ):
        db.migrate(connection)
        levels = shelves.fill(connection, seed, scale, NOW)
        single = _measure(connection, server.url, SINGLE, moves, seed)
        chunks = _measure(connection, server.url, CHUNKS, moves, seed)
    return BenchResult(
        name="feed",
        value=single.per_second,
        unit="moves/s",
        limit=single.limit,
        ratio=single.per_second / single.limit,
        aim=f">= {SINGLE_AIM:,.0f} moves/s each deduplicated on its own, >= {CHUNK_AIM:,.0f} in"
        " chunks",
        met=single.per_second >= SINGLE_AIM and chunks.per_second >= CHUNK_AIM,
        parts={
            "moves": moves,
            "stock levels": levels,
            "workers": WORKERS,
            "chunks: moves/s": chunks.per_second,
            "chunks: limit": chunks.limit,
            "chunks: ratio": chunks.per_second / chunks.limit,
            "intake of single moves, moves/s": moves / single.intake_seconds,
            "intake of chunks, moves/s": moves / chunks.intake_seconds,
            "WAL bytes per single move": single.wal_bytes,
            "WAL bytes per move in chunks": chunks.wal_bytes,
            "HOT share of level updates": min(single.hot_share, chunks.hot_share),
            "peak MiB of a worker": max(single.peak_mib, chunks.peak_mib),
        },
    )


def _measure(connection: db.Connection, url: str, feed: Feed, moves: int, seed: int) -> Applied:
    before = {name: store.row_count(connection, name) for name in store.tables(connection)}
    connection.commit()
    started = time.perf_counter()
    for message in _messages(connection, feed, moves, seed):
        receive(connection, [message], NOW)
        connection.commit()
    intake_seconds = time.perf_counter() - started
    store.checkpoint(connection)
    written, position = store.written(connection), store.log_position(connection)
    seconds, peak = _apply(url, feed)
    wal_bytes = store.log_position(connection) - position
    level = store.written(connection)["stock_level"]
    updated = level.updated - written["stock_level"].updated
    hot = level.hot_updated - written["stock_level"].hot_updated
    before |= {"inbox": 0, "dedupe": store.row_count(connection, "dedupe")}
    rows = limit.dump_rows(connection, before)
    batches = max(1, moves // (feed.per_message * feed.messages_per_batch))
    return Applied(
        moves / seconds,
        moves / limit.copy_again(connection, rows, batches),
        intake_seconds,
        wal_bytes / moves,
        hot / max(1, updated),
        peak,
    )


def _messages(connection: db.Connection, feed: Feed, moves: int, seed: int) -> Iterator[Inbound]:
    """Messages of random moves, each about one of some nodes."""
    stocked = shelves.some_levels(connection, NODES_PER_FEED, seed)
    draw = random.Random(seed)
    nodes = sorted(stocked)
    for number in range(1, -(-moves // feed.per_message) + 1):
        node = nodes[number % len(nodes)]
        source = f"feed-{feed.name}"
        count = min(feed.per_message, moves - (number - 1) * feed.per_message)
        message = InventoryMoved(
            source=source,
            sequence=number if feed.in_chunks else 0,
            moves=tuple(_moves(draw, f"{number}", node, stocked[node], count)),
        )
        yield Inbound(source, str(number), message, inventory_address(node), NOW)


def _moves(
    draw: random.Random, name: str, node: str, skus: Sequence[str], count: int
) -> Iterator[StockMove]:
    for position in range(count):
        source, into, reason = KINDS[int(draw.random() * len(KINDS))]
        at = NOW - timedelta(seconds=position % 300)
        sku = skus[int(draw.random() * len(skus))]
        yield StockMove(f"{name}-{position}", sku, node, 1, source, into, reason, at)


def _apply(url: str, feed: Feed) -> tuple[float, float]:
    """Workers over what waits; returns the seconds and a worker's peak memory in MiB."""
    spawn = multiprocessing.get_context("spawn")
    gate, answers = spawn.Barrier(WORKERS + 1), spawn.Queue()
    processes = [
        spawn.Process(target=work, args=(url, feed, str(index), gate, answers), daemon=True)
        for index in range(WORKERS)
    ]
    for process in processes:
        process.start()
    gate.wait()
    turns = [answers.get(timeout=3600) for _ in processes]
    for process in processes:
        process.join()
    started, ended = min(turn[0] for turn in turns), max(turn[1] for turn in turns)
    return ended - started, max(turn[2] for turn in turns)


def work(url: str, feed: Feed, name: str, gate: Any, answers: Any) -> None:
    """A worker process: wait for the others, then work until nothing is left."""
    limits = Limits(messages=feed.messages_per_batch, shards=64 // WORKERS)
    with contextlib.closing(db.connect(url, application_name="bench")) as connection:
        registry = Registry(stations=[InventoryFacts()])
        runner = Runner(registry, connection, VirtualClock(NOW), name=name, limits=limits)
        runner.start()
        gate.wait()
        started = ended = time.time()
        idle = 0
        while idle < 5:
            if runner.run_batch().taken:
                idle, ended = 0, time.time()
            else:
                idle += 1
                time.sleep(0.01)
    answers.put((started, ended, resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024))
