"""Policies, candidates, capacity and decisions: one function per statement."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping, Sequence
from datetime import date, datetime
from typing import Any, NamedTuple

from crossdock.db import Connection
from crossdock.engine.transaction import Transaction

SEPARATOR = "\x1f"
"""Between the node codes of one parameter: one text per order is cheaper than 40 array elements."""


def add_policy(
    connection: Connection, version: str, name: str, toml: str, loaded_at: datetime
) -> None:
    """Keep a policy version; one that is known stays as it is."""
    connection.execute(
        "INSERT INTO sourcing_policy (version, name, toml, loaded_at) VALUES (%s, %s, %s, %s)"
        " ON CONFLICT (version) DO NOTHING",
        (version, name, toml, loaded_at),
    )


def activate_policy(
    connection: Connection, brand: str, channel: str, version: str, now: datetime
) -> None:
    """Put a version in force for a brand and channel ('' is all)."""
    connection.execute(
        "INSERT INTO active_sourcing_policy (brand, channel, version, activated_at)"
        " VALUES (%s, %s, %s, %s) ON CONFLICT (brand, channel)"
        " DO UPDATE SET version = excluded.version, activated_at = excluded.activated_at",
        (brand, channel, version, now),
    )


def active_policies(connection: Connection) -> dict[tuple[str, str], str]:
    """The version in force by (brand, channel)."""
    rows = connection.execute(
        "SELECT brand, channel, version FROM active_sourcing_policy", prepare=True
    ).fetchall()
    return {(brand, channel): version for brand, channel, version in rows}


def currencies_of_rates(connection: Connection) -> list[str]:
    """In which nodes state their cost rates, the most frequent first."""
    rows = connection.execute(
        "SELECT cost_currency FROM node WHERE cost_currency <> ''"
        " GROUP BY cost_currency ORDER BY count(*) DESC, cost_currency"
    ).fetchall()
    return [currency for (currency,) in rows]


def policy_text(connection: Connection, version: str) -> str | None:
    """The TOML of a version, as it was loaded."""
    row = connection.execute(
        "SELECT toml FROM sourcing_policy WHERE version = %s", (version,)
    ).fetchone()
    return None if row is None else str(row[0])


class Available(NamedTuple):
    """Where one SKU is free, at the nodes asked for."""

    sku: str
    nodes: list[str]
    units: list[int]
    is_divided: bool
    """Some of it is kept by owner or lot: a node may be named more than once."""


_FREE = """
    SELECT array_agg(l.node) AS nodes, array_agg(l.sellable - l.reserved) AS units,
           bool_or(l.owner <> '' OR l.lot <> '') AS is_divided
    FROM stock_level l
    WHERE l.sku = wanted.sku AND l.sellable > l.reserved AND NOT l.quarantined
      AND l.methods & wanted.bits <> 0
"""


def available_near(
    tx: Transaction, skus: Sequence[str], nodes: Sequence[str], bits: Sequence[int]
) -> list[Available]:
    """Free units of each SKU at its nodes (joined by SEPARATOR) for any of the methods in `bits`.

    An accepted order may take safety stock, so nothing is held back here.
    """
    rows = tx.fetch(
        f"""
        SELECT wanted.sku, free.nodes, free.units, free.is_divided
        FROM unnest(%s::text[], %s::text[], %s::smallint[]) AS wanted (sku, nodes, bits)
        CROSS JOIN LATERAL (
            {_FREE} AND l.node = ANY (string_to_array(wanted.nodes, '{SEPARATOR}'))) AS free
        WHERE free.nodes IS NOT NULL
        """,
        (list(skus), list(nodes), list(bits)),
    )
    return [Available(*row) for row in rows]


def available_in_zone(
    tx: Transaction, skus: Sequence[str], zone: str, bits: Sequence[int]
) -> list[Available]:
    """Free units of each SKU at all nodes of a zone, for any of the methods in `bits`."""
    rows = tx.fetch(
        f"""
        SELECT wanted.sku, free.nodes, free.units, free.is_divided
        FROM unnest(%s::text[], %s::smallint[]) AS wanted (sku, bits)
        CROSS JOIN LATERAL ({_FREE} AND l.zone = %s) AS free
        WHERE free.nodes IS NOT NULL
        """,
        (list(skus), list(bits), zone),
    )
    return [Available(*row) for row in rows]


class FreeLevel(NamedTuple):
    """Units of one owner and lot that are free at a node."""

    owner: str
    lot: str
    units: int
    lives_until: date
    """The lot's last day of life; `date.max` where none is known."""


def free_by_level(
    tx: Transaction, places: Collection[tuple[str, str]]
) -> dict[tuple[str, str], list[FreeLevel]]:
    """What is free by (SKU, node), the shortest life first."""
    rows = tx.fetch(
        """
        SELECT l.sku, l.node, l.owner, l.lot, l.sellable - l.reserved, t.expires_on
        FROM unnest(%s::text[], %s::text[]) AS wanted (sku, node)
        JOIN stock_level l ON l.sku = wanted.sku AND l.node = wanted.node
        LEFT JOIN lot t ON t.sku = l.sku AND t.lot = l.lot
        WHERE l.sellable > l.reserved AND NOT l.quarantined AND l.methods <> 0
        ORDER BY l.sku, l.node, t.expires_on, l.owner, l.lot
        """,
        ([sku for sku, _ in places], [node for _, node in places]),
    )
    found: dict[tuple[str, str], list[FreeLevel]] = {}
    for sku, node, owner, lot, units, expires_on in rows:
        level = FreeLevel(owner, lot, units, expires_on or date.max)
        found.setdefault((sku, node), []).append(level)
    return found


