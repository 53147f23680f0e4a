"""Master data in PostgreSQL: each kind saved in one statement and loaded in one.

Records travel as JSON in both directions: the database fills its rows from them by column name and
hands rows back the same way, which is the fastest of the ways tried and keeps every type exact.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from functools import cache
from typing import Any, TypeVar

import msgspec
import psycopg

from crossdock import db
from crossdock.catalog.errors import MasterDataRefused
from crossdock.catalog.model import (
    Brand,
    Channel,
    HierarchyLink,
    LegalEntity,
    Listing,
    Network,
    Node,
    NodeGroup,
    NodeProduct,
    Product,
    Record,
    Region,
    ScopeSwitch,
    Versions,
    Zone,
    defaults_of,
)

R = TypeVar("R", bound=Record)

_to_json = msgspec.json.Encoder().encode

# Bounds the memory one statement's parameter takes on both sides.
_ROWS_PER_STATEMENT = 20_000


def save_network(connection: db.Connection, network: Network) -> None:
    """Insert or update all of it, what is referred to first. Stock is not the catalog's to keep.

    Nothing is deleted: what a file no longer names is switched off with `enabled = false`. The
    caller commits, and gives new zones their shards. Raises MasterDataRefused.
    """
    save_legal_entities(connection, network.legal_entities)
    save_brands(connection, network.brands)
    save_regions(connection, network.regions)
    save_zones(connection, network.zones)
    save_nodes(connection, network.nodes)
    save_node_groups(connection, network.node_groups)
    save_hierarchy(connection, network.hierarchy)
    save_scope_switches(connection, network.scope_switches)
    save_products(connection, network.products)
    save_node_products(connection, network.node_products)
    save_channels(connection, network.channels)
    save_listings(connection, network.listings)


def load_network(connection: db.Connection) -> Network:
    """Everything but stock, as of one snapshot, each kind in the order of its key."""
    with db.one_snapshot(connection):
        return Network(
            legal_entities=load_legal_entities(connection),
            brands=load_brands(connection),
            regions=load_regions(connection),
            zones=load_zones(connection),
            nodes=load_nodes(connection),
            node_groups=load_node_groups(connection),
            hierarchy=load_hierarchy(connection),
            scope_switches=load_scope_switches(connection),
            products=load_products(connection),
            node_products=load_node_products(connection),
            channels=load_channels(connection),
            listings=load_listings(connection),
        )


def versions(connection: db.Connection) -> Versions:
    """What a worker compares with what it has cached: three rows."""
    rows = connection.execute(
        "SELECT kind, version FROM master_data_version", prepare=True
    ).fetchall()
    return msgspec.convert(dict(rows), Versions)


def save_legal_entities(connection: db.Connection, entities: Sequence[LegalEntity]) -> None:
    """By code."""
    _upsert(connection, "legal_entity", ("code",), entities)


def save_brands(connection: db.Connection, brands: Sequence[Brand]) -> None:
    """By code."""
    _upsert(connection, "brand", ("code",), brands)


def save_regions(connection: db.Connection, regions: Sequence[Region]) -> None:
    """By code."""
    _upsert(connection, "region", ("code",), regions)


def save_zones(connection: db.Connection, zones: Sequence[Zone]) -> None:
    """By code. A new zone also needs its shard, which is the engine's."""
    _upsert(connection, "allocation_zone", ("code",), zones)


def save_nodes(connection: db.Connection, nodes: Sequence[Node]) -> None:
    """By code, with their calendars and cut-offs, which are replaced whole."""
    _upsert(connection, "node", ("code",), nodes)
    codes = [node.code for node in nodes]
    _replace(connection, "node_opening", "node", codes, [_of(n.code, n.openings) for n in nodes])
    _replace(
        connection, "node_special_day", "node", codes, [_of(n.code, n.special_days) for n in nodes]
    )
    _replace(connection, "node_cut_off", "node", codes, [_of(n.code, n.cut_offs) for n in nodes])


def save_node_groups(connection: db.Connection, groups: Sequence[NodeGroup]) -> None:
    """By code."""
    _upsert(connection, "node_group", ("code",), groups)


def save_hierarchy(connection: db.Connection, links: Sequence[HierarchyLink]) -> None:
    """By child, parent and first day."""
    _upsert(
        connection, "node_hierarchy", ("child_is_group", "child", "parent", "valid_from"), links
    )


def save_scope_switches(connection: db.Connection, switches: Sequence[ScopeSwitch]) -> None:
    """By brand, zone and method."""
    _upsert(connection, "scope_switch", ("brand", "allocation_zone", "method"), switches)


