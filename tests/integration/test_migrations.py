"""Migrations: numbered, forward only, recorded, and the same as the readable schema."""

from __future__ import annotations

import contextlib
import os
import re
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import psycopg
import pytest

from crossdock import db, postgres
from crossdock.kernel.errors import MigrationChanged, MigrationFailed, SchemaAhead, SchemaBehind
from crossdock.paths import schema_folder


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """Two small migrations."""
    (tmp_path / "0001_shelf.sql").write_text("CREATE TABLE shelf (n integer);")
    (tmp_path / "0002_books.sql").write_text(
        "CREATE TABLE book (title text); INSERT INTO shelf VALUES (1); INSERT INTO shelf VALUES (2)"
    )
    return tmp_path


@pytest.fixture
def empty(empty_database_url: str) -> Iterator[db.Connection]:
    with contextlib.closing(db.connect(empty_database_url)) as connection:
        yield connection


def test_each_migration_is_applied_once_in_order(empty: db.Connection, folder: Path) -> None:
    assert db.migrate(empty, folder) == ["0001_shelf", "0002_books"]
    assert db.migrate(empty, folder) == []
    assert db.migration_state(empty, folder) == db.MigrationState(("0001_shelf", "0002_books"), ())
    assert empty.execute("SELECT sum(n) FROM shelf").fetchone() == (3,)


def test_a_later_version_applies_only_what_is_new(empty: db.Connection, folder: Path) -> None:
    db.migrate(empty, folder)
    (folder / "0003_more.sql").write_text("ALTER TABLE book ADD COLUMN author text")
    assert db.migrate(empty, folder) == ["0003_more"]


def test_a_changed_migration_is_refused(empty: db.Connection, folder: Path) -> None:
    db.migrate(empty, folder)
    (folder / "0001_shelf.sql").write_text("CREATE TABLE shelf (n bigint);")
    with pytest.raises(MigrationChanged, match="0001_shelf"):
        db.migrate(empty, folder)


def test_line_ends_of_another_system_are_no_change(empty: db.Connection, folder: Path) -> None:
    (folder / "0001_shelf.sql").write_bytes(b"CREATE TABLE shelf (\n  n integer\n);\n")
    db.migrate(empty, folder)
    (folder / "0001_shelf.sql").write_bytes(b"CREATE TABLE shelf (\r\n  n integer\r\n);\r\n")
    assert db.migrate(empty, folder) == []


def test_a_database_of_a_newer_version_is_refused(empty: db.Connection, folder: Path) -> None:
    db.migrate(empty, folder)
    (folder / "0002_books.sql").unlink()
    with pytest.raises(SchemaAhead, match="0002_books"):
        db.migrate(empty, folder)


def test_a_failing_migration_leaves_nothing_of_itself(empty: db.Connection, folder: Path) -> None:
    (folder / "0002_books.sql").write_text("CREATE TABLE book (title text); SELECT 1 / 0")
    with pytest.raises(MigrationFailed, match=r"0002_books.*division by zero"):
        db.migrate(empty, folder)
    assert db.migration_state(empty, folder).applied == ("0001_shelf",)
    assert empty.execute("SELECT to_regclass('book')").fetchone() == (None,)


def test_two_migrations_of_one_number_are_a_bug(folder: Path) -> None:
    (folder / "0002_again.sql").write_text("SELECT 1")
    with pytest.raises(AssertionError, match="one number"):
        db.migrations(folder)


def test_the_migrations_of_this_version_are_numbered_without_a_gap() -> None:
    numbers = [migration.number for migration in db.migrations()]
    assert numbers == list(range(1, len(numbers) + 1))


def test_a_database_without_tables_is_behind(empty: db.Connection) -> None:
    if not db.migrations():
        pytest.skip("this version has no migrations yet")
    with pytest.raises(SchemaBehind, match="crossdock db migrate"):
        db.require_current_schema(empty)
    db.migrate(empty)
    db.require_current_schema(empty)


_MIGRATE = """
import sys
from pathlib import Path
from crossdock import db
connection = db.connect(sys.argv[1])
sys.stdin.readline()
print(*db.migrate(connection, Path(sys.argv[2])))
"""


def test_two_processes_at_once_apply_each_migration_once(
    empty_database_url: str, folder: Path
) -> None:
    for number in range(3, 12):
        (folder / f"{number:04}_more.sql").write_text(
            f"CREATE TABLE more_{number} (n integer); SELECT pg_sleep(0.02)"
        )
    processes = [
        subprocess.Popen(
            [sys.executable, "-c", _MIGRATE, empty_database_url, str(folder)],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
        )
        for _ in range(3)
    ]
    for process in processes:
        assert process.stdin is not None
        process.stdin.write("go\n")
        process.stdin.flush()
    applied = [name for process in processes for name in process.communicate()[0].split()]
    assert [process.returncode for process in processes] == [0, 0, 0]
    assert sorted(applied) == [migration.name for migration in db.migrations(folder)]


def test_the_readable_schema_equals_the_migrations(
    database_url: str, empty_database_url: str
) -> None:
    readable = schema_folder() / "schema.sql"
    if not readable.exists():
        pytest.skip("schema/schema.sql is not written yet")
    with contextlib.closing(psycopg.connect(empty_database_url, autocommit=True)) as connection:
        connection.execute(readable.read_bytes(), prepare=False)
    assert _dump(empty_database_url) == _dump(database_url)


def _dump(url: str) -> str:
    """What pg_dump says of the structure, without what names the run, and without the record."""
    program = postgres.BinariesOfWheel().folder / "pg_dump"
    done = subprocess.run(
        [
            program,
            "--schema-only",
            "--no-owner",
            "--no-privileges",
            "--exclude-table=schema_migration",
            f"--dbname={url}",
        ],
        env={**os.environ, "LC_ALL": "C"},
        capture_output=True,
        text=True,
        check=True,
    )
    return re.sub(r"(?m)^(\\(un)?restrict .*|-- Dumped .*)\n", "", done.stdout)
