"""Single records of master data, and pages of them: one function per statement."""

from __future__ import annotations

from collections.abc import Collection, Sequence
from datetime import datetime
from typing import NamedTuple

from crossdock.catalog.model import Price
from crossdock.db import Connection


class Listed(NamedTuple):
    """A record as JSON, its key, and when it changed last."""

    key: str
    record: str
    changed_at: datetime


_PRODUCT = """
    SELECT row_to_json(whole)::text FROM (
        SELECT p.*,
               (SELECT coalesce(json_agg(json_build_array(component, quantity)
                                         ORDER BY component), '[]')
                FROM kit_component WHERE kit = p.sku) AS components,
               (SELECT coalesce(json_agg(json_build_object(
                           'unit', unit, 'base_quantity', base_quantity, 'gtin', gtin
                       ) ORDER BY base_quantity, unit), '[]')
                FROM product_pack WHERE product_pack.sku = p.sku) AS packs) AS whole
"""
_NODE = """
    SELECT row_to_json(whole)::text FROM (
        SELECT n.*,
               (SELECT coalesce(json_agg(json_build_object(
                           'weekday', weekday, 'opens', opens, 'closes', closes
                       ) ORDER BY weekday, opens), '[]')
                FROM node_opening WHERE node = n.code) AS openings,
               (SELECT coalesce(json_agg(json_build_object(
                           'day', day, 'opens', opens, 'closes', closes
                       ) ORDER BY day), '[]')
                FROM node_special_day WHERE node = n.code) AS special_days,
               (SELECT coalesce(json_agg(json_build_object(
                           'carrier', carrier, 'service', service, 'weekdays', weekdays, 'at', at
                       ) ORDER BY carrier, service, at), '[]')
                FROM node_cut_off WHERE node = n.code) AS cut_offs) AS whole
"""


def product_records(connection: Connection, skus: Collection[str]) -> dict[str, str]:
    """Products as JSON, by SKU."""
    # Of thousands at once, parts are grouped and joined: two look-ups for each would cost as much
    # as all the rest.
    rows = connection.execute(
        """
        WITH parts AS (
            SELECT kit, json_agg(json_build_array(component, quantity)
                                 ORDER BY component) AS components
            FROM kit_component WHERE kit = ANY (%(skus)s::text[]) GROUP BY kit
        ), packed AS (
            SELECT sku, json_agg(json_build_object(
                       'unit', unit, 'base_quantity', base_quantity, 'gtin', gtin
                   ) ORDER BY base_quantity, unit) AS packs
            FROM product_pack WHERE sku = ANY (%(skus)s::text[]) GROUP BY sku
        )
        SELECT p.sku, (SELECT row_to_json(whole)::text FROM (
                           SELECT p.*, coalesce(c.components, '[]') AS components,
                                  coalesce(k.packs, '[]') AS packs) AS whole)
        FROM product p LEFT JOIN parts c ON c.kit = p.sku LEFT JOIN packed k ON k.sku = p.sku
        WHERE p.sku = ANY (%(skus)s::text[])
        """,
        {"skus": sorted(skus)},
    ).fetchall()
    return dict(rows)


def node_records(connection: Connection, codes: Collection[str]) -> dict[str, str]:
    """Nodes as JSON, by code."""
    rows = connection.execute(
        f"SELECT n.code, ({_NODE}) FROM node n WHERE n.code = ANY (%s::text[])", (sorted(codes),)
    ).fetchall()
    return dict(rows)


def product_page(connection: Connection, after: str, limit: int) -> list[Listed]:
    """Products by SKU, behind one."""
    rows = connection.execute(
        f"""
        SELECT p.sku, ({_PRODUCT}), c.changed_at
        FROM product p JOIN master_data_change c ON c.kind = 'product' AND c.key = p.sku
        WHERE p.sku > %s ORDER BY p.sku LIMIT %s
        """,
        (after, limit),
    ).fetchall()
    return [Listed(*row) for row in rows]


def changed_products(
    connection: Connection, since: datetime, after: tuple[datetime, str], limit: int
) -> list[Listed]:
    """Products in the order of change, from `since` on and behind (changed_at, sku)."""
    rows = connection.execute(
        f"""
        SELECT p.sku, ({_PRODUCT}), c.changed_at
        FROM master_data_change c JOIN product p ON p.sku = c.key
        WHERE c.kind = 'product' AND c.changed_at >= %s AND (c.changed_at, c.key) > (%s, %s)
        ORDER BY c.changed_at, c.key LIMIT %s
        """,
        (since, *after, limit),
    ).fetchall()
    return [Listed(*row) for row in rows]