def save_products(connection: db.Connection, products: Sequence[Product]) -> None:
    """By SKU, with their kit components and packs, which are replaced whole."""
    _upsert(connection, "product", ("sku",), products)
    skus = [product.sku for product in products]
    kits = [
        [
            {"kit": product.sku, "component": part.sku, "quantity": part.quantity}
            for part in product.components
        ]
        for product in products
        if product.components
    ]
    _replace(connection, "kit_component", "kit", skus, kits)
    packs = [
        [{"sku": product.sku, **msgspec.structs.asdict(pack)} for pack in product.packs]
        for product in products
        if product.packs
    ]
    _replace(connection, "product_pack", "sku", skus, packs)


def save_node_products(connection: db.Connection, exceptions: Sequence[NodeProduct]) -> None:
    """By SKU and node."""
    _upsert(connection, "product_node", ("sku", "node"), exceptions)


def save_channels(connection: db.Connection, channels: Sequence[Channel]) -> None:
    """By code."""
    _upsert(connection, "channel", ("code",), channels)


def save_listings(connection: db.Connection, listings: Sequence[Listing]) -> None:
    """By channel, its SKU and first day."""
    _upsert(connection, "listing", ("channel", "channel_sku", "valid_from"), listings)


def load_legal_entities(connection: db.Connection) -> tuple[LegalEntity, ...]:
    """All, by code."""
    return _load(
        connection,
        "SELECT row_to_json(e)::text FROM legal_entity e ORDER BY code",
        LegalEntity,
    )


def load_brands(connection: db.Connection) -> tuple[Brand, ...]:
    """All, by code."""
    return _load(connection, "SELECT row_to_json(b)::text FROM brand b ORDER BY code", Brand)


def load_regions(connection: db.Connection) -> tuple[Region, ...]:
    """All, by code."""
    return _load(connection, "SELECT row_to_json(r)::text FROM region r ORDER BY code", Region)


def load_zones(connection: db.Connection) -> tuple[Zone, ...]:
    """All, by code."""
    return _load(
        connection, "SELECT row_to_json(z)::text FROM allocation_zone z ORDER BY code", Zone
    )


def load_nodes(connection: db.Connection) -> tuple[Node, ...]:
    """All, by code, with calendars and cut-offs in the order of their days and times."""
    # Grouped once and joined: a subquery per node would be 600 times three look-ups.
    return _load(
        connection,
        """
        WITH openings AS (
            SELECT node, json_agg(json_build_object(
                'weekday', weekday, 'opens', opens, 'closes', closes
            ) ORDER BY weekday, opens) AS openings
            FROM node_opening GROUP BY node
        ), special_days AS (
            SELECT node, json_agg(json_build_object(
                'day', day, 'opens', opens, 'closes', closes
            ) ORDER BY day) AS special_days
            FROM node_special_day GROUP BY node
        ), cut_offs AS (
            SELECT node, json_agg(json_build_object(
                'carrier', carrier, 'service', service, 'weekdays', weekdays, 'at', at
            ) ORDER BY carrier, service, at) AS cut_offs
            FROM node_cut_off GROUP BY node
        )
        SELECT row_to_json(whole)::text FROM (
            SELECT node.*,
                   coalesce(openings, '[]') AS openings,
                   coalesce(special_days, '[]') AS special_days,
                   coalesce(cut_offs, '[]') AS cut_offs
            FROM node
            LEFT JOIN openings ON openings.node = node.code
            LEFT JOIN special_days ON special_days.node = node.code
            LEFT JOIN cut_offs ON cut_offs.node = node.code
        ) whole ORDER BY code
        """,
        Node,
    )


def load_node_groups(connection: db.Connection) -> tuple[NodeGroup, ...]:
    """All, by code."""
    return _load(
        connection, "SELECT row_to_json(g)::text FROM node_group g ORDER BY code", NodeGroup
    )


def load_hierarchy(connection: db.Connection) -> tuple[HierarchyLink, ...]:
    """All links ever, nodes before groups, each child's in the order of time."""
    return _load(
        connection,
        """
        SELECT row_to_json(h)::text FROM node_hierarchy h
        ORDER BY child_is_group, child, valid_from, parent
        """,
        HierarchyLink,
    )


def load_scope_switches(connection: db.Connection) -> tuple[ScopeSwitch, ...]:
    """All, by brand, zone and method."""
    return _load(
        connection,
        """
        SELECT row_to_json(s)::text FROM scope_switch s ORDER BY brand, allocation_zone, method
        """,
        ScopeSwitch,
    )


