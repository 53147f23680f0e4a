"""A sourcing policy: the retailer's rules as data, immutable, known by the hash of its content.

A policy is written as TOML (`policies/*.toml` are commented examples) and read by
`policy_files.load_policy`. Money is minor units of `currency`, distances kilometres, weights grams.
"""

from __future__ import annotations

import hashlib
from functools import cached_property
from typing import Annotated, Literal

import msgspec
from msgspec import Meta

from crossdock.model.checks import MAX_MINOR
from crossdock.model.orders import Method
from crossdock.sourcing.model import NodeKind, Outcome, Reason

SHORT_LOOK = 100
"""Partial plans looked at for an order of a batch that has used up its own."""

# Every figure has bounds: below them it means nothing, above them it is a slip of the finger.
Minor = Annotated[int, Meta(ge=0, le=10**9)]
"""A cost; the most is a thousandth of what weighs a unit left open, which no saving may buy."""
Worth = Annotated[int, Meta(ge=0, le=MAX_MINOR)]
Percent = Annotated[int, Meta(ge=0, le=100)]
"""Of something that cannot be lost twice."""
Scale = Annotated[int, Meta(ge=0, le=1000)]
"""Percent that may be more than all of it."""
Kilometres = Annotated[int, Meta(ge=1, le=100_000)]
Grams = Annotated[int, Meta(ge=0, le=10**8)]
Days = Annotated[int, Meta(ge=0, le=3650)]
SomeDays = Annotated[int, Meta(ge=1, le=3650)]
TransitDays = Annotated[int, Meta(ge=0, le=60)]
Nodes = Annotated[int, Meta(ge=1, le=100_000)]
Count = Annotated[int, Meta(ge=1, le=10**9)]
MethodName = Annotated[str, Meta(pattern=f"^({'|'.join(Method)})$")]
Country = Annotated[str, Meta(pattern="^[A-Z]{2}$")]


