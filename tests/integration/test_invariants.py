"""Invariants: a rule in a sentence, and a query that finds the rows which break it."""

from __future__ import annotations

import contextlib
from pathlib import Path

import pytest

from crossdock import db, invariants

_RULE = """\
-- No shelf holds
-- more than ten books.
SELECT shelf, books FROM shelf WHERE books > 10 ORDER BY shelf;
"""


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    (tmp_path / "shelf_is_not_overfull.sql").write_text(_RULE)
    (tmp_path / "shelf_has_a_name.sql").write_text(
        "-- Every shelf has a name.\nSELECT shelf FROM shelf WHERE shelf IS NULL"
    )
    return tmp_path


def test_each_row_that_breaks_a_rule_is_returned_with_the_rule(
    empty_database_url: str, folder: Path
) -> None:
    with contextlib.closing(db.connect(empty_database_url)) as connection:
        connection.execute("CREATE TABLE shelf (shelf text, books integer)")
        connection.execute("INSERT INTO shelf VALUES ('A', 10), ('B', 11), ('C', 400)")
        connection.commit()
        found = invariants.check(connection, folder)
        assert [violation.row for violation in found] == [
            (("shelf", "B"), ("books", 11)),
            (("shelf", "C"), ("books", 400)),
        ]
        assert {violation.rule for violation in found} == {"No shelf holds more than ten books."}
        assert str(found[0]) == "shelf_is_not_overfull: shelf=B, books=11"
        assert len(invariants.check(connection, folder, rows_per_rule=1)) == 1
        connection.execute("UPDATE shelf SET books = 1")
        assert invariants.check(connection, folder) == []


def refusal(connection: db.Connection, folder: Path) -> str:
    with pytest.raises(invariants.InvariantRefused) as refused:
        invariants.check(connection, folder)
    connection.rollback()
    return refused.value.problem


def test_a_file_that_states_no_rule_or_asks_nothing_is_named(
    connection: db.Connection, tmp_path: Path
) -> None:
    for text, problem in {
        "SELECT 1": "a comment that states its rule",
        "-- Something holds.": "no query",
        "-- Something holds.\nSET LOCAL work_mem = '1MB'": "not a query",
        "-- Something holds.\nSELECT books FROM pg_class": 'column "books" does not exist',
        "-- Something holds.\nSELECT FROM WHERE": "syntax error",
    }.items():
        (tmp_path / "mute.sql").write_text(text)
        said = refusal(connection, tmp_path)
        assert said.startswith("mute.sql cannot be used. ") and problem in said
    (tmp_path / "mute.sql").write_bytes(b"-- \xff")
    assert "mute.sql cannot be used. " in refusal(connection, tmp_path)


def test_a_folder_without_rules_is_refused(connection: db.Connection, tmp_path: Path) -> None:
    assert refusal(connection, tmp_path) == f"There are no rules in {tmp_path}."
    assert "no rules" in refusal(connection, tmp_path / "nowhere")


def test_all_invariants_hold_on_an_empty_database(connection: db.Connection) -> None:
    assert invariants.check(connection) == []
