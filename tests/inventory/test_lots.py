"""Stock kept in lots: what feeds tell of them, and what they tell without them."""

from __future__ import annotations

from datetime import date, timedelta
from itertools import permutations

import pytest

from crossdock.inventory import ats, upkeep
from crossdock.inventory.facts.corrections import Correction, correct
from crossdock.inventory.model import ShipStock, ShortageFound
from crossdock.kernel.messages import Message
from crossdock.model.messages import InventoryCounted, LineQuantity, StockCount
from tests.inventory.stockroom import OAK, Stockroom, at, count, count_lots, move, order

MARCH, MAY = date(2027, 3, 31), date(2027, 5, 31)


def receipt(lot: str, units: int, *, minute: float = 1, expires_on: date | None = None) -> Message:
    return move(
        f"receipt {lot} {minute}", "tea", units, "supplier", "sellable",
        minute=minute, lot=lot, expires_on=expires_on,
    )  # fmt: skip


def sale(units: int, *, minute: float = 30, lot: str = "") -> Message:
    return move(f"sale {minute} {lot}", "tea", units, minute=minute, lot=lot)


IN_LOTS = [receipt("old", 5, expires_on=MARCH), receipt("new", 7, expires_on=MAY)]

# What is told, and what is sellable of each lot afterwards; "" is of no known lot.
SCENARIOS: dict[str, tuple[list[Message], dict[str, int]]] = {
    "a receipt is of its lot": (IN_LOTS, {"old": 5, "new": 7}),
    "a sale names its lot": ([*IN_LOTS, sale(2, lot="new")], {"old": 5, "new": 5}),
    "a sale without a lot is of the one that is over first": (
        [*IN_LOTS, sale(6)],
        {"": 0, "old": 0, "new": 6},
    ),
    "units of no known lot go first": (
        [*IN_LOTS, receipt("", 2), sale(3)],
        {"": 0, "old": 4, "new": 7},
    ),
    "a lot without a date goes last": (
        [receipt("a", 5), *IN_LOTS, sale(13)],
        {"": 0, "a": 4, "old": 0, "new": 0},
    ),
    "more sold than there is leaves none": (
        [*IN_LOTS, sale(20)],
        {"": 0, "old": 0, "new": 0},
    ),
    "a lot that comes after its sale makes up for it": (
        [*IN_LOTS, sale(14), receipt("late", 5, minute=25)],
        {"": 0, "old": 0, "new": 0, "late": 3},
    ),
    "a first lot that comes after the sale of it makes up for it": (
        [sale(2), receipt("old", 5)],
        {"": 0, "old": 3},
    ),
    "each lot is counted for itself": (
        [*IN_LOTS, count_lots(10, old=4)],
        {"old": 4, "new": 7},
    ),
    "a count keeps what its lot lost since": (
        [*IN_LOTS, sale(1, lot="old"), count_lots(10, old=4, new=9)],
        {"old": 3, "new": 9},
    ),
    "a count keeps what was sold of no named lot since": (
        [*IN_LOTS, sale(6), count_lots(10, old=5, new=7)],
        {"": 0, "old": 0, "new": 6},
    ),
    "a sale that the count of its lots has seen is not taken off again": (
        [*IN_LOTS, count_lots(40, old=4, new=7), sale(1)],
        {"": 0, "old": 4, "new": 7},
    ),
    "a full count that names no lots says that all is of no known one": (
        [*IN_LOTS, count(40, tea=9, full=True)],
        {"": 9, "old": 0, "new": 0},
    ),
    "a lot that a full count leaves out is gone": (
        [*IN_LOTS, count_lots(40, new=6, full=True)],
        {"old": 0, "new": 6},
    ),
    "a count tells the rest beside its lots": (
        [*IN_LOTS, count_lots(40, old=4, new=7, rest=2)],
        {"": 2, "old": 4, "new": 7},
    ),
}


@pytest.mark.parametrize("name", SCENARIOS)
def test_a_feed_of_lots_is_understood(stockroom: Stockroom, name: str) -> None:
    messages, sellable = SCENARIOS[name]
    for message in messages:
        stockroom.tell(message)
    assert units(stockroom) == sellable, name
    assert stockroom.cases() == [] and stockroom.broken_rules() == []


