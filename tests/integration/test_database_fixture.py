"""The test session's own footing."""

import pytest

from crossdock import db


@pytest.mark.parametrize("round_", [1, 2])
def test_each_test_gets_a_database_of_its_own(connection: db.Connection, round_: int) -> None:
    connection.execute("CREATE TABLE trace (round_ integer)")
    connection.execute("INSERT INTO trace VALUES (%s)", [round_])
    connection.commit()
    assert connection.execute("SELECT round_ FROM trace").fetchall() == [(round_,)]


def test_identifiers_arrive_as_text_in_both_formats(connection: db.Connection) -> None:
    written = "01890a5d-ac96-774b-bcce-b302099a8057"
    for binary in (False, True):
        row = connection.execute("SELECT %s::uuid", [written], binary=binary).fetchone()
        assert row == (written,)
        rows = connection.execute("SELECT ARRAY[%s::uuid]", [written], binary=binary).fetchone()
        assert rows == ([written],)