def node_page(
    connection: Connection, codes: Sequence[str] | None, after: str, limit: int
) -> list[Listed]:
    """Nodes by code, behind one; `codes` narrows them."""
    rows = connection.execute(
        f"""
        SELECT n.code, ({_NODE}), c.changed_at
        FROM node n JOIN master_data_change c ON c.kind = 'node' AND c.key = n.code
        WHERE n.code > %(after)s
          AND (%(codes)s::text[] IS NULL OR n.code = ANY (%(codes)s))
        ORDER BY n.code LIMIT %(limit)s
        """,
        {"after": after, "codes": None if codes is None else list(codes), "limit": limit},
    ).fetchall()
    return [Listed(*row) for row in rows]


def changed_nodes(
    connection: Connection,
    codes: Sequence[str] | None,
    since: datetime,
    after: tuple[datetime, str],
    limit: int,
) -> list[Listed]:
    """Nodes in the order of change, from `since` on and behind (changed_at, code)."""
    rows = connection.execute(
        f"""
        SELECT n.code, ({_NODE}), c.changed_at
        FROM master_data_change c JOIN node n ON n.code = c.key
        WHERE c.kind = 'node' AND c.changed_at >= %(since)s
          AND (c.changed_at, c.key) > (%(at)s, %(key)s)
          AND (%(codes)s::text[] IS NULL OR n.code = ANY (%(codes)s))
        ORDER BY c.changed_at, c.key LIMIT %(limit)s
        """,
        {
            "since": since,
            "at": after[0],
            "key": after[1],
            "codes": None if codes is None else list(codes),
            "limit": limit,
        },
    ).fetchall()
    return [Listed(*row) for row in rows]


def price_records(connection: Connection, skus: Collection[str]) -> dict[str, str]:
    """Prices as JSON, by SKU."""
    rows = connection.execute(
        "SELECT sku, json_build_object('sku', sku, 'currency', currency, 'price', price,"
        " 'cost', cost)::text FROM product WHERE sku = ANY (%s::text[])",
        (sorted(skus),),
    ).fetchall()
    return dict(rows)


def save_prices(connection: Connection, prices: Sequence[Price]) -> None:
    """Set prices of products that exist; what is as it was is not written again."""
    connection.execute(
        """
        UPDATE product p SET currency = v.currency, price = v.price, cost = v.cost
        FROM unnest(%s::text[], %s::text[], %s::bigint[], %s::bigint[])
             AS v (sku, currency, price, cost)
        WHERE p.sku = v.sku
          AND (p.currency, p.price, p.cost) IS DISTINCT FROM (v.currency, v.price, v.cost)
        """,
        (
            [one.sku for one in prices],
            [one.currency for one in prices],
            [one.price for one in prices],
            [one.cost for one in prices],
        ),
    )


def kinds_of(connection: Connection, skus: Collection[str]) -> dict[str, str]:
    """The kind of each of these products that exists."""
    rows = connection.execute(
        "SELECT sku, kind FROM product WHERE sku = ANY (%s::text[])", (sorted(skus),)
    ).fetchall()
    return dict(rows)


def owned_by_others(connection: Connection, kind: str, system: str) -> frozenset[str]:
    """Fields of a kind of record that another system owns: what this one sends is ignored."""
    rows = connection.execute(
        "SELECT field FROM field_owner WHERE object = %s AND system <> %s", (kind, system)
    ).fetchall()
    return frozenset(field for (field,) in rows)


def switch_off(connection: Connection, kept: str) -> int:
    """Products that a full file did not name are sold no more; returns how many.

    `kept` is the job whose file_named rows name the others.
    """
    return connection.execute(
        """
        UPDATE product p SET enabled = false
        FROM (SELECT o.sku FROM product o
              LEFT JOIN (SELECT DISTINCT unnest(skus) AS sku FROM file_named
                         WHERE job_id = %s::uuid) AS n ON n.sku = o.sku
              WHERE o.enabled AND n.sku IS NULL) AS gone
        WHERE p.sku = gone.sku
        """,
        (kept,),
    ).rowcount