@pytest.mark.slow
@pytest.mark.parametrize("name", SCENARIOS)
def test_a_feed_of_lots_is_understood_in_one_batch(stockroom: Stockroom, name: str) -> None:
    messages, sellable = SCENARIOS[name]
    stockroom.tell(*messages)
    assert sum(units(stockroom).values()) == sum(sellable.values()), name
    assert stockroom.broken_rules() == []


def test_a_sale_without_a_lot_is_of_what_no_count_has_seen(stockroom: Stockroom) -> None:
    stockroom.tell(*IN_LOTS, count_lots(40, old=4))
    stockroom.tell(sale(1))
    assert units(stockroom) == {"": 0, "old": 4, "new": 6}


@pytest.mark.slow
@pytest.mark.parametrize("arrival", list(permutations(range(4))))
def test_however_lots_and_sales_arrive_no_unit_is_too_many(
    stockroom: Stockroom, arrival: tuple[int, ...]
) -> None:
    story = [*IN_LOTS, sale(4, minute=20), sale(3, minute=25, lot="new")]
    for position in arrival:
        stockroom.tell(story[position])
    assert sum(units(stockroom).values()) == 5
    assert stockroom.broken_rules() == []


def units(stockroom: Stockroom) -> dict[str, int]:
    return {lot: sellable for lot, (sellable, _) in stockroom.lots("tea").items()}


def test_a_number_without_a_lot_is_no_sum_of_lots(stockroom: Stockroom) -> None:
    """Taken beside the lots it would double the stock; whoever sent it is asked for the lots."""
    stockroom.tell(*IN_LOTS)
    stockroom.tell(count(40, tea=12, mug=3))
    assert units(stockroom) == {"old": 5, "new": 7}
    assert stockroom.level("mug") == (3, 0)
    (case,) = stockroom.cases()
    assert case[:2] == ("inventory count refused", f"wms count of tea at {OAK}")
    assert "new, old" in case[2]


@pytest.mark.parametrize("bucket", ["sellable", "damaged"])
def test_a_full_count_that_clears_no_lots_is_no_sum_of_them_either(
    stockroom: Stockroom, bucket: str
) -> None:
    """Of a source that sends no full files, and of buckets that a full file does not clear."""
    if bucket == "sellable":
        stockroom.connection.execute(
            "INSERT INTO inventory_source (source, full_files) VALUES ('wms', false)"
        )
    damaged = move("d", "tea", 2, "sellable", "damaged", minute=2, lot="old")
    stockroom.tell(*IN_LOTS, damaged)
    stockroom.tell(count(40, tea=2, bucket=bucket, full=True))
    assert [kind for kind, *_ in stockroom.cases()] == ["inventory count refused"]
    assert stockroom.lots("tea").get("", (0, 0)) == (0, 0)
    assert stockroom.broken_rules() == []


def test_a_lot_nobody_has_any_more_does_not_stand_against_a_plain_count(
    stockroom: Stockroom,
) -> None:
    stockroom.tell(*IN_LOTS, sale(5, lot="old"), sale(7, lot="new"))
    stockroom.tell(count(40, tea=12))
    assert units(stockroom) == {"": 12, "old": 0, "new": 0}
    assert stockroom.cases() == []


def counted(minute: float, expires_on: date, *, units: int = 5) -> Message:
    told = (StockCount("tea", OAK, units, lot="old", expires_on=expires_on),)
    return InventoryCounted(source="wms", as_of=at(minute), node=OAK, counts=told)


def last_day(stockroom: Stockroom) -> date:
    [[found]] = stockroom.connection.execute(
        "SELECT expires_on FROM lot WHERE lot = 'old'"
    ).fetchall()
    stockroom.connection.rollback()
    assert isinstance(found, date)
    return found


def test_the_date_of_the_latest_time_stands_and_somebody_sees_that_it_is_another(
    stockroom: Stockroom,
) -> None:
    stockroom.tell(receipt("old", 5, expires_on=MARCH))
    stockroom.tell(receipt("old", 1, minute=2, expires_on=MARCH))
    assert stockroom.cases() == []
    stockroom.tell(receipt("old", 1, minute=3, expires_on=MAY))
    changed = "pos says that it lives until 2027-05-31; 2027-03-31 was known"
    assert stockroom.cases() == [("lot with another date", "old of tea", changed)]
    assert last_day(stockroom) == MAY


