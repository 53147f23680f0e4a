"""The statements of ordering: what intake writes, what checks read, holds, tasks and claims."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime
from typing import Any, NamedTuple

from crossdock import db
from crossdock.engine.transaction import Transaction
from crossdock.kernel.ids import Id
from crossdock.model.outside import OutsideAddress, OutsideParty

Row = tuple[Any, ...]


class ChannelTerms(NamedTuple):
    """How a channel sells."""

    enabled: bool
    methods: frozenset[str]
    zones: tuple[str, ...]
    on_invalid: str
    on_shortage: str
    paid: bool
    """The channel has the money already: its orders are never refused."""


class ZonePlace(NamedTuple):
    """An allocation zone, and about where its nodes are (degrees)."""

    code: str
    latitude: float | None
    longitude: float | None


# What checks read ---------------------------------------------------------------------------------


def master_data_versions(tx: Transaction) -> dict[str, int]:
    """Goes up with every change, by kind."""
    return dict(tx.fetch("SELECT kind, version FROM master_data_version"))


def channel_terms(tx: Transaction) -> dict[str, ChannelTerms]:
    """The terms of every channel."""
    rows = tx.fetch(
        "SELECT code, enabled, methods, zones, on_invalid, on_shortage, paid FROM channel"
    )
    return {
        code: ChannelTerms(enabled, frozenset(methods), tuple(zones), *others)
        for code, enabled, methods, zones, *others in rows
    }


def zone_places(tx: Transaction) -> list[ZonePlace]:
    """All zones by code, with the middle of their enabled nodes."""
    rows = tx.fetch(
        """
        SELECT z.code, avg(n.latitude), avg(n.longitude)
        FROM allocation_zone z
        LEFT JOIN node n ON n.allocation_zone = z.code AND n.enabled
        GROUP BY z.code ORDER BY z.code
        """
    )
    return [ZonePlace(*row) for row in rows]


def sold_skus(tx: Transaction) -> frozenset[str]:
    """Every SKU that may be sold."""
    return frozenset(sku for (sku,) in tx.fetch("SELECT sku FROM product WHERE enabled"))


def known_nodes(tx: Transaction) -> frozenset[str]:
    """Every node there is, also one that is switched off."""
    return frozenset(code for (code,) in tx.fetch("SELECT code FROM node"))


def recent_orders(tx: Transaction, wanted: Sequence[tuple[str, datetime]]) -> list[int]:
    """Orders of each customer in the 24 hours before each time, in the order given."""
    rows = tx.fetch(
        """
        SELECT (SELECT count(*) FROM sales_order o
                WHERE o.customer_id = v.customer_id
                  AND o.placed_at BETWEEN v.at - interval '24 hours' AND v.at)
        FROM unnest(%s::uuid[], %s::timestamptz[]) WITH ORDINALITY AS v (customer_id, at, place)
        ORDER BY v.place
        """,
        ([customer for customer, _ in wanted], [at for _, at in wanted]),
    )
    return [count for (count,) in rows]


# Holds, tasks, claims ----------------------------------------------------------------------------


def insert_holds(tx: Transaction, holds: Sequence[Row], tasks: Sequence[Row]) -> None:
    """Holds (order_id, name, placed_at, group_number, detail) and the task of each."""
    tx.execute(
        """
        INSERT INTO hold (order_id, name, placed_at, group_number, detail)
        SELECT * FROM unnest(%s::uuid[], %s::text[], %s::timestamptz[], %s::int[], %s::text[])
        ON CONFLICT (order_id, name, placed_at) DO NOTHING
        """,
        _columns(holds),
    )
    tx.execute(
        """
        INSERT INTO task (id, order_id, opened_at, kind, team, subject, detail)
        SELECT * FROM unnest(%s::uuid[], %s::uuid[], %s::timestamptz[], %s::text[], %s::text[],
                             %s::text[], %s::text[])
        ON CONFLICT (id) DO NOTHING
        """,
        _columns(tasks),
    )


def lift_holds(tx: Transaction, lifted: Sequence[Row]) -> None:
    """End standing holds: (order_id, name, approved, lifted_at, actor); their tasks are closed."""
    columns = _columns(lifted)
    tx.execute(
        """
        UPDATE hold h SET lifted_at = v.lifted_at, approved = v.approved, lifted_by = v.actor
        FROM unnest(%s::uuid[], %s::text[], %s::bool[], %s::timestamptz[], %s::text[])
             AS v (order_id, name, approved, lifted_at, actor)
        WHERE h.order_id = v.order_id AND h.name = v.name AND h.lifted_at IS NULL
        """,
        columns,
    )
    tx.execute(
        """
        UPDATE task t SET status = CASE WHEN v.approved THEN 'done'
                                        WHEN v.actor = '' THEN 'withdrawn' ELSE 'rejected' END,
               closed_at = v.lifted_at, closed_by = v.actor
        FROM unnest(%s::uuid[], %s::text[], %s::bool[], %s::timestamptz[], %s::text[])
             AS v (order_id, name, approved, lifted_at, actor)
        WHERE t.order_id = v.order_id AND t.kind = 'hold ' || v.name AND t.status = 'open'
        """,
        columns,
    )


def insert_claims(tx: Transaction, claims: Sequence[Row]) -> None:
    """Return claims: (id, order_id, claimed_at, line_number, quantity, amount, reason)."""
    tx.execute(
        """
        INSERT INTO return_claim (id, order_id, claimed_at, line_number, quantity, amount, reason)
        SELECT * FROM unnest(%s::uuid[], %s::uuid[], %s::timestamptz[], %s::int[], %s::int[],
                             %s::bigint[], %s::text[])
        ON CONFLICT (id) DO NOTHING
        """,
        _columns(claims),
    )


# What intake writes ------------------------------------------------------------------------------


def name_orders(
    connection: db.Connection, orders: Sequence[tuple[str, str, str]]
) -> dict[tuple[str, str], str]:
    """Keep (channel, number, id) for good; returns the id each (channel, number) has."""
    rows = connection.execute(
        """
        INSERT INTO external_ref (system, kind, external_id, our_id)
        SELECT channel, 'order', number, id
        FROM unnest(%s::text[], %s::text[], %s::text[]) AS v (channel, number, id)
        ON CONFLICT DO NOTHING RETURNING system, external_id, our_id
        """,
        _columns(sorted(orders)),  # One order of locks for all who write here.
        prepare=True,
    ).fetchall()
    named = {(channel, number): our_id for channel, number, our_id in rows}
    others = [(channel, number) for channel, number, _ in orders if (channel, number) not in named]
    return named | known_orders(connection, others) if others else named


def known_orders(
    connection: db.Connection, numbers: Sequence[tuple[str, str]]
) -> dict[tuple[str, str], str]:
    """The ids of those (channel, number) that an order has already."""
    # One look into the index for each, whatever the planner believes of the table's size: right
    # after the start it is thought to be small, and would be read as a whole.
    rows = connection.execute(
        """
        SELECT v.channel, v.number, r.our_id
        FROM unnest(%s::text[], %s::text[]) AS v (channel, number),
             LATERAL (SELECT our_id FROM external_ref
                      WHERE system = v.channel AND company = '' AND kind = 'order'
                        AND external_id = v.number LIMIT 1) r
        """,
        _columns(numbers),
        prepare=True,
    ).fetchall()
    return {(channel, number): our_id for channel, number, our_id in rows}


def kept_parties(connection: db.Connection, ids: Sequence[Id]) -> dict[Id, dict[str, object]]:
    """What is kept of these parties, by the names of OutsideParty; nothing of the erased."""
    rows = connection.execute(
        "SELECT id, kind, name, company, email, phone, language FROM party"
        " WHERE id = ANY(%s::uuid[]) AND erased_at IS NULL",
        [list(ids)],
    ).fetchall()
    fields = ("kind", "name", "company", "email", "phone", "language")
    return {row[0]: dict(zip(fields, row[1:], strict=True)) for row in rows}


def kept_addresses(connection: db.Connection, ids: Sequence[Id]) -> dict[Id, dict[str, object]]:
    """What is kept of these addresses, by the names of OutsideAddress; nothing of the erased."""
    rows = connection.execute(
        "SELECT id, lines, city, administrative_area, instructions FROM address"
        " WHERE id = ANY(%s::uuid[]) AND erased_at IS NULL",
        [list(ids)],
    ).fetchall()
    fields = ("lines", "city", "administrative_area", "instructions")
    return {row[0]: dict(zip(fields, row[1:], strict=True)) for row in rows}


def save_parties(
    connection: db.Connection, parties: Sequence[tuple[Id, OutsideParty]], now: datetime
) -> None:
    """New parties, and what known ones tell anew; who was erased stays erased."""
    rows = [
        (key, p.kind, p.name, p.company, p.email, p.phone, p.language, now) for key, p in parties
    ]
    if rows:
        connection.execute(
            """
            INSERT INTO party AS p (id, kind, name, company, email, phone, language, recorded_at)
            SELECT * FROM unnest(%s::uuid[], %s::text[], %s::text[], %s::text[], %s::text[],
                                 %s::text[], %s::text[], %s::timestamptz[])
            ON CONFLICT (id) DO UPDATE
            SET (kind, name, company, email, phone, language, recorded_at)
              = (excluded.kind, excluded.name, excluded.company, excluded.email, excluded.phone,
                 excluded.language, excluded.recorded_at)
            WHERE p.erased_at IS NULL
              AND (p.kind, p.name, p.company, p.email, p.phone, p.language)
                  IS DISTINCT FROM (excluded.kind, excluded.name, excluded.company,
                                    excluded.email, excluded.phone, excluded.language)
            """,
            _columns(rows),
            prepare=True,
        )


def save_addresses(
    connection: db.Connection,
    addresses: Sequence[tuple[Id, Id | None, OutsideAddress]],
    now: datetime,
) -> None:
    """New addresses; one of an order that came before is as it was."""
    rows = [
        (
            key,
            party,
            "\n".join(a.lines),
            a.city,
            a.administrative_area,
            a.postal_code,
            a.country,
            a.instructions,
            now,
        )
        for key, party, a in addresses
    ]
    if rows:
        connection.execute(
            """
            INSERT INTO address (id, party_id, lines, city, administrative_area, postal_code,
                                 country, instructions, recorded_at)
            SELECT id, party_id, string_to_array(lines, E'\\n'), city, administrative_area,
                   postal_code, country, instructions, recorded_at
            FROM unnest(%s::uuid[], %s::uuid[], %s::text[], %s::text[], %s::text[], %s::text[],
                        %s::text[], %s::text[], %s::timestamptz[])
                 AS v (id, party_id, lines, city, administrative_area, postal_code, country,
                       instructions, recorded_at)
            ON CONFLICT (id) DO NOTHING
            """,
            _columns(rows),
            prepare=True,
        )


def _columns(rows: Sequence[Row]) -> list[list[Any]]:
    return [list(column) for column in zip(*rows, strict=True)]
