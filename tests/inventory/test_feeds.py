"""Feeds come late, twice and out of order; the level is right all the same."""

from __future__ import annotations

from itertools import permutations

import pytest

from crossdock.engine.inbox import Inbound, Received, receive
from crossdock.engine.registry import Registry
from crossdock.engine.runner import Runner
from crossdock.inventory.facts.station import InventoryFacts, inventory_address
from crossdock.inventory.model import PickStock, ShipStock
from crossdock.kernel.clock import VirtualClock
from crossdock.kernel.messages import Message
from crossdock.model.messages import LineQuantity
from tests.inventory.stockroom import (
    DEPOT,
    ELM,
    OAK,
    Stockroom,
    at,
    chunk,
    count,
    move,
    order,
)

# What was told, in the order of arrival (all by minute of occurrence), and what must be sellable.
# Counts are by the warehouse system, sales by the registers.
SCENARIOS: dict[str, tuple[list[Message], int]] = {
    "a count is what there is": ([count(10, mug=7)], 7),
    "a sale after the count is kept": ([count(10, mug=7), move("s1", "mug", 2, minute=15)], 5),
    "a sale told before the count that it follows is kept": (
        [move("s1", "mug", 2, minute=15), count(10, mug=7)],
        5,
    ),
    "a sale that the count has seen is not taken off again": (
        [count(10, mug=7), move("s1", "mug", 2, minute=5)],
        7,
    ),
    "a sale at the very time of the count is in it": (
        [count(10, mug=7), move("s1", "mug", 2, minute=10)],
        7,
    ),
    "an older count changes nothing": ([count(10, mug=7), count(5, mug=3)], 7),
    "a newer count replaces what was known": ([count(10, mug=7), count(12, mug=3)], 3),
    "a newer count keeps only what came after itself": (
        [
            count(10, mug=7),
            move("s1", "mug", 1, minute=11),
            move("s2", "mug", 2, minute=13),
            count(12, mug=6),
        ],
        4,
    ),
    "a count told twice is one count": ([count(10, mug=7), count(10, mug=7)], 7),
    "a sale told twice is one sale": (
        [count(10, mug=7), move("s1", "mug", 2, minute=15), move("s1", "mug", 2, minute=15)],
        5,
    ),
    "more sold than there was leaves none": (
        [count(10, mug=2), move("s1", "mug", 5, minute=15)],
        0,
    ),
    "a count that comes after an impossible sale sets it right": (
        [count(10, mug=2), move("s1", "mug", 5, minute=15), count(12, mug=9)],
        4,
    ),
    "a count so low that later sales leave less than nothing leaves none": (
        [move("s1", "mug", 5, minute=15), count(10, mug=2)],
        0,
    ),
    "a receipt after the count is kept": (
        [count(10, mug=2), move("r1", "mug", 6, "supplier", "sellable", minute=20)],
        8,
    ),
    "a sale told before the receipt it needs is no unit more": (
        [
            move("s1", "mug", 3, minute=15),
            move("r1", "mug", 5, "supplier", "sellable", minute=12),
        ],
        2,
    ),
    "sales told before several receipts are no unit more": (
        [
            move("s1", "mug", 3, minute=15),
            move("r1", "mug", 2, "supplier", "sellable", minute=12),
            move("s2", "mug", 1, minute=17),
            move("r2", "mug", 5, "supplier", "sellable", minute=13),
        ],
        3,
    ),
    "a count forgets what nobody could explain before it": (
        [
            move("s1", "mug", 3, minute=15),
            count(20, mug=4),
            move("r1", "mug", 5, "supplier", "sellable", minute=30),
        ],
        9,
    ),
    "damaged goods leave the sellable ones": (
        [count(10, mug=7), move("d1", "mug", 3, "sellable", "damaged", minute=20)],
        4,
    ),
}


@pytest.mark.parametrize("name", SCENARIOS)
def test_a_feed_is_understood(stockroom: Stockroom, name: str) -> None:
    messages, sellable = SCENARIOS[name]
    for message in messages:
        stockroom.tell(message)
    assert stockroom.level("mug") == (sellable, 0), name
    assert stockroom.broken_rules() == []


