"""The Olist dataset: a Brazilian marketplace with real places, weights, sellers and vouchers.

Each seller is a vendor node at its place, holding what the orders want of it. Every item row is a
unit of an order line, every payment row a tender.
"""

from __future__ import annotations

from pathlib import Path

from crossdock.importers.dataset import Dataset
from crossdock.importers.gathering import Gathering, Known
from crossdock.importers.olist.orders import Orders
from crossdock.importers.olist.sellers import products, seller_nodes, seller_stock
from crossdock.importers.olist.tables import (
    Good,
    Item,
    Payment,
    Person,
    Places,
    Tables,
    is_olist,
    money,
    whole,
)
from crossdock.importers.rejects import Reason, Rejects

FORMAT = "olist"

__all__ = ["FORMAT", "is_olist", "read_olist"]


def read_olist(folder: Path, known: Known, seed: int, rejects: Rejects) -> Dataset:
    """The orders of the dataset's folder. Raises UnusableInput where tables or columns lack."""
    tables = Tables(folder, rejects)
    gathering = Gathering(FORMAT, seed, rejects)
    places = _places(tables, gathering)
    customers = _people(tables, "customers", "customer")
    sellers = _people(tables, "sellers", "seller")
    goods = _goods(tables)
    items = _items(tables)
    payments = _payments(tables, gathering)
    orders = Orders(tables, gathering, places, customers, items, payments)
    for record in tables.records("orders"):
        orders.take(record)
    orders.leave_out_the_rest()
    _count_reference(tables, gathering, orders, goods)
    gathering.read(*tables.readings.values())
    _provide(gathering, tables)
    return gathering.finish(
        folder.name,
        known,
        products=products(goods, gathering, _categories(tables)),
        nodes=seller_nodes(sellers, orders.sold, places, seed),
        stock=seller_stock(orders.sold),
        paid=True,
    )


def _places(tables: Tables, gathering: Gathering) -> Places:
    places = Places()
    for row, fields in tables.records("places"):
        try:
            latitude = float(fields["geolocation_lat"])
            longitude = float(fields["geolocation_lng"])
        except ValueError:
            tables.reject("places", row, Reason.UNREADABLE_NUMBER, "the point is no number")
            continue
        if not places.add(fields["geolocation_zip_code_prefix"], latitude, longitude):
            message = f"{latitude}, {longitude} is not in Brazil"
            tables.reject("places", row, Reason.PLACE_OUT_OF_RANGE, message)
            continue
        gathering.used("point of a postal prefix")
    return places


def _people(tables: Tables, name: str, prefix: str) -> dict[str, Person]:
    people: dict[str, Person] = {}
    for row, fields in tables.records(name):
        identity = fields[f"{prefix}_id"]
        if not identity or identity in people:
            reason = Reason.DOUBLED_ROW if identity else Reason.EMPTY_FIELD
            tables.reject(name, row, reason, f"{prefix}_id {identity!r}")
            continue
        people[identity] = Person(
            fields.get("customer_unique_id") or identity,
            fields[f"{prefix}_zip_code_prefix"].zfill(5),
            fields[f"{prefix}_city"],
            fields[f"{prefix}_state"].upper(),
        )
    return people


def _goods(tables: Tables) -> dict[str, Good]:
    goods: dict[str, Good] = {}
    for row, fields in tables.records("products"):
        identity = fields["product_id"]
        if not identity or identity in goods:
            reason = Reason.DOUBLED_ROW if identity else Reason.EMPTY_FIELD
            tables.reject("products", row, reason, f"product_id {identity!r}")
            continue
        goods[identity] = Good(
            fields["product_category_name"],
            whole(fields["product_weight_g"]),
            whole(fields.get("product_length_cm", ""), 10),
            whole(fields.get("product_width_cm", ""), 10),
            whole(fields.get("product_height_cm", ""), 10),
        )
    return goods


def _items(tables: Tables) -> dict[str, list[Item]]:
    items: dict[str, list[Item]] = {}
    seen: set[tuple[str, str]] = set()
    for row, fields in tables.records("items"):
        price, freight = money(fields["price"]), money(fields["freight_value"])
        unit = (fields["order_id"], fields["order_item_id"])
        if not (unit[0] and fields["product_id"] and fields["seller_id"]):
            message = "order, product or seller is empty"
            tables.reject("items", row, Reason.EMPTY_FIELD, message)
        elif price is None or freight is None:
            message = "price or freight is no amount of 0 or more"
            tables.reject("items", row, Reason.UNREADABLE_NUMBER, message)
        elif unit in seen:
            message = f"item {unit[1]} of order {unit[0]} is there before"
            tables.reject("items", row, Reason.DOUBLED_ROW, message)
        else:
            seen.add(unit)
            item = Item(row, fields["product_id"], fields["seller_id"], price, freight)
            items.setdefault(unit[0], []).append(item)
    return items


def _payments(tables: Tables, gathering: Gathering) -> dict[str, list[Payment]]:
    payments: dict[str, list[Payment]] = {}
    for row, fields in tables.records("payments"):
        amount = money(fields["payment_value"])
        if amount is None:
            tables.reject("payments", row, Reason.UNREADABLE_NUMBER, "the value is no amount")
        elif not amount:
            gathering.used("payment of nothing")
        else:
            sequence = whole(fields["payment_sequential"])
            payment = Payment(sequence, fields["payment_type"], amount)
            payments.setdefault(fields["order_id"], []).append(payment)
    return payments


def _categories(tables: Tables) -> dict[str, str]:
    return {
        fields["product_category_name"]: fields["product_category_name_english"]
        for _, fields in tables.records("categories")
    }


def _count_reference(
    tables: Tables, gathering: Gathering, orders: Orders, goods: dict[str, Good]
) -> None:
    """The account of the tables that orders only refer to."""
    used = {
        "customers": len(orders.served),
        "sellers": len({seller for seller, _ in orders.sold}),
        "products": len({product for _, product in orders.sold} & goods.keys()),
    }
    for name, count in used.items():
        if not tables.has(name):
            continue
        reading = tables.readings[name]
        there = reading.read - reading.blank - reading.rejected
        gathering.took(f"{name} with orders", min(count, there))
        gathering.used(f"{name} without orders", there - min(count, there))
    for record in tables.records("reviews"):
        del record
    if tables.has("reviews"):
        reading = tables.readings["reviews"]
        gathering.used("review", reading.read - reading.blank - reading.rejected)


def _provide(gathering: Gathering, tables: Tables) -> None:
    report, seed = gathering.report, f"seed {gathering.seed}"
    report.real("orders, items, prices, freight", "olist_orders, olist_order_items")
    for name, what in (
        ("payments", "payments, vouchers"),
        ("customers", "customers' places"),
        ("sellers", "nodes' places (sellers)"),
        ("products", "product weights, sizes"),
    ):
        if tables.has(name):
            report.real(what, f"olist_{name}")
        else:
            report.filled(what, seed)
    for what in ("streets, names", "costs", "hours, cut-offs", "times of cancellations"):
        report.filled(what, seed)
