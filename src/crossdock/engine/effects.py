"""What the dispatcher and a connector say to each other."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime
from enum import StrEnum
from typing import NamedTuple, Protocol

from crossdock.engine.process import Address
from crossdock.kernel.messages import Message


class Repeat(StrEnum):
    """What may be done after an attempt whose outcome nobody knows."""

    IDEMPOTENT = "idempotent"
    """Send again with the same key; the other side does it once."""
    LOOKUP = "lookup"
    """Ask by our reference first, send only what is not there."""
    NEVER = "never_repeat"
    """A person decides: the unknown outcome becomes a Case. Each effect has a call of its own."""


class PendingEffect(NamedTuple):
    """An effect as the connector gets it. `payload` is MessagePack, typed by the operation."""

    id: str
    connector: str
    operation: str
    order_key: str
    key: str
    payload: bytes
    attempt: int
    created_at: datetime


class Done(NamedTuple):
    """The other side answered, with yes or no: `message` goes to the process that asked."""

    message: Message


class TryLater(NamedTuple):
    """It was certainly not done. Tried again after `seconds`, or the usual backoff when None."""

    error: str
    seconds: float | None = None


class Unknown(NamedTuple):
    """It may or may not have been done: a time-out, a connection lost half-way."""

    error: str


EffectResult = Done | TryLater | Unknown


class Port(Protocol):
    """One outside system as the dispatcher sees it. Called from threads, outside transactions.

    An exception leaves all effects of its call unknown; they are tried again one by one.
    """

    name: str
    most_per_second: float | None
    """Effects per second, or None. Each dispatcher process keeps to it by itself: of the other
    side's limit this is the share of one."""

    def repeats(self, operation: str) -> Repeat: ...

    def send(self, effects: Sequence[PendingEffect]) -> list[EffectResult]:
        """Do all of them; one result per effect, in their order.

        What is not answered when its lease ends is another's to send: give each call a time-out.
        """
        ...

    def look_up(self, effects: Sequence[PendingEffect]) -> list[Message | None]:
        """What became of effects with an unknown outcome; None for one that was never done."""
        ...


class ClaimedEffect(NamedTuple):
    """An effect in flight: leased to this dispatcher until its lease ends."""

    effect: PendingEffect
    number: int
    to: Address
    correlation_id: str
    unknown: bool
    """An earlier attempt ended without a known outcome."""
    causation_id: str = ""
    """The message whose handler wanted it."""