@pytest.mark.slow
@pytest.mark.parametrize("name", SCENARIOS)
def test_a_feed_is_understood_in_one_batch(stockroom: Stockroom, name: str) -> None:
    """Within a batch moves are taken before counts: each scenario has to come out the same."""
    messages, sellable = SCENARIOS[name]
    stockroom.tell(*messages)
    assert stockroom.level("mug") == (sellable, 0), name
    assert stockroom.broken_rules() == []


# Any of these may come first: also the sale that takes more than there was.
STORY = [
    count(10, mug=2),
    move("before", "mug", 3, minute=5),
    move("too-many", "mug", 4, minute=15),
    move("more", "mug", 5, "supplier", "sellable", minute=25),
    count(8, mug=9),
]


@pytest.mark.slow
@pytest.mark.parametrize("arrival", list(permutations(range(len(STORY)))))
def test_the_order_of_arrival_does_not_matter(
    stockroom: Stockroom, arrival: tuple[int, ...]
) -> None:
    for position in arrival:
        stockroom.tell(STORY[position])
    assert stockroom.level("mug") == (3, 0)
    assert stockroom.broken_rules() == []


def test_a_late_move_is_recorded_beside_an_equal_correction(stockroom: Stockroom) -> None:
    stockroom.tell(count(10, mug=7))
    stockroom.tell(move("s1", "mug", 2, minute=5))
    assert stockroom.ledger("mug") == [
        ("free", "customer", 2, "sold"),
        ("unexplained", "free", 2, "late"),
        ("unexplained", "free", 7, "count"),
    ]


def test_a_sale_of_a_unit_nobody_knew_is_booked(stockroom: Stockroom) -> None:
    stockroom.tell(move("s1", "mug", 1))
    assert stockroom.level("mug") == (0, 0)
    assert stockroom.ledger("mug") == [
        ("free", "customer", 1, "sold"),
        ("unexplained", "free", 1, "found"),
    ]
    assert stockroom.broken_rules() == []


def test_a_chunk_is_taken_once(stockroom: Stockroom) -> None:
    receipts = [move(f"r{i}", "mug", 1, "supplier", "sellable", minute=i) for i in range(5)]
    stockroom.tell(chunk(1, receipts))
    stockroom.tell(chunk(1, receipts), chunk(2, receipts[:2]))
    assert stockroom.level("mug") == (7, 0)
    assert stockroom.cases() == []


def test_a_chunk_sent_again_with_other_content_is_refused_in_sight(stockroom: Stockroom) -> None:
    receipts = [move(f"r{i}", "mug", 1, "supplier", "sellable", minute=i) for i in range(5)]
    stockroom.tell(chunk(1, receipts))
    stockroom.tell(chunk(1, receipts[:4]))
    assert stockroom.level("mug") == (5, 0)
    assert [case[0] for case in stockroom.cases()] == ["inventory move refused"]


def test_the_same_move_with_another_quantity_is_refused_and_the_field_named(
    stockroom: Stockroom,
) -> None:
    stockroom.receive("mug", 10)
    stockroom.tell(move("s1", "mug", 2, minute=5))
    stockroom.tell(move("s1", "mug", 3, minute=5))
    assert stockroom.level("mug") == (8, 0)
    (case,) = stockroom.cases()
    assert case[1] == "pos move s1"
    assert "another quantity;" in case[2]


def test_two_sources_may_use_the_same_move_id(stockroom: Stockroom) -> None:
    stockroom.receive("mug", 10)
    stockroom.tell(move("1", "mug", 2, feed="pos-1"), move("1", "mug", 2, feed="pos-2"))
    assert stockroom.level("mug") == (6, 0)