# Told after a count as of minute 10 that says MARCH: by what changes nothing, or is older.
NO_NEWS: dict[str, Message] = {
    "the receipt of before once more": receipt("old", 5, expires_on=MAY),
    "a receipt of before": receipt("old", 5, minute=5, expires_on=MAY),
    "an older count": counted(9, MAY),
    "a move that is refused": move(
        "x", "tea", 5, "supplier", "nowhere", minute=20, lot="old", expires_on=MAY
    ),
}


@pytest.mark.parametrize("name", NO_NEWS)
def test_a_date_that_is_no_news_changes_nothing(stockroom: Stockroom, name: str) -> None:
    stockroom.tell(receipt("old", 5, expires_on=MAY))
    stockroom.tell(counted(10, MARCH))
    stockroom.tell(NO_NEWS[name])
    assert last_day(stockroom) == MARCH


def test_two_dates_in_one_batch_are_seen(stockroom: Stockroom) -> None:
    both = [receipt("old", 5, minute=2, expires_on=MAY), receipt("old", 5, expires_on=MARCH)]
    stockroom.tell(*both, receipt("old", 1, minute=3, expires_on=MARCH))
    assert last_day(stockroom) == MARCH
    assert [kind for kind, *_ in stockroom.cases()] == ["lot with another date"]


def test_a_source_that_is_not_believed_tells_no_dates(stockroom: Stockroom) -> None:
    stockroom.connection.execute(
        "INSERT INTO inventory_source (source, authoritative) VALUES ('wms', false)"
    )
    stockroom.tell(receipt("old", 5, expires_on=MARCH))
    stockroom.tell(counted(10, MAY))
    assert last_day(stockroom) == MARCH


def test_what_comes_in_a_batch_is_sold_in_it_by_its_date(stockroom: Stockroom) -> None:
    stockroom.tell(receipt("new", 7, expires_on=MAY))
    stockroom.tell(receipt("old", 5, minute=2, expires_on=MARCH), sale(3))
    assert units(stockroom) == {"": 0, "old": 2, "new": 7}


def test_lots_that_are_used_up_are_left_alone(stockroom: Stockroom) -> None:
    """A full count and a sale look at what is there, not at every lot there ever was."""
    stockroom.tell(*IN_LOTS, sale(5, lot="old"))
    stockroom.tell(count_lots(40, new=7, full=True))
    stockroom.tell(sale(1, minute=50))
    rows = stockroom.connection.execute(
        "SELECT lot, sellable, sellable_as_of FROM stock_level WHERE lot <> '' ORDER BY lot"
    ).fetchall()
    stockroom.connection.rollback()
    assert rows == [("new", 6, at(40)), ("old", 0, None)]


@pytest.mark.parametrize("days", [36_500, 1_000_000_000])
def test_no_life_that_a_product_owes_stops_the_upkeep(stockroom: Stockroom, days: int) -> None:
    sell_tea(stockroom)
    stockroom.connection.execute(
        "UPDATE product SET shelf_life_days = %s, minimum_remaining_days = %s", [days, days]
    )
    stockroom.connection.commit()
    stockroom.tell(*IN_LOTS)
    keep_up(stockroom)
    assert offered(stockroom) == 0


def test_a_reservation_gives_way_when_its_own_lot_is_short(stockroom: Stockroom) -> None:
    stockroom.tell(*IN_LOTS)
    stockroom.promise(1, "tea", 5, lot="old")
    told = stockroom.tell(count_lots(40, old=3))
    assert [(m.quantity, m.node) for m in told if isinstance(m, ShortageFound)] == [(2, OAK)]
    assert stockroom.lots("tea")["old"] == (3, 3)
    assert stockroom.broken_rules() == []


def test_a_sale_without_a_lot_takes_free_units_before_reserved_ones(
    stockroom: Stockroom,
) -> None:
    stockroom.tell(*IN_LOTS)
    stockroom.promise(1, "tea", 5, lot="old")
    told = stockroom.tell(sale(6))
    assert told == [] and stockroom.lots("tea") == {"": (0, 0), "old": (5, 5), "new": (1, 0)}


