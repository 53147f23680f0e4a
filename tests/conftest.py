"""One PostgreSQL for a test session, a database of its own for each test that asks for one.

The server is the embedded one, or the one CROSSDOCK_TEST_DATABASE_URL names (a role that may create
databases). Under pytest-xdist the workers share it. The embedded one is not durable (no fsync, in
memory where there is much of it), which the header of the test run says; tests about durability
start a server of their own.
"""

from __future__ import annotations

import contextlib
import os
import secrets
from collections.abc import Callable, Iterator
from pathlib import Path

import psycopg
import pytest
from psycopg import sql
from psycopg.conninfo import make_conninfo

from crossdock import db, postgres

_EXTERNAL = "CROSSDOCK_TEST_DATABASE_URL"
# How the controller of a parallel run tells its workers where the server is.
_SHARED = "CROSSDOCK_TEST_SHARED_SERVER"

_server_of_the_run = contextlib.ExitStack()
# Databases of tests that are over. Dropping one whose last connection is just closing waits 0.1 s,
# so it is done a test later.
_over: list[tuple[str, str]] = []


def pytest_addoption(parser: pytest.Parser) -> None:
    parser.addoption(
        "--fuzz-minutes",
        default="0",
        help="How long each phase of tests/api/test_fuzz.py tries new requests.",
    )


SLOW = ("api", "webhooks", "integration")
"""Folders whose tests take, all together, as long as `make test-quick` may."""


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    here = Path(__file__).parent
    folders = [here / folder for folder in SLOW]
    for item in items:
        if any(item.path.is_relative_to(folder) for folder in folders):
            item.add_marker(pytest.mark.slow)


def pytest_configure(config: pytest.Config) -> None:
    """Before xdist starts its workers: the one server they share."""
    is_controller = not hasattr(config, "workerinput")
    parallel = bool(getattr(config.option, "numprocesses", None))
    if is_controller and parallel and not config.option.collectonly and not _server_url():
        server = _server_of_the_run.enter_context(_embedded())
        os.environ[_SHARED] = server.url


def pytest_unconfigure(config: pytest.Config) -> None:
    if not hasattr(config, "workerinput"):
        os.environ.pop(_SHARED, None)
        _server_of_the_run.close()


def pytest_report_header() -> str:
    if os.environ.get(_EXTERNAL):
        return f"PostgreSQL: the server of {_EXTERNAL}"
    return "PostgreSQL: embedded, not durable (tests about durability start their own)"


def _server_url() -> str:
    return os.environ.get(_EXTERNAL) or os.environ.get(_SHARED) or ""


def _embedded() -> contextlib.AbstractContextManager[postgres.Server]:
    return postgres.serve(ephemeral=True, durable=False)


@pytest.fixture(scope="session")
def server_url() -> Iterator[str]:
    """The URL of a server on which databases may be created."""
    with contextlib.ExitStack() as stack:
        yield _server_url() or stack.enter_context(_embedded()).url
        _drop_what_is_over()


@pytest.fixture(scope="session")
def template_database(server_url: str) -> Iterator[str]:
    """The name of a migrated, empty database; nothing may connect to it."""
    with temporary_database(server_url) as url:
        with db.connect(url) as connection:
            db.migrate(connection)
        yield str(psycopg.conninfo.conninfo_to_dict(url)["dbname"])


@pytest.fixture
def database_url(server_url: str, template_database: str) -> Iterator[str]:
    """The URL of this test's own database, migrated and empty."""
    with temporary_database(server_url, template_database) as url:
        yield url


@pytest.fixture
def empty_database_url(server_url: str) -> Iterator[str]:
    """The URL of this test's own database without any table."""
    with temporary_database(server_url) as url:
        yield url


@pytest.fixture
def connection(database_url: str) -> Iterator[db.Connection]:
    """A connection to this test's own database."""
    with contextlib.closing(db.connect(database_url)) as connection:
        yield connection


@pytest.fixture(scope="session")
def shared_data() -> Callable[[str], Path]:
    """Finds a file of the real data by its path in there; skips the test, naming it, if absent.

    The data lie in CROSSDOCK_SHARED_DATA, or in ../shared/data beside the checkout.
    """
    beside = Path(__file__).resolve().parents[2] / "shared" / "data"
    root = Path(os.environ.get("CROSSDOCK_SHARED_DATA") or beside)

    def find(path: str) -> Path:
        if not (root / path).exists():
            pytest.skip(f"real data absent: {path} (set CROSSDOCK_SHARED_DATA)")
        return root / path

    return find


@contextlib.contextmanager
def temporary_database(server_url: str, template: str = "template0") -> Iterator[str]:
    """A database that exists for the length of the block; yields its URL."""
    name = f"crossdock_test_{secrets.token_hex(6)}"
    _administer(
        server_url,
        sql.SQL("CREATE DATABASE {} TEMPLATE {} ENCODING 'UTF8'").format(
            sql.Identifier(name), sql.Identifier(template)
        ),
    )
    try:
        yield make_conninfo(server_url, dbname=name)
    finally:
        _drop_what_is_over()
        _over.append((server_url, name))


def _drop_what_is_over() -> None:
    while _over:
        server_url, name = _over.pop()
        statement = sql.SQL("DROP DATABASE IF EXISTS {} WITH (FORCE)")
        _administer(server_url, statement.format(sql.Identifier(name)))


def _administer(server_url: str, statement: sql.Composed) -> None:
    with contextlib.closing(db.connect(server_url, autocommit=True)) as connection:
        connection.execute(statement)