def test_a_move_that_cannot_be_is_refused_and_the_others_are_taken(stockroom: Stockroom) -> None:
    stockroom.tell(
        chunk(
            9,
            [
                move("good", "mug", 4, "supplier", "sellable"),
                move("none", "mug", 0, "supplier", "sellable"),
                move("huge", "mug", 2_000_000_000, "supplier", "sellable"),
                move("ours", "mug", 1, "reserved", "customer"),
                move("still", "mug", 1, "sellable", "free"),
            ],
        )
    )
    assert stockroom.level("mug") == (4, 0)
    assert [case[1] for case in stockroom.cases()] == [
        "pos move huge",
        "pos move none",
        "pos move ours",
        "pos move still",
    ]


def test_a_full_count_sets_missing_skus_to_zero_and_others_leave_them(
    stockroom: Stockroom,
) -> None:
    stockroom.tell(count(10, mug=7, bowl=3), count(10, node=ELM, mug=5))
    stockroom.tell(count(20, mug=6))
    assert stockroom.level("bowl") == (3, 0)
    stockroom.tell(count(30, mug=6, full=True))
    assert stockroom.level("bowl") == (0, 0)
    assert stockroom.level("mug", ELM) == (5, 0)
    assert stockroom.broken_rules() == []


def test_a_source_that_never_sends_full_files_cannot_empty_a_store(stockroom: Stockroom) -> None:
    declare(stockroom, "wms", full_files=False)
    stockroom.tell(count(10, mug=7, bowl=3))
    stockroom.tell(count(20, mug=6, full=True))
    assert stockroom.level("bowl") == (3, 0)


def test_only_the_authority_is_believed_the_other_is_kept_beside(stockroom: Stockroom) -> None:
    declare(stockroom, "wms", node=OAK)
    stockroom.tell(count(10, mug=7))
    stockroom.tell(count(20, mug=5, feed="erp"))
    assert stockroom.level("mug") == (7, 0)
    rows = stockroom.connection.execute(
        "SELECT source, sku, quantity, held FROM stock_reading"
    ).fetchall()
    assert rows == [("erp", "mug", 5, 7)]


def test_every_bucket_is_counted_for_itself(stockroom: Stockroom) -> None:
    stockroom.tell(count(10, mug=7), count(10, mug=2, bucket="damaged"))
    stockroom.tell(move("d1", "mug", 1, "sellable", "damaged", minute=5))
    assert stockroom.buckets("mug", OAK, "sellable", "damaged") == (7, 2)
    stockroom.tell(move("d2", "mug", 1, "sellable", "damaged", minute=15))
    assert stockroom.buckets("mug", OAK, "sellable", "damaged") == (6, 3)
    stockroom.tell(count(12, mug=7))
    assert stockroom.buckets("mug", OAK, "sellable", "damaged") == (6, 3)
    assert stockroom.broken_rules() == []


def test_a_move_late_for_one_bucket_still_counts_for_the_other(stockroom: Stockroom) -> None:
    stockroom.tell(count(10, mug=7))
    stockroom.tell(move("d1", "mug", 2, "sellable", "damaged", minute=5))
    assert stockroom.buckets("mug", OAK, "sellable", "damaged") == (7, 2)
    assert stockroom.broken_rules() == []


def test_stock_at_a_node_nobody_knows_is_booked_and_not_offered(stockroom: Stockroom) -> None:
    stockroom.tell(count(10, node="nowhere", mug=7))
    assert stockroom.buckets("mug", "nowhere", "sellable", "methods") == (7, 0)
    assert [case[:2] for case in stockroom.cases()] == [("stock at an unknown node", "nowhere")]
    stockroom.tell(count(11, node="nowhere", mug=8))
    assert len(stockroom.cases()) == 1
    assert stockroom.broken_rules() == []


def test_a_feed_shows_how_far_it_came(stockroom: Stockroom) -> None:
    receipts = [move(f"r{i}", "mug", 1, "supplier", "sellable", minute=i) for i in range(5)]
    stockroom.tell(chunk(41, receipts), count(20, mug=4, feed="pos"), count(10, mug=9, feed="pos"))
    rows = stockroom.connection.execute(
        "SELECT source, node, last_sequence, counted_as_of, moves, ignored_counts FROM stock_feed"
    ).fetchall()
    assert rows == [("pos", OAK, 41, at(20), 5, 1)]


