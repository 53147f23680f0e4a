"""The door out: calls connectors, and brings each result back as a message, effectively once.

Claim (a short transaction), call (no transaction), finish (a short transaction that removes the
effect and inserts its result, whose id is the effect's). A crash in between leaves a lease that
runs out; what happens then is declared per operation (`Repeat`).
"""

from __future__ import annotations

import os
import socket
import threading
import time
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from functools import partial
from hashlib import blake2b
from typing import TYPE_CHECKING, Any
from weakref import WeakKeyDictionary

import psycopg
import structlog

from crossdock.engine import inbox, outbox_store, store
from crossdock.engine.effects import (
    ClaimedEffect,
    Done,
    EffectResult,
    PendingEffect,
    Port,
    Repeat,
    TryLater,
    Unknown,
)
from crossdock.engine.fence import Fence
from crossdock.engine.figures import DispatchFigures
from crossdock.engine.routing import shard_number
from crossdock.engine.throttle import Breaker, Pace, Rate
from crossdock.kernel.clock import Clock
from crossdock.kernel.ids import derive
from crossdock.kernel.messages import Message, encode

if TYPE_CHECKING:
    from crossdock.engine.spans import Spans

Connection = psycopg.Connection[Any]
log = structlog.get_logger(__name__)

LOGGED = 5
"""Correlation ids that a line about failed effects names, at most."""


@dataclass(frozen=True)
class DispatchLimits:
    """How effects are claimed, repeated and given up on."""

    batch: int = 256
    """Effects claimed at once per connector, and no more than half a lease should do for."""
    first_batch: int = 32
    """The same, before it is known how long a connector takes."""
    lease_seconds: float = 120.0
    """How long a claimed effect is nobody else's."""
    first_wait_seconds: float = 2.0
    longest_wait_seconds: float = 900.0
    """Backoff doubles from the first to the longest wait, spread by up to a quarter."""
    case_after_attempts: int = 12
    """A Case is opened at this attempt; the effect is still tried, at the longest wait."""
    breaker_failures: int = 20
    """Failures in a row after which only a probe is sent, until one succeeds."""
    breaker_wait_seconds: float = 30.0


@dataclass
class Place:
    """From which number on one connection looks for the open effects of a connector."""

    first: int = 0
    fence: Fence = field(default_factory=lambda: Fence("outbox"))


