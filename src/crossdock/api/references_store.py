"""What other systems call our things."""

from __future__ import annotations

from collections.abc import Sequence

from crossdock.db import Connection


def our_ids(
    connection: Connection, kind: str, references: Sequence[tuple[str, str, str]]
) -> dict[tuple[str, str, str], str]:
    """Our ids by (system, company, external id); what nobody knows is left out."""
    rows = connection.execute(
        """
        SELECT r.system, r.company, r.external_id, r.our_id
        FROM unnest(%s::text[], %s::text[], %s::text[]) AS v (system, company, external_id)
        JOIN external_ref r ON r.kind = %s AND r.system = v.system AND r.company = v.company
                           AND r.external_id = v.external_id
        """,
        (*([list(column) for column in zip(*references, strict=True)] or [[], [], []]), kind),
        prepare=True,
    ).fetchall()
    return {(row[0], row[1], row[2]): row[3] for row in rows}
