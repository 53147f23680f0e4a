"""Feeds: lists in the order of change that a reader follows from one place to the next.

A row's place is the transaction that changed it last, then its id. Transactions commit in another
order than they number themselves, so only what lies below the oldest running one is shown: nothing
appears behind a place that was shown already.
"""

from __future__ import annotations

from typing import NamedTuple
from uuid import UUID

from crossdock.api import feeds_store
from crossdock.api.pages import decode_cursor, encode_cursor
from crossdock.api.problems import ApiProblem, problem_type
from crossdock.db import Connection

NOBODY = "00000000-0000-0000-0000-000000000000"

CURSOR_OF_ANOTHER_LIFE = problem_type(
    "cursor_of_another_database",
    409,
    "The cursor belongs to another life of the database",
    cause="The database was restored into another cluster since the cursor was given out.",
    remedy="Begin again without a cursor; what you have seen already comes once more.",
)


class Seat(NamedTuple):
    """A reader's place in a feed, where it began to read, and how far it may read now."""

    start: int
    changed_in: int
    id: str
    horizon: int

    def cursor(self, changed_in: int, id: str) -> str:
        """The place behind a row, as clients keep it."""
        return encode_cursor(self.start, changed_in, id)

    def same(self) -> str:
        """This place, for a reader to whom there is nothing new."""
        return encode_cursor(self.start, self.changed_in, self.id)


def seat_of(connection: Connection, cursor: str | None, *, whole: bool = False) -> Seat:
    """The reader's seat; without a cursor the first one. `whole` also tells what ended before.

    Raises ApiProblem 400 for what is no cursor, 409 for one of another life of the database.
    """
    horizon = feeds_store.horizon(connection)
    if cursor is None:
        return Seat(0 if whole else horizon, 0, NOBODY, horizon)
    start, changed_in, id = decode_cursor(cursor, int, int, UUID)
    if not 0 <= changed_in < 2**63 or not 0 <= start < 2**63 or max(start, changed_in) > horizon:
        raise ApiProblem(CURSOR_OF_ANOTHER_LIFE)
    return Seat(start, changed_in, str(id), horizon)
