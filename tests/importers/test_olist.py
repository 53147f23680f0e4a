"""The Olist dataset: tables joined to orders at real places, and an account of every row."""

from __future__ import annotations

from collections.abc import Callable
from datetime import UTC, datetime
from pathlib import Path

import pytest

from crossdock.catalog import rules
from crossdock.catalog.model import NodeKind
from crossdock.importers import (
    CancelArrival,
    Dataset,
    OrderArrival,
    Rejects,
    UnusableInput,
    open_dataset,
)
from crossdock.model.outside import OutsideOrder, take_apart
from crossdock.model.validation import validate_order

TABLES = {
    "olist_orders_sample.csv": [
        "order_id,customer_id,order_status,order_purchase_timestamp,order_approved_at,"
        "order_estimated_delivery_date",
        "o1,c1,delivered,2018-08-08 10:00:35,2018-08-08 10:10:18,2018-08-20 00:00:00",
        "o2,c2,canceled,2018-08-09 10:00:00,,2018-08-21 00:00:00",
        "o3,c1,unavailable,2018-08-10 10:00:00,,",
    ],
    "olist_order_items_sample.csv": [
        "order_id,order_item_id,product_id,seller_id,shipping_limit_date,price,freight_value",
        "o1,1,lamp,s1,,12.99,12.79",
        "o1,2,lamp,s1,,12.99,12.79",
        "o1,3,mug,s2,,5.00,0.00",
        "o2,1,mug,s2,,5.00,7.10",
    ],
    "olist_order_payments_full.csv": [
        "order_id,payment_sequential,payment_type,payment_installments,payment_value",
        "o1,2,voucher,1,20.00",
        "o1,1,credit_card,8,36.56",
        "o2,1,boleto,1,12.00",
        "elsewhere,1,boleto,1,99.00",
    ],
    "olist_customers_sample.csv": [
        "customer_id,customer_unique_id,customer_zip_code_prefix,customer_city,customer_state",
        "c1,ana,1037,sao paulo,SP",
        "c2,bia,69000,manaus,AM",
    ],
    "olist_geolocation_by_prefix.csv": [
        "geolocation_zip_code_prefix,geolocation_lat,geolocation_lng",
        "1037,-23.545,-46.639",
        "69005,-3.13,-60.02",
        "99999,42.18,-8.72",
    ],
    "olist_products_full.csv": [
        "product_id,product_category_name,product_weight_g,product_length_cm,product_height_cm,"
        "product_width_cm",
        "lamp,casa,1200,30,40,20",
        "mug,,,,,",
        "unsold,casa,1,1,1,1",
    ],
    "olist_sellers_full.csv": [
        "seller_id,seller_zip_code_prefix,seller_city,seller_state",
        '"s1",1037,sao paulo,SP',
        "s2,69005,manaus,AM",
    ],
    "product_category_name_translation.csv": [
        "\ufeffproduct_category_name,product_category_name_english",
        "casa,home_things",
    ],
}


def folder_of(tmp_path: Path, **changed: list[str] | None) -> Path:
    """The tables as files; `changed` replaces one, by its name's beginning, or leaves it out."""
    folder = tmp_path / "olist"
    folder.mkdir()
    for name, lines in TABLES.items():
        (replaced,) = [lines for key, lines in changed.items() if name.startswith(key)] or [lines]
        if replaced is not None:
            (folder / name).write_text("\n".join(replaced) + "\n", encoding="utf-8")
    return folder


def opened(folder: Path) -> Dataset:
    dataset = open_dataset(folder, rejects=Rejects())
    assert dataset.report.format == "olist"
    assert dataset.report.balanced
    return dataset


def orders_of(dataset: Dataset) -> dict[str, OutsideOrder]:
    return {
        arrival.order.number: arrival.order
        for arrival in dataset.arrivals()
        if isinstance(arrival, OrderArrival)
    }