def test_a_number_less_picked_units_is_understood(stockroom: Stockroom) -> None:
    declare(stockroom, "wms", meaning="physical_less_picked")
    stockroom.receive("mug", 10)
    stockroom.promise(1, "mug", 3)
    three = (LineQuantity(1, 3),)
    stockroom.ask(PickStock(order_id=order(1), fulfillment_id=order(101), node=OAK, picked=three))
    stockroom.tell(count(90, mug=7))
    assert stockroom.level("mug") == (10, 3)
    stockroom.now = at(120)
    stockroom.ask(
        ShipStock(
            order_id=order(1),
            fulfillment_id=order(101),
            node=OAK,
            shipment_id=order(201),
            lines=three,
        )
    )
    stockroom.tell(count(100, mug=7))
    assert stockroom.level("mug") == (7, 0)
    assert stockroom.broken_rules() == []


def test_a_number_net_of_reservations_is_understood(stockroom: Stockroom) -> None:
    declare(stockroom, "erp", meaning="net_of_reservations")
    stockroom.receive("mug", 10)
    stockroom.promise(1, "mug", 3)
    stockroom.now = at(90)
    stockroom.promise(2, "mug", 2)
    stockroom.tell(count(70, mug=7, feed="erp"))
    assert stockroom.level("mug") == (10, 5)
    assert stockroom.broken_rules() == []


def test_a_source_that_never_hears_of_our_shipments_is_understood(stockroom: Stockroom) -> None:
    declare(stockroom, "erp", contains_our_shipments=False, our_shipments_since=at(0))
    stockroom.tell(count(5, mug=10, feed="erp"))
    stockroom.promise(1, "mug", 3)
    stockroom.ask(
        ShipStock(
            order_id=order(1),
            fulfillment_id=order(101),
            node=OAK,
            shipment_id=order(201),
            lines=(LineQuantity(1, 3),),
        )
    )
    assert stockroom.level("mug") == (7, 0)
    stockroom.now = at(120)
    stockroom.tell(count(100, mug=10, feed="erp"))
    assert stockroom.level("mug") == (7, 0)
    assert stockroom.broken_rules() == []


def test_a_feed_that_repeats_our_shipments_is_not_booked_again(stockroom: Stockroom) -> None:
    declare(stockroom, "wms", repeats_our_shipments=True)
    stockroom.receive("mug", 10, DEPOT)
    stockroom.tell(
        move("w1", "mug", 3, node=DEPOT, reason="shipment", feed="wms", minute=20),
        move("w2", "mug", 1, node=DEPOT, reason="sold", feed="wms", minute=20),
    )
    assert stockroom.level("mug", DEPOT) == (9, 0)


def declare(stockroom: Stockroom, source: str, *, node: str = "", **terms: object) -> None:
    """Declare what a source's numbers of sellable units mean."""
    names = ["source", "node", *terms]
    stockroom.connection.execute(
        f"INSERT INTO inventory_source ({', '.join(names)})"
        f" VALUES ({', '.join(['%s'] * len(names))})",
        [source, node, *terms.values()],
    )
    stockroom.connection.commit()


def test_a_feed_comes_to_the_shelf_through_the_inbox(stockroom: Stockroom) -> None:
    message = move("r1", "mug", 5, "supplier", "sellable")
    inbound = Inbound("wms", "file-1", message, inventory_address(OAK), at(1))
    receipts = receive(stockroom.connection, [inbound, inbound], stockroom.now)
    stockroom.connection.commit()
    assert [receipt.result for receipt in receipts] == [Received.ACCEPTED, Received.REPEATED]
    clock = VirtualClock(stockroom.now)
    runner = Runner(Registry(stations=[InventoryFacts()]), stockroom.connection, clock)
    runner.start()
    assert runner.run_until_idle().taken == 1
    assert stockroom.level("mug") == (5, 0)
    assert stockroom.broken_rules() == []
