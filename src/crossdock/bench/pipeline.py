"""Worker processes over a durable backlog, and what they wrote."""

from __future__ import annotations

import contextlib
import multiprocessing
import resource
import time
from datetime import datetime
from typing import Any, NamedTuple

from crossdock import db
from crossdock.app import registry
from crossdock.bench import store
from crossdock.engine.runner import Limits, Runner
from crossdock.kernel.clock import Clock, VirtualClock

BATCH = 500
WORKERS = 2
WARM_UP = 32
"""Messages a worker handles before the clock starts, to read network and products."""

IDLE_SECONDS = 0.004
"""Before a worker that found nothing looks again; doubles up to 16 times as much."""


class Turn(NamedTuple):
    """What one worker did: seconds on its own clock, batches, handled messages, peak memory."""

    started: float
    ended: float
    batches: int
    warmed: int
    """Messages taken before the clock started."""
    taken: int
    dead: int
    peak_mib: float


def work(url: str, now: datetime, index: int, gate: Any, answers: Any) -> None:
    """A worker process: warm up on one batch, wait for the others, then work until idle."""
    with contextlib.closing(db.connect(url, application_name="bench")) as connection:
        known, clock = registry(), VirtualClock(now)
        shards = 64 // WORKERS
        first = Runner(known, connection, clock, limits=Limits(messages=WARM_UP, shards=shards))
        first.start()
        warmed = first.run_batch().taken
        limits = Limits(messages=BATCH, shards=shards)
        runner = Runner(known, connection, clock, name=str(index), limits=limits)
        runner.start()
        gate.wait()
        started = time.time()
        batches, taken, dead, idle = 0, 0, 0, 0
        ended = started
        while idle < 5:
            outcome = runner.run_batch()
            if not outcome.taken:
                idle += 1
                time.sleep(0.01)
                continue
            idle, ended = 0, time.time()
            batches, taken, dead = batches + 1, taken + outcome.taken, dead + outcome.dead
        peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024
        answers.put(Turn(started, ended, batches, warmed, taken, dead, peak))


def follow(url: str, clock: Clock, index: int, stop: Any, answers: Any) -> None:
    """A worker process that works on whatever comes, by a shared clock, until it is stopped."""
    with contextlib.closing(db.connect(url, application_name="bench")) as connection:
        limits = Limits(messages=BATCH, shards=64 // WORKERS)
        runner = Runner(registry(), connection, clock, name=str(index), limits=limits)
        runner.start()
        answers.put(index)
        started = time.time()
        batches, taken, dead = 0, 0, 0
        idle = IDLE_SECONDS
        while not stop.is_set():
            outcome = runner.run_batch()
            if not outcome.taken:
                time.sleep(idle)
                idle = min(2 * idle, 16 * IDLE_SECONDS)
                continue
            idle = IDLE_SECONDS
            batches, taken, dead = batches + 1, taken + outcome.taken, dead + outcome.dead
        peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024
        answers.put(Turn(started, time.time(), batches, 0, taken, dead, peak))


class Measured(NamedTuple):
    """A whole run of the workers."""

    seconds: float
    turns: list[Turn]
    wal_bytes: int
    rows: dict[str, int]
    """Rows inserted, updated and deleted, over all tables."""


def run_workers(url: str, now: datetime, workers: int = WORKERS) -> Measured:
    """Start workers over what waits; returns when nothing does.

    No checkpoint is asked for: the pages of stock were written since the last one, as for most of
    the quarter of an hour between two. Right after one, each page's first change logs all of it.
    """
    spawn = multiprocessing.get_context("spawn")
    gate, answers = spawn.Barrier(workers + 1), spawn.Queue()
    processes = [
        spawn.Process(target=work, args=(url, now, index, gate, answers), daemon=True)
        for index in range(workers)
    ]
    for process in processes:
        process.start()
    with contextlib.closing(db.connect(url)) as connection:
        before, position = store.written(connection), store.log_position(connection)
        gate.wait()
        turns = [answers.get(timeout=3600) for _ in processes]
        for process in processes:
            process.join()
        after, end = store.written(connection), store.log_position(connection)
    rows = {
        kind: sum(getattr(one, kind) for one in store.written_since(after, before).values())
        for kind in ("inserted", "updated", "deleted")
    }
    seconds = max(turn.ended for turn in turns) - min(turn.started for turn in turns)
    return Measured(seconds, turns, end - position, rows)