def test_items_freight_and_payments_are_one_order_at_a_real_place(tmp_path: Path) -> None:
    dataset = opened(folder_of(tmp_path))
    order = orders_of(dataset)["o1"]
    assert order.placed_at == datetime(2018, 8, 8, 13, 0, 35, tzinfo=UTC)
    assert [(line.sku, line.quantity, line.total) for line in order.lines] == [
        ("lamp", 2, 2598),
        ("mug", 1, 500),
    ]
    assert [(charge.kind, charge.amount, charge.line) for charge in order.charges] == [
        ("shipping", 2558, 1)
    ]
    assert [(t.kind, t.amount, t.paid) for t in order.tenders] == [
        ("card", 3656, True),
        ("voucher", 2000, True),
    ]
    assert order.total == 5656
    address = order.groups[0].address
    assert (address.postal_code, address.latitude) == ("01037", -23.545)
    assert order.groups[0].promised_by == datetime(2018, 8, 20, 3, 0, tzinfo=UTC)


def test_a_difference_between_items_and_payments_is_an_adjustment_or_interest(
    tmp_path: Path,
) -> None:
    order = orders_of(opened(folder_of(tmp_path)))["o2"]
    assert order.total == 1200
    assert [(a.source, a.amount) for a in order.adjustments] == [("unexplained", -10)]


def test_a_canceled_order_is_canceled_after_it_was_placed(tmp_path: Path) -> None:
    dataset = opened(folder_of(tmp_path))
    (cancel,) = [one for one in dataset.arrivals() if isinstance(one, CancelArrival)]
    order = orders_of(dataset)["o2"]
    assert cancel.order_id == order.id
    assert cancel.at > order.placed_at


def test_sellers_are_vendor_nodes_that_hold_what_they_sold(tmp_path: Path) -> None:
    dataset = opened(folder_of(tmp_path))
    nodes = {node.code: node for node in dataset.network.nodes}
    assert set(nodes) == {"s1", "s2"}
    assert nodes["s2"].kind is NodeKind.VENDOR
    assert (nodes["s2"].time_zone, nodes["s2"].latitude) == ("America/Manaus", -3.13)
    stock = {(one.node, one.sku): one.quantity for one in dataset.stock.rows()}
    assert set(stock) == {("s1", "lamp"), ("s2", "mug")}
    assert stock["s1", "lamp"] >= 2
    assert rules.problems_of(dataset.network) == []


def test_products_keep_their_real_weight_and_get_one_where_it_lacks(tmp_path: Path) -> None:
    products = {p.sku: p for p in opened(folder_of(tmp_path)).network.products}
    assert set(products) == {"lamp", "mug"}
    lamp = products["lamp"]
    assert (lamp.weight_grams, lamp.length_mm, lamp.category) == (1200, 300, "home things")
    assert products["mug"].weight_grams > 0


def test_a_prefix_without_a_point_takes_the_next_one_and_points_abroad_are_rejected(
    tmp_path: Path,
) -> None:
    dataset = opened(folder_of(tmp_path))
    assert orders_of(dataset)["o2"].groups[0].address.latitude == -3.13
    assert dataset.report.remarks["customers at the point of the next postal prefix"] == 1
    assert dataset.rejects.first_of["place_out_of_range"].line == 4


def test_an_order_without_items_and_items_without_an_order_are_rejected(tmp_path: Path) -> None:
    items = [*TABLES["olist_order_items_sample.csv"], "o9,1,mug,s2,,5.00,1.00"]
    dataset = opened(folder_of(tmp_path, olist_order_items=items))
    assert dataset.rejects.by_reason["order_without_lines"] == 1
    assert dataset.rejects.by_reason["row_without_order"] == 1
    assert dataset.report.otherwise["payment of an order not in the files"] == 1


