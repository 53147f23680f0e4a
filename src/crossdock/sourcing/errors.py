"""What can go wrong outside the code of sourcing.

Fault
└── SourcingFault
    ├── PolicyRefused        a policy file cannot be used: file, key and remedy
    ├── PolicyNotFound       no policy of that name
    ├── NetworkRefused       a node's facts contradict themselves
    └── RecordRefused        stored planning inputs cannot be read or do not fit
"""

from __future__ import annotations

from crossdock.kernel.errors import Fault


class SourcingFault(Fault):
    """A condition outside the code that keeps sourcing from planning."""


class PolicyRefused(SourcingFault):
    """A sourcing policy cannot be used: names the file, the key and the remedy."""

    def __init__(self, source: str, key: str, problem: str, remedy: str) -> None:
        super().__init__(f"{source}: {key}: {problem}", advice=remedy)
        self.source = source
        self.key = key
        self.remedy = remedy


class PolicyNotFound(SourcingFault):
    """No sourcing policy has that name."""


class NetworkRefused(SourcingFault):
    """A node's facts contradict themselves."""


class RecordRefused(SourcingFault):
    """Stored planning inputs cannot be read, or do not fit what they refer to."""
