"""Batches: what one order takes the next cannot have, and the joint view shares it out."""

from __future__ import annotations

import random
from datetime import date, timedelta
from itertools import combinations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from crossdock.sourcing.eligibility import Profile, node_mask
from crossdock.sourcing.freight import FreightBook
from crossdock.sourcing.model import Decision, NodeFacts, OrderDemand, Reason, Stock
from crossdock.sourcing.network import Network
from crossdock.sourcing.planner import Planner, plan
from crossdock.sourcing.policy import Calendar, Search, SourcingPolicy, Step
from crossdock.sourcing.policy_files import SHIPPED, shipped_policy
from crossdock.sourcing.state import BatchState, places_within
from tests.sourcing.world import NOON, PLACES, decide, node, order, policy, shares, sku, stock

pytestmark = pytest.mark.slow

SKUS = ("anorak", "boots", "cap", "duffel", "earmuffs")
KIT = sku("winter set", components=(("anorak", 1), ("cap", 2)))


@st.composite
def batches(draw: st.DrawFn) -> tuple[list[NodeFacts], Stock, list[OrderDemand]]:
    rng = random.Random(draw(st.integers(0, 10**9)))
    nodes = [
        node(
            f"node-{i:02}",
            rng.choice(sorted(PLACES)),
            kind=rng.choice(("store", "store", "dc")),
            methods=rng.choice((("ship",), ("ship", "pickup"), ("pickup",))),
            daily_capacity=rng.choice((None, 1, 2, 5)),
            load_minor=rng.choice((0, 90)),
            handling_line_minor=rng.randint(0, 40),
            handling_unit_minor=rng.randint(0, 90),
            active=rng.random() > 0.1,
        )
        for i in range(rng.randint(1, 8))
    ]
    held = stock(
        {
            code: {one.code: rng.randint(0, 4) for one in nodes if rng.random() < 0.7}
            for code in SKUS
        },
        capacity_used={
            one.code: {NOON.date(): rng.randint(0, one.daily_capacity)}
            for one in nodes
            if one.daily_capacity
        },
    )
    orders = [
        order(
            *[
                (code, rng.randint(1, 3))
                for code in rng.sample([*SKUS, KIT.sku], rng.randint(1, 3))
            ],
            to=rng.choice(sorted(PLACES)),
            number=n,
            priority=rng.randint(1, 3),
            arrive_by=NOON + timedelta(days=rng.randint(0, 9)),
            substitutes_allowed=rng.random() < 0.5,
        )
        for n in range(rng.randint(1, 12))
    ]
    return nodes, held, orders


Batch = tuple[list[NodeFacts], Stock, list[OrderDemand]]

STEPS = (Step(name="near", max_nodes=2), Step(name="far", max_nodes=3, max_nodes_per_line=2))
PRODUCTS = {
    code: sku(code, substitutes=(other,))
    for code, other in zip(SKUS, SKUS[1:] + SKUS[:1], strict=True)
} | {KIT.sku: KIT}


def planned(batch: Batch, rules: SourcingPolicy) -> list[Decision]:
    nodes, held, orders = batch
    return plan(orders, held, Network(nodes), PRODUCTS, rules, NOON)


def rules_named(name: str) -> SourcingPolicy:
    return policy(steps=STEPS) if name == "round-figures" else shipped_policy(name)


policies = st.sampled_from(["round-figures", *SHIPPED]).map(rules_named)


@settings(max_examples=60, deadline=None)
@given(batches(), policies)
def test_no_batch_takes_more_than_there_is(batch: Batch, rules: SourcingPolicy) -> None:
    nodes, held, _ = batch
    decisions = planned(batch, rules)
    taken: dict[tuple[str, str], int] = {}
    sent: dict[tuple[str, date], int] = {}
    for decision in decisions:
        for share in decision.chosen.nodes:
            leaving = (share.node, share.ship_on)
            sent[leaving] = sent.get(leaving, 0) + 1
            for line in share.lines:
                taken[line.sku, share.node] = taken.get((line.sku, share.node), 0) + line.taken
    for (code, place), units in taken.items():
        column = held.columns[code]
        assert units <= dict(zip(column.nodes, column.available, strict=True))[place]
    limits = {one.code: one.daily_capacity for one in nodes}
    for (place, day), count in sent.items():
        limit = limits[place]
        used = held.capacity_used.get(place, {}).get(day, 0)
        assert limit is None or count + used <= limit