@pytest.mark.parametrize(
    ("table", "line", "reason"),
    [
        ("olist_order_items", "o1,4,mug,s2,,cheap,1.00", "unreadable_number"),
        ("olist_order_items", "o1,4,mug,s2,,-1,1.00", "unreadable_number"),
        ("olist_order_items", "o1,3,mug,s2,,5.00,1.00", "doubled_row"),
        ("olist_order_items", "o1,4,,s2,,5.00,1.00", "empty_field"),
        ("olist_order_payments", "o1,3,voucher,1,lots", "unreadable_number"),
        ("olist_orders", "o1,c1,delivered,2018-08-08 10:00:35,,", "doubled_order_number"),
        ("olist_orders", ",c1,delivered,2018-08-08 10:00:35,,", "empty_field"),
        ("olist_customers", "c1,ana,1037,sao paulo,SP", "doubled_row"),
        ("olist_geolocation", "1038,here,there", "unreadable_number"),
    ],
)
def test_a_bad_row_of_any_table_is_rejected(
    tmp_path: Path, table: str, line: str, reason: str
) -> None:
    (name,) = [name for name in TABLES if name.startswith(table)]
    dataset = opened(folder_of(tmp_path, **{table: [*TABLES[name], line]}))
    assert dataset.rejects.first_of[reason].raw == line
    assert dataset.report.orders == 2


def test_an_order_of_a_customer_who_is_not_there_takes_its_items_with_it(tmp_path: Path) -> None:
    customers = TABLES["olist_customers_sample.csv"][:2]
    dataset = opened(folder_of(tmp_path, olist_customers=customers))
    assert dataset.rejects.by_reason["order_without_customer"] == 1
    assert dataset.rejects.by_reason["order_refused"] == 1
    assert set(orders_of(dataset)) == {"o1"}


@pytest.mark.parametrize(
    "left_out",
    ["olist_order_payments", "olist_customers", "olist_products", "olist_sellers"],
)
def test_what_is_not_there_is_filled(tmp_path: Path, left_out: str) -> None:
    dataset = opened(folder_of(tmp_path, **{left_out: None}))
    assert dataset.report.orders == 2
    assert rules.problems_of(dataset.network) == []
    for order in orders_of(dataset).values():
        assert validate_order(take_apart(order).order) == []


def test_a_folder_without_items_is_no_dataset(tmp_path: Path) -> None:
    with pytest.raises(UnusableInput, match="folder without orders"):
        open_dataset(folder_of(tmp_path, olist_order_items=None))


def test_a_table_without_its_columns_is_refused(tmp_path: Path) -> None:
    with pytest.raises(UnusableInput, match="freight_value"):
        open_dataset(folder_of(tmp_path, olist_order_items=["order_id,price", "o1,1"]))


@pytest.mark.slow
def test_the_whole_real_sample_is_accounted_for(shared_data: Callable[[str], Path]) -> None:
    dataset = opened(shared_data("olist"))
    report = dataset.report
    assert report.taken == {
        "order": 12_684,
        "item": 14_574,
        "payment": 13_254,
        "customers with orders": 12_684,
        "sellers with orders": 1_721,
        "products with orders": 8_022,
    }
    assert dataset.rejects.by_reason == {"order_without_lines": 24, "place_out_of_range": 9}
    assert report.otherwise["payment of an order not in the files"] == 90_600
    assert report.units == 14_574
    assert rules.problems_of(dataset.network) == []
    for arrival in dataset.arrivals():
        if isinstance(arrival, OrderArrival):
            assert validate_order(take_apart(arrival.order).order) == []
    dataset.close()


@pytest.mark.parametrize("name", ["orders.csv", "nowhere"])
def test_what_is_no_folder_is_refused(name: str, tmp_path: Path) -> None:
    (tmp_path / "orders.csv").write_text("order_id,customer_id\n")
    with pytest.raises(UnusableInput, match=name) as refused:
        open_dataset(tmp_path / name, form="olist")
    assert "folder" in refused.value.advice
