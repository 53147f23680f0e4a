"""The made-up retailer: the same for a seed, sound, and the same again when read from its files."""

from __future__ import annotations

from collections import Counter
from datetime import timedelta
from pathlib import Path

import msgspec
import numpy as np
import pytest

from crossdock.catalog import rules
from crossdock.catalog.model import NodeKind
from crossdock.importers import (
    Arrival,
    CancelArrival,
    Dataset,
    OrderArrival,
    Rejects,
    open_dataset,
)
from crossdock.importers.networks import open_network
from crossdock.model.outside import OutsideOrder, summed, take_apart
from crossdock.model.validation import validate_order
from crossdock.ordering.policy import ScreeningPolicy
from crossdock.simulator.demand import Mix
from crossdock.simulator.retailer import RetailerPlan, make_retailer, write_retailer

SMALL = RetailerPlan(stores=40, skus=1_500, orders=3_000)


@pytest.fixture(scope="module")
def retailer() -> Dataset:
    return make_retailer(7, SMALL)


@pytest.fixture(scope="module")
def arrivals(retailer: Dataset) -> list[Arrival]:
    return list(retailer.arrivals())


@pytest.fixture(scope="module")
def orders(arrivals: list[Arrival]) -> list[OutsideOrder]:
    return [a.order for a in arrivals if isinstance(a, OrderArrival) and not a.repeated]


def test_the_same_seed_makes_the_same_retailer_and_another_seed_another(
    retailer: Dataset, arrivals: list[Arrival]
) -> None:
    again, other = make_retailer(7, SMALL), make_retailer(8, SMALL)
    assert again.network == retailer.network
    assert list(again.stock.rows()) == list(retailer.stock.rows())
    assert list(again.arrivals()) == arrivals == list(retailer.arrivals())
    assert other.network != retailer.network
    assert list(other.arrivals()) != arrivals


def test_a_substitute_is_of_the_same_kind_and_costs_about_as_much(retailer: Dataset) -> None:
    products = {product.sku: product for product in retailer.network.products}
    for product in products.values():
        others = [products[sku] for sku in product.substitutes]
        assert 1 <= len(others) <= 2
        assert {other.category for other in others} == {product.category}
        between = [
            one
            for one in products.values()
            if one.category == product.category
            and min(o.price for o in others) < one.price < max(o.price for o in others)
            and one.price != product.price
        ]
        assert between == []


def test_some_customers_take_substitutes(orders: list[OutsideOrder]) -> None:
    assert 0.03 < sum(order.substitutes_allowed for order in orders) / len(orders) < 0.07


def test_more_orders_leave_the_stores_where_they_are(retailer: Dataset) -> None:
    busier = make_retailer(7, msgspec.structs.replace(SMALL, orders=4_000))
    place = [(node.code, node.postal_code) for node in retailer.network.nodes]
    assert [(node.code, node.postal_code) for node in busier.network.nodes] == place


def test_the_network_breaks_no_rule_of_the_catalog(retailer: Dataset) -> None:
    network = retailer.network
    assert rules.problems_of(network) == []
    kinds = Counter(node.kind for node in network.nodes)
    assert kinds == {NodeKind.STORE: 40, NodeKind.DC: 2}
    assert len({node.time_zone for node in network.nodes}) > 2
    assert all(product.cost < product.price for product in network.products)
    assert any(product.season_end for product in network.products)


def test_every_order_can_come_in_but_for_those_without_an_address(
    orders: list[OutsideOrder], retailer: Dataset
) -> None:
    skus = {product.sku for product in retailer.network.products}
    channels = {channel.code for channel in retailer.network.channels}
    for order in orders:
        assert validate_order(take_apart(order).order) == []
        assert order.total == summed(order) == sum(tender.amount for tender in order.tenders)
        assert {line.sku for line in order.lines} <= skus
        assert order.channel in channels
    lost = sum(not order.groups[0].address.postal_code for order in orders)
    assert 0 < lost < len(orders) * 0.02


def test_arrivals_come_in_time_order_within_the_hours_of_the_plan(
    arrivals: list[Arrival], orders: list[OutsideOrder]
) -> None:
    times = [arrival.at for arrival in arrivals]
    assert times == sorted(times)
    assert len(orders) == SMALL.orders
    end = SMALL.start + timedelta(hours=SMALL.hours)
    assert all(SMALL.start <= order.placed_at <= end for order in orders)
    assert len({order.number for order in orders}) == len(orders)