class Dispatcher:
    """Dispatches the effects of the ports it is given."""

    def __init__(
        self,
        ports: Mapping[str, Port],
        clock: Clock,
        limits: DispatchLimits | None = None,
        *,
        name: str = "",
        tracing: Spans | None = None,
    ) -> None:
        self.ports = dict(ports)
        self.clock = clock
        self.limits = limits or DispatchLimits()
        name = name or f"{socket.gethostname()}-{os.getpid()}"
        self.figures = DispatchFigures(f"dispatcher {name}", self.ports)
        self.tracing = tracing
        self.running = False
        """In threads of its own: then failures are logged. A simulation has too many of them."""
        breaking = (self.limits.breaker_failures, self.limits.breaker_wait_seconds)
        self.breakers = {name: Breaker(*breaking) for name in self.ports}
        self.rates = {name: Rate(time.monotonic()) for name in self.ports}
        most = min(self.limits.first_batch, self.limits.batch)
        pace = (self.limits.lease_seconds, self.limits.batch, most)
        self.paces = {name: Pace(*pace) for name in self.ports}
        self._places: WeakKeyDictionary[Connection, dict[str, Place]] = WeakKeyDictionary()
        """A new connection begins anew: its database may have been restored to an older state."""

    def dispatch(self, connection: Connection, connector: str) -> int:
        """Claim, call and finish one batch of a connector's effects; returns how many."""
        port, now = self.ports[connector], self.clock.now()
        rate = self.rates[connector]
        most = self.breakers[connector].allowed(now, self.paces[connector].most)
        most = rate.take(most, port.most_per_second, time.monotonic())
        if most < 1:
            return 0
        lease = timedelta(seconds=self.limits.lease_seconds)
        outbox_store.plan_by_number(connection)
        first_open = self._first_open(connection, connector)
        claimed = outbox_store.claim(
            connection, connector, now, now + lease, most, first_open, partial(_together, port)
        )
        connection.commit()
        rate.give_back(most - len(claimed))
        if not claimed:
            return 0
        begun = time.perf_counter()
        results = self._call(connector, claimed)
        self._tell(connector, claimed, results, time.perf_counter() - begun)
        self._finish(connection, claimed, results)
        connection.commit()
        return len(claimed)

    def _tell(
        self,
        connector: str,
        claimed: Sequence[ClaimedEffect],
        results: Sequence[EffectResult],
        seconds: float,
    ) -> None:
        """What a call came to: for the figures, the log and the traces."""
        failed = [c for c, r in zip(claimed, results, strict=True) if not isinstance(r, Done)]
        breaker = self.breakers[connector]
        self.figures.called(connector, claimed, results, seconds, self.clock.now())
        self.figures.breaker(connector, breaker.failures, breaker.is_open)
        if self.tracing is not None:
            self.tracing.sent(claimed, results, seconds)
        if failed and self.running:
            # What the other side said stays in the outbox: it may quote a person's data.
            log.warning(
                "effects failed",
                connector=connector,
                failed=len(failed),
                sent=len(claimed),
                operations=dict(Counter(c.effect.operation for c in failed)),
                correlation_ids=[c.correlation_id for c in failed[:LOGGED]],
                breaker_open=breaker.is_open,
            )

    def _first_open(self, connection: Connection, connector: str) -> int:
        """From where to look for open effects: what was sent stays in the index for a while."""
        place = self._places.setdefault(connection, {}).setdefault(connector, Place())
        if place.fence.look(connection):
            seen = outbox_store.lowest_open(connection, connector, place.first)
            place.first = place.fence.first_open(place.first, seen)
        return place.first

    def drain(self, connection: Connection) -> int:
        """Dispatch in this thread until nothing is due; for simulation and tests."""
        total = 0
        while True:
            sent = sum(self.dispatch(connection, name) for name in sorted(self.ports))
            if not sent:
                return total
            total += sent

    def run(
        self, connect: Any, stop: threading.Event, *, threads_per_connector: int = 2
    ) -> list[threading.Thread]:
        """Start threads, each with a connection of its own from `connect()`, until `stop`."""
        self.running = True
        threads = [
            threading.Thread(target=self._loop, args=(connect, name, stop), name=f"send {name}")
            for name in sorted(self.ports)
            for _ in range(threads_per_connector)
        ]
        for thread in threads:
            thread.start()
        return threads

    def _loop(self, connect: Any, connector: str, stop: threading.Event) -> None:
        connection: Connection | None = None
        idle = 0.005
        while not stop.is_set():
            try:
                if connection is None or connection.closed:
                    connection = connect()
                sent = self.dispatch(connection, connector)
                if self.figures.report(connection, self.clock.now()):
                    connection.commit()
                idle = 0.005 if sent else min(idle * 2, 0.25)
            except Exception as error:
                log.warning("dispatch failed", connector=connector, error=str(error))
                idle = 1.0
                if connection is not None:
                    connection.close()
                    connection = None
            if idle > 0.005:
                stop.wait(idle)
        if connection is not None:
            connection.close()

    def _call(self, connector: str, claimed: Sequence[ClaimedEffect]) -> list[EffectResult]:
        """One result per effect; an exception of the port is an unknown outcome of all it had."""
        port, begun = self.ports[connector], self.clock.now()
        done, failed, raised = 0, 1, True
        try:
            known = _before_sending(port, claimed[0])
            if known is not None:
                return [known]
            answers = port.send([c.effect for c in claimed])
            assert len(answers) == len(claimed), f"{port.name} lost count of its effects"
            done = sum(isinstance(answer, Done) for answer in answers)
            failed, raised = len(answers) - done, False
        except Exception as error:
            answers = [Unknown(_said(error))] * len(claimed)
        now = self.clock.now()
        self.breakers[connector].count(done, failed, now, raised=raised)
        self.paces[connector].learn((now - begun).total_seconds(), len(claimed))
        return answers

    def _finish(
        self,
        connection: Connection,
        claimed: Sequence[ClaimedEffect],
        results: Sequence[EffectResult],
    ) -> None:
        now = self.clock.now()
        done: list[tuple[ClaimedEffect, Message]] = []
        later: list[tuple[Any, ...]] = []
        cases: list[tuple[Any, ...]] = []
        for c, result in zip(claimed, results, strict=True):
            if isinstance(result, Done):
                done.append((c, result.message))
                continue
            wait = result.seconds if isinstance(result, TryLater) else None
            # An earlier attempt may still arrive at the other side, whatever came of this one.
            unknown = c.unknown or isinstance(result, Unknown)
            port = self.ports[c.effect.connector]
            parked = unknown and _repeat_of(port, c.effect) is Repeat.NEVER
            due = now + timedelta(days=36500) if parked else now + self._backoff(c.effect, wait)
            attempt = (c.effect.connector, c.number, c.effect.attempt)
            later.append((*attempt, due, unknown, result.error))
            if parked or c.effect.attempt == self.limits.case_after_attempts:
                kind = "effect outcome unknown" if parked else "effect keeps failing"
                cases.append(self._case(c, kind, result.error, now))
        self._bring_back(connection, done, now, cases)
        if later:
            outbox_store.put_back(connection, later, now)
        if cases:
            store.open_cases(connection, cases)

    def _bring_back(
        self,
        connection: Connection,
        done: Sequence[tuple[ClaimedEffect, Message]],
        now: datetime,
        cases: list[tuple[Any, ...]],
    ) -> None:
        """Remove effects and insert their results; the first result wins, whoever has the lease."""
        if not done:
            return
        zones = store.zone_shards(connection)
        gone = outbox_store.remove(connection, [(c.effect.connector, c.number) for c, _ in done])
        cases += self._compare_answers(connection, done, gone, now)
        rows = []
        for c, message in done:
            if c.number not in gone:
                continue
            shard = shard_number(c.to, zones)
            body = encode(message)
            identity = (shard, c.effect.id, *c.to, message.message_type, body)
            rows.append((*identity, now, now, c.correlation_id, c.effect.id, c.effect.connector))
        store.copy_rows(connection, f"inbox (shard, {store.MESSAGE_COLUMNS})", rows)

    def _compare_answers(
        self,
        connection: Connection,
        done: Sequence[tuple[ClaimedEffect, Message]],
        gone: Mapping[int, int],
        now: datetime,
    ) -> list[tuple[Any, ...]]:
        """A Case for each later answer, unless it is known to say what the first one said.

        The first is noted where another attempt may still be under way; `gone` tells by number
        which one was the last. An answer that came another way than ours is noted nowhere.
        """
        shared = [
            (c, _answer(c.effect.id, message))
            for c, message in done
            if c.unknown or gone.get(c.number) != c.effect.attempt
        ]
        if not shared:
            return []
        receipts = inbox.take_once(connection, [content for _, content in shared], now)
        cases = []
        for (c, _), receipt in zip(shared, receipts, strict=True):
            if receipt.result is inbox.Received.CONFLICT:
                how = f"this one differs in its {receipt.field}"
            elif receipt.result is inbox.Received.ACCEPTED and c.number not in gone:
                how = "it is not kept to compare this one with"
            else:
                continue
            detail = f"the first answer wins; {how}"
            cases.append(self._case(c, "effect answered twice", detail, now))
        return cases

    def _backoff(self, effect: PendingEffect, seconds: float | None) -> timedelta:
        if seconds is not None:
            return timedelta(seconds=seconds)
        limits = self.limits
        wait = limits.first_wait_seconds * 2 ** min(effect.attempt - 1, 20)
        digest = blake2b(f"{effect.id}{effect.attempt}".encode(), digest_size=1).digest()
        return timedelta(seconds=min(wait, limits.longest_wait_seconds) * (1 + digest[0] / 1024))

    def _case(self, c: ClaimedEffect, kind: str, error: str, now: datetime) -> tuple[Any, ...]:
        effect = c.effect
        detail = f"{effect.connector} {effect.operation} {effect.key}: {error}"
        case_id = derive(effect.created_at, "case", effect.id, kind)
        where = (c.to.process, c.to.instance, c.correlation_id, now)
        return (case_id, kind, effect.order_key, detail, 2, *where)


