"""The two kinds of things a process exchanges: messages (facts) and commands (wishes).

A message is something that happened; it has a registered type name and may be stored.
A command is an imperative to a capability; it never leaves the engine and is never stored.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import ClassVar, TypeVar

import msgspec


class Message(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """A fact, named in the past participle. Concrete classes register with `@message_type`."""

    message_type: ClassVar[str] = ""


class Command(msgspec.Struct, frozen=True, kw_only=True):
    """An imperative, answered in bulk by the one capability that declares its class."""


M = TypeVar("M", bound=type[Message])

_by_name: dict[str, type[Message]] = {}
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


def encode(message: Message) -> bytes:
    """The stored body of a message: MessagePack with field names."""
    return _encode(message)


def decode(name: str, body: bytes) -> Message:
    """Rebuild a message from its type name and stored body.

    Raises UnknownMessageType (KeyError) or msgspec.ValidationError; both poison one message.
    """
    decoder = _decoders.get(name)
    if decoder is None:
        raise UnknownMessageType(name)
    return decoder.decode(body)


def registered() -> dict[str, type[Message]]:
    """All message classes by type name, in name order."""
    return dict(sorted(_by_name.items()))


class UnknownMessageType(KeyError):
    """No class of this build is registered under that type name."""