def capacity_used(tx: Transaction, first_day: date) -> dict[str, dict[date, int]]:
    """FulfillmentOrders by node and local day, from `first_day` on."""
    rows = tx.fetch(
        "SELECT node, array_agg(day), array_agg(used) FROM node_capacity WHERE day >= %s"
        " GROUP BY node",
        (first_day,),
    )
    return {node: dict(zip(days, used, strict=True)) for node, days, used in rows}


def add_capacity(tx: Transaction, added: Mapping[tuple[date, str], int]) -> None:
    """Count FulfillmentOrders given to nodes, in the order of day and node."""
    keys = sorted(added)
    tx.execute(
        "INSERT INTO node_capacity AS c (day, node, used)"
        " SELECT * FROM unnest(%s::date[], %s::text[], %s::int[])"
        " ON CONFLICT (day, node) DO UPDATE SET used = c.used + excluded.used",
        ([day for day, _ in keys], [node for _, node in keys], [added[key] for key in keys]),
    )


def give_capacity_back(tx: Transaction, freed: Mapping[tuple[date, str], int]) -> None:
    """The inverse of `add_capacity`, for work that has ended and sent nothing."""
    keys = sorted(freed)
    tx.execute(
        "UPDATE node_capacity c SET used = c.used - v.freed"
        " FROM unnest(%s::date[], %s::text[], %s::int[]) AS v (day, node, freed)"
        " WHERE c.day = v.day AND c.node = v.node",
        ([day for day, _ in keys], [node for _, node in keys], [freed[key] for key in keys]),
    )


def facts_are_kept(tx: Transaction, hash: bytes) -> tuple[bool, bool]:
    """Whether facts of that content are stored, and whether for good: not by this batch itself."""
    rows = tx.fetch("SELECT first_used_at < %s FROM planning_facts WHERE hash = %s", (tx.now, hash))
    return bool(rows), bool(rows) and bool(rows[0][0])


def keep_facts(tx: Transaction, hash: bytes, kind: str, body: bytes) -> None:
    """Store facts under the hash of their content."""
    tx.execute(
        "INSERT INTO planning_facts (hash, kind, body, first_used_at) VALUES (%s, %s, %s, %s)"
        " ON CONFLICT (hash) DO NOTHING",
        (hash, kind, body, tx.now),
    )


def planning_facts(connection: Connection, hash: bytes) -> bytes | None:
    """Stored facts by the hash of their content."""
    row = connection.execute(
        "SELECT body FROM planning_facts WHERE hash = %s", (hash,), binary=True
    ).fetchone()
    return None if row is None else bytes(row[0])


def add_batches(tx: Transaction, rows: Iterable[Sequence[Any]]) -> None:
    """Store planning runs: id, zone, decided_at, policy_version, network, orders, inputs."""
    tx.copy("planning_batch (id, zone, decided_at, policy_version, network, orders, inputs)", rows)


def add_decisions(tx: Transaction, rows: Iterable[Sequence[Any]]) -> None:
    """Store decisions: id, batch_id, order_id, attempt, zone, decided_at, body."""
    tx.copy("decision (id, batch_id, order_id, attempt, zone, decided_at, body)", rows)


def ensure_partitions(connection: Connection, first: datetime, last: datetime) -> list[str]:
    """Make the monthly partitions of decisions and planning runs from `first` to `last`.

    To be called ahead of time; a month whose rows lie in a default partition stays there.
    """
    rows = connection.execute("SELECT make_decision_partitions(%s, %s)", (first, last)).fetchall()
    return [name for (name,) in rows]


class StoredDecision(NamedTuple):
    """A decision as stored."""

    id: str
    batch_id: str
    order_id: str
    attempt: int
    zone: str
    decided_at: datetime
    body: bytes


def decisions_of(connection: Connection, order_id: str) -> list[StoredDecision]:
    """The decisions of an order, in the order in which they were made."""
    rows = connection.execute(
        "SELECT id, batch_id, order_id, attempt, zone, decided_at, body FROM decision"
        " WHERE order_id = %s::uuid ORDER BY decided_at, attempt, id",
        (order_id,),
        binary=True,
    ).fetchall()
    return [StoredDecision(*row) for row in rows]


class StoredBatch(NamedTuple):
    """A planning run as stored."""

    id: str
    zone: str
    decided_at: datetime
    policy_version: str
    network: bytes
    inputs: bytes


def planning_batch(connection: Connection, id: str, decided_at: datetime) -> StoredBatch | None:
    """A planning run; its time says in which partition it lies."""
    row = connection.execute(
        "SELECT id, zone, decided_at, policy_version, network, inputs FROM planning_batch"
        " WHERE id = %s::uuid AND decided_at = %s",
        (id, decided_at),
        binary=True,
    ).fetchone()
    return None if row is None else StoredBatch(*row)


class FoundOrder(NamedTuple):
    """An order a person may mean."""

    id: str
    channel: str
    number: str


def find_orders(connection: Connection, text: str) -> list[FoundOrder]:
    """Orders whose id, number or reference in another system is `text`."""
    rows = connection.execute(
        """
        SELECT id, channel, number FROM sales_order WHERE number = %(text)s OR id::text = %(text)s
        UNION
        SELECT o.id, o.channel, o.number FROM external_ref r JOIN sales_order o
          ON o.id::text = r.our_id
        WHERE r.kind = 'order' AND r.external_id = %(text)s
        ORDER BY channel, number, id
        """,
        {"text": text},
    ).fetchall()
    return [FoundOrder(*row) for row in rows]
