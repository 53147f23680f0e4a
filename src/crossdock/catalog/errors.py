"""What can go wrong with master data.

Fault
├── MasterDataRefused   the database holds a rule the records break
└── NetworkUnreadable   a network file or folder cannot be read at all
"""

from __future__ import annotations

from crossdock.kernel.errors import Fault


class MasterDataRefused(Fault):
    """The database holds a rule the records break; nothing of them was saved."""

    def __init__(self, table: str, constraint: str, detail: str) -> None:
        super().__init__(
            f"{table}: {constraint.replace('_', ' ')}. {detail}".strip(),
            advice="Correct the record, or save first what it refers to.",
        )
        self.table = table
        self.constraint = constraint


class NetworkUnreadable(Fault):
    """A network file or folder cannot be read at all."""
