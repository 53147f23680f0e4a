"""Why a node takes no part: one scene for each reason, and which reason wins."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import Any

import msgspec
import pytest

from crossdock.sourcing.model import (
    Decision,
    DemandLine,
    Reason,
    Stock,
    StockColumn,
)
from crossdock.sourcing.policy import (
    Calendar,
    Candidates,
    DangerousGoods,
    Lanes,
    Lateness,
    Margin,
    MethodRule,
    Step,
)
from tests.sourcing.world import NOON, day, decide, node, order, policy, shares, sku

SOHO = "soho"
FAR_AWAY = "venice-beach"

CLOSED_TODAY = (None if weekday == 1 else (540, 1260) for weekday in range(7))
SEVEN_TO_NOON = ((420, 720),) * 7


class Scene(msgspec.Struct, frozen=True):
    """A store in SoHo that is out for one reason; the store in Venice Beach always can."""

    reason: Reason
    soho: dict[str, Any] = {}
    order: dict[str, Any] = {}
    product: dict[str, Any] = {}
    rules: dict[str, Any] = {}
    other: dict[str, Any] = {}
    held: int = 5
    used: int = 0


COLD = {"capabilities": ("cold",)}
SCENES = {
    "it failed the order before": Scene(Reason.EXCLUDED, order={"excluded_nodes": (SOHO,)}),
    "another node was asked for": Scene(Reason.EXCLUDED, order={"only_nodes": (FAR_AWAY,)}),
    "it is inactive": Scene(Reason.NODE_OFF, soho={"active": False}),
    "it does not offer the method": Scene(Reason.NODE_OFF, soho={"methods": ("pickup",)}),
    "its kind is not used": Scene(
        Reason.GROUP,
        soho={"kind": "vendor"},
        rules={"candidates": Candidates(kinds=("store",))},
    ),
    "it is in no wanted group": Scene(
        Reason.GROUP,
        other={"groups": ("live",)},
        rules={"candidates": Candidates(groups=("live",))},
    ),
    "it is in an unwanted group": Scene(
        Reason.GROUP,
        soho={"groups": ("outlet",)},
        rules={"candidates": Candidates(exclude_groups=("outlet",))},
    ),
    "the step uses other kinds": Scene(
        Reason.GROUP,
        other={"kind": "dc"},
        rules={"steps": (Step(name="only", kinds=("dc",)),)},
    ),
    "it serves another brand": Scene(
        Reason.GROUP, soho={"brands": ("north",)}, order={"brand": "south"}
    ),
    "it is too far away": Scene(
        Reason.DISTANCE, order={"to": "los-angeles"}, rules={"distance_km": {"store": 1000}}
    ),
    "the method reaches less far": Scene(
        Reason.DISTANCE,
        order={"to": "los-angeles", "method": "local_delivery"},
        soho={"methods": ("local_delivery",)},
        other={"methods": ("local_delivery",)},
        rules={"methods": {"local_delivery": MethodRule(distance_km=25)}},
    ),
    "it lacks what the method needs": Scene(
        Reason.CAPABILITY,
        other={"capabilities": ("wrap",)},
        rules={"methods": {"ship": MethodRule(capability="wrap")}},
    ),
    "it lacks what the product needs": Scene(
        Reason.CAPABILITY, other=COLD, product={"requires": ("cold",)}
    ),
    "the product is not sent by this method": Scene(
        Reason.PRODUCT, product={"methods": ("pickup",)}, other={"active": False}
    ),
    "the product is not sent from its group": Scene(
        Reason.PRODUCT, product={"node_groups": ("furniture",)}, other={"groups": ("furniture",)}
    ),
    "the product is blocked there": Scene(Reason.PRODUCT, product={"blocked_nodes": (SOHO,)}),
    "it is abroad and nothing crosses borders": Scene(
        Reason.LANE, soho={"country": "CA"}, rules={"lanes": Lanes(cross_border=False)}
    ),
    "it is abroad and the service has no rates": Scene(Reason.LANE, soho={"country": "CA"}),
    "another entity may not fulfill": Scene(
        Reason.LANE,
        soho={"legal_entity": "CA-INC"},
        order={"legal_entity": "US-INC"},
        rules={"lanes": Lanes(cross_entity=False)},
    ),
    "the goods belong to another entity": Scene(
        Reason.LANE, product={"owner": "CONSIGNOR"}, other={"legal_entity": "CONSIGNOR"}
    ),
    "its rates are in another currency": Scene(Reason.CURRENCY, soho={"currency": "CAD"}),
    "it may not send dangerous goods": Scene(
        Reason.DANGEROUS_GOODS,
        product={"dangerous_goods": "lithium"},
        other={"capabilities": ("dangerous_goods",)},
    ),
    "dangerous goods do not fly": Scene(
        Reason.DANGEROUS_GOODS,
        soho={"capabilities": ("dangerous_goods",)},
        product={"dangerous_goods": "lithium"},
        order={"service": "air"},
        rules={"dangerous_goods": DangerousGoods(barred_services=("air",))},
        other={"active": False},
    ),
    "the way is longer than the product lives": Scene(
        Reason.SHELF_LIFE,
        order={"to": "los-angeles"},
        product={"max_transit_days": 3},
    ),
    "it is closed longer than the policy waits": Scene(
        Reason.CLOSED,
        soho={"closures": (day("11-03"),)},
        rules={"calendar": Calendar(max_wait_days=0)},
    ),
    "the cut-off has passed": Scene(
        Reason.CLOSED,
        soho={"cut_offs": {"*": (660,) * 7}, "time_zone": "America/New_York"},
        rules={"calendar": Calendar(max_wait_days=0)},
    ),
    "all its places are taken": Scene(
        Reason.CAPACITY,
        soho={"daily_capacity": 10},
        used=10,
        rules={"calendar": Calendar(max_wait_days=0)},
    ),
    "it would arrive too late": Scene(
        Reason.LATE,
        order={"to": "los-angeles", "arrive_by": NOON + timedelta(days=2)},
        rules={"cost": msgspec.convert({"lateness": {"max_days": 1}}, type(policy().cost))},
    ),
    "it holds too few": Scene(Reason.NO_STOCK, held=1),
}


def played(scene: Scene) -> Decision:
    nodes = [
        node(SOHO, "new-york", **scene.soho),
        node(FAR_AWAY, "los-angeles", **scene.other),
    ]
    demand = order(("lamp", 2), **scene.order)
    used = {SOHO: {NOON.date(): scene.used}} if scene.used else {}
    held = Stock(
        columns={"lamp": StockColumn([SOHO, FAR_AWAY], [scene.held, 5])}, capacity_used=used
    )
    [decision] = decide(
        [demand], held, nodes, policy(**scene.rules), [sku("lamp", **scene.product)]
    )
    return decision


@pytest.mark.parametrize("scene", SCENES.values(), ids=SCENES.keys())
def test_a_node_is_left_out_because(scene: Scene) -> None:
    decision = played(scene)
    assert SOHO in decision.eliminated.get(scene.reason, ())
    assert SOHO not in shares(decision)
    if scene.other.get("active", True):
        assert shares(decision) == {FAR_AWAY: {"lamp": 2}}
    else:
        assert {line.reason for line in decision.chosen.unfilled} == {scene.reason}


def test_the_same_scene_without_its_reason_chooses_the_store() -> None:
    assert shares(played(Scene(Reason.NO_STOCK))) == {SOHO: {"lamp": 2}}


def test_every_reason_has_a_scene() -> None:
    elsewhere = {Reason.MARGIN_FLOOR, Reason.TAKEN, Reason.SPLIT_RULE, Reason.NOT_NEAREST}
    assert {scene.reason for scene in SCENES.values()} == set(Reason) - elsewhere


PRECEDENCE = [
    (Scene(Reason.EXCLUDED, soho={"active": False}, order={"excluded_nodes": (SOHO,)})),
    (
        Scene(
            Reason.NODE_OFF,
            soho={"active": False, "kind": "vendor"},
            rules={"candidates": Candidates(kinds=("store",))},
        )
    ),
    (
        Scene(
            Reason.GROUP,
            soho={"kind": "vendor"},
            order={"to": "los-angeles"},
            rules={
                "candidates": Candidates(kinds=("store",)),
                "distance_km": {"vendor": 1000},
            },
        )
    ),
    (
        Scene(
            Reason.DISTANCE,
            order={"to": "los-angeles"},
            other=COLD,
            product={"requires": ("cold",)},
            rules={"distance_km": {"store": 1000}},
        )
    ),
    (
        Scene(
            Reason.CAPABILITY,
            other=COLD,
            product={"requires": ("cold",), "blocked_nodes": (SOHO,)},
        )
    ),
    (Scene(Reason.PRODUCT, product={"blocked_nodes": (SOHO,)}, held=1)),
]


@pytest.mark.parametrize("scene", PRECEDENCE, ids=[str(scene.reason) for scene in PRECEDENCE])
def test_of_two_reasons_the_first_in_precedence_is_recorded(scene: Scene) -> None:
    decision = played(scene)
    assert [reason for reason, nodes in decision.eliminated.items() if SOHO in nodes] == [
        scene.reason
    ]


def test_a_line_that_a_node_failed_before_goes_elsewhere_the_other_lines_do_not() -> None:
    nodes = [node(SOHO), node(FAR_AWAY, "los-angeles")]
    again = DemandLine(1, "lamp", 1, 1, 2000, (SOHO,))
    demand = order(again, DemandLine(2, "rug", 1, 1, 2000))
    [decision] = decide([demand], {"lamp": {SOHO: 5, FAR_AWAY: 5}, "rug": {SOHO: 5}}, nodes)
    assert shares(decision) == {SOHO: {"rug": 1}, FAR_AWAY: {"lamp": 1}}


def lots(*columns: tuple[str, tuple[tuple[str, int], ...]]) -> Stock:
    return Stock(
        columns={
            "milk": StockColumn(
                [code for code, _ in columns],
                [sum(units for _, units in kept) for _, kept in columns],
                lots=[tuple((day(text), units) for text, units in kept) for _, kept in columns],
            )
        }
    )


def test_lots_that_would_not_live_long_enough_do_not_count() -> None:
    nodes = [node(SOHO), node(FAR_AWAY, "los-angeles")]
    # Tuesday out, Wednesday there; two more days are owed.
    held = lots((SOHO, (("11-05", 9), ("11-06", 1))), (FAR_AWAY, (("12-31", 9),)))
    milk = sku("milk", shelf_life_days=2)
    [one, two] = decide(
        [order(("milk", 1)), order(("milk", 2), number=2)], held, nodes, products=[milk]
    )
    assert shares(one) == {SOHO: {"milk": 1}}
    assert shares(two) == {FAR_AWAY: {"milk": 2}}


def test_the_shortest_lived_lot_that_is_good_enough_goes_first() -> None:
    held = lots((SOHO, (("12-31", 1), ("11-06", 1), ("11-04", 1))))
    milk = sku("milk", shelf_life_days=2)
    near, far = order(("milk", 1)), order(("milk", 1), to="los-angeles", number=2)
    [one, two] = decide([near, far], held, [node(SOHO)], products=[milk])
    assert one.filled and two.filled, "the long-lived unit is still there for the long way"


def test_a_node_none_of_whose_units_live_long_enough_is_out_for_its_shelf_life() -> None:
    held = lots((SOHO, (("11-04", 3),)))
    [decision] = decide(
        [order(("milk", 1))], held, [node(SOHO)], products=[sku("milk", shelf_life_days=2)]
    )
    assert decision.chosen.unfilled[0].reason is Reason.SHELF_LIFE


def test_the_next_day_is_used_when_today_is_full() -> None:
    soho = node(SOHO, daily_capacity=1)
    orders = [order(("lamp", 1), number=n) for n in (1, 2, 3)]
    rules = policy(calendar=Calendar(max_wait_days=1))
    decisions = decide(orders, {"lamp": {SOHO: 5}}, [soho], rules)
    leaves = [[share.ship_on for share in one.chosen.nodes] for one in decisions]
    assert leaves == [[day("11-03")], [day("11-04")], []]
    assert decisions[2].chosen.unfilled[0].reason is Reason.CAPACITY


def test_exempt_dangerous_goods_travel_like_anything_else() -> None:
    rules = policy(dangerous_goods=DangerousGoods(exempt=("limited_quantity",)))
    product = sku("lamp", dangerous_goods="limited_quantity")
    [decision] = decide([order(("lamp", 1))], {"lamp": {SOHO: 1}}, [node(SOHO)], rules, [product])
    assert decision.filled


def test_entities_named_as_a_pair_may_trade() -> None:
    rules = policy(lanes=Lanes(cross_entity=False, entity_pairs=(("US-INC", "CA-INC"),)))
    soho = node(SOHO, legal_entity="CA-INC")
    demand = order(("lamp", 1), legal_entity="US-INC")
    [decision] = decide([demand], {"lamp": {SOHO: 1}}, [soho], rules)
    assert decision.filled


def test_a_product_nobody_described_is_never_sent() -> None:
    from crossdock.sourcing.network import Network
    from crossdock.sourcing.planner import plan
    from tests.sourcing.world import stock

    [decision] = plan(
        [order(("mystery", 1))], stock({"mystery": {SOHO: 1}}), Network([node(SOHO)]), {},
        policy(), NOON,
    )  # fmt: skip
    assert decision.chosen.unfilled[0].reason is Reason.PRODUCT


def test_a_margin_floor_keeps_an_order_from_being_sent_at_a_loss() -> None:
    # 20.00 less 10.00 for the goods; 3.00 must be left; freight is 5.00 near and 10.00 far.
    rules = policy(margin=Margin(floor_minor=300))
    nodes = [node(SOHO), node(FAR_AWAY, "los-angeles")]
    held = {"lamp": {SOHO: 1, FAR_AWAY: 5}}
    near, far = decide([order(("lamp", 1)), order(("lamp", 1), number=2)], held, nodes, rules)
    assert shares(near) == {SOHO: {"lamp": 1}}
    assert far.chosen.unfilled[0].reason is Reason.MARGIN_FLOOR
    assert far.eliminated[Reason.MARGIN_FLOOR] == (FAR_AWAY,)


def test_a_step_may_ignore_the_margin_floor() -> None:
    steps = (Step(name="earning"), Step(name="at any price", ignore=("margin_floor",)))
    rules = policy(margin=Margin(floor_percent=90), steps=steps)
    [decision] = decide([order(("lamp", 1))], {"lamp": {SOHO: 1}}, [node(SOHO)], rules)
    assert decision.filled and decision.chosen.step == "at any price"


def test_the_nearest_holders_are_costed_and_every_center() -> None:
    from crossdock.sourcing.explain import examine
    from crossdock.sourcing.network import Network
    from tests.sourcing.world import stock

    nodes = [
        node("a-dc", "los-angeles", kind="dc"),
        node("boston", "boston"),
        node("chicago", "chicago"),
        node("ny", "new-york"),
    ]
    rules = policy(candidates=Candidates(holders=2))
    held = stock({"lamp": {one.code: 3 for one in nodes}})
    [decision] = decide([order(("lamp", 1))], held, nodes, rules)
    assert [one.nodes for one in decision.candidates] == [("ny",), ("boston",), ("a-dc",)]
    found = examine(
        [order(("lamp", 1))], held, Network(nodes), {"lamp": sku("lamp")}, rules, NOON, 1
    )
    out = {one.node: one.reason for one in found.lines[0].nodes if one.reason}
    assert out == {"chicago": Reason.NOT_NEAREST}


def test_lateness_without_a_limit_only_costs() -> None:
    cost = msgspec.structs.replace(policy().cost, lateness=Lateness(day_minor=10))
    demand = order(("lamp", 1), to="los-angeles", arrive_by=datetime(2026, 11, 4, tzinfo=UTC))
    [decision] = decide([demand], {"lamp": {SOHO: 1}}, [node(SOHO)], policy(cost=cost))
    assert decision.chosen.nodes[0].cost.lateness == 10 * 7


def test_a_store_the_customer_chose_is_never_too_far() -> None:
    soho = node(SOHO, methods=("pickup",))
    demand = order(("lamp", 1), to="los-angeles", method="pickup", only_nodes=(SOHO,))
    rules = policy(distance_km={"store": 100}, methods={"pickup": MethodRule(freight=False)})
    [decision] = decide([demand], {"lamp": {SOHO: 1}}, [soho], rules)
    assert decision.chosen.nodes[0].cost.freight == 0
    assert decision.chosen.nodes[0].arrive_on == day("11-03")


def test_an_order_without_lines_needs_nothing() -> None:
    [decision] = decide([order()], {}, [node(SOHO)])
    assert (decision.chosen.nodes, decision.chosen.unfilled, decision.filled) == ((), (), True)


def test_without_coordinates_every_node_is_as_dear_as_the_farthest() -> None:
    nowhere = order(("lamp", 1), latitude=None, longitude=None)
    [decision] = decide([nowhere], {"lamp": {SOHO: 1}}, [node(SOHO)])
    assert decision.chosen.nodes[0].cost.freight == 1000


def test_a_parcel_abroad_pays_the_rates_abroad() -> None:
    from crossdock.sourcing.policy import Abroad

    service = policy().freight.services["standard"]
    abroad = Abroad(rates=(2000, 3000, 4000), transit_days=8)
    services = {"standard": msgspec.structs.replace(service, abroad=abroad)}
    rules = policy(freight=msgspec.structs.replace(policy().freight, services=services))
    [decision] = decide(
        [order(("lamp", 1))], {"lamp": {SOHO: 1}}, [node(SOHO, country="CA")], rules
    )
    assert decision.chosen.nodes[0].cost.freight == 2000
    assert decision.chosen.nodes[0].arrive_on == day("11-13")