def test_it_is_known_which_lots_left_with_a_shipment(stockroom: Stockroom) -> None:
    stockroom.tell(*IN_LOTS)
    stockroom.promise(1, "tea", 3, lot="old")
    ship(stockroom, 1, 3)
    rows = stockroom.connection.execute(
        "SELECT order_id, shipment_id, line_number, sku, lot, quantity FROM shipped_lot"
    ).fetchall()
    assert rows == [(order(1), order(201), 1, "tea", "old", 3)]
    assert stockroom.lots("tea") == {"old": (2, 0), "new": (7, 0)}
    assert stockroom.broken_rules() == []


def test_units_that_a_shortage_broke_and_that_left_all_the_same_are_of_a_lot(
    stockroom: Stockroom,
) -> None:
    stockroom.tell(*IN_LOTS)
    stockroom.promise(1, "tea", 5, lot="old")
    stockroom.tell(count_lots(40, old=3))
    ship(stockroom, 1, 5)
    assert units(stockroom) == {"": 0, "old": 0, "new": 5}
    rows = stockroom.connection.execute(
        "SELECT lot, quantity FROM shipped_lot ORDER BY lot"
    ).fetchall()
    assert rows == [("new", 2), ("old", 3)]
    assert stockroom.broken_rules() == []


def ship(stockroom: Stockroom, number: int, quantity: int) -> None:
    stockroom.ask(
        ShipStock(
            order_id=order(number),
            fulfillment_id=order(100 + number),
            node=OAK,
            shipment_id=order(200 + number),
            lines=(LineQuantity(1, quantity),),
        )
    )


def test_a_lot_that_is_over_is_offered_no_more(stockroom: Stockroom) -> None:
    """Two weeks of life are owed: on 18 March what ends on 31 March is of no use to anybody."""
    sell_tea(stockroom)
    stockroom.tell(*IN_LOTS)
    assert offered(stockroom) == 12
    stockroom.now = at(0).replace(year=2027, month=3, day=17)
    keep_up(stockroom)
    assert offered(stockroom) == 12
    stockroom.now += timedelta(days=1)
    keep_up(stockroom)
    assert offered(stockroom) == 7
    align(stockroom)
    assert offered(stockroom) == 7
    assert units(stockroom) == {"old": 5, "new": 7}
    assert stockroom.broken_rules() == []


def test_a_lot_is_offered_again_when_its_date_was_wrong(stockroom: Stockroom) -> None:
    sell_tea(stockroom)
    stockroom.tell(receipt("old", 5, expires_on=date(2026, 11, 3)))
    assert offered(stockroom) == 0
    stockroom.tell(receipt("old", 1, minute=2, expires_on=MAY))
    assert offered(stockroom) == 6
    assert stockroom.broken_rules() == []


def test_a_lot_that_is_over_stays_so_at_a_node_it_comes_to_later(stockroom: Stockroom) -> None:
    sell_tea(stockroom)
    stockroom.tell(receipt("old", 5, expires_on=date(2026, 11, 3)))
    elsewhere = move("r9", "tea", 3, "supplier", "sellable", node="depot", lot="old")
    stockroom.tell(elsewhere)
    assert offered(stockroom) == 0 and stockroom.broken_rules() == []


def sell_tea(stockroom: Stockroom, *, held_back: int = 0) -> None:
    """Tea is a product that owes two weeks of life, and the web shop sells it."""
    stockroom.connection.execute(
        "INSERT INTO product (sku, name, currency, shelf_life_days, minimum_remaining_days,"
        " tracks_lots) VALUES ('tea', 'Tea', 'USD', 365, 14, true)"
    )
    stockroom.connection.execute(
        "INSERT INTO channel (code, name, methods) VALUES ('web', 'Web', '{ship}')"
    )
    hold_back(stockroom, held_back)


def keep_up(stockroom: Stockroom) -> None:
    upkeep.keep_up(stockroom.connection, stockroom.now)
    stockroom.connection.commit()


def offered(stockroom: Stockroom) -> int:
    found = ats.network_ats(stockroom.transaction(), "web", "ship", ["tea"])["tea"]
    stockroom.connection.rollback()
    return found


def test_a_correction_is_of_a_lot(stockroom: Stockroom) -> None:
    stockroom.tell(*IN_LOTS)
    tx = stockroom.transaction()
    made = correct(
        tx,
        [
            Correction(order(1), "tea", OAK, "sellable", 5, 4, "old"),
            Correction(order(2), "tea", OAK, "sellable", 12, 11),
        ],
    )
    stockroom.commit(tx)
    assert [one.applied for one in made.corrected] == [True, False]
    assert units(stockroom) == {"old": 4, "new": 7}
    assert stockroom.broken_rules() == []


