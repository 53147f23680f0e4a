"""A decision told to a person, and every node's part in it rebuilt from the batch."""

from __future__ import annotations

import msgspec
import pytest

from crossdock.sourcing.errors import RecordRefused
from crossdock.sourcing.explain import WORDS, Examination, describe, examine
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


def test_a_decision_reads_like_this() -> None:
    lamp, rug = ("lamp", 2), ("rug", 1)
    held = {"lamp": {"east": 2, "north": 1, "west": 2}, "rug": {"west": 0}}
    [decision] = decide([order(lamp, rug)], held, NODES)
    told = describe(decision).splitlines()
    assert told[0] == (
        f"order order-1: policy round-figures {policy().version}, step 'only', exact"
    )
    assert told[1:] == [
        "  east: 2 x lamp; 1 km, leaves 2026-11-03, arrives 2026-11-04; 700 (freight 700)",
        "  open: line 2, 1 x rug: too few units; backorder until 2026-11-17",
        "  total 700",
        "  runner-up: west for 1600 (+900)",
        "  out: north, west: too few units",
    ]


def test_a_decision_that_the_joint_view_changed_says_so() -> None:
    first, _ = decide(ORDERS, {"lamp": {"east": 1, "north": 1}}, NODES)
    assert first.joint_delta_minor == 100
    assert "the joint view of the batch changed that by +100" in describe(first)


def test_every_reason_has_words() -> None:
    assert set(WORDS) == set(Reason)


def test_a_stored_decision_comes_back_as_it_was() -> None:
    for decision in decide(ORDERS, HELD, NODES):
        stored = msgspec.msgpack.encode(decision)
        assert msgspec.msgpack.decode(stored, type=Decision) == decision
