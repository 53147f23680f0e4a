"""Statements of the hot SKU benchmark."""

from __future__ import annotations

from crossdock import db

HOT, SHELF = "HOT-SKU", "hot-shelf"

ONE_ROW = f"""
UPDATE stock_level SET reserved = reserved + 1
WHERE sku = '{HOT}' AND node = '{SHELF}' AND owner = '' AND lot = '' AND sellable - reserved >= 1;
"""
"""The script pgbench runs: one conditional UPDATE, one transaction."""


def promised(connection: db.Connection) -> int:
    """Units of the hot SKU that are reserved at a node, by their rows."""
    return _units(
        connection,
        "SELECT coalesce(sum(quantity), 0) FROM reservation WHERE sku = %s AND node IS NOT NULL",
    )


def there(connection: db.Connection) -> int:
    """Units of the hot SKU on any shelf."""
    return _units(connection, "SELECT coalesce(sum(sellable), 0) FROM stock_level WHERE sku = %s")


def _units(connection: db.Connection, statement: str) -> int:
    row = connection.execute(statement, [HOT]).fetchone()
    connection.commit()
    assert row is not None
    return int(row[0])
