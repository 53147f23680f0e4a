"""A process to try the engine with: a kettle that is filled, boiled and poured."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from datetime import UTC, datetime, timedelta
from typing import Any

import msgspec

from crossdock.engine.capability import Delivery, Issued, Outgoing
from crossdock.engine.inbox import Inbound
from crossdock.engine.process import (
    Address,
    Effect,
    Output,
    Process,
    Send,
    StartTimer,
    State,
    StopTimer,
    Unfit,
)
from crossdock.engine.registry import Registry
from crossdock.engine.transaction import Transaction
from crossdock.kernel.ids import derive
from crossdock.kernel.messages import Command, Message, message_type

NOON = datetime(2026, 3, 2, 12, 0, tzinfo=UTC)


@message_type("crossdock.kettle.filled.v1")
class Filled(Message, frozen=True, kw_only=True):
    cups: int


@message_type("crossdock.kettle.boiled.v1")
class Boiled(Message, frozen=True, kw_only=True):
    degrees: int = 100


@message_type("crossdock.kettle.cooled.v1")
class Cooled(Message, frozen=True, kw_only=True):
    pass


@message_type("crossdock.kettle.poured.v1")
class Poured(Message, frozen=True, kw_only=True):
    cups: int


@message_type("crossdock.kettle.kicked.v1")
class Kicked(Message, frozen=True, kw_only=True):
    """No handler survives this."""


@message_type("crossdock.kettle.whistled.v1")
class Whistled(Message, frozen=True, kw_only=True):
    tune: str


class Heat(Command, frozen=True, kw_only=True):
    cups: int


class PourPayload(msgspec.Struct, frozen=True):
    cups: int


class Kettle(State, kw_only=True):
    cups: int = 0
    poured: int = 0
    whistles: int = 0

    @classmethod
    def opened(cls, instance: str, message: Filled, now: datetime) -> Kettle:
        return cls(id=instance, cups=message.cups)


kettle = Process(
    "kettle", version=1, owner="kitchen", state=Kettle, stages=("heating", "hot", "closed")
)


@kettle.starts_with(Filled)
def heat(state: Kettle, filled: Filled, now: datetime) -> Iterator[Output]:
    yield Heat(cups=filled.cups)


@kettle.on(Boiled, stages=("heating",))
def whistle(state: Kettle, boiled: Boiled, now: datetime) -> Iterator[Output]:
    state.stage = "hot"
    yield StartTimer(name="cool", due=now + timedelta(minutes=30), message=Cooled())
    other = derive(NOON, "neighbour", state.id)
    yield (
        Send(Address("kettle", other, other), Filled(cups=0)) if state.cups > 90 else StopTimer("x")
    )


@kettle.on(Poured, stages=("hot",))
def pour(state: Kettle, poured: Poured, now: datetime) -> Iterator[Output]:
    state.cups -= poured.cups
    state.poured += poured.cups
    yield Effect(
        connector="table",
        operation="serve",
        order_key=state.id,
        key=f"{state.id}/serve/{state.poured}",
        payload=PourPayload(poured.cups),
    )
    if state.cups == 0:
        state.stage = "closed"
        yield StopTimer("cool")


@kettle.on(Cooled, stages=("hot",))
def reheat(state: Kettle, cooled: Cooled, now: datetime) -> Iterator[Output]:
    state.stage = "heating"
    yield Heat(cups=state.cups)


@kettle.on(Whistled)
def count_whistle(state: Kettle, whistled: Whistled, now: datetime) -> None:
    state.whistles += 1


@kettle.on(Kicked)
def break_down(state: Kettle, kicked: Kicked, now: datetime) -> None:
    raise ZeroDivisionError("the kettle fell off the stove")


kettle.takes(Unfit.EARLY, Poured, stages=("heating",))
kettle.takes(Unfit.STALE, Boiled, stages=("hot", "closed"))


class Stove:
    """Heats all kettles of a round at once."""

    commands: tuple[type[Command], ...] = (Heat,)

    def is_last(self, command: Command) -> bool:
        return False

    def __init__(self) -> None:
        self.calls: list[int] = []

    def handle(self, issued: Sequence[Issued], tx: Transaction) -> Iterator[Outgoing]:
        self.calls.append(len(issued))
        for one in issued:
            yield one.reply(Boiled())


class Bell:
    """A station: hears every whistle of a round at once."""

    name = "bell"
    messages: tuple[type[Message], ...] = (Whistled,)

    def __init__(self) -> None:
        self.heard: list[list[str]] = []
        self.expected: list[list[str]] = []

    def prepare(self, deliveries: Sequence[Delivery], tx: Transaction) -> None:
        self.expected.append(
            [d.message.tune for d in deliveries if isinstance(d.message, Whistled)]
        )

    def receive(self, deliveries: Sequence[Delivery], tx: Transaction) -> list[Outgoing]:
        tunes = [d.message.tune for d in deliveries if isinstance(d.message, Whistled)]
        self.heard.append(tunes)
        return []


def kitchen() -> Registry:
    return Registry([kettle], [Bell()], [Stove()])


def kettle_id(name: str) -> str:
    return derive(NOON, "kettle", name)


def inbound(name: str, message: Message, source_id: str, **more: Any) -> Inbound:
    instance = kettle_id(name)
    return Inbound("cook", source_id, message, Address("kettle", instance, instance), NOON, **more)
