"""How orders are split, kept together, filled from kits and substitutes, and left open."""

from __future__ import annotations

from datetime import timedelta

import msgspec
import pytest

from crossdock.sourcing.model import DemandLine, Outcome, PlannedLine, Reason
from crossdock.sourcing.policy import OnUnfilled, Split, Step, UnfilledRules
from tests.sourcing.world import NOON, decide, node, order, policy, shares, sku

EAST = node("east", "new-york")
WEST = node("west", "los-angeles")
NORTH = node("north", "boston")

LAMP_AND_RUG = {"lamp": {"east": 5}, "rug": {"west": 5}}
LAMP_THEN_RUG = [("lamp", 1), ("rug", 1)]


def steps(**rules: int) -> tuple[Step, ...]:
    return (msgspec.convert({"name": "only", **rules}, Step),)


def test_an_order_no_node_has_whole_is_split() -> None:
    [decision] = decide([order(*LAMP_THEN_RUG)], LAMP_AND_RUG, [EAST, WEST])
    assert shares(decision) == {"east": {"lamp": 1}, "west": {"rug": 1}}
    assert [share.cost.split for share in decision.chosen.nodes] == [0, 100]


def test_a_farther_node_that_has_everything_beats_two_parcels() -> None:
    held = {"lamp": {"east": 5, "north": 5}, "rug": {"west": 5, "north": 5}}
    [decision] = decide([order(*LAMP_THEN_RUG)], held, [EAST, WEST, NORTH])
    assert shares(decision) == {"north": {"lamp": 1, "rug": 1}}


def test_two_parcels_beat_one_that_costs_more() -> None:
    held = {"lamp": {"east": 5, "west": 5}, "rug": {"north": 5, "west": 5}}
    lamp = sku("lamp", weight_grams=5000)
    rug = sku("rug", weight_grams=5000)
    # Near: 700 + 900 + 100; from the west in one parcel of 10 kg: 4000.
    nodes = [EAST, WEST, NORTH]
    [decision] = decide([order(*LAMP_THEN_RUG)], held, nodes, products=[lamp, rug])
    assert shares(decision) == {"east": {"lamp": 1}, "north": {"rug": 1}}


def test_with_one_node_allowed_the_rest_stays_open_and_says_why() -> None:
    rules = policy(steps=steps(max_nodes=1))
    [decision] = decide([order(*LAMP_THEN_RUG)], LAMP_AND_RUG, [EAST, WEST], rules)
    assert shares(decision) == {"east": {"lamp": 1}}
    [left] = decision.chosen.unfilled
    assert (left.line_number, left.quantity, left.reason) == (2, 1, Reason.SPLIT_RULE)


def test_cheap_orders_are_not_split() -> None:
    rules = policy(split=Split(min_order_value_minor=5000))
    [cheap] = decide([order(*LAMP_THEN_RUG)], LAMP_AND_RUG, [EAST, WEST], rules)
    [dear] = decide([order(*LAMP_THEN_RUG, value_minor=5000)], LAMP_AND_RUG, [EAST, WEST], rules)
    assert (len(cheap.chosen.nodes), len(dear.chosen.nodes)) == (1, 2)


def test_every_parcel_of_a_split_order_is_worth_the_least_allowed() -> None:
    lines = [DemandLine(1, "lamp", 1, 1, 500), DemandLine(2, "rug", 1, 1, 9000)]
    rules = policy(split=Split(min_shipment_value_minor=1000))
    [decision] = decide([order(*lines)], LAMP_AND_RUG, [EAST, WEST], rules)
    assert shares(decision) == {"west": {"rug": 1}}, "the dearer line is the one that is sent"


def test_a_step_may_ignore_the_least_worth_of_a_parcel() -> None:
    lines = [DemandLine(1, "lamp", 1, 1, 500), DemandLine(2, "rug", 1, 1, 9000)]
    lenient = (Step(name="strict"), Step(name="lenient", ignore=("min_shipment_value",)))
    rules = policy(split=Split(min_shipment_value_minor=1000), steps=lenient)
    [decision] = decide([order(*lines)], LAMP_AND_RUG, [EAST, WEST], rules)
    assert decision.filled and decision.chosen.step == "lenient"


def test_the_first_step_that_fills_the_order_wins_although_a_later_one_is_cheaper() -> None:
    ordered = (Step(name="by dc", kinds=("dc",)), Step(name="by store"))
    nodes = [EAST, node("dc", "los-angeles", kind="dc")]
    [decision] = decide(
        [order(("lamp", 1))], {"lamp": {"east": 5, "dc": 5}}, nodes, policy(steps=ordered)
    )
    assert (shares(decision), decision.chosen.step) == ({"dc": {"lamp": 1}}, "by dc")


def test_a_line_is_split_only_where_the_step_allows_it() -> None:
    held = {"lamp": {"east": 2, "west": 2}}
    [whole] = decide([order(("lamp", 3))], held, [EAST, WEST])
    divided = policy(steps=steps(max_nodes=2, max_nodes_per_line=2))
    [split] = decide([order(("lamp", 3))], held, [EAST, WEST], divided)
    assert shares(whole) == {"east": {"lamp": 2}} and not whole.filled
    assert shares(split) == {"east": {"lamp": 2}, "west": {"lamp": 1}}


