"""The book of reservations within one batch."""

from __future__ import annotations

from crossdock import db
from crossdock.engine.transaction import Transaction
from crossdock.inventory.reservations.book import SOFT, ReservationBook
from tests.inventory.stockroom import MONDAY, order


def test_what_was_written_in_the_midst_of_a_batch_is_read_once(connection: db.Connection) -> None:
    """A fact writes the book before it looks for reservations to break."""
    tx = Transaction(connection, MONDAY)
    book = tx.book(ReservationBook)
    for line in (1, 2):
        book.add(
            tx,
            "cause",
            order(1),
            line,
            sku="mug",
            quantity=3,
            state=SOFT,
            priority=3,
            channel="web",
            method="ship",
            node=None,
            checkout_id=None,
            fulfillment_id=None,
            promised_by=None,
            expires_at=None,
            picked_at=None,
            per_unit=1,
            pickup_node=None,
            kit="",
            owner="",
            lot="",
        )
    book.flush(tx)
    book.load(tx, [order(1)])

    rows = book.of(order(1))
    assert [row.line for row in rows] == [1, 2]
    book.take(rows[0], 1, tx)
    tx.flush_books()
    kept = connection.execute("SELECT sum(quantity) FROM reservation").fetchone()
    assert kept == (6,)
