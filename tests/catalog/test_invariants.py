"""What must hold across rows of master data is found broken when somebody breaks it by hand."""

from __future__ import annotations

from crossdock import db, invariants
from crossdock.catalog import store
from crossdock.engine.store import ensure_zone_shards
from tests.catalog.records import RETAILER

OURS = {"listings_do_not_overlap", "kits_are_made_of_goods", "zones_have_a_shard"}


def broken(connection: db.Connection) -> set[str]:
    return {found.invariant for found in invariants.check(connection)} & OURS


def test_a_retailer_as_it_should_be_breaks_none(connection: db.Connection) -> None:
    store.save_network(connection, RETAILER)
    ensure_zone_shards(connection, ["east"])

    assert broken(connection) == set()


def test_a_zone_without_shard_is_found(connection: db.Connection) -> None:
    store.save_network(connection, RETAILER)

    assert broken(connection) == {"zones_have_a_shard"}


def test_overlapping_listings_are_found(connection: db.Connection) -> None:
    store.save_network(connection, RETAILER)
    ensure_zone_shards(connection, ["east"])
    connection.execute(
        "INSERT INTO listing (channel, channel_sku, sku, valid_from) "
        "VALUES ('market', 'B00LAMP6', 'LAMP-STEEL', '2027-01-01')"
    )

    assert broken(connection) == {"listings_do_not_overlap"}


def test_kits_without_or_made_of_kits_are_found(connection: db.Connection) -> None:
    store.save_network(connection, RETAILER)
    ensure_zone_shards(connection, ["east"])
    for change in (
        "UPDATE product SET kind = 'kit' WHERE sku = 'LAMP-STEEL'",
        "UPDATE product SET kind = 'goods' WHERE sku = 'LAMP-SET'",
        "DELETE FROM kit_component WHERE kit = 'LAMP-SET'",
    ):
        connection.execute("SAVEPOINT before")
        connection.execute(change)
        assert broken(connection) == {"kits_are_made_of_goods"}, change
        connection.execute("ROLLBACK TO before")
