"""People at the nodes: they accept or decline work, pick, pack, ship, and answer recalls.

A person sees new work when the store app next shows it (at the end of a tick), within opening
hours. Work of one node queues up for its hands. What each does with a FulfillmentOrder follows
from (seed, its id) and the node's queue alone.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import NamedTuple

from crossdock.engine.inbox import Inbound
from crossdock.engine.process import Address
from crossdock.kernel.messages import Message
from crossdock.model.messages import (
    FulfillmentAccepted,
    FulfillmentDeclined,
    FulfillmentShipped,
    ItemsPacked,
    ItemsPicked,
    LineQuantity,
    RecallAnswered,
    ShippedPackage,
    ShortLine,
)
from crossdock.simulator.agenda import Agenda
from crossdock.simulator.chance import Chance
from crossdock.simulator.hours import Hours, instant

WHY_SHORT = (("not_in_stock", 0.72), ("damaged", 0.2), ("wrong_item", 0.08))
WHY_DECLINED = (("too_busy", 0.6), ("closed_early", 0.2), ("out_of_stock", 0.2))


BEFORE_THE_SHELF = frozenset({"accept", "decline", "pick"})
"""Steps before which somebody looks at the store app; later they have the units in hand."""


class StaffHabits(NamedTuple):
    """How people work. Probabilities are per FulfillmentOrder unless they say otherwise."""

    accept_minutes: float = 20.0
    """Mean open minutes until somebody looks at new work."""
    decline_probability: float = 0.012
    silence_probability: float = 0.006
    """Nobody ever looks at it."""
    pick_seconds_per_order: float = 150.0
    pick_seconds_per_unit: float = 35.0
    pack_seconds: float = 180.0
    failure_factor: float = 1.0
    """Multiplies each node's own probability (per line) that a pick falls short."""
    units_per_hour: float = 120.0
    """Of one node without a stated capacity."""


class Place(NamedTuple):
    """A node as its people know it."""

    id: str
    kind: str
    hours: Hours
    daily_capacity: int | None
    pick_failure_probability: float
    latitude: float | None
    longitude: float | None


class Work(NamedTuple):
    """A FulfillmentOrder as the store app shows it when it is new."""

    fulfillment_id: str
    order_id: str
    node: str
    service: str
    latitude: float | None
    longitude: float | None
    lines: tuple[LineQuantity, ...]


class Recall(NamedTuple):
    """A request to give units back; no lines means all."""

    fulfillment_id: str
    order_id: str
    node: str
    request_id: str
    lines: tuple[LineQuantity, ...]


class Parcel(NamedTuple):
    """What was handed to the carrier, with the way it has to go."""

    order_id: str
    fulfillment_id: str
    shipment_id: str
    tracking: str
    service: str
    shipped: float
    node: Place
    latitude: float | None
    longitude: float | None


class _Job:
    """One FulfillmentOrder in somebody's hands."""

    __slots__ = ("left", "over", "parcels", "picked", "place", "work")

    def __init__(self, work: Work, place: Place) -> None:
        self.work = work
        self.place = place
        self.left = {line.line: line.quantity for line in work.lines}
        self.picked: dict[int, int] | None = None
        self.over = False
        self.parcels = 0


