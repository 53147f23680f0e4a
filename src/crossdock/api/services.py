"""What the handlers share: the ways to the database, the clock, the settings, the groups of writes.

A live key and a test key work on separate schemas; each has a Backend of its own.
"""

from __future__ import annotations

import contextlib
import threading
from collections.abc import Callable, Iterator, Sequence
from datetime import datetime
from typing import Any, TypeVar

import structlog

from crossdock import db
from crossdock.api.access.caller import Caller
from crossdock.api.commits import GroupCommit, Observe, Write
from crossdock.api.messages_in import MessageDoor
from crossdock.api.problems import ApiProblem, problem_type
from crossdock.api.test_mode.store import is_gone, is_made
from crossdock.app import registry
from crossdock.engine.registry import Registry
from crossdock.kernel.clock import Clock, SystemClock
from crossdock.settings import Settings

log = structlog.get_logger(__name__)

T = TypeVar("T")
R = TypeVar("R")
M = TypeVar("M")

TEST_SCHEMA = "crossdock_test"

TEST_MODE_OFF = problem_type(
    "test_mode_off",
    503,
    "Test mode does not run here",
    cause="The key is of test mode, and no process of test mode has run on this database, or its"
    " schema was dropped since.",
    remedy="Have `crossdock serve` or `crossdock test-mode` started, anew where one runs: it makes"
    " the schema crossdock_test. Then send it again.",
)
RETRY_AFTER_SECONDS = 30


class Backend:
    """One schema: a pool for reads, one for writes, and the groups that share commits."""

    def __init__(self, mode: str, url: str, settings: Settings, clock: Clock) -> None:
        self.mode = mode
        self.url = url
        self.clock = clock
        self.settings = settings
        self._timeouts = settings.database
        self._reads = self._pool("reads", settings.api.read_connections, read_only=True)
        self._writes = self._pool("writes", settings.api.write_connections, read_only=False)
        self.observe: Observe | None = None
        """Told of every shared commit; set before the first one."""
        self._groups: dict[str, GroupCommit[Any, Any]] = {}
        self._made: dict[type[Any], Any] = {}
        self._making = threading.RLock()

    def reading(self) -> contextlib.AbstractContextManager[db.Connection]:
        """A read-only connection in autocommit; `db.one_snapshot` joins several statements."""
        return self._of_its_schema(self._reads.connection())

    def writing(self) -> contextlib.AbstractContextManager[db.Connection]:
        """A connection whose block commits by itself what it wants to keep."""
        return self._of_its_schema(self._writes.connection())

    def _of_its_schema(
        self, block: contextlib.AbstractContextManager[R]
    ) -> contextlib.AbstractContextManager[R]:
        """Test mode's schema can be dropped at any time, which is no error of ours."""
        return block if self.mode == "live" else _telling_of_test_mode(block)

    def connect(self) -> db.Connection:
        """A connection of one's own; the caller closes it."""
        return db.connect(
            self.url,
            application_name=f"crossdock api {self.mode}",
            idle_in_transaction_seconds=self._timeouts.idle_in_transaction_seconds,
            connect_timeout_seconds=self._timeouts.connect_timeout_seconds,
        )

    def group(
        self, name: str, write: Write[T, R], weigh: Callable[[T], int] | None = None
    ) -> GroupCommit[T, R]:
        """The group of that name; made at the first call, which decides what it writes.

        `weigh` tells how many rows' worth of work an item is; 1 without it.
        """
        with self._making:
            found = self._groups.get(name)
            if found is None:

                def written(connection: db.Connection, items: Sequence[T], now: datetime) -> Any:
                    with self._of_its_schema(contextlib.nullcontext()):
                        return write(connection, items, now)

                found = self._groups[name] = GroupCommit(
                    f"{self.mode} {name}",
                    written,
                    self.connect,
                    self.clock,
                    most_items=self.settings.api.commit_items,
                    most_waiting=self.settings.api.waiting_items,
                    gather_seconds=self.settings.api.gather_milliseconds / 1000,
                    observe=self.observe,
                    weigh=weigh,
                )
            return found

    def groups(self) -> Iterator[GroupCommit[Any, Any]]:
        """All groups that exist, for metrics and health."""
        with self._making:
            yield from self._groups.values()

    def one(self, kind: type[M], make: Callable[[], M]) -> M:
        """The one `kind` of this backend, such as a cache; made when first asked for."""
        found = self._made.get(kind)
        if found is None:
            with self._making:
                found = self._made.setdefault(kind, self._made.get(kind) or make())
        return found  # type: ignore[no-any-return]

    def close(self) -> None:
        """Write what waits and close all connections."""
        for group in list(self._groups.values()):
            group.close()
        self._reads.close()
        self._writes.close()

    def _pool(self, name: str, size: int, *, read_only: bool) -> db.Pool:
        return db.Pool(
            self.url,
            size=size,
            application_name=f"crossdock api {self.mode} {name}",
            read_only=read_only,
            idle_in_transaction_seconds=self._timeouts.idle_in_transaction_seconds,
            connect_timeout_seconds=self._timeouts.connect_timeout_seconds,
        )


@contextlib.contextmanager
def _telling_of_test_mode(block: contextlib.AbstractContextManager[R]) -> Iterator[R]:
    try:
        with block as given:
            yield given
    except Exception as error:
        if is_gone(error):
            log.warning("the schema of test mode is gone", schema=TEST_SCHEMA, error=str(error))
            raise _test_mode_off() from error
        raise


def _test_mode_off() -> ApiProblem:
    headers = {"Retry-After": str(RETRY_AFTER_SECONDS)}
    return ApiProblem(TEST_MODE_OFF, f"There is no schema {TEST_SCHEMA}.", headers=headers)


class Services:
    """One per process, in `app.state.services`; opens nothing before it is used."""

    def __init__(
        self, live: Backend, test: Backend, settings: Settings, registry: Registry
    ) -> None:
        self.live = live
        self.test = test
        self.settings = settings
        self.registry = registry
        self.clock = live.clock
        self.messages = MessageDoor(self)
        self._test_is_there = False

    @classmethod
    def open(
        cls, url: str, settings: Settings | None = None, clock: Clock | None = None
    ) -> Services:
        """Over one database, migrated already."""
        settings = settings or Settings()
        clock = clock or SystemClock()
        return cls(
            Backend("live", url, settings, clock),
            Backend("test", db.in_schema(url, TEST_SCHEMA), settings, clock),
            settings,
            registry(),
        )

    def of(self, caller: Caller) -> Backend:
        """The schema that a credential works on. Raises ApiProblem 503 where there is none."""
        if caller.mode != "test":
            return self.live
        if not self._test_is_there:
            with self.live.reading() as connection:
                self._test_is_there = is_made(connection, TEST_SCHEMA)
            if not self._test_is_there:
                raise _test_mode_off()
        return self.test

    def reading(self) -> contextlib.AbstractContextManager[db.Connection]:
        """A read-only connection to the live schema."""
        return self.live.reading()

    def writing(self) -> contextlib.AbstractContextManager[db.Connection]:
        """A connection to the live schema; its user commits."""
        return self.live.writing()

    def close(self) -> None:
        """Write what waits and close all connections."""
        self.live.close()
        self.test.close()