@settings(max_examples=60, deadline=None)
@given(batches(), policies)
def test_every_unit_is_planned_once_or_open(batch: Batch, rules: SourcingPolicy) -> None:
    for demand, decision in zip(batch[2], planned(batch, rules), strict=True):
        for line in demand.lines:
            told = sum(
                part.quantity
                for share in decision.chosen.nodes
                for part in share.lines
                if part.line_number == line.line_number
                # A kit is told by its components: one of them stands for it.
                and (part.instead_of, part.sku) != (KIT.sku, "cap")
            )
            left = sum(
                one.quantity
                for one in decision.chosen.unfilled
                if one.line_number == line.line_number
            )
            assert told + left == line.quantity


@settings(max_examples=60, deadline=None)
@given(batches(), policies)
def test_no_plan_uses_a_node_that_a_hard_filter_leaves_out(
    batch: Batch, rules: SourcingPolicy
) -> None:
    nodes, _, orders = batch
    network = Network(nodes)
    book = FreightBook(rules.freight)
    for demand, decision in zip(orders, planned(batch, rules), strict=True):
        number = [step.name for step in rules.steps].index(decision.chosen.step)
        profile = Profile("ship", "standard", demand.country, "", "", number)
        mask = node_mask(network, rules, book, profile)
        step = rules.steps[number]
        assert len(decision.chosen.nodes) <= step.max_nodes
        for share in decision.chosen.nodes:
            assert not mask[network.position[share.node]]
            limit = rules.distance_km.get(network.nodes[network.position[share.node]].kind)
            assert limit is None or share.distance_km <= limit * step.distance_percent / 100


@settings(max_examples=50, deadline=None)
@given(batches(), policies, st.randoms(use_true_random=False))
def test_the_order_in_which_a_batch_is_passed_changes_nothing(
    batch: Batch, rules: SourcingPolicy, shuffler: random.Random
) -> None:
    nodes, held, orders = batch
    first = {one.order_id: one for one in planned(batch, rules)}
    shuffled = orders[:]
    shuffler.shuffle(shuffled)
    columns = list(held.columns.items())
    shuffler.shuffle(columns)
    again = Stock(columns=dict(columns), capacity_used=held.capacity_used)
    others = nodes[:]
    shuffler.shuffle(others)
    assert {one.order_id: one for one in planned((others, again, shuffled), rules)} == first


@settings(max_examples=50, deadline=None)
@given(batches(), batches(), policies)
def test_what_was_planned_before_changes_nothing(
    batch: Batch, other: Batch, rules: SourcingPolicy
) -> None:
    nodes, held, orders = batch
    network = Network(nodes)
    kept = Planner(network, rules)
    fresh = kept.plan(orders, held, PRODUCTS, NOON)
    kept.plan(other[2], held, PRODUCTS, NOON + timedelta(hours=30))
    assert kept.plan(orders, held, PRODUCTS, NOON) == fresh


@settings(max_examples=50, deadline=None)
@given(batches(), policies)
def test_nodes_no_column_names_make_no_difference(batch: Batch, rules: SourcingPolicy) -> None:
    nodes, held, orders = batch
    named = {code for column in held.columns.values() for code in column.nodes}
    whole = Network([*nodes, node("aaa-idle", "chicago"), node("zzz-idle", "boston", kind="dc")])
    some = whole.subset(named)
    assert plan(orders, held, some, PRODUCTS, rules, NOON) == plan(
        orders, held, whole, PRODUCTS, rules, NOON
    )


@settings(max_examples=50, deadline=None)
@given(batches())
def test_the_joint_view_leaves_no_order_with_more_open_units_or_substitutes(batch: Batch) -> None:
    alone = policy(steps=STEPS, search=Search(joint_rounds=0))
    for before, after in zip(
        planned(batch, alone), planned(batch, policy(steps=STEPS)), strict=True
    ):
        assert (_open(after), _substitutes(after)) <= (_open(before), _substitutes(before))


