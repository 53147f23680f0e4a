"""What a capability may use inside a batch: its connection, its time, bulk writing, its book."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from datetime import datetime
from typing import TYPE_CHECKING, Any, TypeVar

import psycopg

if TYPE_CHECKING:
    from crossdock.engine.capability import Book

B = TypeVar("B", bound="Book")


class Transaction:
    """One batch's database transaction. `now` is read once per batch."""

    def __init__(self, connection: psycopg.Connection[Any], now: datetime) -> None:
        self.connection = connection
        self.now = now
        self.locks_shared_rows = False
        """Rows are locked that batches of any shard may want: from now on it waits for no shard."""
        self._books: dict[type[Any], Any] = {}

    def fetch(self, statement: str, parameters: Sequence[Any] = ()) -> list[tuple[Any, ...]]:
        """Run a statement with binary parameters and return all its rows."""
        cursor = self.connection.execute(statement, parameters, prepare=True)
        return cursor.fetchall() if cursor.description else []

    def execute(self, statement: str, parameters: Sequence[Any] = ()) -> int:
        """Run a statement and return the number of rows it touched."""
        return self.connection.execute(statement, parameters, prepare=True).rowcount

    def copy(self, target: str, rows: Iterable[Sequence[Any]]) -> None:
        """Append rows by COPY; `target` is `table (column, ...)`."""
        with self.connection.cursor() as cursor, cursor.copy(f"COPY {target} FROM STDIN") as copy:
            for row in rows:
                copy.write_row(row)

    def book(self, kind: type[B], make: Callable[[], B] | None = None) -> B:
        """The batch's one instance of `kind`, made on first use and flushed at the end."""
        found = self._books.get(kind)
        if found is None:
            found = self._books[kind] = (make or kind)()
        return found

    def flush_books(self) -> None:
        """Write what the books still hold, in the order in which they were opened."""
        for book in list(self._books.values()):
            book.flush(self)
        self._books.clear()
