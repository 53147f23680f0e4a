"""Faults of inventory.

InventoryFault
└── LedgerStillOpen
"""

from __future__ import annotations

from datetime import datetime

from crossdock.kernel.errors import Fault


class InventoryFault(Fault):
    """Something inventory was asked for cannot be done."""


class LedgerStillOpen(InventoryFault):
    """The ledger can be closed only up to yesterday, and only once."""

    def __init__(self, until: datetime) -> None:
        super().__init__(f"The ledger cannot be closed up to {until}: {type(self).__doc__}")
        self.until = until
