"""How a business process is declared: states, stages, pure handlers.

A handler is `(state, message, now) -> outputs`. It gets a private copy of the state, edits it in
place and yields what should follow: commands, messages to other processes, timers, effects.
It has no clock, no randomness and no I/O; ids are derived with `kernel.ids.derive`.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from datetime import datetime
from enum import StrEnum
from typing import Any, Generic, NamedTuple, Protocol, Self, TypeVar

import msgspec

from crossdock.kernel.errors import Fault
from crossdock.kernel.messages import Command, Message


class Address(NamedTuple):
    """Where a message goes: a process (or station), one instance of it, and its routing id.

    `route` decides the shard; a child process uses its parent's route so that both share one.
    """

    process: str
    instance: str
    route: str


class Send(msgspec.Struct, frozen=True):
    """Give a message to another process or station."""

    to: Address
    message: Message


class StartTimer(msgspec.Struct, frozen=True, kw_only=True):
    """Deliver `message` to this process when `due`; replaces a running timer of the same name."""

    name: str
    due: datetime
    message: Message


class StopTimer(msgspec.Struct, frozen=True):
    """Stop the timer of that name; no timer of that name is fine."""

    name: str


class Effect(msgspec.Struct, frozen=True, kw_only=True):
    """A call to an outside system, made by the dispatcher after this batch is durable.

    `key` is the idempotency key: a new amount or a new try is a new key. At most one effect per
    (`connector`, `order_key`) is in flight, oldest first. Its result comes back as a message.
    """

    connector: str
    operation: str
    order_key: str
    key: str
    payload: msgspec.Struct


class OpenCase(msgspec.Struct, frozen=True, kw_only=True):
    """Something went wrong and needs an owner."""

    kind: str
    subject: str
    detail: str
    priority: int = 3


Output = Command | Send | StartTimer | StopTimer | Effect | OpenCase


class State(msgspec.Struct, kw_only=True, omit_defaults=True):
    """What a process remembers. Stored as MessagePack bytes; mutable inside its handlers only."""

    id: str
    stage: str = ""

    @classmethod
    def opened(cls, instance: str, message: Any, now: datetime) -> Self:
        """The state a starting message gives birth to."""
        return cls(id=instance)


S = TypeVar("S", bound=State)
M = TypeVar("M", bound=Message)
Handler = Callable[[Any, Any, datetime], Iterable[Output] | None]


class Unfit(StrEnum):
    """What a message is when the current stage does not take it."""

    EARLY = "early"
    STALE = "stale"
    REFUSED = "refused"


class Change(NamedTuple):
    """A state to be saved at the end of a batch; `is_new` when the batch opened it."""

    state: Any
    is_new: bool


class Projector(Protocol):
    """Writes the rows that show a process's states to readers, once per batch."""

    def __call__(self, tx: Any, changes: Sequence[Change]) -> None: ...


class WorkerTooOld(Fault):
    """The database needs newer versions than this build knows; it touches nothing."""

    def __init__(self, missing: dict[str, int]) -> None:
        wanted = ", ".join(f"{name} {version}" for name, version in sorted(missing.items()))
        super().__init__(
            f"this worker is too old for the database, which needs {wanted}",
            advice="Install that version of Crossdock on this machine.",
        )
        self.missing = missing


class Process(Generic[S]):
    """A long-running business flow: name, version, owner, typed state, stages, handlers."""

    def __init__(
        self,
        name: str,
        *,
        version: int,
        owner: str,
        state: type[S],
        stages: Sequence[str],
        closed: Sequence[str] = ("closed",),
    ) -> None:
        self.name = name
        self.version = version
        self.owner = owner
        self.state = state
        self.stages = tuple(stages)
        self.closed = frozenset(closed)
        self.starters: dict[type[Message], Handler] = {}
        self.handlers: dict[tuple[type[Message], str], Handler] = {}
        self.unfit: dict[tuple[type[Message], str], Unfit] = {}
        self.upgrades: dict[int, Callable[[dict[str, Any]], dict[str, Any]]] = {}
        self.projector: Projector | None = None
        self.objects: Callable[[S, Message], list[str]] = lambda state, message: [state.id]
        self.told: Callable[[S], Sequence[Message]] = lambda state: ()
        """Takes from a state what its last handler wants the world to know; noted in the log."""
        self.encode = msgspec.msgpack.Encoder().encode
        self.decode = msgspec.msgpack.Decoder(state).decode

    def starts_with(self, *messages: type[Message]) -> Callable[[Handler], Handler]:
        """Declare the handler of a message that opens an instance; a second one is stale."""

        def declare(handler: Handler) -> Handler:
            for message in messages:
                self.starters[message] = handler
            return handler

        return declare

    def on(
        self, *messages: type[Message], stages: Sequence[str] | None = None
    ) -> Callable[[Handler], Handler]:
        """Declare the handler of a message in `stages` (all of them when not given)."""

        def declare(handler: Handler) -> Handler:
            for message in messages:
                for stage in self.stages if stages is None else stages:
                    assert stage in self.stages, f"{self.name} has no stage {stage}"
                    assert (message, stage) not in self.handlers, f"{message} twice in {stage}"
                    self.handlers[message, stage] = handler
            return handler

        return declare

    def takes(self, how: Unfit, *messages: type[Message], stages: Sequence[str]) -> None:
        """Declare messages as early, stale or refused in stages that have no handler for them.

        What is declared nowhere is refused, which opens a Case.
        """
        for message in messages:
            for stage in stages:
                assert stage in self.stages, f"{self.name} has no stage {stage}"
                self.unfit[message, stage] = how

    def upgrades_from(
        self, version: int
    ) -> Callable[
        [Callable[[dict[str, Any]], dict[str, Any]]], Callable[[dict[str, Any]], dict[str, Any]]
    ]:
        """Declare how a state (as plain data) of `version` becomes one of `version + 1`."""

        def declare(
            upgrade: Callable[[dict[str, Any]], dict[str, Any]],
        ) -> Callable[[dict[str, Any]], dict[str, Any]]:
            self.upgrades[version] = upgrade
            return upgrade

        return declare

    def load(self, version: int, body: bytes) -> S:
        """The state from its stored bytes, upgraded step by step to this version.

        Raises WorkerTooOld: what a newer version wrote is not cut down to what this one knows.
        """
        if version == self.version:
            return self.decode(body)
        if version > self.version:
            raise WorkerTooOld({self.name: version})
        data: dict[str, Any] = msgspec.msgpack.decode(body)
        for step in range(version, self.version):
            data = self.upgrades[step](data)
        return msgspec.convert(data, self.state)
