"""A stockroom for each test that asks for one."""

from __future__ import annotations

import pytest

from crossdock import db
from tests.inventory.stockroom import Stockroom


@pytest.fixture
def stockroom(connection: db.Connection) -> Stockroom:
    return Stockroom(connection)
