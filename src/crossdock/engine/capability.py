"""What the engine asks of capabilities and stations: bulk in, bulk out, one transaction."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from datetime import datetime
from typing import TYPE_CHECKING, NamedTuple, Protocol

from crossdock.engine.process import Address
from crossdock.kernel.messages import Command, Message

if TYPE_CHECKING:
    from crossdock.engine.transaction import Transaction


class Delivery(NamedTuple):
    """One message on its way to one instance."""

    id: str
    to: Address
    message: Message
    occurred_at: datetime
    correlation_id: str
    causation_id: str
    actor: str
    inbox_number: int | None = None
    """Its row in the inbox, when it came from there."""
    due: datetime | None = None
    """Set for the firing of a timer: its own due time is the handler's `now`."""
    timer: str | None = None


class Outgoing(NamedTuple):
    """A message to be delivered because of another delivery."""

    to: Address
    message: Message
    cause: Delivery


class Issued(NamedTuple):
    """A command with the process that wants it and the delivery that led to it."""

    command: Command
    sender: Address
    cause: Delivery

    def reply(self, message: Message) -> Outgoing:
        """The answer, addressed to the process that issued the command."""
        return Outgoing(self.sender, message, self.cause)


class Capability(Protocol):
    """Answers commands in bulk: one SQL statement per table and round, never one per order."""

    commands: tuple[type[Command], ...]

    def is_last(self, command: Command) -> bool:
        """Whether it waits until nothing else is left to do: other batches want what it locks."""
        ...

    def handle(self, issued: Sequence[Issued], tx: Transaction) -> Iterable[Outgoing]: ...


class Station(Protocol):
    """Receives messages in bulk in shards of its own; keeps no process state."""

    name: str
    messages: tuple[type[Message], ...]

    def receive(self, deliveries: Sequence[Delivery], tx: Transaction) -> Iterable[Outgoing]: ...

    def prepare(self, deliveries: Sequence[Delivery], tx: Transaction) -> None:
        """Think ahead about messages whose shard is about to be locked: others may hold it now.

        Nothing is decided, and no row is locked but those of its own senders; what it finds it
        keeps in a book of `tx`.
        """
        ...


class Book(Protocol):
    """In-batch memory of a capability whose rows are written once, at the end of the batch.

    Lets a reservation made, allocated and freed in one batch cost one row or none.
    """

    def flush(self, tx: Transaction) -> None: ...
