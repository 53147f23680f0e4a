"""The small regular work: what is old is forgotten step by step, by one worker at a time."""

from __future__ import annotations

import contextlib
from datetime import timedelta
from typing import Any

from crossdock import db
from crossdock.engine import upkeep
from crossdock.engine.upkeep import Ages
from crossdock.engine.upkeep_store import drop_bodies, drop_hashes
from tests.integration.engine.test_runner import count
from tests.integration.engine.toy import NOON


def received(connection: db.Connection, days_ago: int, messages: int = 1) -> None:
    """Messages that were received together so long ago."""
    connection.execute(
        """
        INSERT INTO dedupe (hash, fingerprint, type, body, answer, recorded_at)
        SELECT decode(md5(%s || ' ' || n), 'hex'), '', 'pour', 'body', 'answer', %s
        FROM generate_series(1, %s) AS n
        """,
        (days_ago, NOON - timedelta(days=days_ago), messages),
    )
    connection.commit()


def kept(connection: db.Connection) -> list[tuple[int, int, int]]:
    """By age in days: how many are known, and of how many the body and the answer."""
    return connection.execute(
        "SELECT extract(day FROM %s - recorded_at)::int, count(body), count(answer) FROM dedupe"
        " GROUP BY recorded_at ORDER BY recorded_at DESC",
        (NOON,),
    ).fetchall()


def test_bodies_go_before_what_they_were_the_bodies_of(connection: db.Connection) -> None:
    for days in (0, 29, 31, 89, 91):
        received(connection, days)
    assert not upkeep.keep_up(connection, NOON)
    assert kept(connection) == [(0, 1, 1), (29, 1, 1), (31, 0, 0), (89, 0, 0)]


def test_a_full_step_asks_for_another_one(connection: db.Connection) -> None:
    for days in (31, 32, 33, 91, 92, 93):
        received(connection, days)
    steps = 1
    while upkeep.keep_up(connection, NOON, Ages(step_rows=2)):
        steps += 1
        connection.commit()
    assert kept(connection) == [(31, 0, 0), (32, 0, 0), (33, 0, 0)]
    assert steps <= 4


def test_bodies_that_came_together_go_together_and_each_is_looked_at_once(
    connection: db.Connection,
) -> None:
    received(connection, 33)
    received(connection, 32, messages=5)
    received(connection, 31)
    older_than = NOON - timedelta(days=30)
    assert [drop_bodies(connection, older_than, 2) for _ in range(3)] == [6, 1, 0]
    assert [bodies for _, bodies, _ in kept(connection)] == [0, 0, 0]
    received(connection, 30, messages=2)
    assert drop_bodies(connection, NOON, 100) == 2


def test_one_worker_at_a_time_keeps_up_and_the_others_do_not_wait(
    connection: db.Connection, database_url: str
) -> None:
    received(connection, 91)
    with contextlib.closing(db.connect(database_url)) as other:
        upkeep.keep_up(other, NOON)
        connection.execute("SET lock_timeout = '2s'")
        assert not upkeep.keep_up(connection, NOON), "partitions, too, are made by one"
        connection.commit()
        assert count(connection, "dedupe") == 1
        other.rollback()
    upkeep.keep_up(connection, NOON)
    assert count(connection, "dedupe") == 0


class Explaining:
    """A connection that explains each statement before it runs it."""

    def __init__(self, connection: db.Connection) -> None:
        self.connection = connection
        self.plans: list[str] = []

    def execute(self, statement: str, parameters: Any = (), **how: Any) -> Any:
        rows = self.connection.execute(f"EXPLAIN {statement}".encode(), parameters).fetchall()
        self.plans.append("\n".join(str(row[0]) for row in rows))
        return self.connection.execute(statement.encode(), parameters, **how)


def test_what_is_old_is_found_by_its_time_among_all_that_is_known(
    connection: db.Connection,
) -> None:
    for days in (0, 31, 91):
        received(connection, days, messages=2_000)
    connection.execute("ANALYZE dedupe")
    explaining: Any = Explaining(connection)
    assert drop_bodies(explaining, NOON - timedelta(days=30), 100) == 2_000
    assert drop_hashes(explaining, NOON - timedelta(days=90), 100) == 100
    for plan in explaining.plans:
        assert "dedupe_recorded_at" in plan and "dedupe_pkey" in plan, plan
        assert "Seq Scan on dedupe" not in plan, plan
