"""The scheduled check: what is broken becomes a Case, and a broken level offers nothing."""

from __future__ import annotations

import contextlib
from datetime import datetime, timedelta

import pytest

from crossdock import db, invariants
from crossdock.inventory import watch
from crossdock.inventory.model import LevelKey
from crossdock.inventory.watch import InvariantWatch, WatchLimits
from tests.inventory.stockroom import ELM, OAK, Stockroom

MUG_AT_OAK = LevelKey("mug", OAK)
HOUR = timedelta(hours=1)


@pytest.fixture
def watching(stockroom: Stockroom, database_url: str) -> Watching:
    stockroom.receive("mug", 8, OAK)
    stockroom.receive("mug", 5, ELM)
    return Watching(stockroom, database_url)


class Watching:
    """A stockroom with eight mugs at Oak and five at Elm, and a worker that watches it."""

    def __init__(self, room: Stockroom, url: str) -> None:
        self.room = room
        self.url = url
        self.connection = room.connection
        self.now: datetime = room.now
        self.watch = self.another_worker()

    def another_worker(self, statement_seconds: int = 10) -> InvariantWatch:
        limits = WatchLimits(statement_seconds=statement_seconds)
        return InvariantWatch(lambda: db.connect(self.url), limits)

    def check(self, by: InvariantWatch | None = None) -> None:
        """One whole check an hour after the last: begun by one minute's chore, ended by another."""
        by = by or self.watch
        for _ in range(2):
            by(self.connection, self.now)
            self.connection.commit()
            by.wait()
        self.now += HOUR

    def break_level(self, units: int = 1) -> None:
        """Somebody writes to the table by hand."""
        self.connection.execute(
            "UPDATE stock_level SET sellable = sellable + %s WHERE sku = 'mug' AND node = %s",
            (units, OAK),
        )
        self.connection.execute(
            "UPDATE stock_total SET sellable = sellable + %s, available = available + %s"
            " WHERE sku = 'mug'",
            (units, units),
        )
        self.connection.commit()

    def available(self) -> dict[str, int]:
        rows = self.connection.execute(
            "SELECT node, available FROM stock_level WHERE sku = 'mug'"
        ).fetchall()
        self.connection.commit()
        return dict(rows)

    def total(self) -> int:
        [[found]] = self.connection.execute(
            "SELECT sum(available)::int FROM stock_total WHERE sku = 'mug'"
        ).fetchall()
        self.connection.commit()
        return int(found)

    def cases(self, status: str = "open") -> list[tuple[str, str]]:
        rows = self.connection.execute(
            "SELECT kind, subject FROM case_file WHERE status = %s ORDER BY kind, subject",
            (status,),
        ).fetchall()
        self.connection.commit()
        return [(kind, subject) for kind, subject in rows]

    def result(self, rule: str) -> int | None:
        """How many rows the last check found, None where it was not read to the end."""
        [[found]] = self.connection.execute(
            "SELECT violations FROM invariant_check WHERE invariant = %s", (rule,)
        ).fetchall()
        self.connection.commit()
        return None if found is None else int(found)


def test_a_sound_stockroom_is_checked_without_a_word(watching: Watching) -> None:
    watching.check()

    assert watching.cases() == []
    assert watching.available() == {OAK: 8, ELM: 5}
    for rule in invariants.load_invariants():
        assert watching.result(rule.name) == 0


def test_a_broken_level_offers_nothing_and_has_a_case_until_it_is_repaired_and_lifted(
    watching: Watching,
) -> None:
    watching.break_level()
    assert watching.total() == 14

    watching.check()

    assert watching.available() == {OAK: 0, ELM: 5}
    assert watching.total() == 5
    assert watching.cases() == [("stock level quarantined", f"mug at {OAK}")]
    assert watch.quarantined(watching.connection, watching.now) == [MUG_AT_OAK]
    watching.connection.commit()

    refused = watch.lift(watching.connection, MUG_AT_OAK, watching.now)
    watching.connection.commit()
    assert refused is not None
    assert [one.invariant for one in refused.violations] == ["stock_level_is_fold_of_ledger"]
    assert watching.available() == {OAK: 0, ELM: 5}

    watching.connection.execute(
        "UPDATE stock_level SET sellable = 8 WHERE sku = 'mug' AND node = %s", (OAK,)
    )
    watching.connection.execute("UPDATE stock_total SET sellable = 13 WHERE sku = 'mug'")
    watching.connection.commit()
    assert watch.lift(watching.connection, MUG_AT_OAK, watching.now) is None
    watching.connection.commit()

    assert watching.available() == {OAK: 8, ELM: 5}
    assert watching.cases() == []
    assert watching.cases("closed") == [("stock level quarantined", f"mug at {OAK}")]
    assert watching.room.broken_rules() == []


def test_nothing_is_promised_from_a_level_in_quarantine(watching: Watching) -> None:
    watching.break_level()
    watching.check()

    assert watching.room.promise(1, "mug", 1, OAK) == 0
    assert watching.room.promise(2, "mug", 1, ELM) == 1


def test_another_broken_rule_is_one_case_and_closes_by_itself(watching: Watching) -> None:
    watching.connection.execute("UPDATE stock_total SET sellable = 99 WHERE sku = 'mug'")
    watching.connection.commit()
    watching.check()
    watching.check()
    assert watching.cases() == [("invariant broken", "stock_total_is_sum_of_levels")]
    assert watching.available() == {OAK: 8, ELM: 5}

    watching.connection.execute("UPDATE stock_total SET sellable = 13 WHERE sku = 'mug'")
    watching.connection.commit()
    watching.check()

    assert watching.cases() == []
    assert watching.result("stock_total_is_sum_of_levels") == 0


def test_master_data_that_levels_have_not_followed_yet_is_a_case_only_the_second_time(
    watching: Watching,
) -> None:
    watching.connection.execute("UPDATE node SET enabled = false WHERE code = %s", (OAK,))
    watching.connection.commit()

    watching.check()
    assert watching.cases() == []
    assert watching.result("levels_follow_master_data") == 1
    watching.check()

    assert watching.cases() == [("invariant broken", "levels_follow_master_data")]


def test_of_several_workers_one_checks_and_the_next_waits_for_its_hour(watching: Watching) -> None:
    watching.break_level()
    watching.check()
    watching.now -= HOUR / 2
    watching.connection.execute("DELETE FROM invariant_check")
    watching.connection.commit()

    watching.check(by=watching.another_worker())

    assert watching.connection.execute("SELECT count(*) FROM invariant_check").fetchone() == (0,)


def test_a_rule_that_takes_too_long_is_a_case_and_the_others_are_checked(
    watching: Watching,
) -> None:
    with contextlib.closing(db.connect(watching.url)) as blocking:
        blocking.execute("LOCK TABLE kit_component IN ACCESS EXCLUSIVE MODE")
        watching.check(by=watching.another_worker(statement_seconds=1))
        blocking.rollback()

    assert watching.cases() == [("invariant not checked", "kits_are_made_of_goods")]
    assert watching.result("kits_are_made_of_goods") is None
    assert watching.result("stock_level_is_fold_of_ledger") == 0
    watching.check()
    assert watching.cases() == []