class Part(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """A table of the file; unknown keys are refused."""


class Candidates(Part, frozen=True, kw_only=True):
    """Which nodes are looked at."""

    nearest: Nodes = 40
    """Stock is looked up at so many nearest nodes and every dc; more when that is not enough."""
    holders: Nodes = 40
    """Of the nodes that can fill a line, so many nearest ones are costed, and every dc."""
    cell_degrees: Annotated[float, Meta(ge=0.001, le=1)] = 0.02
    """Distances are measured from the middle of a destination cell of this size."""
    kinds: tuple[NodeKind, ...] = ()
    groups: tuple[str, ...] = ()
    exclude_groups: tuple[str, ...] = ()


class MethodRule(Part, frozen=True, kw_only=True):
    """What a delivery method asks of a node."""

    capability: str = ""
    distance_km: Kilometres | None = None
    freight: bool = True


class Step(Part, frozen=True, kw_only=True):
    """One attempt. The first step that fills the whole order wins; each usually asks for less."""

    name: Annotated[str, Meta(min_length=1)]
    max_nodes: Nodes = 2
    max_nodes_per_line: Nodes = 1
    """Above 1 a line may be split, when no single node can fill it."""
    distance_percent: Annotated[int, Meta(ge=1, le=100_000)] = 100
    """Widens or narrows every distance limit."""
    kinds: tuple[NodeKind, ...] = ()
    """When not empty, only these kinds in this step."""
    ignore: tuple[Literal["margin_floor", "late", "min_shipment_value"], ...] = ()


class Split(Part, frozen=True, kw_only=True):
    """When an order may leave from more than one node."""

    cost_minor: Minor = 0
    """For each node beyond the first: the second parcel annoys and is asked about."""
    min_order_value_minor: Worth = 0
    """Cheaper orders are never split."""
    min_shipment_value_minor: Worth = 0
    """When an order is split, every shipment is worth at least this."""


class Abroad(Part, frozen=True, kw_only=True):
    """Rates and days for a destination in another country than the node's."""

    rates: tuple[Minor, ...]
    transit_days: TransitDays


class Service(Part, frozen=True, kw_only=True):
    """A carrier service's price list: a row for each weight, a column for each zone."""

    transit_days: tuple[TransitDays, ...]
    rates: tuple[tuple[Minor, ...], ...]
    abroad: Abroad | None = None


class Peak(Part, frozen=True, kw_only=True):
    """A season with a surcharge on every package; days are written MM-DD, both included."""

    first_day: str
    last_day: str
    minor: Minor


class Surcharges(Part, frozen=True, kw_only=True):
    """What carriers add to the price list."""

    fuel_percent: Scale = 0
    oversize_mm: Annotated[int, Meta(ge=0, le=1_000_000)] = 0
    """A unit longer than this costs `oversize_minor` more; 0 is no limit."""
    oversize_minor: Minor = 0
    heavy_grams: Grams = 0
    heavy_minor: Minor = 0
    """For each package heavier than `heavy_grams`."""
    dangerous_goods_minor: Minor = 0
    """For each line of dangerous goods at a node."""
    remote_minor: Minor = 0
    remote_postal_codes: dict[Country, tuple[str, ...]] = {}
    """By country, the beginnings of postal codes that cost `remote_minor` more a package."""
    peaks: tuple[Peak, ...] = ()


class Freight(Part, frozen=True, kw_only=True):
    """What a package costs, from distance and weight."""

    zones_km: tuple[Kilometres, ...]
    """Upper limits of all zones but the last."""
    weights_grams: tuple[Grams, ...]
    """Upper limits of the price lists' rows; the last is the heaviest package."""
    services: dict[str, Service]
    default_service: str = "standard"
    tare_grams: Grams = 100
    dimensional_mm3_per_gram: Count = 5000
    """Volume that is charged like a gram: 5000 is the usual 5000 cm3 for a kilogram."""
    moves_on_weekends: bool = False
    surcharges: Surcharges = Surcharges()


class Handling(Part, frozen=True, kw_only=True):
    """Used where a node's master data has no rate."""

    order_minor: Minor = 0
    unit_minor: Minor = 0


class Markdown(Part, frozen=True, kw_only=True):
    """Selling aging stock first avoids its markdown: a credit on the plan."""

    percent: Percent = 0
    """Of the price, lost when the season ends; 0 turns the part off."""
    horizon_days: SomeDays = 60
    """How long before the season's end the danger begins."""
    aged_after_days: Days = 90
    aged_within_days: SomeDays = 180
    """Stock older than the first is in danger, older than both together surely lost."""


class Stockout(Part, frozen=True, kw_only=True):
    """Taking the last units of a place costs the margin of the walk-in who wants them."""

    margin_percent: Scale = 0
    safe_units: dict[NodeKind, Annotated[int, Meta(ge=0, le=1000)]] = {}
    """By kind of node: nothing is at risk while so many units remain."""


class Lateness(Part, frozen=True, kw_only=True):
    """What a day after the promise costs, and how late is too late."""

    day_minor: Minor = 0
    day_percent: Percent = 0
    """Of the order's value."""
    max_days: Days | None = None


class Cost(Part, frozen=True, kw_only=True):
    """Costs beside freight."""

    handling: Handling = Handling()
    markdown: Markdown = Markdown()
    stockout: Stockout = Stockout()
    lateness: Lateness = Lateness()
    failed_pick_minor: Minor = 0
    """What a pick that fails costs: finding another node, a second parcel, a disappointed buyer."""
    load_percent: Scale = 100
    """Scales the nodes' own load rate."""


class Calendar(Part, frozen=True, kw_only=True):
    """How long an order may wait for a node to open or to have capacity."""

    max_wait_days: Annotated[int, Meta(ge=0, le=30)] = 2
    """0 means today only."""


class Margin(Part, frozen=True, kw_only=True):
    """What must be left of an order's value after goods, freight and handling."""

    floor_minor: Annotated[int, Meta(ge=-MAX_MINOR, le=MAX_MINOR)] | None = None
    """Below zero, so much may be lost."""
    floor_percent: Percent | None = None


class Lanes(Part, frozen=True, kw_only=True):
    """Which borders an order may cross."""

    cross_border: bool = True
    cross_entity: bool = True
    entity_pairs: tuple[tuple[str, str], ...] = ()
    """Selling and operating entity that may trade although `cross_entity` is false."""


class DangerousGoods(Part, frozen=True, kw_only=True):
    """Who may send dangerous goods, and how."""

    capability: str = "dangerous_goods"
    barred_services: tuple[str, ...] = ()
    barred_methods: tuple[MethodName, ...] = ()
    cross_border: bool = False
    exempt: tuple[str, ...] = ()
    """Classes treated as harmless, such as `limited_quantity`."""


class OnUnfilled(Part, frozen=True, kw_only=True):
    """What becomes of units without a node, for some reasons or (empty) for all others."""

    reasons: tuple[Reason, ...] = ()
    outcome: Outcome
    days: SomeDays | None = None
    """After so many days they are canceled; None never."""


class UnfilledRules(Part, frozen=True, kw_only=True):
    """What an open unit counts when plans are compared, and what happens to it."""

    penalty_minor: Minor = 2000
    penalty_percent: Scale = 100
    """Of the unit's value, for every unit."""
    partial: bool = True
    """Send what there is; False sends nothing until everything can be sent."""
    substitutes: bool = True
    """Try the products' substitutes where the order allows them."""
    rules: tuple[OnUnfilled, ...]


class Search(Part, frozen=True, kw_only=True):
    """Limits of the search, counted and never timed, so that a re-run gives the same."""

    exact_lines: Annotated[int, Meta(ge=1, le=100)] = 8
    """Orders with more lines are planned by the heuristic for big orders."""
    exact_evaluations: Count = 4000
    """Partial plans looked at for one order before the best so far is taken."""
    batch_evaluations: Count = 1_000_000
    """Partial plans looked at for all orders of a batch; those that come after get a short look."""
    joint_rounds: Annotated[int, Meta(ge=0, le=100)] = 1
    """Passes over orders that lost something to others of their batch, after all were planned in
    sequence; 0 turns the joint view off."""
    joint_orders: Count = 1000
    """Of those orders, so many that may save most."""
    joint_trials: Count = 6
    """Exchanges tried for one contended order in a pass."""


class Record(Part, frozen=True, kw_only=True):
    """What a Decision keeps."""

    candidates: Annotated[int, Meta(ge=1, le=10)] = 4


class SourcingPolicy(Part, frozen=True, kw_only=True, dict=True):
    """The whole policy. Two with the same content have the same `version`."""

    name: str
    currency: str
    description: str = ""
    choose: Literal["cost", "nearest", "fewest_nodes"] = "cost"
    """What comes first when plans are compared; cost decides among equals."""
    candidates: Candidates = Candidates()
    distance_km: dict[NodeKind, Kilometres] = {}
    methods: dict[MethodName, MethodRule] = {}
    steps: tuple[Step, ...]
    split: Split = Split()
    freight: Freight
    cost: Cost = Cost()
    calendar: Calendar = Calendar()
    margin: Margin = Margin()
    lanes: Lanes = Lanes()
    dangerous_goods: DangerousGoods = DangerousGoods()
    unfilled: UnfilledRules
    search: Search = Search()
    record: Record = Record()

    @cached_property
    def version(self) -> str:
        """Hash of the content; comments and the order of keys do not count."""
        return hashlib.sha256(encode_policy(self)).hexdigest()[:16]


def encode_policy(policy: SourcingPolicy) -> bytes:
    """The policy as stored beside decisions; equal policies give equal bytes."""
    return msgspec.msgpack.Encoder(order="sorted").encode(policy)


def decode_policy(content: bytes) -> SourcingPolicy:
    """The inverse of `encode_policy`."""
    return msgspec.msgpack.decode(content, type=SourcingPolicy)