def load_products(connection: db.Connection) -> tuple[Product, ...]:
    """All, by SKU; components by SKU, packs from the smallest."""
    return _load(
        connection,
        """
        WITH components AS (
            SELECT kit, json_agg(json_build_array(component, quantity) ORDER BY component)
                   AS components
            FROM kit_component GROUP BY kit
        ), packs AS (
            SELECT sku, json_agg(json_build_object(
                'unit', unit, 'base_quantity', base_quantity, 'gtin', gtin
            ) ORDER BY base_quantity, unit) AS packs
            FROM product_pack GROUP BY sku
        )
        SELECT row_to_json(whole)::text FROM (
            SELECT product.*,
                   coalesce(components, '[]') AS components,
                   coalesce(packs, '[]') AS packs
            FROM product
            LEFT JOIN components ON components.kit = product.sku
            LEFT JOIN packs ON packs.sku = product.sku
        ) whole ORDER BY sku
        """,
        Product,
    )


def load_node_products(connection: db.Connection) -> tuple[NodeProduct, ...]:
    """All exceptions, by SKU and node."""
    return _load(
        connection,
        "SELECT row_to_json(p)::text FROM product_node p ORDER BY sku, node",
        NodeProduct,
    )


def load_channels(connection: db.Connection) -> tuple[Channel, ...]:
    """All, by code."""
    return _load(connection, "SELECT row_to_json(c)::text FROM channel c ORDER BY code", Channel)


def load_listings(connection: db.Connection) -> tuple[Listing, ...]:
    """All ever, by channel, its SKU and time."""
    return _load(
        connection,
        "SELECT row_to_json(l)::text FROM listing l ORDER BY channel, channel_sku, valid_from",
        Listing,
    )


def _load(connection: db.Connection, statement: str, record: type[R]) -> tuple[R, ...]:
    decode: Callable[[str], R] = msgspec.json.Decoder(record).decode
    # Rows come in the order of "C" columns, whatever collation the database has.
    rows = connection.execute(statement).fetchall()
    return tuple(decode(text) for (text,) in rows)


def _upsert(
    connection: db.Connection, table: str, key: tuple[str, ...], records: Sequence[Record]
) -> None:
    for start in range(0, len(records), _ROWS_PER_STATEMENT):
        chunk = records[start : start + _ROWS_PER_STATEMENT]
        record = type(chunk[0])
        statement = _upsert_statement(table, key, _columns(record))
        # What JSON of a record leaves out, the database fills in faster than it is sent.
        _write(connection, table, statement, defaults_of(record), chunk)


def _replace(
    connection: db.Connection,
    table: str,
    owner: str,
    owners: Sequence[str],
    rows_of_owners: Sequence[Sequence[dict[str, Any]]],
) -> None:
    rows = [row for rows in rows_of_owners for row in rows]
    if owners:
        connection.execute(
            f"DELETE FROM {table} WHERE {owner} = ANY(%s)",
            [list(owners)],
        )
    if rows:
        statement = (
            f"INSERT INTO {table} SELECT * FROM json_populate_recordset(null::{table}, %s::json)"
        )
        _write(connection, table, statement, rows)


def _write(connection: db.Connection, table: str, statement: str, *parameters: object) -> None:
    try:
        connection.execute(statement, [_to_json(one).decode() for one in parameters])
    except (psycopg.errors.IntegrityError, psycopg.errors.DataError) as error:
        raise MasterDataRefused(
            error.diag.table_name or table,
            error.diag.constraint_name or error.diag.column_name or "a rule of the table",
            error.diag.message_detail or error.diag.message_primary or "",
        ) from error


@cache
def _columns(record: type[Record]) -> tuple[str, ...]:
    """A record's fields that are columns of its own table; the others have tables of theirs."""
    elsewhere = {"openings", "special_days", "cut_offs", "components", "packs"}
    return tuple(name for name in record.__struct_fields__ if name not in elsewhere)


def _upsert_statement(table: str, key: tuple[str, ...], columns: tuple[str, ...]) -> str:
    names = ", ".join(columns)
    new = ", ".join(f"excluded.{name}" for name in columns)
    # What is as it was is not written again. Tables, keys and columns are ours, never a user's.
    return f"""
        INSERT INTO {table} ({names})
        SELECT {names} FROM json_populate_recordset(
            json_populate_record(null::{table}, %s::json), %s::json)
        ON CONFLICT ({", ".join(key)}) DO UPDATE SET ({names}) = ROW ({new})
        WHERE {table} IS DISTINCT FROM excluded
    """


def _of(node: str, parts: Sequence[msgspec.Struct]) -> list[dict[str, Any]]:
    return [{"node": node, **msgspec.structs.asdict(part)} for part in parts]
