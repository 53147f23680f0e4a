"""Below which number nothing can appear any more, although numbers are taken before the commit.

Inbox and outbox keep open rows only, and read the lowest numbers first. Rows deleted there stay in
the index for as long as anybody's old transaction might still see them: each look would step over
all of them again. A reader that begins at the lowest number it has seen open does not. It may go up
only as far as the fence: below it, every transaction that had taken a number is over.
"""

from __future__ import annotations

from typing import Any

import psycopg

from crossdock.engine import store

Connection = psycopg.Connection[Any]


class Fence:
    """The fence of one table's numbers, moved up by one reader's looking now and then.

    Each connection has its own: what another thread sees settled is newer than what this one read,
    and what was settled before a connection was lost need not be so in a restored one.

    It holds because whoever inserts there has written something before in the same transaction (the
    shard's lock, a hash, the effect's removal), so that the transaction had its own id by then.
    """

    def __init__(self, table: str, *, every: int = 8) -> None:
        self.table = table
        self.every = every
        self.settled = 0
        """Every number up to this one is of a row that is visible to new statements, or nowhere."""
        self._pending: tuple[int, int] | None = None
        self._calls = 0

    def look(self, connection: Connection) -> bool:
        """To be called at the start of a transaction, before reading; says whether it looked.

        Looks at each `every`-th call. Who took a number up to the last one has a lower id than we
        get after that; when all of those are over, the number is settled.
        """
        self._calls += 1
        if self._calls % self.every:
            return False
        last, is_fresh = store.last_number(connection, self.table)
        if not is_fresh:
            return False
        oldest_open, ours = store.transaction_ids(connection)
        if self._pending is not None and oldest_open >= self._pending[1]:
            self.settled = self._pending[0]
            self._pending = None
        if self._pending is None:
            self._pending = (last, ours)
        return True

    def first_open(self, known: int, seen: int | None) -> int:
        """Where to begin next time: `seen` is the lowest number open now, None when there is none.

        `known` is where this reader began. The look must have come before the reading.
        """
        highest = self.settled + 1
        return max(known, highest if seen is None else min(seen, highest))
