"""An open market for each test that asks for one."""

from __future__ import annotations

import pytest

from crossdock import db
from tests.allocation.market import Market


@pytest.fixture
def market(connection: db.Connection) -> Market:
    market = Market(connection)
    market.open()
    return market