@settings(max_examples=50, deadline=None)
@given(batches())
def test_the_joint_view_never_makes_a_batch_dearer_for_as_many_units(batch: Batch) -> None:
    alone = planned(batch, policy(steps=STEPS, search=Search(joint_rounds=0)))
    joint = planned(batch, policy(steps=STEPS))
    if [_open(one) for one in alone] == [_open(one) for one in joint]:
        assert sum(map(_money, joint)) <= sum(map(_money, alone)) + _load_moved(batch)


def _load_moved(batch: Batch) -> int:
    """A later order's load is booked when it is planned; an exchange may shift it by one place."""
    return sum(one.load_minor for one in batch[0]) + 90 * len(batch[2])


def _open(decision: Decision) -> int:
    return sum(line.quantity for line in decision.chosen.unfilled)


def _substitutes(decision: Decision) -> int:
    lines = [line for share in decision.chosen.nodes for line in share.lines]
    return sum(line.quantity for line in lines if line.instead_of not in ("", KIT.sku))


def _money(decision: Decision) -> int:
    return decision.chosen.total_minor + decision.chosen.penalty_minor


EAST, WEST = node("east", "new-york"), node("west", "los-angeles")


def test_the_order_of_higher_priority_takes_the_last_unit() -> None:
    orders = [order(("lamp", 1), number=1), order(("lamp", 1), number=2, priority=1)]
    late, urgent = decide(orders, {"lamp": {"east": 1}}, [EAST])
    assert (late.filled, urgent.filled) == (False, True)
    assert late.chosen.unfilled[0].reason is Reason.TAKEN


def test_of_equal_priority_the_earlier_sequence_is_planned_first() -> None:
    orders = [order(("lamp", 1), number=2), order(("lamp", 1), number=1)]
    second, first = decide(orders, {"lamp": {"east": 1}}, [EAST])
    assert (first.filled, second.filled) == (True, False)


def test_the_order_that_can_do_without_steps_aside() -> None:
    # The first is as well served from Boston; the second can only be reached from New York cheaply.
    nodes = [EAST, node("north", "boston"), WEST]
    held = {"lamp": {"east": 1, "north": 1}, "rug": {"east": 1, "west": 1}}
    place = node("east", "new-york", daily_capacity=1)
    orders = [order(("lamp", 1), number=1), order(("rug", 1), number=2)]
    rules = policy(calendar=Calendar(max_wait_days=0))
    lamp, rug = decide(orders, held, [place, *nodes[1:]], rules)
    assert shares(lamp) == {"north": {"lamp": 1}}
    assert shares(rug) == {"east": {"rug": 1}}
    assert (lamp.joint_delta_minor, rug.joint_delta_minor) == (100, -500)


def test_an_order_gives_up_its_unit_to_one_that_finds_none_elsewhere() -> None:
    orders = [
        order(("lamp", 1), number=1),
        order(("lamp", 1), number=2, only_nodes=("east",)),
    ]
    first, second = decide(orders, {"lamp": {"east": 1, "west": 1}}, [EAST, WEST])
    assert shares(first) == {"west": {"lamp": 1}}
    assert shares(second) == {"east": {"lamp": 1}}


def test_of_two_that_could_step_aside_alike_the_first_in_turn_does() -> None:
    # Passed first is not planned first.
    orders = [
        order(("lamp", 1), number=2),
        order(("lamp", 1), number=1),
        order(("lamp", 1), number=3, only_nodes=("east",)),
    ]
    held = {"lamp": {"east": 2, "west": 1}}
    for rules in (policy(), policy(choose="nearest")):
        second, first, third = decide(orders, held, [EAST, WEST], rules)
        assert shares(first) == {"west": {"lamp": 1}}
        assert shares(second) == shares(third) == {"east": {"lamp": 1}}


