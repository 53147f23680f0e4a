"""A whole run: load the network, send every order through to its end, audit, tell what happened."""

from __future__ import annotations

import contextlib
import gc
import resource
import sys
import time
from collections.abc import Callable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from datetime import UTC, datetime, timedelta
from pathlib import Path

import msgspec

from crossdock import db
from crossdock.app import registry
from crossdock.engine.dispatcher import Dispatcher, DispatchLimits
from crossdock.engine.runner import Limits, Runner
from crossdock.importers import Dataset
from crossdock.kernel.clock import VirtualClock
from crossdock.kernel.money import exponent_of
from crossdock.simulator import figures, figures_store, store
from crossdock.simulator.cast import Cast, Habits, open_retailer
from crossdock.simulator.explaining import explained
from crossdock.simulator.loop import Simulation, Spending
from crossdock.simulator.outcome import Checked, Counted, Outcome, Provenance, Ran, Spent
from crossdock.sourcing.policy_files import parse_policy

PATIENCE = timedelta(days=75)
"""After the last arrival a run goes on for so long at most; what is open then is stuck."""
LOOK_EVERY = timedelta(hours=6)
"""How often a run asks whether all is done, in simulated time: it counts all orders."""
PROGRESS_SECONDS = 2.0
MOST_IDLE_SECONDS = 900
MOST_EXPLAINED = 6
TICKS_MINUTES = (5, 10, 15, 30, 60, 120)
MOST_TICKS = 4_000
"""Of orders arriving. Each tick costs some statements, whether much happens in it or little."""


def tick_for(dataset: Dataset) -> timedelta:
    """Five minutes, or more where a dataset spans many months."""
    span = dataset.last - dataset.first if dataset.first and dataset.last else timedelta(0)
    ticks = (timedelta(minutes=minutes) for minutes in TICKS_MINUTES)
    return next((t for t in ticks if span / t <= MOST_TICKS), timedelta(minutes=TICKS_MINUTES[-1]))


class RunPlan(msgspec.Struct, frozen=True, kw_only=True):
    """What to run and how. `policy` is the TOML text of a sourcing policy and what to call it."""

    title: str
    orders_file: str
    network: str
    policy: tuple[str, str]
    order_policy: Path | None = None
    """TOML file of the order policy; the shipped one without it."""
    seed: int = 1
    tick: timedelta = timedelta(minutes=5)
    limit: int | None = None
    workers: int = 1
    habits: Habits = Habits()


class Progress(msgspec.Struct, frozen=True, kw_only=True):
    """How far a run is."""

    now: datetime
    orders: int
    closed: int


Report = Callable[[Progress], None]


def run_dataset(
    url: str, dataset: Dataset, plan: RunPlan, report: Report = lambda progress: None
) -> Outcome:
    """Run a dataset on an empty, migrated database. Raises CrossdockErrors of its parts."""
    began = time.perf_counter()
    with contextlib.ExitStack() as stack:
        connections = [
            stack.enter_context(contextlib.closing(_connect(url, name)))
            for name in ("simulator", "dispatcher", *["worker"] * plan.workers)
        ]
        reading = db.connect(url, application_name="simulator", autocommit=True)
        connections.insert(0, stack.enter_context(contextlib.closing(reading)))
        return _Run(dataset, plan, connections, began).whole(report)


def _connect(url: str, name: str) -> db.Connection:
    """Nobody waits for what a run has locked, so that it may think as long as it must."""
    return db.connect(url, application_name=name, idle_in_transaction_seconds=MOST_IDLE_SECONDS)