def test_a_line_one_node_can_fill_is_never_split() -> None:
    held = {"lamp": {"east": 2, "west": 3}}
    divided = policy(steps=steps(max_nodes=2, max_nodes_per_line=2))
    [decision] = decide([order(("lamp", 3))], held, [EAST, WEST], divided)
    assert shares(decision) == {"west": {"lamp": 3}}


def test_lines_that_ship_together_leave_from_one_node() -> None:
    held = {"table": {"east": 5, "west": 5}, "chair": {"west": 5, "north": 5}}
    set_of = [sku("table", ship_together="oak"), sku("chair", ship_together="oak")]
    demand = order(("table", 1), ("chair", 4))
    [decision] = decide([demand], held, [EAST, WEST, NORTH], products=set_of)
    assert shares(decision) == {"west": {"table": 1, "chair": 4}}
    assert [line.quantity for line in decision.chosen.nodes[0].lines] == [1, 4]


def test_lines_that_ship_together_stay_open_together() -> None:
    held = {"table": {"east": 5}, "chair": {"east": 3}}
    set_of = [sku("table", ship_together="oak"), sku("chair", ship_together="oak")]
    [decision] = decide([order(("table", 1), ("chair", 4))], held, [EAST], products=set_of)
    assert [line.quantity for line in decision.chosen.unfilled] == [1, 4]


@pytest.mark.parametrize("lines", [[("chair", 4)], [("chair", 2), ("chair", 2)]])
def test_units_of_one_product_that_ship_together_leave_from_one_node(
    lines: list[tuple[str, int]],
) -> None:
    chair = sku("chair", ship_together="oak")
    divided = policy(steps=steps(max_nodes=2, max_nodes_per_line=2))
    demand = order(*lines)
    [apart] = decide([demand], {"chair": {"east": 3, "west": 3}}, [EAST, WEST], divided, [chair])
    [whole] = decide([demand], {"chair": {"east": 3, "west": 4}}, [EAST, WEST], divided, [chair])
    assert sum(line.quantity for line in apart.chosen.unfilled) == 4
    assert shares(whole) == {"west": {"chair": 4}}
    told = [(line.line_number, line.taken) for line in whole.chosen.nodes[0].lines]
    assert told == [(i + 1, units) for i, (_, units) in enumerate(lines)]
    assert apart.chosen.penalty_minor == 4 * (2000 + 2000)


def test_lines_of_one_product_are_planned_as_one_and_filled_in_order() -> None:
    demand = order(("lamp", 2), ("lamp", 2))
    divided = policy(steps=steps(max_nodes=2, max_nodes_per_line=2))
    [decision] = decide([demand], {"lamp": {"east": 3, "west": 1}}, [EAST, WEST], divided)
    told = {share.node: [(x.line_number, x.quantity) for x in share.lines]
            for share in decision.chosen.nodes}  # fmt: skip
    assert told == {"east": [(1, 2), (2, 1)], "west": [(2, 1)]}


KIT = sku("picnic", components=(("basket", 1), ("cup", 4)))


def test_a_kit_is_there_as_often_as_its_scarcest_component() -> None:
    held = {"basket": {"east": 9, "west": 9}, "cup": {"east": 7, "west": 8}}
    [decision] = decide([order(("picnic", 2))], held, [EAST, WEST], products=[KIT])
    assert decision.chosen.nodes[0].node == "west"
    assert decision.chosen.nodes[0].lines == (
        PlannedLine(1, "basket", 2, 2, "picnic"),
        PlannedLine(1, "cup", 2, 8, "picnic"),
    )


def test_a_kit_and_a_line_of_its_component_do_not_take_the_same_units() -> None:
    held = {"basket": {"east": 1, "west": 1}, "cup": {"east": 5, "west": 9}}
    demand = order(("picnic", 1), ("cup", 4))
    [decision] = decide([demand], held, [EAST, WEST], products=[KIT])
    assert decision.filled
    taken = {place: units["cup"] for place, units in shares(decision).items()}
    assert all(units <= held["cup"][place] for place, units in taken.items())


def test_a_second_order_sees_what_the_first_left_of_a_component() -> None:
    held = {"basket": {"east": 2}, "cup": {"east": 7}}
    decisions = decide(
        [order(("picnic", 1)), order(("picnic", 1), number=2)], held, [EAST], products=[KIT]
    )
    assert [one.filled for one in decisions] == [True, False]


def test_a_substitute_is_sent_where_the_customer_allows_it() -> None:
    lamp = sku("lamp", substitutes=("lantern", "torch"))
    held = {"lamp": {"east": 0}, "torch": {"east": 1}}
    [refused] = decide([order(("lamp", 1))], held, [EAST], products=[lamp])
    [allowed] = decide(
        [order(("lamp", 1), substitutes_allowed=True)], held, [EAST], products=[lamp]
    )
    assert not refused.filled
    assert allowed.chosen.nodes[0].lines == (PlannedLine(1, "torch", 1, 1, "lamp"),)


