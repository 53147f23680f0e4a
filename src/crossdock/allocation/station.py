"""The station of an allocation zone: all AllocateOrder of a batch are planned and reserved at once.

Each zone is a shard of its own, so that one batch at a time promises a zone's stock and the planner
sees many orders together. Facts may take units meanwhile; levels are reserved under their lock.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import Any

import msgspec

from crossdock.allocation import store
from crossdock.allocation.allocator import Allocator, Capacity, Planned, PlanningRun, Settled
from crossdock.allocation.answers import ZoneTerms, answer_of, hold_units
from crossdock.allocation.demand import Demand, Request, demands_of, requests_of
from crossdock.allocation.facts import Facts, FactsShelf, encode_nodes
from crossdock.allocation.model import STATION, AllocateOrder, CapacityGivenBack
from crossdock.allocation.policies import PolicyShelf, in_force
from crossdock.allocation.records import Record, encode_inputs, encode_record
from crossdock.engine.capability import Delivery, Outgoing
from crossdock.engine.process import Address
from crossdock.engine.transaction import Transaction
from crossdock.inventory.reservations.book import ReservationBook
from crossdock.kernel.ids import derive
from crossdock.kernel.messages import Message
from crossdock.sourcing.model import OrderDemand
from crossdock.sourcing.network import Network
from crossdock.sourcing.policy import SourcingPolicy


class Allocation:
    """The station; a worker keeps one, with what it has read of master data and policies."""

    name = STATION
    messages: tuple[type[Message], ...] = (AllocateOrder, CapacityGivenBack)

    def __init__(self) -> None:
        self._facts = FactsShelf()
        self._policies = PolicyShelf()
        self._kept: set[bytes] = set()
        """Hashes of facts that are stored."""

    def receive(self, deliveries: Sequence[Delivery], tx: Transaction) -> Iterable[Outgoing]:
        """One answer for each request; places given back are there for the requests already."""
        answers: list[Outgoing] = []
        freed = Counter(
            (each.message.day, each.message.node)
            for each in deliveries
            if isinstance(each.message, CapacityGivenBack)
        )
        if freed:
            store.give_capacity_back(tx, freed)
        for zone, requests in self._by_zone(deliveries, tx):
            answers += zone.answer(requests)
        return answers

    def prepare(self, deliveries: Sequence[Delivery], tx: Transaction) -> None:
        """Plan ahead: most of the work, done while another batch may still be in the zone."""
        for zone, requests in self._by_zone(deliveries, tx):
            zone.plan_ahead(requests)

    def _by_zone(
        self, deliveries: Sequence[Delivery], tx: Transaction
    ) -> Iterator[tuple[_Zone, list[Request]]]:
        """The requests of each zone, with what is known of it."""
        facts = self._facts.current(tx.connection, tx.now.date())
        active = self._policies.active(tx.connection, tx.now)
        by_zone: dict[str, list[Delivery]] = {}
        for delivery in deliveries:
            by_zone.setdefault(delivery.to.instance, []).append(delivery)
        for zone in sorted(by_zone):
            requests = requests_of(by_zone[zone])
            if not requests:
                continue
            versions: dict[str, str] = {}
            for request in requests:
                order = request.order
                versions[order.order_id] = in_force(active, order.brand, order.channel)
            policies = {
                order_id: self._policies.version(tx.connection, version)
                for order_id, version in versions.items()
            }
            yield _Zone(tx, zone, facts, policies, self._kept), requests


class Ahead:
    """What a batch has planned for zones it has not entered yet: no more than a proposal."""

    def __init__(self) -> None:
        self.of_zone: dict[str, dict[str, tuple[Allocator, dict[tuple[str, int], Planned]]]] = {}
        """By zone and policy version: who planned, and the plans by demand."""

    def flush(self, tx: Transaction) -> None:
        """Nothing of it is written."""


class _Zone:
    """One zone's requests of one batch."""

    def __init__(
        self,
        tx: Transaction,
        zone: str,
        facts: Facts,
        policies: dict[str, SourcingPolicy],
        kept: set[bytes],
    ) -> None:
        self.tx = tx
        self.zone = zone
        self.facts = facts
        self.network = facts.zones.get(zone) or Network(())
        self.policies = policies
        self.kept = kept
        self.book = tx.book(ReservationBook)

    def answer(self, requests: Sequence[Request]) -> list[Outgoing]:
        self.book.load(self.tx, {request.order.order_id for request in requests})
        demands = demands_of(requests, self.book, self.facts.products, self.policies)
        settled = self._allocate(demands)
        others = [zone for zone in self.facts.zones if zone != self.zone]
        limited = {n.code for n in self.network.nodes if n.daily_capacity is not None}
        terms = ZoneTerms(self.zone, others, limited)
        answers = []
        rows: list[tuple[Any, ...]] = []
        for request in requests:
            order, delivery = request.order, request.delivery
            own = settled.get(delivery.id, [])
            decision_id = derive(self.tx.now, delivery.id, "decision")
            for each in own:
                hold_units(self.book, self.tx, each, self.facts.products)
            answer = answer_of(
                request, own, decision_id, self.book, self.tx, self.facts.products, terms
            )
            to = Address(order.reply_to, order.order_id, order.order_id)
            answers.append(Outgoing(to, answer, delivery))
            if own:
                rows.append(self._row(request, own, decision_id))
        if rows:
            store.add_decisions(self.tx, rows)
        return answers

    def plan_ahead(self, requests: Sequence[Request]) -> None:
        """Plan requests on what the zone's stock is now, before it is locked."""
        self.book.load(self.tx, {request.order.order_id for request in requests})
        demands = demands_of(requests, self.book, self.facts.products, self.policies)
        found = self.tx.book(Ahead).of_zone.setdefault(self.zone, {})
        capacity = Capacity(self.tx, self.network)
        for version, of_policy in self._by_policy(demands).items():
            allocator = self._allocator(of_policy, capacity)
            planned = allocator.plan_ahead(of_policy)
            found[version] = allocator, {demand.key: (demand, plan) for demand, plan in planned}

    def _by_policy(self, demands: Sequence[Demand]) -> dict[str, list[Demand]]:
        by_policy: dict[str, list[Demand]] = {}
        for demand in demands:
            policy = self.policies[demand.request.order.order_id]
            by_policy.setdefault(policy.version, []).append(demand)
        return dict(sorted(by_policy.items()))

    def _allocator(self, demands: Sequence[Demand], capacity: Capacity) -> Allocator:
        policy = self.policies[demands[0].request.order.order_id]
        products = self.facts.products
        return Allocator(self.tx, self.zone, self.network, products, policy, capacity)

    def _allocate(self, demands: Sequence[Demand]) -> dict[str, list[Settled]]:
        """The ends of all demands by the id of their request's delivery."""
        by_policy = self._by_policy(demands)
        if not by_policy:
            return {}
        capacity = Capacity(self.tx, self.network)
        prepared = self.tx.book(Ahead).of_zone.pop(self.zone, {})
        found: list[Settled] = []
        rows: list[tuple[Any, ...]] = []
        for version, of_policy in by_policy.items():
            allocator, plans = prepared.get(version) or (None, {})
            if allocator is None or not allocator.knows(self.network, self.facts.products):
                allocator, plans = self._allocator(of_policy, capacity), {}
            allocator.capacity = capacity
            fresh, ahead = _split(of_policy, plans)
            found += allocator.allocate(fresh, ahead)
            rows += [self._batch_row(run, version) for run in allocator.runs]
        self._keep_network()
        store.add_batches(self.tx, rows)
        if capacity.added:
            store.add_capacity(self.tx, capacity.added)
        settled: dict[str, list[Settled]] = {}
        for each in sorted(found, key=lambda s: s.demand.planned.sequence):
            settled.setdefault(each.demand.request.delivery.id, []).append(each)
        return settled

    def _keep_network(self) -> None:
        """Store the nodes' facts once; what is stored for good is not asked for again."""
        if self.zone not in self.facts.zones:
            return
        hash = self.facts.hash_of(self.zone)
        if hash in self.kept:
            return
        is_kept, is_for_good = store.facts_are_kept(self.tx, hash)
        if is_for_good:
            self.kept.add(hash)
        elif not is_kept:
            store.keep_facts(self.tx, hash, "network", encode_nodes(self.facts.zones[self.zone]))

    def _batch_row(self, run: PlanningRun, version: str) -> tuple[Any, ...]:
        known = self.zone in self.facts.zones
        return (
            run.id,
            self.zone,
            self.tx.now,
            version,
            self.facts.hash_of(self.zone) if known else b"",
            len(run.orders),
            encode_inputs(run.orders, run.stock, self.facts.products),
        )

    def _row(
        self, request: Request, settled: Sequence[Settled], decision_id: str
    ) -> tuple[Any, ...]:
        decisions = tuple(each.decision for each in settled)
        runs = tuple(decision.batch_id for decision in decisions)
        refused = tuple(i for i, each in enumerate(settled) if each.was_refused)
        order = request.order
        return (
            decision_id,
            runs[0],
            order.order_id,
            order.attempt,
            self.zone,
            self.tx.now,
            encode_record(Record(runs, decisions, refused)),
        )


def _split(
    demands: Sequence[Demand], plans: Mapping[tuple[str, int], Planned]
) -> tuple[list[Demand], list[Planned]]:
    """Demands that are still to be planned, and those whose plan was made for just this demand."""
    fresh: list[Demand] = []
    ahead: list[Planned] = []
    for demand in demands:
        planned = plans.get(demand.key)
        if planned is not None and _is_same(planned[0].planned, demand.planned):
            ahead.append((Demand(demand.request, demand.group, planned[0].planned), planned[1]))
        else:
            fresh.append(demand)
    return fresh, ahead


def _is_same(one: OrderDemand, other: OrderDemand) -> bool:
    """Whether two demands ask for the same, whatever their place in a batch."""
    return one == other or one == msgspec.structs.replace(other, sequence=one.sequence)