class _Run:
    """The parts of one run and how they are wired."""

    def __init__(
        self, dataset: Dataset, plan: RunPlan, connections: list[db.Connection], began: float
    ) -> None:
        self.dataset = dataset
        self.plan = plan
        self.began = began
        self.currency = parse_policy(*plan.policy).currency
        self.reading, self.mine, self.dispatching, *self.working = connections
        start = dataset.first or datetime(2026, 1, 1, tzinfo=UTC)
        # On the grid of whole ticks since midnight, so that ticks end at times people know.
        midnight = start.replace(hour=0, minute=0, second=0, microsecond=0)
        self.start = midnight + (start - midnight) // plan.tick * plan.tick
        self.clock = VirtualClock(self.start)
        self.cast = Cast(dataset, plan.seed, plan.habits, self.clock, limit=plan.limit)
        self.spent: dict[str, float] = {}
        self._next_look = self.start

    def whole(self, report: Report) -> Outcome:
        """Load, simulate, audit, tell."""
        at = time.perf_counter()
        open_retailer(self.mine, self.dataset, self.plan.policy, self.start)
        self.spent["loading network and stock"] = time.perf_counter() - at
        simulation = self._simulation()
        last_count = [0.0, 0]

        def progress(now: datetime) -> None:
            if time.perf_counter() - last_count[0] > PROGRESS_SECONDS:
                unfinished = store.unfinished_orders(self.reading)
                last_count[:] = [time.perf_counter(), unfinished]
                taken = self.cast.arrivals.taken
                report(Progress(now=now, orders=taken, closed=taken - unfinished))

        with _unhurried_collector():
            simulation.run(self._until, progress)
        self.spent |= simulation.spending.seconds
        with ThreadPoolExecutor(1) as pool:
            # Nothing changes any more: audited on a connection of its own while figures are read.
            checking = pool.submit(figures.checks, self.dispatching)
            return self._outcome(simulation.spending, checking)

    def _simulation(self) -> Simulation:
        limits = Limits(messages=2_000, shards=64)
        policy = self.plan.order_policy
        runners = [Runner(registry(policy), one, self.clock, limits=limits) for one in self.working]
        for runner in runners:
            runner.start()
        dispatching = DispatchLimits(batch=5_000)
        return Simulation(
            self.mine,
            self.clock,
            self.plan.tick,
            runners,
            Dispatcher(self.cast.outside.ports, self.clock, dispatching),
            self.dispatching,
            self.cast.agenda,
            self.cast.arrivals,
            self.cast.watchers,
            self.reading,
        )

    def _until(self) -> datetime:
        """Until all orders are closed and all effects sent, or patience ends."""
        if self.cast.arrivals.next_at() is not None or self.clock.now() < self._next_look:
            return datetime.max.replace(tzinfo=UTC)
        self._next_look = self.clock.now() + LOOK_EVERY
        latest = (self.dataset.last or self.start) + PATIENCE
        waits = store.unfinished_orders(self.reading) or store.unsent_effects(self.reading, latest)
        return latest if waits else self.clock.now()

    def _outcome(self, spending: Spending, checking: Future[tuple[Checked, ...]]) -> Outcome:
        at = time.perf_counter()
        connection, dataset, ended = self.mine, self.dataset, self.clock.now()
        totals = figures_store.totals(connection, self.currency)
        steps = figures_store.steps(connection)
        last = figures_store.nearly_all_happened(connection) or ended
        width = figures.interval_width(self.start, last)
        refused = dataset.rejects
        outcome = Outcome(
            run=self._ran(ended, spending),
            totals=totals,
            cost=figures.costs(connection),
            cancellations=figures.cancellations(connection),
            shortages=tuple(figures_store.shortages(connection)),
            faults=self._faults(spending),
            steps=tuple(steps),
            histograms=figures.histograms(connection, steps),
            intervals=tuple(figures_store.intervals(connection, self.start, last, width)),
            nodes=tuple(figures_store.node_loads(connection)),
            destinations=tuple(figures_store.destinations(connection, figures.MOST_DESTINATIONS)),
            effects=self.cast.outside.counts(),
            maps=figures.process_maps(connection),
            decisions=explained(connection, MOST_EXPLAINED, self.currency),
            credits=self._credits(),
            rejects=figures.counted(refused.by_reason),
            rejects_file=str(refused.path) if len(refused) and refused.path else None,
            provenance=tuple(
                Provenance(what=one.what, source=one.source, real=one.real)
                for one in dataset.report.provided
            ),
            stuck=figures.stuck_orders(connection),
            cases=tuple(figures_store.cases(connection)),
            invariants=checking.result(),
            spent=(),
        )
        connection.rollback()
        self.spent["reading figures and auditing"] = time.perf_counter() - at
        return self._timed(outcome)

    def _ran(self, ended: datetime, spending: Spending) -> Ran:
        plan = self.plan
        return Ran(
            title=plan.title,
            orders_file=plan.orders_file,
            network=plan.network,
            policy=plan.policy[1],
            seed=plan.seed,
            tick_seconds=int(plan.tick.total_seconds()),
            currency=self.currency,
            minor_digits=exponent_of(self.currency),
            started=self.start,
            ended=ended,
            wall_seconds=0.0,
            peak_memory_bytes=0,
            ticks=spending.ticks,
            batches=spending.batches,
            longest_batch_seconds=spending.longest_batch_seconds,
            messages=spending.messages,
        )

    def _faults(self, spending: Spending) -> tuple[Counted, ...]:
        odd = {"people who contradict themselves": spending.conflicts}
        return figures.counted(*self.cast.counts, self.cast.outside.faults(), odd)

    def _credits(self) -> tuple[Counted, ...]:
        """For datasets with credit notes: what matched, by what it became, and what did not."""
        if not self.dataset.report.credits:
            return ()
        unmatched = figures.unmatched_credits(self.dataset.rejects.by_reason)
        return (*figures_store.credits(self.mine), *unmatched)

    def _timed(self, outcome: Outcome) -> Outcome:
        """With the clock read last, so that reading the figures counts too."""
        wall = time.perf_counter() - self.began
        spent = sorted(self.spent.items(), key=lambda item: -item[1])
        return msgspec.structs.replace(
            outcome,
            run=msgspec.structs.replace(
                outcome.run, wall_seconds=wall, peak_memory_bytes=_peak_memory()
            ),
            spent=tuple(Spent(name=name, seconds=seconds) for name, seconds in spent),
        )


@contextlib.contextmanager
def _unhurried_collector() -> Iterator[None]:
    """What a run keeps is no garbage: looking through all of it again takes a fifth of the time."""
    before = gc.get_threshold()
    gc.collect()
    gc.freeze()
    gc.set_threshold(50_000, 20, 100)
    try:
        yield
    finally:
        gc.set_threshold(*before)
        gc.unfreeze()


def _peak_memory() -> int:
    """Bytes this process held at most; macOS counts in bytes, Linux in kilobytes."""
    held = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    return held if sys.platform == "darwin" else held * 1024