def test_people_order_in_the_evening_and_sleep_at_night(orders: list[OutsideOrder]) -> None:
    # 20:00 and 04:00 in Chicago; most customers are within an hour of it.
    evening = sum(order.placed_at.hour == 2 for order in orders)
    night = sum(order.placed_at.hour == 10 for order in orders)
    assert evening > 4 * night


def test_orders_are_as_the_plan_says(orders: list[OutsideOrder]) -> None:
    lines = [len(order.lines) for order in orders]
    assert 1.8 < float(np.mean(lines)) < 2.2
    assert max(lines) <= 5
    market = [order for order in orders if order.channel == "marketplace"]
    assert 0.17 < len(market) / len(orders) < 0.23
    assert all(tender.paid for order in market for tender in order.tenders)
    assert not any(t.paid for order in orders if order not in market for t in order.tenders)
    assert any(len(order.tenders) == 2 for order in orders)
    assert {order.groups[0].service for order in orders} == {"standard", "express", "next_day"}


def test_some_orders_are_suspicious_to_the_shipped_policy(orders: list[OutsideOrder]) -> None:
    limit = ScreeningPolicy().total_above
    suspicious = sum((order.total or 0) > limit for order in orders)
    assert 0 < suspicious < len(orders) * 0.02


def test_repeats_and_cancels_are_about_orders_that_came_before(arrivals: list[Arrival]) -> None:
    seen: dict[str, OutsideOrder] = {}
    counts: Counter[str] = Counter()
    for arrival in arrivals:
        if isinstance(arrival, OrderArrival):
            if arrival.repeated:
                counts["repeat"] += 1
                assert seen[arrival.order.id] == arrival.order
            seen[arrival.order.id] = arrival.order
        elif isinstance(arrival, CancelArrival):
            order = seen[arrival.order_id]
            counts["part" if arrival.lines else "whole"] += 1
            asked = {part.line: part.quantity for part in arrival.lines}
            for line in order.lines:
                assert asked.get(line.number, 0) <= line.quantity
    assert counts.keys() == {"repeat", "whole", "part"}


def test_a_few_skus_sell_most_and_most_sell_little(orders: list[OutsideOrder]) -> None:
    sold = Counter(line.sku for order in orders for line in order.lines)
    units = sorted(sold.values(), reverse=True)
    assert sum(units[: len(units) // 10]) > 0.25 * sum(units)
    assert units[-1] == 1


def test_each_store_carries_three_skus_in_ten_and_best_sellers_more_often(
    retailer: Dataset, orders: list[OutsideOrder]
) -> None:
    stores = retailer.stock.node < 40
    carried = np.bincount(retailer.stock.node[stores], minlength=40) / SMALL.skus
    assert 0.27 < carried.mean() < 0.31
    per_sku = np.bincount(retailer.stock.sku[stores], minlength=SMALL.skus)
    sold = Counter(line.sku for order in orders for line in order.lines)
    index = {sku: number for number, sku in enumerate(retailer.stock.skus)}
    best = [index[sku] for sku, _ in sold.most_common(100)]
    assert per_sku[best].mean() > 1.3 * per_sku.mean()


def test_a_mix_can_be_all_paid_and_without_trouble() -> None:
    mix = Mix(marketplace=1, bad_address=0, suspicious=0, cancel=0, cancel_part=0, repeated=0)
    plan = RetailerPlan(stores=5, skus=200, orders=200, mix=mix)
    arrivals = list(make_retailer(1, plan).arrivals())
    assert len(arrivals) == 200
    assert all(
        isinstance(arrival, OrderArrival) and arrival.order.tenders[0].paid for arrival in arrivals
    )


def test_its_files_are_taken_whole_and_bring_the_same(retailer: Dataset, tmp_path: Path) -> None:
    orders_file, network_file = write_retailer(retailer, tmp_path / "made-up")
    known = open_network(network_file)
    assert known.network == retailer.network
    assert list(known.stock.rows()) == list(retailer.stock.rows())
    rejects = Rejects()
    read = open_dataset(orders_file, known=known, rejects=rejects)
    assert (len(rejects), read.report.orders) == (0, SMALL.orders)
    first = [a.order for a in read.arrivals() if isinstance(a, OrderArrival)]
    again = [a.order for a in retailer.arrivals() if isinstance(a, OrderArrival) and not a.repeated]
    # Orders placed in the same second may change places.
    assert sorted(first, key=lambda o: o.number) == sorted(again, key=lambda o: o.number)
    read.close()
