"""Hot statements stay on their indexes, updates stay in their page, locks do their work.

The plans are those of the very statements the code runs, over tables big enough for a choice.
"""

from __future__ import annotations

import contextlib
import threading
from collections.abc import Iterator, Sequence
from typing import Any

import psycopg
import pytest

from crossdock import db
from crossdock.bench import shelves, store
from crossdock.engine.transaction import Transaction
from crossdock.inventory.ats import network_ats, node_ats
from crossdock.inventory.facts.moves import take_moves
from crossdock.inventory.facts.station import InventoryFacts
from crossdock.inventory.model import Move, Want
from crossdock.inventory.store import apply_moves, reserve
from crossdock.model.messages import InventoryCounted, InventoryMoved, StockCount, StockMove
from tests.conftest import temporary_database
from tests.inventory.stockroom import MONDAY, Stockroom, at, order

pytestmark = pytest.mark.slow

BIG = ("stock_level", "stock_total", "stock_ledger_2026_11", "stock_move_seen", "reservation")


class Explaining(Transaction):
    """Keeps the plan of every statement before running it."""

    def __init__(self, connection: db.Connection) -> None:
        super().__init__(connection, at(60))
        self.plans: list[tuple[str, str]] = []

    def fetch(self, statement: str, parameters: Sequence[Any] = ()) -> list[tuple[Any, ...]]:
        self._explain(statement, parameters)
        return super().fetch(statement, parameters)

    def execute(self, statement: str, parameters: Sequence[Any] = ()) -> int:
        self._explain(statement, parameters)
        return super().execute(statement, parameters)

    def _explain(self, statement: str, parameters: Sequence[Any]) -> None:
        cursor = self.connection.execute(f"EXPLAIN {statement}", parameters)
        self.plans.append((statement, "\n".join(row[0] for row in cursor.fetchall())))

    def scans(self) -> list[str]:
        """Statements that read a big table from end to end."""
        return [
            f"{statement}\n{plan}"
            for statement, plan in self.plans
            if any(f"Seq Scan on {table}" in plan for table in BIG)
        ]


@pytest.fixture(scope="module")
def big_database(server_url: str, template_database: str) -> Iterator[db.Connection]:
    """60 stores and 20,000 levels, with ledger, reservations and sightings."""
    with (
        temporary_database(server_url, template_database) as url,
        contextlib.closing(db.connect(url)) as connection,
    ):
        _fill(connection)
        yield connection


@pytest.fixture
def chain(big_database: db.Connection) -> Iterator[db.Connection]:
    """The same for each test; what a test did not commit is undone."""
    yield big_database
    big_database.rollback()


def _fill(connection: db.Connection) -> None:
    shelves.fill(connection, 1, 0.1, MONDAY)
    stocked = shelves.some_levels(connection, 62, 1)
    tx = Transaction(connection, at(10))
    moves = [
        Move(sku, node, 1, "supplier", "free", "received", occurred_at=at(5))
        for node, skus in stocked.items()
        for sku in skus
    ]
    apply_moves(tx, moves)
    wants = [
        Want(sku, node, 1, order(number), 1)
        for number, (node, skus) in enumerate(stocked.items())
        for sku in skus[:100]
    ]
    reserve(tx, wants)
    tx.flush_books()
    connection.execute(
        """
        INSERT INTO reservation (id, order_id, created_at, line_number, quantity, priority, state,
                                 sku, node, channel, method)
        SELECT gen_random_uuid(), gen_random_uuid(), %s, 1, 1, 3,
               CASE n %% 10 WHEN 0 THEN 'soft' ELSE 'allocated' END,
               'SKU-' || lpad((n %% 1000)::text, 6, '0'),
               CASE n %% 10 WHEN 0 THEN NULL ELSE 'S' || lpad((n %% 60)::text, 4, '0') END,
               'web', 'ship'
        FROM generate_series(1, 20000) AS n
        """,
        [at(10)],
    )
    connection.execute(
        "INSERT INTO stock_move_seen SELECT gen_random_uuid(), n FROM generate_series(1, 20000) n"
    )
    store.analyze(connection)


def moves_of(count: int, *, name: str = "m") -> InventoryMoved:
    moves = tuple(
        StockMove(
            f"{name}{i}", f"SKU-{i:06d}", f"S{i % 60:04d}", 1, "sellable", "customer", "", at(20)
        )
        for i in range(count)
    )
    return InventoryMoved(source="pos", sequence=0, moves=moves)


