"""Statements of the benchmark of whole files."""

from __future__ import annotations

from crossdock import db
from crossdock.bench import store

EVERYTHING = 2**40


def postmaster(connection: db.Connection) -> int:
    """The process that all of the server's processes descend from."""
    row = connection.execute("SELECT pg_backend_pid()").fetchone()
    connection.commit()
    assert row is not None
    with open(f"/proc/{row[0]}/stat", encoding="ascii", errors="replace") as file:
        return int(file.read().rpartition(")")[2].split()[1])


def twins_of(connection: db.Connection, *tables: str) -> dict[str, list[bytes]]:
    """For each table an empty twin with all its indexes and checks, and the rows it is to take."""
    found = {}
    for table in tables:
        rows = store.sample_some(connection, table, EVERYTHING)
        twin = f"whole_twin_of_{table}"
        connection.execute(f"CREATE TABLE {twin} (LIKE {table} INCLUDING ALL)")
        connection.commit()
        found[twin] = rows
    return found


def drop(connection: db.Connection, *tables: str) -> None:
    connection.execute(f"DROP TABLE {', '.join(tables)}")
    connection.commit()


def sum_of(connection: db.Connection, table: str, column: str) -> int:
    """The sum of a column over all rows."""
    row = connection.execute(f"SELECT coalesce(sum({column}), 0) FROM {table}").fetchone()
    connection.commit()
    assert row is not None
    return int(row[0])
