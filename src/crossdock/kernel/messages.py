"""The two kinds of things a process exchanges: messages (facts) and commands (wishes).

A message is something that happened; it has a registered type name and may be stored.
A command is an imperative to a capability; it never leaves the engine and is never stored.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any, ClassVar, NamedTuple, TypeVar

import msgspec


class Message(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """A fact, named in the past participle. Concrete classes register with `@message_type`."""

    message_type: ClassVar[str] = ""


class Command(msgspec.Struct, frozen=True, kw_only=True):
    """An imperative, answered in bulk by the one capability that declares its class."""


Upcast = Callable[[dict[str, Any]], dict[str, Any]]


class Upcaster(NamedTuple):
    """How a body of a former version becomes one of the next."""

    next_name: str
    change: Upcast


M = TypeVar("M", bound=type[Message])

_by_name: dict[str, type[Message]] = {}
_upcasters: dict[str, Upcaster] = {}
_decoders: dict[str, msgspec.msgpack.Decoder[Message]] = {}
_encode = msgspec.msgpack.Encoder().encode


def message_type(name: str) -> Callable[[M], M]:
    """Register a message class under `crossdock.<object>.<past participle>.v<N>`."""

    def register(cls: M) -> M:
        known = _by_name.get(name)
        assert known is None or known.__qualname__ == cls.__qualname__, f"{name} is taken"
        cls.message_type = name
        _by_name[name] = cls
        _decoders[name] = msgspec.msgpack.Decoder(cls)
        return cls

    return register


def upcaster(name: str, next_name: str) -> Callable[[Upcast], Upcast]:
    """Declare how a body of the former type `name` becomes one of `next_name`; kept for ever.

    It gets the body as plain data and may edit it; a time is a datetime, or text when it came as
    JSON.
    """

    def declare(change: Upcast) -> Upcast:
        assert name not in _upcasters, f"{name} has an upcaster"
        assert name not in _by_name, f"{name} is read as it is"
        _upcasters[name] = Upcaster(next_name, change)
        return change

    return declare


def encode(message: Message) -> bytes:
    """The stored body of a message: MessagePack with field names."""
    return _encode(message)


def decode(name: str, body: bytes) -> Message:
    """Rebuild a message from its type name and stored body, upcast from a former version.

    Raises UnknownMessageType (KeyError) or msgspec.ValidationError; both poison one message.
    """
    decoder = _decoders.get(name)
    if decoder is None:
        current, data = upcast(name, msgspec.msgpack.decode(body))
        return msgspec.convert(data, _by_name[current])
    return decoder.decode(body)


def upcast(name: str, data: dict[str, Any]) -> tuple[str, dict[str, Any]]:
    """The current type of a former one, and its body as that. Raises UnknownMessageType."""
    while name not in _by_name:
        step = _upcasters.get(name)
        if step is None:
            raise UnknownMessageType(name)
        name, data = step.next_name, step.change(data)
    return name, data


def former() -> Mapping[str, str]:
    """The former type names that are still read, and what each is read as now."""
    found = {}
    for name in sorted(_upcasters):
        current = name
        while current not in _by_name:
            current = _upcasters[current].next_name
        found[name] = current
    return found


def registered() -> dict[str, type[Message]]:
    """All message classes by type name, in name order."""
    return dict(sorted(_by_name.items()))


class UnknownMessageType(KeyError):
    """No class of this build is registered under that type name."""