def test_taking_facts_reads_no_table_from_end_to_end(chain: db.Connection) -> None:
    room = _Room(chain)
    tx = Explaining(chain)
    counts = tuple(StockCount(f"SKU-{i:06d}", "DC0", 5) for i in range(10))
    messages: list[InventoryMoved | InventoryCounted] = [
        moves_of(20),
        InventoryCounted(source="w", as_of=at(8), node="DC0", counts=counts),
    ]
    list(InventoryFacts().receive([room.delivery(message) for message in messages], tx))
    tx.flush_books()
    assert len(tx.plans) > 8
    assert tx.scans() == []


def test_a_count_finds_what_moved_since_by_node_and_time(chain: db.Connection) -> None:
    tx = Explaining(chain)
    counts = tuple(StockCount(f"SKU-{i:06d}", "DC0", 5) for i in range(10))
    message = InventoryCounted(source="w", as_of=at(8), node="DC0", counts=counts)
    list(InventoryFacts().receive([_Room(chain).delivery(message)], tx))
    (plan,) = [plan for statement, plan in tx.plans if "to_bucket = 'quality_control'" in statement]
    assert "stock_ledger_2026_11_node_occurred_at_idx" in plan


def test_reserving_reads_no_table_from_end_to_end(chain: db.Connection) -> None:
    tx = Explaining(chain)
    wants = [Want(f"SKU-{i:06d}", "DC0", 1, order(i), 1) for i in range(20)]
    assert sum(reserve(tx, wants)) == 20
    tx.flush_books()
    assert tx.scans() == []


def test_asking_what_can_be_sold_reads_no_table_from_end_to_end(chain: db.Connection) -> None:
    tx = Explaining(chain)
    assert len(network_ats(tx, "web", "ship", [f"SKU-{i:06d}" for i in range(100)])) == 100
    assert node_ats(tx, "web", "ship", ["SKU-000001"])["SKU-000001"]
    assert tx.scans() == []


def test_the_number_of_statements_does_not_grow_with_the_moves(chain: db.Connection) -> None:
    statements = []
    for count in (20, 500):
        tx = Explaining(chain)
        take_moves(tx, [_Room(chain).delivery(moves_of(count, name=f"n{count}-"))], {}, [])
        tx.flush_books()
        statements.append(len(tx.plans))
    assert statements[0] == statements[1]


def test_updates_of_levels_and_totals_stay_in_their_page(chain: db.Connection) -> None:
    """Over 85 % HOT: no index on what changes, and room left in every page."""
    before = store.written(chain)
    for turn in range(8):
        tx = Transaction(chain, at(100 + turn))
        apply_moves(
            tx,
            [
                Move(f"SKU-{i % 1000:06d}", f"S{i % 60:04d}", 1, "supplier", "free", "received")
                for i in range(3000)
            ],
        )
        tx.flush_books()
        chain.commit()
    after = store.written(chain)
    for table in ("stock_level", "stock_total"):
        updated = after[table].updated - before[table].updated
        hot = after[table].hot_updated - before[table].hot_updated
        assert updated > 1000
        assert hot / updated > 0.85, f"{table}: {hot} of {updated}"


def test_two_reservers_of_the_last_units_never_take_more_than_there_are(
    stockroom: Stockroom, database_url: str
) -> None:
    """Each takes all it can, one unit of both SKUs at a time, named in different orders."""
    for sku in ("mug", "bowl"):
        stockroom.receive(sku, 40)
    granted: list[int] = []
    failures: list[BaseException] = []

    def take(name: int) -> None:
        try:
            with contextlib.closing(db.connect(database_url)) as connection:
                for turn in range(30):
                    skus = ("mug", "bowl") if (turn + name) % 2 else ("bowl", "mug")
                    tx = Transaction(connection, at(60))
                    wants = [Want(sku, "oak-street", 1, order(name), 1) for sku in skus]
                    granted.append(sum(reserve(tx, wants)))
                    tx.flush_books()
                    connection.commit()
        except BaseException as error:
            failures.append(error)
            raise

    threads = [threading.Thread(target=take, args=(name,)) for name in (1, 2, 3)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert failures == []
    assert sum(granted) == 80
    assert stockroom.level("mug") == (40, 40)
    assert stockroom.level("bowl") == (40, 40)


def test_the_database_itself_refuses_to_reserve_what_is_not_there(stockroom: Stockroom) -> None:
    """A decision that went around `reserve` fails on its constraint; only facts raise shortfall."""
    stockroom.receive("mug", 2)
    with pytest.raises(psycopg.errors.CheckViolation, match="never_over_reserved"):
        stockroom.connection.execute("UPDATE stock_level SET reserved = 3")
    stockroom.connection.rollback()


class _Room(Stockroom):
    """A stockroom over a network that exists already."""

    def __init__(self, connection: db.Connection) -> None:
        self.connection = connection
        self.now = at(60)
        self._told = 0

    def delivery(self, message: InventoryMoved | InventoryCounted) -> Any:
        return self._delivery(message)
