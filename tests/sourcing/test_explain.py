"""A decision told to a person, and every node's part in it rebuilt from the batch."""

from __future__ import annotations

import msgspec
import pytest

from crossdock.sourcing.errors import RecordRefused
from crossdock.sourcing.explain import WORDS, Examination, although_cheaper, examine
from crossdock.sourcing.model import Decision, Reason
from crossdock.sourcing.network import Network
from tests.sourcing.world import NOON, decide, node, order, policy, sku, stock

EAST, NORTH, WEST = (
    node("east", "new-york"),
    node("north", "boston"),
    node("west", "los-angeles"),
)
IDLE = node("idle", "new-york", active=False)
NODES = [EAST, NORTH, WEST, IDLE]
HELD = {"lamp": {"east": 1, "north": 1, "west": 5, "idle": 5}}
ORDERS = [order(("lamp", 1), number=1), order(("lamp", 1), number=2, only_nodes=("east",))]


def examined(sequence: int) -> Examination:
    return examine(
        ORDERS, stock(HELD), Network(NODES), {"lamp": sku("lamp")}, policy(), NOON, sequence
    )


def test_every_node_is_told_of_those_that_could_cheapest_first() -> None:
    [line] = examined(1).lines
    assert [(one.node, one.reason, one.cost and one.cost.total) for one in line.nodes] == [
        ("east", None, 500),
        ("north", None, 600),
        ("west", None, 1000),
        ("idle", Reason.NODE_OFF, None),
    ]


def test_it_shows_what_the_order_met_in_its_turn() -> None:
    [line] = examined(2).lines
    told = {one.node: one.reason for one in line.nodes}
    assert told == {
        "east": Reason.TAKEN,
        "north": Reason.EXCLUDED,
        "west": Reason.EXCLUDED,
        "idle": Reason.EXCLUDED,
    }


def test_the_decision_is_the_one_the_batch_made() -> None:
    assert [examined(n).decision for n in (1, 2)] == decide(ORDERS, HELD, NODES)


def test_an_order_that_was_not_in_the_batch_is_refused() -> None:
    with pytest.raises(RecordRefused, match="sequence 7"):
        examined(7)


def test_a_cheaper_plan_was_farther_away_where_the_nearest_comes_first() -> None:
    dear = node("dear", handling_order_minor=9000)
    held = {"lamp": {"dear": 1, "north": 1}}
    [decision] = decide([order(("lamp", 1))], held, [dear, NORTH], policy(choose="nearest"))
    assert decision.runner_up_delta_minor < 0
    assert although_cheaper(decision, "nearest") == "but farther away"


def test_a_cheaper_plan_took_more_parcels_where_the_fewest_come_first() -> None:
    whole = node("whole", "los-angeles", handling_order_minor=9000)
    held = {"lamp": {"east": 1, "whole": 1}, "rug": {"north": 1, "whole": 1}}
    demand, rules = order(("lamp", 1), ("rug", 1)), policy(choose="fewest_nodes")
    [decision] = decide([demand], held, [EAST, NORTH, whole], rules)
    assert decision.runner_up_delta_minor < 0
    assert although_cheaper(decision, "fewest_nodes") == "but more parcels"


def test_a_cheaper_plan_left_more_open() -> None:
    far = node("far", "los-angeles", handling_order_minor=9000)
    held = {"lamp": {"east": 1}, "rug": {"far": 1}}
    demand = order(("lamp", 1), ("rug", 1), ("vase", 1))
    [decision] = decide([demand], held, [EAST, far])
    assert decision.runner_up_delta_minor < 0
    assert although_cheaper(decision, "cost") == "but what it leaves open weighs more"


def test_a_cheaper_plan_went_to_others_of_the_batch_where_the_joint_view_says_so() -> None:
    nodes = [node("mid", "chicago"), NORTH, WEST]
    held = {"lamp": {"mid": 2, "north": 1, "west": 1}}
    orders = [
        order(("lamp", 1), to="boston", number=1),
        order(("lamp", 1), to="boston", number=2),
        order(("lamp", 2), to="los-angeles", number=3),
    ]
    first, _, _ = decide(orders, held, nodes)
    assert (first.joint_delta_minor, first.runner_up_delta_minor) == (500, -500)
    told = although_cheaper(first, "cost")
    assert told == "but its units went to other orders of the batch"


def test_every_reason_has_words() -> None:
    assert set(WORDS) == set(Reason)


def test_a_stored_decision_comes_back_as_it_was() -> None:
    for decision in decide(ORDERS, HELD, NODES):
        stored = msgspec.msgpack.encode(decision)
        assert msgspec.msgpack.decode(stored, type=Decision) == decision