def test_without_the_joint_view_the_first_keeps_what_it_took() -> None:
    orders = [
        order(("lamp", 1), number=1),
        order(("lamp", 1), number=2, only_nodes=("east",)),
    ]
    rules = policy(search=Search(joint_rounds=0))
    first, second = decide(orders, {"lamp": {"east": 1, "west": 1}}, [EAST, WEST], rules)
    assert (shares(first), second.filled) == ({"east": {"lamp": 1}}, False)


def test_small_batches_come_close_to_the_joint_optimum() -> None:
    ours, best = zip(*(_small_batch(seed) for seed in range(150)), strict=True)
    assert all(mine >= least for mine, least in zip(ours, best, strict=True))
    assert sum(ours) < 1.005 * sum(best)
    assert max(mine / least for mine, least in zip(ours, best, strict=True)) < 1.15


def _small_batch(seed: int) -> tuple[int, int]:
    """What a batch that wants one product costs, and what it would cost at best."""
    rng = random.Random(seed)
    nodes = [
        node(f"n{i}", rng.choice(sorted(PLACES)), handling_order_minor=rng.randint(0, 300))
        for i in range(4)
    ]
    held = {"lamp": {one.code: rng.randint(1, 2) for one in nodes}}
    orders = [
        order(("lamp", 1), to=rng.choice(sorted(PLACES)), number=n)
        for n in range(rng.randint(2, 4))
    ]
    ours = sum(map(_money, decide(orders, held, nodes)))
    return ours, _optimum(nodes, held["lamp"], orders, policy())


def _optimum(
    nodes: list[NodeFacts], held: dict[str, int], orders: list[OrderDemand], rules: SourcingPolicy
) -> int:
    """Every way to give the units to the orders, each costed by planning it alone."""
    units = [code for code, count in held.items() for _ in range(count)]
    alone = {
        (one.order_id, code): _money(decide([one], {"lamp": {code: 9}}, nodes, rules)[0])
        for one in orders
        for code in held
    }
    served = min(len(units), len(orders))
    best = 10**9

    def give(rest: list[OrderDemand], left: list[str], cost: int) -> None:
        nonlocal best
        if not rest:
            best = min(best, cost)
            return
        for code in sorted(set(left)):
            fewer = left[:]
            fewer.remove(code)
            give(rest[1:], fewer, cost + alone[rest[0].order_id, code])

    for chosen in combinations(orders, served):
        give(list(chosen), units, 9000 * (len(orders) - served))
    return best


def test_a_batch_that_has_used_up_its_looks_still_fills_its_orders() -> None:
    codes = [f"sku-{n}" for n in range(8)]
    nodes = [node(f"node-{i:02}", sorted(PLACES)[i % len(PLACES)]) for i in range(24)]
    rng = random.Random(4)
    held = stock({code: {n.code: 40 for n in rng.sample(nodes, 5)} for code in codes})
    orders = [order(*[(code, 1) for code in codes], number=n) for n in range(12)]
    products = {code: sku(code) for code in codes}

    def decided(looks: int) -> list[Decision]:
        search = Search(joint_rounds=0, batch_evaluations=looks)
        rules = policy(search=search, steps=(Step(name="far", max_nodes=6),))
        return plan(orders, held, Network(nodes), products, rules, NOON)

    plenty, few = decided(1_000_000), decided(2_000)
    assert all(one.filled for one in (*plenty, *few))
    assert plenty[0].exact and plenty[0].chosen == few[0].chosen, (
        "the first orders get the whole search"
    )
    assert not few[-1].exact
    assert few == decided(2_000)


@given(
    limit=st.integers(0, 60),
    factor=st.integers(0, 40_000),
    price=st.one_of(st.integers(0, 600), st.floats(0, 600)),
)
def test_places_within_a_price_are_those_whose_load_costs_no_more(
    limit: int, factor: int, price: float
) -> None:
    one = node("one", daily_capacity=limit, load_minor=factor)
    capacity = BatchState(Network((one,)), policy(), stock({}), [0]).capacity
    counted = sum(capacity.load_minor(0, used) <= price for used in range(limit))
    arrays = [np.array([x], dtype=np.float64) for x in (price, limit, capacity.load_factor(0))]
    assert places_within(*arrays).tolist() == [counted]