def test_a_kit_has_substitutes_and_is_one() -> None:
    kit = msgspec.structs.replace(KIT, substitutes=("hamper",))
    hamper = sku("hamper", substitutes=("picnic",))
    [plain] = decide(
        [order(("picnic", 2), substitutes_allowed=True)],
        {"basket": {"east": 2}, "cup": {"east": 7}, "hamper": {"east": 2}},
        [EAST],
        products=[kit, hamper],
    )
    [whole] = decide(
        [order(("hamper", 2), substitutes_allowed=True)],
        {"basket": {"east": 2}, "cup": {"east": 8}, "hamper": {"east": 1}},
        [EAST],
        products=[kit, hamper],
    )
    assert plain.chosen.nodes[0].lines == (PlannedLine(1, "hamper", 2, 2, "picnic"),)
    assert set(whole.chosen.nodes[0].lines) == {
        PlannedLine(1, "basket", 2, 2, "picnic"),
        PlannedLine(1, "cup", 2, 8, "picnic"),
    }


def test_a_node_that_may_not_send_the_line_has_neither_product_nor_substitute() -> None:
    lamp = sku("lamp", substitutes=("torch", "lantern"))
    held = {"lamp": {"east": 1}, "torch": {"east": 1}, "lantern": {"west": 1}}
    demand = msgspec.structs.replace(
        order(("lamp", 1), substitutes_allowed=True),
        lines=(DemandLine(1, "lamp", 1, 1, 0, ("east",)),),
    )
    [decision] = decide([demand], held, [EAST, WEST], products=[lamp])
    assert shares(decision) == {"west": {"lantern": 1}}

    chosen = order(("lamp", 1), substitutes_allowed=True, only_nodes=("west",))
    [decision] = decide([chosen], held, [EAST, WEST], products=[lamp])
    assert shares(decision) == {"west": {"lantern": 1}}


def test_a_policy_may_forbid_substitutes() -> None:
    lamp = sku("lamp", substitutes=("torch",))
    rules = policy(unfilled=msgspec.structs.replace(policy().unfilled, substitutes=False))
    demand = order(("lamp", 1), substitutes_allowed=True)
    [decision] = decide([demand], {"torch": {"east": 1}}, [EAST], rules, [lamp])
    assert not decision.filled


def test_units_that_ship_alone_are_packages_of_their_own() -> None:
    tv = sku("tv", weight_grams=4000, ships_alone=True)
    demand = order(("tv", 2), ("lamp", 1))
    [decision] = decide([demand], {"tv": {"east": 2}, "lamp": {"east": 1}}, [EAST], products=[tv])
    [share] = decision.chosen.nodes
    assert share.packages == 3
    assert share.cost.freight == 2 * 700 + 500


def test_nothing_is_sent_in_part_when_the_policy_wants_all_or_nothing() -> None:
    rules = policy(unfilled=msgspec.structs.replace(policy().unfilled, partial=False))
    [decision] = decide([order(("lamp", 1), ("rug", 1))], {"lamp": {"east": 1}}, [EAST], rules)
    assert decision.chosen.nodes == ()
    assert [line.line_number for line in decision.chosen.unfilled] == [1, 2]


def test_what_becomes_of_open_units_depends_on_the_reason() -> None:
    rules = policy(
        unfilled=UnfilledRules(
            rules=(
                OnUnfilled(reasons=(Reason.NO_STOCK,), outcome=Outcome.BACKORDER, days=9),
                OnUnfilled(outcome=Outcome.HOLD),
            )
        )
    )
    demand = order(("lamp", 1), ("rug", 1))
    blocked = sku("rug", blocked_nodes=("east",))
    [decision] = decide([demand], {"lamp": {}, "rug": {"east": 1}}, [EAST], rules, [blocked])
    lamp, rug = decision.chosen.unfilled
    assert (lamp.outcome, lamp.until) == (Outcome.BACKORDER, NOON + timedelta(days=9))
    assert (rug.outcome, rug.reason, rug.until) == (Outcome.HOLD, Reason.PRODUCT, None)


def test_no_saving_leaves_a_unit_open() -> None:
    rules = policy(
        unfilled=msgspec.structs.replace(policy().unfilled, penalty_minor=0, penalty_percent=0)
    )
    giant = sku("piano", weight_grams=200_000)
    [decision] = decide([order(("piano", 1))], {"piano": {"west": 1}}, [WEST], rules, [giant])
    assert decision.filled
    assert decision.chosen.nodes[0].packages == 10


def test_of_two_lines_the_one_that_weighs_more_is_filled() -> None:
    lines = [DemandLine(1, "lamp", 1, 1, 500), DemandLine(2, "rug", 1, 1, 9000)]
    rules = policy(steps=steps(max_nodes=1))
    [decision] = decide([order(*lines)], LAMP_AND_RUG, [EAST, WEST], rules)
    assert shares(decision) == {"west": {"rug": 1}}
