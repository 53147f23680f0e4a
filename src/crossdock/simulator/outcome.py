"""What a run has to show: the typed figures that the summary, the report and `--format json` share.

Money is minor units of `Outcome.currency`; durations are seconds of simulated time unless a name
says `wall`.
"""

from __future__ import annotations

from datetime import datetime

import msgspec


class Counted(msgspec.Struct, frozen=True, kw_only=True):
    """A name with the number of orders, units or events it stands for."""

    name: str
    count: int


class Amount(msgspec.Struct, frozen=True, kw_only=True):
    """A part of the cost and its sum over the run, in minor units."""

    name: str
    minor: int


class Step(msgspec.Struct, frozen=True, kw_only=True):
    """How long a stretch of the way took, over all orders (or work) that finished it."""

    name: str
    count: int
    median_seconds: float
    p90_seconds: float


class Histogram(msgspec.Struct, frozen=True, kw_only=True):
    """Counts in bins of equal width; the last bin also holds everything above."""

    name: str
    bin_seconds: float
    counts: tuple[int, ...]


class Interval(msgspec.Struct, frozen=True, kw_only=True):
    """Orders placed, shipped, delivered and canceled in one stretch of simulated time."""

    start: datetime
    placed: int
    shipped: int
    delivered: int
    canceled: int


class NodeLoad(msgspec.Struct, frozen=True, kw_only=True):
    """What one node did, and where it is. Coordinates are degrees, None where unknown."""

    id: str
    kind: str
    latitude: float | None
    longitude: float | None
    fulfillments: int
    units: int
    short_units: int


class EffectCount(msgspec.Struct, frozen=True, kw_only=True):
    """Effects of one kind: what the fake outside system counted against what was asked for."""

    connector: str
    operation: str
    asked: int
    done: int
    """Distinct keys the outside system acted on."""
    calls: int
    """All calls it received, repeats and failures included."""
    doubled: int
    """Keys acted on more than once: must be 0."""


class Activity(msgspec.Struct, frozen=True, kw_only=True):
    """One kind of event in the log of a process, and how often it happened."""

    name: str
    count: int
    position: float
    """Mean place in its process instance, from 0 (first) to 1 (last): orders the map."""


class Flow(msgspec.Struct, frozen=True, kw_only=True):
    """How often one activity directly followed another, and the median time between."""

    source: str
    target: str
    count: int
    median_seconds: float


class ProcessMap(msgspec.Struct, frozen=True, kw_only=True):
    """The directly-follows graph of one process, mined from the event log."""

    process: str
    instances: int
    activities: tuple[Activity, ...]
    flows: tuple[Flow, ...]


class Explained(msgspec.Struct, frozen=True, kw_only=True):
    """One stored decision, told for a person."""

    order: str
    headline: str
    text: str


class Checked(msgspec.Struct, frozen=True, kw_only=True):
    """One invariant: its rule as a sentence, and how many rows break it."""

    name: str
    rule: str
    violations: int


class Provenance(msgspec.Struct, frozen=True, kw_only=True):
    """What was real in the input and what was filled from the seed."""

    what: str
    source: str
    real: bool


class Stuck(msgspec.Struct, frozen=True, kw_only=True):
    """An order that did not reach its end, and why."""

    order: str
    reason: str


class Spent(msgspec.Struct, frozen=True, kw_only=True):
    """Wall-clock seconds spent in one part of the run."""

    name: str
    seconds: float


class Ran(msgspec.Struct, frozen=True, kw_only=True):
    """What was run, when in simulated time, and what it took."""

    title: str
    orders_file: str
    network: str
    policy: str
    seed: int
    tick_seconds: int
    currency: str
    """Of the sourcing policy, in which costs are reckoned."""
    minor_digits: int
    started: datetime
    ended: datetime
    wall_seconds: float
    peak_memory_bytes: int
    ticks: int
    """Ticks in which something was due; the others were skipped."""
    batches: int
    longest_batch_seconds: float
    """Of wall clock: so long did the longest transaction of a worker hold its locks."""
    messages: int
    """Handled by processes and stations."""


class Totals(msgspec.Struct, frozen=True, kw_only=True):
    """Orders and units by what became of them."""

    orders: int
    closed: int
    shipped_orders: int
    split_orders: int
    """Shipped in more than one shipment."""
    canceled_orders: int
    """Canceled whole: nothing of them was shipped."""
    promised_groups: int
    """Delivered, with a first promise."""
    kept_groups: int
    """Delivered by the first promise."""
    lines: int
    units: int
    shipped_units: int
    canceled_units: int
    unsupplied_units: int
    """Canceled because the retailer had none for them; the other canceled ones nobody wanted."""
    substituted_units: int
    """Shipped as another product than was ordered."""
    open_units: int
    value_minor: int
    """What customers pay for the shipped units; 0 if not all pay in the currency of the costs."""

    @property
    def fill_rate(self) -> float | None:
        """Units shipped of those customers wanted to the end, whether they could be had or not."""
        wanted = self.units - (self.canceled_units - self.unsupplied_units)
        return self.shipped_units / wanted if wanted else None

    @property
    def split_rate(self) -> float | None:
        """Shipped orders that left in more than one shipment."""
        return self.split_orders / self.shipped_orders if self.shipped_orders else None

    @property
    def on_time_rate(self) -> float | None:
        """Of the delivered that had a promise."""
        return self.kept_groups / self.promised_groups if self.promised_groups else None


class Outcome(msgspec.Struct, frozen=True, kw_only=True):
    """Everything a run has to say."""

    run: Ran
    totals: Totals
    cost: tuple[Amount, ...]
    cancellations: tuple[Counted, ...]
    """Units by reason."""
    shortages: tuple[Counted, ...]
    """Units that nodes could not pick, by reason."""
    faults: tuple[Counted, ...]
    """What the simulation did to make life hard, by kind."""
    steps: tuple[Step, ...]
    histograms: tuple[Histogram, ...]
    intervals: tuple[Interval, ...]
    nodes: tuple[NodeLoad, ...]
    destinations: tuple[tuple[float, float], ...]
    """Latitude and longitude of a sample of destinations: the backdrop of the map."""
    effects: tuple[EffectCount, ...]
    maps: tuple[ProcessMap, ...]
    decisions: tuple[Explained, ...]
    invariants: tuple[Checked, ...]
    credits: tuple[Counted, ...]
    """For datasets with credit notes: claims, cancels, unmatched."""
    rejects: tuple[Counted, ...]
    rejects_file: str | None
    provenance: tuple[Provenance, ...]
    stuck: tuple[Stuck, ...]
    cases: tuple[Counted, ...]
    spent: tuple[Spent, ...]

    @property
    def cost_minor(self) -> int:
        """All parts of the cost together."""
        return sum(part.minor for part in self.cost)

    @property
    def violations(self) -> int:
        """Rows that break an invariant, doubled effects and stuck orders: 0 in a sound run."""
        return (
            sum(check.violations for check in self.invariants)
            + sum(effect.doubled for effect in self.effects)
            + len(self.stuck)
        )

    @property
    def rejected(self) -> int:
        """Rows of the input that could not be taken."""
        return sum(reject.count for reject in self.rejects)
