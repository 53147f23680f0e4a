"""A shop for each test that asks for one."""

from __future__ import annotations

import pytest

from crossdock import db
from tests.integration.orders.shop import Shop


@pytest.fixture
def shop(connection: db.Connection) -> Shop:
    return Shop(connection)
