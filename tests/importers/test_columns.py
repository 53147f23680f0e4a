"""Stock in columns, arrivals on disk, and what the seed fills in."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from crossdock.catalog.model import NodeKind, NodeStock
from crossdock.importers.arrivals import EntryArrival
from crossdock.importers.fill import fill_nodes, fill_stock
from crossdock.importers.spool import Spool
from crossdock.importers.stock import StockRow, columns, from_records
from crossdock.importers.towns import town_for, towns_of

START = datetime(2026, 12, 1, tzinfo=UTC)


def entry(line: int, minutes: int) -> EntryArrival:
    at = START + timedelta(minutes=minutes)
    return EntryArrival(at=at, line=line, kind="fee", amount_minor=line, number=str(line))


@given(st.lists(st.integers(-1_000_000, 1_000_000), max_size=50))
def test_a_spool_gives_arrivals_by_time_and_equal_times_as_they_came(minutes: list[int]) -> None:
    spool = Spool()
    arrivals = [entry(line, at) for line, at in enumerate(minutes)]
    for arrival in arrivals:
        spool.append(arrival)
    assert list(spool) == sorted(arrivals, key=lambda arrival: arrival.at)
    assert list(spool) == list(spool)
    assert len(spool) == len(arrivals)
    if arrivals:
        assert spool.first == min(arrival.at for arrival in arrivals)
        assert spool.last == max(arrival.at for arrival in arrivals)
    spool.close()


def test_stock_columns_are_rows_by_node_without_empty_ones() -> None:
    stock = columns(
        ["dc", "store"],
        ["LAMP", "MUG", "TEA"],
        np.array([1, 0, 0, 1], dtype=np.int32),
        np.array([2, 1, 0, 1], dtype=np.int32),
        np.array([4, 0, 7, 5], dtype=np.int32),
    )
    rows = [StockRow("dc", "LAMP", 7), StockRow("store", "MUG", 5), StockRow("store", "TEA", 4)]
    assert list(stock.rows()) == rows
    assert (stock.units, stock.row_count) == (16, 3)
    assert list(stock.only({"MUG", "LAMP"}).rows()) == rows[:2]
    assert list(from_records(stock.records()).rows()) == rows


def test_records_of_one_pair_add_up_and_other_buckets_are_not_for_sale() -> None:
    stock = from_records(
        [
            NodeStock(node="dc", quantities={"MUG": 2}),
            NodeStock(node="dc", quantities={"MUG": 3}),
            NodeStock(node="dc", quantities={"MUG": 100}, bucket="damaged"),
        ]
    )
    assert list(stock.rows()) == [StockRow("dc", "MUG", 5)]


@given(
    units=st.dictionaries(st.sampled_from("ABCDEFGH"), st.integers(0, 5_000), min_size=1),
    seed=st.integers(0, 1_000),
)
def test_filled_stock_covers_what_is_wanted_but_for_scarce_skus(
    units: dict[str, int], seed: int
) -> None:
    nodes = fill_nodes("GB", "GBP", 1, 100)
    stock = fill_stock(nodes, units, seed)
    there = dict.fromkeys(units, 0)
    for row in stock.rows():
        assert row.quantity > 0
        there[row.sku] += row.quantity
    for sku, wanted in units.items():
        assert wanted * 0.5 <= there[sku] <= wanted * 1.15 + 2


def test_a_country_without_a_listed_town_still_gets_a_node() -> None:
    (node,) = fill_nodes("AQ", "USD", 1, 10)
    assert node.kind is NodeKind.DC


def test_big_towns_are_picked_more_often_and_always_the_same_for_one_customer() -> None:
    picked = [town_for(1, "GB", str(customer)) for customer in range(2_000)]
    assert picked == [town_for(1, "GB", str(customer)) for customer in range(2_000)]
    london = sum(town is not None and town.name == "London" for town in picked)
    share = towns_of("GB")[0].thousands / sum(town.thousands for town in towns_of("GB"))
    assert abs(london / 2_000 - share) < 0.05
    assert town_for(1, "AQ", "anybody") is None
