"""The API in this process, over a database of its own for each module."""

from __future__ import annotations

import contextlib
from collections.abc import Iterator

import pytest
from litestar.testing import TestClient

from crossdock import db
from crossdock.api.app import create_app
from crossdock.api.services import Services
from tests.api.keys import bearer, make_key
from tests.conftest import temporary_database


@pytest.fixture(scope="module")
def api_url(server_url: str, template_database: str) -> Iterator[str]:
    """A migrated, empty database that the tests of one module share."""
    with temporary_database(server_url, template_database) as url:
        yield url


@pytest.fixture(scope="module")
def services(api_url: str) -> Iterator[Services]:
    with contextlib.closing(Services.open(api_url)) as services:
        yield services


@pytest.fixture(scope="module")
def api(services: Services, api_url: str) -> Iterator[TestClient]:  # type: ignore[type-arg]
    """A client that may do everything; `api.headers` has its key, which a request can replace."""
    with contextlib.closing(db.connect(api_url)) as connection:
        headers = bearer(make_key(connection))
    with TestClient(create_app(services)) as client:
        client.headers.update(headers)
        yield client


@pytest.fixture
def api_connection(api_url: str) -> Iterator[db.Connection]:
    """A connection to the database behind `api`."""
    with contextlib.closing(db.connect(api_url)) as connection:
        yield connection