def _together(port: Port, due: Sequence[ClaimedEffect]) -> list[ClaimedEffect]:
    """What the next call carries: the oldest effect by itself, or all that may share one.

    When a call is lost or raises, nobody knows which of its effects were done. So one that must not
    be repeated has a call of its own, and one that may be to blame brings down no other.
    """
    if due and _is_sent_alone(port, due[0]):
        return [due[0]]
    return [c for c in due if not _is_sent_alone(port, c)]


def _answer(effect_id: str, message: Message) -> inbox.Content:
    kind = message.message_type
    return inbox.content_of("effect answer", effect_id, kind, {"type": kind, "answer": message})


def _is_sent_alone(port: Port, c: ClaimedEffect) -> bool:
    return c.unknown or _repeat_of(port, c.effect) not in (Repeat.IDEMPOTENT, Repeat.LOOKUP)


def _before_sending(port: Port, c: ClaimedEffect) -> EffectResult | None:
    """The result of an effect that need not or must not be sent (now); None for all others."""
    repeat = _repeat_of(port, c.effect)
    if isinstance(repeat, TryLater):
        return repeat
    if not c.unknown or repeat is Repeat.IDEMPOTENT:
        return None
    if repeat is Repeat.NEVER:
        return Unknown("an earlier attempt ended without a known outcome")
    [found] = port.look_up([c.effect])
    return None if found is None else Done(found)


def _repeat_of(port: Port, effect: PendingEffect) -> Repeat | TryLater:
    """What the port declares; an effect of which it cannot say that is not sent."""
    try:
        return port.repeats(effect.operation)
    except Exception as error:
        return TryLater(f"not sent, {_said(error)}")


def _said(error: Exception) -> str:
    return f"{type(error).__name__}: {error}"