# With three units held back at the node: what is told beside five old and seven new ones, and what
# may be sold then.
HELD_BACK: dict[str, tuple[list[Message], int]] = {
    "as much as without lots": ([], 9),
    "units of no known lot hold back first": ([receipt("", 2)], 11),
    "enough of no known lot leaves all others free": ([receipt("", 4)], 13),
    "sales of the shortest-lived leave what is held back": ([sale(5)], 4),
    "nothing is sold below it": ([sale(10)], 0),
    "a lot that comes adds all its units": ([receipt("late", 4)], 13),
    "a count of the lot that held back": ([count_lots(10, new=1)], 3),
    "a full count without lots": ([count(40, tea=9, full=True)], 6),
    "what is over holds back nothing for the others": (
        [receipt("new", 1, minute=3, expires_on=date(2026, 11, 3))],
        2,
    ),
}


@pytest.mark.parametrize("name", HELD_BACK)
def test_lots_hold_safety_stock_back(stockroom: Stockroom, name: str) -> None:
    told, sold = HELD_BACK[name]
    sell_tea(stockroom, held_back=3)
    stockroom.tell(*IN_LOTS)
    for message in told:
        stockroom.tell(message)
    assert offered(stockroom) == sold, name
    assert stockroom.broken_rules() == []
    align(stockroom)
    assert offered(stockroom) == sold, "an alignment changes nothing"
    assert stockroom.broken_rules() == []


def test_safety_stock_that_changes_is_shared_among_lots_anew(stockroom: Stockroom) -> None:
    sell_tea(stockroom)
    stockroom.tell(*IN_LOTS)
    assert offered(stockroom) == 12
    hold_back(stockroom, 8)
    align(stockroom)
    assert offered(stockroom) == 4
    assert held_back_by_lot(stockroom) == {"old": 1, "new": 7}
    hold_back(stockroom, 0)
    align(stockroom)
    assert offered(stockroom) == 12


def test_an_alignment_that_changes_nothing_writes_no_lot(stockroom: Stockroom) -> None:
    sell_tea(stockroom, held_back=3)
    stockroom.tell(*IN_LOTS)
    before = versions(stockroom)
    align(stockroom)
    assert versions(stockroom) == before


def versions(stockroom: Stockroom) -> dict[str, str]:
    """By lot, where its row stands: a row that is written again stands elsewhere."""
    rows = stockroom.connection.execute(
        "SELECT lot, ctid::text FROM stock_level WHERE sku = 'tea' AND lot <> ''"
    ).fetchall()
    stockroom.connection.rollback()
    return dict(rows)


def test_a_correction_of_a_lot_leaves_what_is_held_back(stockroom: Stockroom) -> None:
    sell_tea(stockroom, held_back=3)
    stockroom.tell(*IN_LOTS)
    tx = stockroom.transaction()
    correct(tx, [Correction(order(1), "tea", OAK, "sellable", 7, 2, "new")])
    stockroom.commit(tx)
    assert held_back_by_lot(stockroom) == {"old": 1, "new": 2}
    assert offered(stockroom) == 4


def test_an_accepted_order_may_take_what_lots_hold_back(stockroom: Stockroom) -> None:
    sell_tea(stockroom, held_back=12)
    stockroom.tell(*IN_LOTS)
    assert offered(stockroom) == 0
    assert stockroom.promise(1, "tea", 7, lot="new") == 7


def align(stockroom: Stockroom) -> None:
    tx = stockroom.transaction()
    upkeep.align_levels(tx)
    stockroom.commit(tx)


def hold_back(stockroom: Stockroom, units: int) -> None:
    stockroom.connection.execute(
        "INSERT INTO product_node (sku, node, safety_stock) VALUES ('tea', %s, %s)"
        " ON CONFLICT (sku, node) DO UPDATE SET safety_stock = excluded.safety_stock",
        (OAK, units),
    )
    stockroom.connection.commit()


def held_back_by_lot(stockroom: Stockroom) -> dict[str, int]:
    rows = stockroom.connection.execute(
        "SELECT lot, buffer FROM stock_level WHERE sku = 'tea' AND lot <> ''"
    ).fetchall()
    stockroom.connection.rollback()
    return dict(rows)
