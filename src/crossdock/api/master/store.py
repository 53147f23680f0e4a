"""Statements about references to other systems: one function each."""

from __future__ import annotations

from datetime import datetime

from crossdock.api.master.model import Reference, ReferenceSeen
from crossdock.db import Connection

Place = tuple[datetime, str, str, str]
"""changed_at, system, company, external id."""


def references(
    connection: Connection,
    kind: str,
    system: str | None,
    our_id: str | None,
    external_id: str | None,
    since: datetime,
    after: Place,
    limit: int,
) -> list[ReferenceSeen]:
    """References of a kind in the order of change, behind a place."""
    rows = connection.execute(
        """
        SELECT system, company, kind, external_id, our_id, changed_at FROM external_ref
        WHERE kind = %(kind)s AND kind <> 'order' AND changed_at >= %(since)s
          AND (changed_at, system, company, external_id)
              > (%(at)s, %(after_system)s, %(after_company)s, %(after_id)s)
          AND (%(system)s::text IS NULL OR system = %(system)s)
          AND (%(our_id)s::text IS NULL OR our_id = %(our_id)s)
          AND (%(external_id)s::text IS NULL OR external_id = %(external_id)s)
        ORDER BY changed_at, system, company, external_id LIMIT %(limit)s
        """,
        {
            "kind": kind,
            "system": system,
            "our_id": our_id,
            "external_id": external_id,
            "since": since,
            "at": after[0],
            "after_system": after[1],
            "after_company": after[2],
            "after_id": after[3],
            "limit": limit,
        },
    ).fetchall()
    names = ReferenceSeen.__struct_fields__
    return [ReferenceSeen(**dict(zip(names, row, strict=True))) for row in rows]


def is_there(connection: Connection, kind: str, our_id: str) -> bool:
    """Whether there is such a thing of ours."""
    row = connection.execute(
        """
        SELECT CASE %(kind)s
            WHEN 'node' THEN EXISTS (SELECT FROM node WHERE code = %(id)s)
            WHEN 'product' THEN EXISTS (SELECT FROM product WHERE sku = %(id)s)
            WHEN 'customer' THEN EXISTS (SELECT FROM party WHERE id::text = %(id)s)
            ELSE EXISTS (SELECT FROM fulfillment_order WHERE id::text = %(id)s) END
        """,
        {"kind": kind, "id": our_id},
    ).fetchone()
    return row is not None and bool(row[0])


def save_reference(connection: Connection, wanted: Reference) -> ReferenceSeen | None:
    """Make or change a reference; None when our thing has another one there already.

    What the system called it before is let go.
    """
    row = connection.execute(
        """
        INSERT INTO external_ref AS r (system, company, kind, external_id, our_id, changed_at)
        SELECT %(system)s, %(company)s, %(kind)s, %(external_id)s, %(our_id)s, clock_timestamp()
        WHERE NOT EXISTS (
            SELECT FROM external_ref other
            WHERE other.our_id = %(our_id)s AND other.kind = %(kind)s
              AND other.system = %(system)s AND other.company = %(company)s
              AND other.external_id <> %(external_id)s)
        ON CONFLICT (system, company, kind, external_id) DO UPDATE
        SET our_id = excluded.our_id,
            changed_at = CASE WHEN r.our_id = excluded.our_id THEN r.changed_at
                              ELSE excluded.changed_at END
        RETURNING r.system, r.company, r.kind, r.external_id, r.our_id, r.changed_at
        """,
        msgspec_fields(wanted),
    ).fetchone()
    if row is None:
        return None
    names = ReferenceSeen.__struct_fields__
    return ReferenceSeen(**dict(zip(names, row, strict=True)))


def msgspec_fields(wanted: Reference) -> dict[str, str]:
    """A reference's parts by name."""
    return {name: getattr(wanted, name) for name in wanted.__struct_fields__}


def drop_reference(
    connection: Connection, kind: str, system: str, company: str, external_id: str
) -> bool:
    """Forget a reference; whether there was one."""
    done = connection.execute(
        "DELETE FROM external_ref WHERE kind = %s AND system = %s AND company = %s"
        " AND external_id = %s",
        (kind, system, company, external_id),
    )
    return done.rowcount > 0
