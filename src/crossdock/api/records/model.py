"""Decisions, messages and effects as they are shown."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime
from typing import Any

import msgspec


class DecisionSeen(msgspec.Struct, frozen=True, kw_only=True):
    """One stored choice of nodes: what was wanted, what was chosen, what else was looked at."""

    id: str
    order_id: str
    attempt: int
    zone: str
    decided_at: datetime
    run_id: str
    was_refused: bool
    """Facts took its units each time: its plan was not carried out."""
    demand: dict[str, Any] | None
    decision: dict[str, Any]
    """policy, chosen plan with its costs, runner-up and what it would have cost more, candidates,
    and the nodes eliminated for each reason."""


class Decisions(msgspec.Struct, frozen=True):
    """All of an order, in the order in which they were made."""

    items: Sequence[DecisionSeen]


class MessageSeen(msgspec.Struct, frozen=True, kw_only=True):
    """One message of a case, and where it is."""

    id: str
    status: str
    """handled, waiting (in the inbox), early or parked (kept for later), dead (could not be)."""
    process: str
    instance: str
    name: str
    """What happened, as the log names it, or the message's type."""
    occurred_at: datetime
    recorded_at: datetime
    actor: str
    causation_id: str
    """The message that led to it."""
    error: str = ""
    """Why it is dead."""


class EffectSeen(msgspec.Struct, frozen=True, kw_only=True):
    """One call to an outside system."""

    id: str
    status: str
    """waiting, in_flight, failing (tried and put off), or done."""
    connector: str
    operation: str
    """Of a done one: what came back, as the log names it."""
    key: str
    """Its idempotency key; not kept once it is done."""
    attempts: int
    requested_at: datetime
    next_try_at: datetime | None
    error: str
    """Of the last attempt."""
