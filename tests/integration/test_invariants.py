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


def test_a_file_without_a_rule_or_without_a_query_is_a_bug(tmp_path: Path) -> None:
    (tmp_path / "mute.sql").write_text("SELECT 1")
    with pytest.raises(AssertionError, match="states its rule"):
        invariants.load_invariants(tmp_path)
    (tmp_path / "mute.sql").write_text("-- Something holds.")
    with pytest.raises(AssertionError, match="no query"):
        invariants.load_invariants(tmp_path)


def test_all_invariants_hold_on_an_empty_database(connection: db.Connection) -> None:
    assert invariants.check(connection) == []
