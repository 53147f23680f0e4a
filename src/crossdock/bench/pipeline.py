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
from crossdock.engine.runner import Limits, Outcome, Runner, is_surroundings
from crossdock.kernel.clock import Clock, VirtualClock

BATCH = 500
WORKERS = 2
WARM_UP = 32
"""Messages a worker handles before the clock starts, to read network and products."""

WARM_UP_SECONDS = 300.0
"""A worker that takes longer has died."""
IDLE_SECONDS = 0.004
"""Before a worker that found nothing looks again. An order waits for many answers, one after the
other: what is lost before each is lost to the rate."""


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


def work(url: str, now: datetime, index: int, gate: Any, stop: Any, answers: Any) -> None:
    """A worker process: warm up on one batch, then work until idle each time the gate opens."""
    with contextlib.closing(db.connect(url, application_name="bench")) as connection:
        known, clock = registry(), VirtualClock(now)
        shards = 64 // WORKERS
        first = Runner(known, connection, clock, limits=Limits(messages=WARM_UP, shards=shards))
        first.start()
        warmed = first.run_batch().taken
        limits = Limits(messages=BATCH, shards=shards)
        runner = Runner(known, connection, clock, name=str(index), limits=limits)
        runner.start()
        while gate.wait() >= 0 and not stop.is_set():
            answers.put(_until_idle(runner, warmed))
            warmed = 0


def _until_idle(runner: Runner, warmed: int) -> Turn:
    started = ended = time.time()
    batches, taken, dead = 0, 0, 0
    while True:
        outcome = runner.run_batch()
        if not outcome.taken:
            if not store.anything_open(runner.connection):
                break
            time.sleep(IDLE_SECONDS)
            continue
        ended = time.time()
        batches, taken, dead = batches + 1, taken + outcome.taken, dead + outcome.dead
    return Turn(started, ended, batches, warmed, taken, dead, _peak_mib())


def follow(url: str, clock: Clock, index: int, stop: Any, answers: Any) -> None:
    """A worker process that works on whatever comes, by a shared clock, until it is stopped."""
    with contextlib.closing(db.connect(url, application_name="bench")) as connection:
        limits = Limits(messages=BATCH, shards=64 // WORKERS)
        runner = Runner(registry(), connection, clock, name=str(index), limits=limits)
        runner.start()
        answers.put(index)
        started = time.time()
        batches, taken, dead = 0, 0, 0
        while not stop.is_set():
            outcome = _run_batch(runner)
            if not outcome.taken:
                time.sleep(IDLE_SECONDS)
                continue
            batches, taken, dead = batches + 1, taken + outcome.taken, dead + outcome.dead
        answers.put(Turn(started, time.time(), batches, 0, taken, dead, _peak_mib()))


def _run_batch(runner: Runner) -> Outcome:
    """A batch that met another one in the wrong order is tried again, as any worker does it."""
    while True:
        try:
            return runner.run_batch()
        except Exception as error:
            if runner.connection.closed or not is_surroundings(error):
                raise


def _peak_mib() -> float:
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024


class Round(NamedTuple):
    """A backlog worked off: what each worker did, and the seconds from first to last."""

    turns: list[Turn]

    @property
    def seconds(self) -> float:
        return max(t.ended for t in self.turns) - min(t.started for t in self.turns)

    @property
    def warmed(self) -> int:
        """Messages that were taken before the clock started."""
        return sum(turn.warmed for turn in self.turns)


class Crew:
    """Worker processes that work off what waits, round by round. Once started they are warm."""

    def __init__(self, url: str, now: datetime, workers: int = WORKERS) -> None:
        spawn: Any = multiprocessing.get_context("spawn")
        self._gate, self._stop = spawn.Barrier(workers + 1), spawn.Event()
        self._answers = spawn.Queue()
        self._workers = [
            spawn.Process(
                target=work,
                args=(url, now, index, self._gate, self._stop, self._answers),
                daemon=True,
            )
            for index in range(workers)
        ]
        for worker in self._workers:
            worker.start()

    def work(self) -> Round:
        """Let them work until nothing waits."""
        self._open_gate()
        return Round([self._answers.get(timeout=3600) for _ in self._workers])

    def dismiss(self) -> None:
        self._stop.set()
        self._open_gate()
        for worker in self._workers:
            worker.join()

    def _open_gate(self) -> None:
        """Raises threading.BrokenBarrierError when a worker does not come to the gate."""
        self._gate.wait(timeout=WARM_UP_SECONDS)


class Measured(NamedTuple):
    """A whole run of the workers."""

    seconds: float
    turns: list[Turn]
    wal_bytes: int
    written: dict[str, store.Written]
    """By table, the rows inserted, updated and deleted."""

    def rows(self, kind: str) -> int:
        """Rows `inserted`, `updated` or `deleted`, over all tables."""
        return sum(getattr(one, kind) for one in self.written.values())


def run_workers(url: str, now: datetime, workers: int = WORKERS) -> Measured:
    """Start workers over what waits; returns when nothing does.

    No checkpoint is asked for: the pages of stock were written since the last one, as for most of
    the quarter of an hour between two. Right after one, each page's first change logs all of it.
    """
    crew = Crew(url, now, workers)
    with contextlib.closing(db.connect(url)) as connection:
        before, position = store.written(connection), store.log_position(connection)
        done = crew.work()
        crew.dismiss()
        after, end = store.written(connection), store.log_position(connection)
    written = store.written_since(after, before)
    return Measured(done.seconds, done.turns, end - position, written)


def rate(done: Round | Measured, taken: int) -> float:
    """Of so many orders that waited, those per second that were not taken while warming up."""
    return (taken - sum(turn.warmed for turn in done.turns)) / done.seconds