class Staff:
    """Everybody at every node."""

    def __init__(
        self,
        places: Mapping[str, Place],
        chance: Chance,
        agenda: Agenda,
        handed_over: Callable[[Parcel], None],
        habits: StaffHabits | None = None,
    ) -> None:
        self.places = places
        self.chance = chance
        self.agenda = agenda
        self.handed_over = handed_over
        self.habits = habits or StaffHabits()
        self.jobs: dict[str, _Job] = {}
        self.counts: dict[str, int] = {}
        self._free: dict[str, float] = {}
        self._answered: set[tuple[str, str]] = set()

    def see(self, work: Sequence[Work], now: float) -> None:
        """Plan what becomes of new work, in the order of its ids."""
        for one in sorted(work):
            if one.fulfillment_id in self.jobs:
                continue
            place = self.places[one.node]
            job = self.jobs[one.fulfillment_id] = _Job(one, place)
            self._plan(job, now)

    def to_look_up(self, now: float) -> list[tuple[str, str]]:
        """(order, FulfillmentOrder) of work that somebody is about to accept, decline or pick."""
        due = set(self.agenda.due_for(now, BEFORE_THE_SHELF))
        return [
            (self.jobs[one].work.order_id, one) for one in sorted(due) if not self.jobs[one].over
        ]

    def look_up(
        self, asked: Sequence[tuple[str, str]], left: Mapping[str, Mapping[int, int]]
    ) -> None:
        """What the store app shows now: work that was taken away is not in `left` any more."""
        for _, one in asked:
            job = self.jobs[one]
            units = left.get(one)
            if units is None:
                job.over = True
                self._count("work taken from a node")
            elif job.picked is None:
                job.left = dict(units)

    def recall(self, recalls: Sequence[Recall], now: float) -> None:
        """Plan the answers to recalls not seen before."""
        for one in sorted(recalls):
            key = (one.fulfillment_id, one.request_id)
            if key in self._answered:
                continue
            self._answered.add(key)
            place = self.places[one.node]
            entity = f"{one.fulfillment_id}/{one.request_id}"
            heard = now + self.chance.wait(300.0, "hears of recall", entity)
            self.agenda.plan(place.hours.first_open(heard), entity, "recall", self._answer(one))

    def _plan(self, job: _Job, now: float) -> None:
        """Accept at once or decline; queue for the node's hands; pick, pack, next pickup."""
        work, habits, hours, one = job.work, self.habits, job.place.hours, job.work.fulfillment_id
        if self.chance.happens(habits.silence_probability, "never looks", one):
            self._count("node stays silent")
            job.over = True
            return
        minutes = habits.accept_minutes * (0.25 if job.place.kind != "store" else 1.0)
        looks = hours.after(now, self.chance.wait(minutes * 60.0, "looks", one))
        if self.chance.happens(habits.decline_probability, "declines", one):
            self.agenda.plan(looks, one, "decline", self._decline)
            return
        units = sum(line.quantity for line in work.lines)
        labor = habits.pick_seconds_per_order + units * habits.pick_seconds_per_unit
        starts = max(looks, self._free.get(work.node, 0.0))
        self._free[work.node] = hours.after(starts, self._hands_seconds(job.place, units))
        picked = hours.after(starts, labor)
        packed = hours.after(picked, habits.pack_seconds)
        self.agenda.plan(looks, one, "accept", self._accept)
        self.agenda.plan(picked, one, "pick", self._pick)
        self.agenda.plan(packed, one, "pack", self._pack)
        self.agenda.plan(hours.next_pickup(packed, work.service), one, "ship", self._ship)

    def _hands_seconds(self, place: Place, units: int) -> float:
        """Open time one FulfillmentOrder takes of the node's whole crew."""
        if place.daily_capacity:
            return place.hours.open_seconds_per_week() / 7.0 / place.daily_capacity
        return 3600.0 * units / self.habits.units_per_hour

    def _accept(self, entity: str, due: float) -> Iterable[Inbound]:
        job = self.jobs[entity]
        if not job.over:
            yield self._tell(
                job,
                FulfillmentAccepted(order_id=job.work.order_id, fulfillment_id=entity),
                "accepted",
                due,
            )

    def _decline(self, entity: str, due: float) -> Iterable[Inbound]:
        job = self.jobs[entity]
        if not job.over:
            job.over = True
            self._count("node declines")
            reason = self.chance.one_of(WHY_DECLINED, "why declined", entity)
            declined = FulfillmentDeclined(
                order_id=job.work.order_id, fulfillment_id=entity, reason=reason
            )
            yield self._tell(job, declined, "declined", due)

    def _pick(self, entity: str, due: float) -> Iterable[Inbound]:
        job = self.jobs[entity]
        if job.over:
            return
        probability = job.place.pick_failure_probability * self.habits.failure_factor
        short: list[ShortLine] = []
        for line, quantity in job.left.items():
            what = f"{entity}/{line}"
            if quantity and self.chance.happens(probability, "falls short", what):
                missing = 1 + int(self.chance.fraction("how many", what) * quantity)
                reason = self.chance.one_of(WHY_SHORT, "why short", what)
                short.append(ShortLine(line, min(missing, quantity), reason))
        if short:
            self._count("pick falls short")
        for one in short:
            job.left[one.line] -= one.quantity
        job.picked = {line: quantity for line, quantity in job.left.items() if quantity}
        picked = ItemsPicked(
            order_id=job.work.order_id,
            fulfillment_id=entity,
            pick_id=f"{entity}-1",
            picked=_quantities(job.picked),
            short=tuple(short),
        )
        job.over = not job.picked
        yield self._tell(job, picked, "picked", due)

    def _pack(self, entity: str, due: float) -> Iterable[Inbound]:
        job = self.jobs[entity]
        if not job.over and job.picked:
            packed = ItemsPacked(
                order_id=job.work.order_id,
                fulfillment_id=entity,
                pack_id=f"{entity}-1",
                lines=_quantities(job.picked),
            )
            yield self._tell(job, packed, "packed", due)

    def _ship(self, entity: str, due: float) -> Iterable[Inbound]:
        job = self.jobs[entity]
        if job.over or not job.picked:
            return
        job.over = True
        work = job.work
        tracking = f"CD{work.fulfillment_id.replace('-', '').upper()[-14:]}"
        package = ShippedPackage(
            lines=_quantities(job.picked),
            carrier="carrier",
            service=work.service,
            tracking=tracking,
        )
        shipment = f"{entity}-1"
        self.handed_over(
            Parcel(
                work.order_id,
                entity,
                shipment,
                tracking,
                work.service,
                due,
                job.place,
                work.latitude,
                work.longitude,
            )
        )
        shipped = FulfillmentShipped(
            order_id=work.order_id,
            fulfillment_id=entity,
            shipment_id=shipment,
            packages=(package,),
            shipped_at=instant(due),
        )
        yield self._tell(job, shipped, "shipped", due)

    def _answer(self, recall: Recall) -> Callable[[str, float], Iterable[Inbound]]:
        def answer(entity: str, due: float) -> Iterable[Inbound]:
            """Give back what has not left; from the shelf first, then out of the box."""
            job = self.jobs.get(recall.fulfillment_id)
            given: dict[int, int] = {}
            if job is not None and not (job.over and job.picked):
                wanted = {q.line: q.quantity for q in recall.lines} or dict(job.left)
                given = {n: min(q, job.left.get(n, 0)) for n, q in wanted.items()}
                given = {line: quantity for line, quantity in given.items() if quantity}
                for line, quantity in given.items():
                    job.left[line] -= quantity
                if job.picked is not None:
                    job.picked = {n: q for n, q in job.left.items() if q}
                job.over = not any(job.left.values())
            self._count("recall answered")
            yield Inbound(
                f"node:{recall.node}",
                entity,
                RecallAnswered(
                    order_id=recall.order_id,
                    fulfillment_id=recall.fulfillment_id,
                    request_id=recall.request_id,
                    given_back=_quantities(given),
                ),
                Address("fulfillment", recall.fulfillment_id, recall.order_id),
                instant(due),
                f"staff of {recall.node}",
            )

        return answer

    def _tell(self, job: _Job, message: Message, step: str, due: float) -> Inbound:
        work = job.work
        return Inbound(
            f"node:{work.node}",
            f"{work.fulfillment_id}/{step}",
            message,
            Address("fulfillment", work.fulfillment_id, work.order_id),
            instant(due),
            f"staff of {work.node}",
        )

    def _count(self, kind: str) -> None:
        self.counts[kind] = self.counts.get(kind, 0) + 1


def _quantities(units: Mapping[int, int]) -> tuple[LineQuantity, ...]:
    return tuple(LineQuantity(line, quantity) for line, quantity in sorted(units.items()))
