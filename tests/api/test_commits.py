"""Writes that share a commit: durable together, and only what is bad fails."""

from __future__ import annotations

import asyncio
import threading
from collections.abc import Sequence
from contextlib import closing
from datetime import UTC, datetime
from typing import Any, cast

import pytest

from crossdock import db
from crossdock.api.commits import GroupCommit
from crossdock.api.problems import ApiProblem
from crossdock.kernel.clock import VirtualClock

CLOCK = VirtualClock(datetime(2026, 11, 3, tzinfo=UTC))


class Shelf:
    """A table of numbers; `gate` keeps the first transaction until it is opened."""

    def __init__(self, url: str) -> None:
        self.url = url
        self.gate = threading.Event()
        self.gate.set()
        self.batches: list[list[int]] = []
        self.opened: list[db.Connection] = []
        with db.connect(url) as connection:
            connection.execute("CREATE TABLE shelf (number int PRIMARY KEY CHECK (number > 0))")

    def connect(self) -> db.Connection:
        self.opened.append(db.connect(self.url))
        return self.opened[-1]

    def write(self, connection: db.Connection, numbers: Sequence[int], now: datetime) -> list[int]:
        assert self.gate.wait(10)
        self.batches.append(list(numbers))
        connection.execute("INSERT INTO shelf SELECT unnest(%s::int[])", [list(numbers)])
        return [number * 10 for number in numbers]

    def numbers(self) -> list[int]:
        with db.connect(self.url) as connection:
            return [n for (n,) in connection.execute("SELECT number FROM shelf ORDER BY number")]


@pytest.fixture
def shelf(database_url: str) -> Shelf:
    return Shelf(database_url)


def put_all(group: GroupCommit[int, int], shelf: Shelf, numbers: Sequence[int]) -> list[Any]:
    """The first one goes alone; the others gather while it is written."""

    async def run() -> list[Any]:
        shelf.gate.clear()
        first = asyncio.create_task(group.put(numbers[0]))
        await asyncio.sleep(0.05)
        rest = [asyncio.create_task(group.put(number)) for number in numbers[1:]]
        await asyncio.sleep(0)
        shelf.gate.set()
        return await asyncio.gather(first, *rest, return_exceptions=True)

    return asyncio.run(run())


def test_what_comes_during_a_commit_shares_the_next_one(shelf: Shelf) -> None:
    seen: list[int] = []

    def observe(name: str, items: int, seconds: float) -> None:
        seen.append(items)

    with closing(GroupCommit("shelf", shelf.write, shelf.connect, CLOCK, observe=observe)) as group:
        assert put_all(group, shelf, [1, 2, 3, 4]) == [10, 20, 30, 40]
    assert shelf.batches == [[1], [2, 3, 4]]
    assert seen == [1, 3]
    assert shelf.numbers() == [1, 2, 3, 4]


def test_only_the_bad_one_of_a_batch_fails(shelf: Shelf) -> None:
    with closing(GroupCommit("shelf", shelf.write, shelf.connect, CLOCK)) as group:
        found = put_all(group, shelf, [1, 2, -3, 4, 5])
    assert [result for result in found if isinstance(result, int)] == [10, 20, 40, 50]
    assert "shelf_number_check" in str(found[2])
    assert shelf.numbers() == [1, 2, 4, 5]


def test_a_lost_connection_is_opened_again_and_the_batch_written(shelf: Shelf) -> None:
    with closing(GroupCommit("shelf", shelf.write, shelf.connect, CLOCK)) as group:
        assert asyncio.run(group.put(1)) == 10
        with db.connect(shelf.url, autocommit=True) as admin:
            admin.execute("SELECT pg_terminate_backend(%s)", [shelf.opened[0].info.backend_pid])
        assert asyncio.run(group.put(2)) == 20
    assert len(shelf.opened) == 2
    assert shelf.numbers() == [1, 2]


def test_a_full_queue_refuses_with_503_and_a_time_to_come_back(shelf: Shelf) -> None:
    with closing(GroupCommit("shelf", shelf.write, shelf.connect, CLOCK, most_waiting=2)) as group:
        found = put_all(group, shelf, [1, 2, 3, 4])
    assert found[:3] == [10, 20, 30]
    assert isinstance(found[3], ApiProblem)
    assert found[3].problem_type.status == 503
    assert "Retry-After" in found[3].headers
    assert shelf.numbers() == [1, 2, 3]


def test_closing_writes_what_waits(shelf: Shelf) -> None:
    group = GroupCommit("shelf", shelf.write, shelf.connect, CLOCK)

    async def put_and_go() -> None:
        task = asyncio.create_task(group.put(7))
        await asyncio.sleep(0)
        group.close()
        await task

    asyncio.run(put_and_go())
    assert shelf.numbers() == [7]


def test_an_item_weighs_as_much_as_it_holds(shelf: Shelf) -> None:
    def write(
        connection: db.Connection, items: Sequence[Sequence[int]], now: datetime
    ) -> list[int]:
        shelf.write(connection, [n for item in items for n in item], now)
        return [len(item) for item in items]

    group = GroupCommit("shelf", write, shelf.connect, CLOCK, most_items=3, weigh=len)
    with closing(group):
        found = put_all(cast(Any, group), shelf, cast(Any, [[1], [2, 3], [4, 5], [6]]))
    assert found == [1, 2, 2, 1]
    assert shelf.batches == [[1], [2, 3, 4, 5], [6]]


def test_under_load_a_commit_waits_for_more_and_a_lone_item_for_nobody(shelf: Shelf) -> None:
    group = GroupCommit("shelf", shelf.write, shelf.connect, CLOCK, gather_seconds=0.2)

    async def late(number: int, seconds: float) -> int:
        await asyncio.sleep(seconds)
        return await group.put(number)

    async def run() -> float:
        loop = asyncio.get_running_loop()
        await group.put(1)
        begun = loop.time()
        await group.put(2)
        alone = loop.time() - begun
        await asyncio.gather(*(group.put(number) for number in range(3, 8)))
        await asyncio.gather(late(8, 0.0), late(9, 0.1))
        return alone

    with closing(group):
        assert asyncio.run(run()) < 0.2
    assert shelf.batches[-1] == [8, 9]
