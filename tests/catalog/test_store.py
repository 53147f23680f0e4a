"""Master data comes back from the database as it went in, and every change is counted."""

from __future__ import annotations

from datetime import time

import msgspec
import psycopg
import pytest

from crossdock import db
from crossdock.catalog import store
from crossdock.catalog.errors import MasterDataRefused
from crossdock.catalog.model import Listing, Network, Node, Opening, Product, Zone
from tests.catalog.records import BRASS_LAMP, LAMP_SET, OAK_STREET, RETAILER


def test_a_whole_retailer_comes_back_as_it_was_saved(connection: db.Connection) -> None:
    store.save_network(connection, RETAILER)

    assert store.load_network(connection) == RETAILER


def test_saving_again_updates_and_replaces_what_hangs_on_a_record(
    connection: db.Connection,
) -> None:
    store.save_network(connection, RETAILER)
    sunday = (Opening(weekday=7, opens=time(12), closes=time(17)),)
    store.save_nodes(
        connection, [msgspec.structs.replace(OAK_STREET, openings=sunday, daily_capacity=None)]
    )
    store.save_products(connection, [msgspec.structs.replace(LAMP_SET, components=())])

    loaded = store.load_network(connection)

    node = next(node for node in loaded.nodes if node.code == "S014")
    assert node.openings == sunday
    assert node.daily_capacity is None
    assert node.cut_offs == OAK_STREET.cut_offs
    assert next(p for p in loaded.products if p.sku == "LAMP-SET").components == ()
    assert next(p for p in loaded.products if p.sku == "LAMP-BRASS") == BRASS_LAMP


def test_what_a_record_says_no_more_is_as_if_it_had_never_been_said(
    connection: db.Connection,
) -> None:
    store.save_network(connection, RETAILER)
    plain = Product(sku=BRASS_LAMP.sku, name="Lamp")
    assert BRASS_LAMP.weight_grams and BRASS_LAMP.gtin and BRASS_LAMP.attributes

    store.save_products(connection, [plain])

    found = next(p for p in store.load_network(connection).products if p.sku == plain.sku)
    assert found == plain


def test_every_change_counts_in_its_own_kind_also_one_made_by_hand(
    connection: db.Connection,
) -> None:
    store.save_network(connection, RETAILER)
    before = store.versions(connection)

    connection.execute("UPDATE product SET enabled = false WHERE sku = 'BULB-E27'")
    connection.execute("DELETE FROM node_opening WHERE node = 'S014'")

    after = store.versions(connection)
    assert after.products == before.products + 1
    assert after.network == before.network + 1
    assert after.channels == before.channels


def test_a_record_that_breaks_a_rule_is_refused_by_the_rules_name(
    connection: db.Connection,
) -> None:
    store.save_network(connection, RETAILER)
    nowhere = msgspec.structs.replace(OAK_STREET, code="S015", allocation_zone="moon")

    with pytest.raises(MasterDataRefused, match=r"node is in a known zone.*\(moon\)") as refused:
        with connection.transaction():
            store.save_nodes(connection, [nowhere])

    assert refused.value.constraint == "node_is_in_a_known_zone"
    assert [node.code for node in store.load_nodes(connection)] == ["DC1", "S014"]


@pytest.mark.parametrize(
    ("wrong", "constraint"),
    [
        ({"latitude": 91.0}, "node_latitude"),
        ({"longitude": None}, "node_has_both_coordinates"),
        ({"pick_failure_probability": 1.5}, "node_pick_failure_is_a_probability"),
        ({"cost_currency": ""}, "node_costs_have_a_currency"),
        ({"daily_capacity": -1}, "node_capacity_is_not_negative"),
    ],
)
def test_the_database_itself_keeps_nonsense_out(
    connection: db.Connection, wrong: dict[str, object], constraint: str
) -> None:
    store.save_network(connection, RETAILER)

    with pytest.raises(MasterDataRefused) as refused:
        store.save_nodes(connection, [msgspec.structs.replace(OAK_STREET, **wrong)])

    assert refused.value.constraint == constraint


def test_a_number_too_large_for_its_column_is_refused_not_a_crash(
    connection: db.Connection,
) -> None:
    heavy = Product(sku="ANVIL", name="Anvil", weight_grams=3_000_000_000)

    with pytest.raises(MasterDataRefused, match="product"):
        store.save_products(connection, [heavy])


def test_the_same_gtin_belongs_to_one_product(connection: db.Connection) -> None:
    store.save_network(connection, RETAILER)
    twin = Product(sku="LAMP-BRASS-2", name="Twin", gtin=BRASS_LAMP.gtin)

    with pytest.raises(MasterDataRefused) as refused:
        store.save_products(connection, [twin])

    assert refused.value.constraint == "product_gtin"


def test_a_retailer_of_real_size_goes_in_and_comes_out_whole(connection: db.Connection) -> None:
    network = Network(
        zones=(Zone(code="main", name="Main"),),
        nodes=tuple(
            Node(code=f"S{i:04}", name=f"Store {i}", country="US", time_zone="UTC")
            for i in range(602)
        ),
        products=tuple(Product(sku=f"SKU{i:06}", name=f"Product {i}") for i in range(20_001)),
    )

    store.save_network(connection, network)

    assert store.load_network(connection) == network


def test_erasing_a_person_leaves_no_personal_data_in_the_row(connection: db.Connection) -> None:
    party = "00000000-0000-8000-8000-000000000001"
    connection.execute(
        "INSERT INTO party (id, name, email, recorded_at) VALUES (%s, 'Ada', 'ada@example.com', "
        "'2026-11-01Z')",
        [party],
    )

    with pytest.raises(psycopg.errors.CheckViolation, match="erased_party_is_empty"):
        connection.execute("UPDATE party SET erased_at = '2026-11-02Z' WHERE id = %s", [party])


def test_an_external_reference_is_unique_both_ways(connection: db.Connection) -> None:
    insert = "INSERT INTO external_ref VALUES ('erp', 'us', 'order', %s, %s)"
    connection.execute(insert, ["4711", "ours-1"])

    for theirs, ours in (("4711", "ours-2"), ("4712", "ours-1")):
        with pytest.raises(psycopg.errors.UniqueViolation), connection.transaction():
            connection.execute(insert, [theirs, ours])


def test_a_listing_may_change_its_product_with_time(connection: db.Connection) -> None:
    store.save_network(connection, RETAILER)
    later = Listing(
        channel="market",
        channel_sku="B00LAMP6",
        sku="LAMP-STEEL",
        valid_from=OAK_STREET.special_days[0].day,
    )

    store.save_listings(connection, [later])

    assert [listing.sku for listing in store.load_listings(connection)] == [
        "LAMP-BRASS",
        "LAMP-STEEL",
    ]
