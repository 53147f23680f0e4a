"""`crossdock dead-letters` as an operator uses it."""

from __future__ import annotations

import pytest
from typer.testing import CliRunner

from crossdock import db
from crossdock.cli.main import app
from crossdock.engine import dead_letters
from crossdock.kernel.clock import VirtualClock
from tests.integration.engine.test_runner import put, runner_on, state_of
from tests.integration.engine.toy import NOON, Filled, Kicked, Poured, inbound


@pytest.fixture
def letter(
    connection: db.Connection, database_url: str, monkeypatch: pytest.MonkeyPatch
) -> dead_letters.DeadLetter:
    """A kicked kettle, with a pour waiting behind the kick."""
    monkeypatch.setenv("CROSSDOCK_DATABASE_URL", database_url)
    put(connection, inbound("blue", Filled(cups=1), "f"), inbound("blue", Kicked(), "k"))
    put(connection, inbound("blue", Poured(cups=1), "p"))
    runner_on(connection, VirtualClock(NOON)).run_until_idle()
    found = dead_letters.listed(connection)
    connection.commit()
    return found[0]


def test_a_dead_letter_is_listed_and_shown_with_its_trace(letter: dead_letters.DeadLetter) -> None:
    wide = {"COLUMNS": "250"}
    listed = CliRunner().invoke(app, ["dead-letters", "list"], env=wide)
    assert letter.id in listed.output and "fell off the stove" in listed.output
    shown = CliRunner().invoke(app, ["dead-letters", "show", letter.id], env=wide)
    assert "break_down" in shown.output and "1 messages wait behind it" in shown.output


def test_a_skipped_letter_lets_the_rest_go_on(
    connection: db.Connection, letter: dead_letters.DeadLetter
) -> None:
    assert CliRunner().invoke(app, ["dead-letters", "skip", letter.id]).exit_code == 0
    runner_on(connection, VirtualClock(NOON)).run_until_idle()
    assert state_of(connection, "blue").stage == "closed"
    assert "No dead letters" in CliRunner().invoke(app, ["dead-letters", "list"]).output


def test_a_retried_letter_goes_to_its_process_again(
    connection: db.Connection, letter: dead_letters.DeadLetter
) -> None:
    assert CliRunner().invoke(app, ["dead-letters", "retry", letter.id]).exit_code == 0
    assert dead_letters.listed(connection) == []
    assert runner_on(connection, VirtualClock(NOON)).run_until_idle().dead == 1


def test_an_unknown_id_is_told_and_the_others_are_decided(
    letter: dead_letters.DeadLetter,
) -> None:
    other = "01234567-89ab-8def-8123-456789abcdef"
    decided = CliRunner().invoke(app, ["dead-letters", "skip", other, letter.id])
    assert decided.exit_code == 1 and f"{letter.id} is skipped" in decided.output
    assert CliRunner().invoke(app, ["dead-letters", "skip", "blue"]).exit_code == 2
