"""One batch: rounds of handlers and capabilities over the deliveries, then everything is written.

A batch runs inside the runner's transaction and may be undone as a whole by its SAVEPOINT, so it
keeps all it means to write in memory until `write`.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from datetime import datetime, timedelta
from typing import Any

from crossdock.engine import rows, store
from crossdock.engine.capability import Delivery, Issued, Outgoing
from crossdock.engine.process import (
    Address,
    Change,
    Effect,
    OpenCase,
    Process,
    Send,
    StartTimer,
    State,
    StopTimer,
    Unfit,
)
from crossdock.engine.registry import Registry
from crossdock.engine.routing import shard_number
from crossdock.engine.store import StoredMessage, StoredProcess
from crossdock.engine.transaction import Transaction
from crossdock.kernel.ids import ORDER_SHARDS, derive
from crossdock.kernel.messages import decode

Recorder = Callable[[Delivery, str, State, datetime, list[Any]], None]
"""Called with each handled message: delivery, stage before, state after, now, outputs."""
Watch = Callable[[Sequence[Delivery]], None]
"""Called with the deliveries of each round; again with those of a batch that is tried again."""


FIRES_AGAIN_AFTER = timedelta(minutes=5)
"""A timer whose process could not take it: parked behind a dead letter, or too early."""

WAIT_FOR_ZONE_MILLISECONDS = 800
"""Less than PostgreSQL takes to look for a deadlock; a batch is in a zone for less."""


class Slot:
    """A process instance in this batch."""

    __slots__ = (
        "changed",
        "changed_at",
        "holding",
        "is_new",
        "parked",
        "process",
        "route",
        "state",
    )

    def __init__(self, process: Process[Any], state: State, changed_at: datetime) -> None:
        self.process = process
        self.state = state
        self.route = ""
        self.is_new = False
        self.changed = False
        self.parked = False
        self.holding = False
        self.changed_at = changed_at


class Batch:
    """Runs deliveries to the end (or to the round limit) and writes what they led to."""

    def __init__(
        self,
        registry: Registry,
        tx: Transaction,
        zones: Mapping[str, int],
        held: set[int],
        entries: dict[int, int],
        *,
        rounds: int,
        takes_over: bool = True,
        first_open: Mapping[int, int] | None = None,
        recorder: Recorder | None = None,
        watch: Watch | None = None,
    ) -> None:
        self.registry = registry
        self.tx = tx
        self.now = tx.now
        self.zones = zones
        self.held = held
        self.entries = entries
        self.rounds = rounds
        self.takes_over = takes_over
        self.first_open = first_open
        self.recorder = recorder
        self.watch = watch
        self.slots: dict[str, Slot] = {}
        self.queue: list[Delivery] = []
        self.consumed: list[StoredMessage] = []
        self.handled = 0
        self._away: list[Delivery] = []
        self._at_the_door: list[Delivery] = []
        """For zones whose shard is not held yet."""
        self._log: list[tuple[Any, ...]] = []
        self._effects: list[tuple[Any, ...]] = []
        self._timers: dict[tuple[str, str], tuple[Any, ...] | None] = {}
        self._cases: list[tuple[Any, ...]] = []
        self._holds: list[tuple[Any, ...]] = []
        self._released: list[int] = []
        self._reoffer: set[str] = set()
        self._issued: list[list[Issued]] = [[] for _ in registry.capabilities]
        self._issued_last: list[list[Issued]] = [[] for _ in registry.capabilities]
        """Of `_issued`, the commands that wait until nothing else is left to do."""
        self._ordinals: dict[str, int] = {}

    def run(self, messages: Sequence[StoredMessage]) -> None:
        """Handle messages from the inbox and from timers, in the order given."""
        self.consumed = list(messages)
        self.queue = [self._delivery(message) for message in messages]
        for _ in range(self.rounds):
            if not self.queue and not self._at_the_door:
                break
            self._round()
        self._answer(self._issued_last)
        self._write()

    def _delivery(self, row: StoredMessage) -> Delivery:
        return Delivery(
            id=row.id if row.timer is None else self._name_firing(row),
            to=Address(row.process, row.instance, row.route),
            message=decode(row.type, row.body),
            occurred_at=row.occurred_at,
            correlation_id=row.correlation_id,
            causation_id=row.causation_id,
            actor=row.actor,
            inbox_number=row.number,
            due=row.due,
            timer=row.timer,
        )

    def _name_firing(self, row: StoredMessage) -> str:
        assert row.timer is not None and row.due is not None
        return derive(row.due, row.instance, row.timer, "fired")

    def _round(self) -> None:
        deliveries, self.queue = self.queue, []
        if self.watch is not None:
            self.watch(deliveries)
        self._load(deliveries)
        for delivery in deliveries:
            if delivery.to.process in self.registry.processes:
                self._handle(delivery)
        at_stations = _by_station(d for d in deliveries if d.to.process in self.registry.stations)
        for name, received in at_stations.items():
            self.handled += len(received)
            self._enqueue(self.registry.stations[name].receive(received, self.tx))
        self._answer(self._issued)
        # As late as can be: what is locked now is nobody else's until we commit.
        if self._at_the_door and not self.queue:
            self._enter_zones()
        if not self.queue:
            self._answer(self._issued_last)
        if self._reoffer:
            self._offer_held("early")

    def _answer(self, issued: list[list[Issued]]) -> None:
        for position, capability in enumerate(self.registry.capabilities):
            if issued[position]:
                commands, issued[position] = issued[position], []
                self._enqueue(capability.handle(commands, self.tx))

    def _load(self, deliveries: Sequence[Delivery]) -> None:
        """Read the states that this round needs and that no earlier round has read."""
        wanted = {
            d.to.instance: d.to
            for d in deliveries
            if d.to.instance not in self.slots and d.to.process in self.registry.processes
        }
        if not wanted:
            return
        for row in store.load_processes(self.tx.connection, list(wanted)):
            self._adopt(row, wanted[row.id])

    def _adopt(self, row: StoredProcess, to: Address) -> None:
        process = self.registry.processes[to.process]
        slot = Slot(process, process.load(row.version, row.state), row.changed_at)
        slot.route, slot.parked, slot.holding = to.route, row.parked, row.holding
        self.slots[row.id] = slot

    def _handle(self, delivery: Delivery) -> None:
        """Give one message to its process, or keep it for later, or set it aside visibly."""
        to, message = delivery.to, delivery.message
        process = self.registry.processes[to.process]
        slot = self.slots.get(to.instance)
        if delivery.timer is not None and (to.instance, delivery.timer) in self._timers:
            return  # The timer was stopped or replaced within this batch: an older generation.
        kind = type(message)
        if slot is None:
            handler = process.starters.get(kind)
            if handler is None:
                self._hold(delivery, "early")
                return
            slot = self._open(process, delivery)
        elif slot.parked:
            self._hold(delivery, "parked")
            return
        else:
            handler = process.handlers.get((kind, slot.state.stage))
            if handler is None:
                self._set_aside(delivery, slot)
                return
        now = max(delivery.due or self.now, slot.changed_at)
        stage = slot.state.stage
        outputs = handler(slot.state, message, now)
        produced = list(outputs) if outputs is not None else []
        slot.changed, slot.changed_at = True, now
        self._entry(delivery, slot, kind.__name__)
        if self.recorder is not None:
            self.recorder(delivery, stage, slot.state, now, produced)
        for output in produced:
            self._take(output, delivery, slot)
        if slot.is_new or (slot.holding and slot.state.stage != stage):
            self._reoffer.add(to.instance)

    def _open(self, process: Process[Any], delivery: Delivery) -> Slot:
        now = delivery.due or self.now
        state = process.state.opened(delivery.to.instance, delivery.message, now)
        state.stage = state.stage or process.stages[0]
        slot = Slot(process, state, now)
        slot.is_new, slot.route = True, delivery.to.route
        self.slots[delivery.to.instance] = slot
        return slot

    def _set_aside(self, delivery: Delivery, slot: Slot) -> None:
        """The stage does not take this message: early, stale or refused."""
        kind = type(delivery.message)
        default = Unfit.STALE if kind in slot.process.starters else Unfit.REFUSED
        how = slot.process.unfit.get((kind, slot.state.stage), default)
        if how is Unfit.EARLY:
            self._hold(delivery, "early")
            slot.holding = slot.changed = True
            return
        self._entry(delivery, slot, f"{kind.__name__} ({how.value})")
        if how is Unfit.REFUSED:
            detail = (
                f"{slot.process.name} in stage {slot.state.stage} does not take {kind.__name__}"
            )
            self._case(
                OpenCase(kind="message refused", subject=slot.state.id, detail=detail), delivery
            )

    def _take(self, output: Any, cause: Delivery, slot: Slot) -> None:
        position = self.registry.answering.get(type(output))
        if position is not None:
            is_last = self.registry.capabilities[position].is_last(output)
            issued = self._issued_last if is_last else self._issued
            issued[position].append(Issued(output, cause.to, cause))
        elif isinstance(output, Send):
            self._enqueue((Outgoing(output.to, output.message, cause),))
        elif isinstance(output, Effect):
            self._effects.append(rows.effect(output, cause, self.now))
        elif isinstance(output, StartTimer):
            self._timers[slot.state.id, output.name] = rows.timer(output, cause, self.zones)
        elif isinstance(output, StopTimer):
            self._timers[slot.state.id, output.name] = None
        elif isinstance(output, OpenCase):
            self._case(output, cause)
        else:
            raise TypeError(f"nothing here answers {type(output).__name__}")

    def _enqueue(self, outgoing: Iterable[Outgoing]) -> None:
        for to, message, cause in outgoing:
            at = cause.due or self.now
            delivery = Delivery(
                self._next_id(cause), to, message, at, cause.correlation_id, cause.id, ""
            )
            shard = shard_number(to, self.zones)
            if shard in self.held:
                self.queue.append(delivery)
            elif self.takes_over and shard >= ORDER_SHARDS:
                self._at_the_door.append(delivery)
            else:
                # Order shards are left alone: another worker is about to take them, or has.
                self._away.append(delivery)

    def _enter_zones(self) -> None:
        """Lock the zones this round has messages for, with what waits there, and go on in them.

        While another batch is in a zone, this one thinks ahead; then it waits for a moment. What is
        still not free gets its messages through its inbox.
        """
        coming, self._at_the_door = self._at_the_door, []
        connection = self.tx.connection
        wanted = sorted({shard_number(delivery.to, self.zones) for delivery in coming})
        # Nobody waits for a shard below one it holds, or with rows in hand that others may want.
        waits = not self.tx.locks_shared_rows and max(self.held, default=0) < wanted[0]
        if waits:
            for name, received in _by_station(coming).items():
                self.registry.stations[name].prepare(received, self.tx)
        entered = store.lock_shards(connection, wanted)
        if waits and len(entered) < len(wanted) and not (entered and entered[-1] > wanted[0]):
            waited = store.wait_for_shards(connection, wanted, WAIT_FOR_ZONE_MILLISECONDS)
            entered = waited or entered
        if entered:
            self.held.update(entered)
            self.entries.update(store.last_entries(connection, entered))
            most = len(self.consumed)
            waiting = store.read_inbox(connection, entered, most, most, first_open=self.first_open)
            self.consumed.extend(waiting)
            self.queue.extend(self._delivery(message) for message in waiting)
        for delivery in coming:
            here = shard_number(delivery.to, self.zones) in self.held
            (self.queue if here else self._away).append(delivery)

    def _next_id(self, cause: Delivery) -> str:
        ordinal = self._ordinals.get(cause.id, 0)
        self._ordinals[cause.id] = ordinal + 1
        return derive(self.now, cause.id, str(ordinal))

    def _hold(self, delivery: Delivery, reason: str) -> None:
        if delivery.timer is not None:
            # It stays a timer, which what comes first may still stop or replace.
            again = StartTimer(
                name=delivery.timer, due=self.now + FIRES_AGAIN_AFTER, message=delivery.message
            )
            self._timers[delivery.to.instance, delivery.timer] = rows.timer(
                again, delivery, self.zones
            )
            return
        self._holds.append((reason, *rows.message(delivery, self.zones, self.now), self.now))

    def _offer_held(self, reason: str) -> None:
        """Offer early messages again to instances that were opened or changed their stage."""
        instances, self._reoffer = sorted(self._reoffer), set()
        self._offer_held_here(set(instances))
        for number, row in store.held_for(self.tx.connection, instances, reason):
            if number not in self._released:
                self._released.append(number)
                self.queue.append(self._delivery(row))

    def _offer_held_here(self, instances: set[str]) -> None:
        """The same for messages held earlier in this very batch, which no table has yet."""
        kept: list[tuple[Any, ...]] = []
        for row in self._holds:
            if row[0] == "early" and row[4] in instances:
                self.queue.append(self._delivery(StoredMessage(row[1], None, *row[2:-1])))
            else:
                kept.append(row)
        self._holds = kept

    def _entry(self, delivery: Delivery, slot: Slot, activity: str) -> None:
        """Append to the log, under the next number of the shard."""
        self.handled += 1
        shard = shard_number(delivery.to, self.zones)
        number = self.entries[shard] = self.entries[shard] + 1
        process, state = slot.process, slot.state
        objects, told = process.objects(state, delivery.message), process.told(state)
        self._log.append(rows.log_entry(delivery, shard, number, activity, objects, told, self.now))

    def _case(self, case: OpenCase, cause: Delivery) -> None:
        self._cases.append(rows.case(case, cause, len(self._cases), self.now))

    def _write(self) -> None:
        """Write books, projections, log, states, timers, outbox and what goes to other shards."""
        connection = self.tx.connection
        self.tx.flush_books()
        self._write_states()
        self._write_timers([m for m in self.consumed if m.timer is not None])
        consumed = [(m.shard, m.number) for m in self.consumed if m.number is not None]
        if consumed:
            store.delete_inbox(connection, consumed)
        if self._released:
            store.delete_held(connection, self._released)
        for target, new in (
            (f"event_log ({rows.LOG_COLUMNS})", self._log),
            (f"outbox ({rows.OUTBOX_COLUMNS})", self._effects),
            (f"inbox (shard, {store.MESSAGE_COLUMNS})", self._unfinished()),
            (f"held_message (reason, shard, {store.MESSAGE_COLUMNS}, held_at)", self._holds),
            (f"case_file ({rows.CASE_COLUMNS})", self._cases),
        ):
            if new:
                store.copy_rows(connection, target, new)

    def _unfinished(self) -> list[tuple[Any, ...]]:
        """What other shards' holders must do, and what the round limit left over."""
        return [
            rows.message(delivery, self.zones, self.now)
            for delivery in (*self._away, *self._at_the_door, *self.queue)
        ]

    def _write_states(self) -> None:
        changes: dict[str, list[Change]] = {}
        new: list[tuple[Any, ...]] = []
        changed: list[tuple[Any, ...]] = []
        for instance, slot in self.slots.items():
            if not (slot.is_new or slot.changed):
                continue
            process, state = slot.process, slot.state
            changes.setdefault(process.name, []).append(Change(state, slot.is_new))
            body = process.encode(state)
            flags = (state.stage, slot.parked, slot.holding)
            if slot.is_new:
                shard = shard_number(Address(process.name, instance, slot.route), self.zones)
                at = slot.changed_at
                new.append((instance, process.name, shard, process.version, *flags, at, at, body))
            else:
                changed.append((instance, process.version, *flags, slot.changed_at, body))
        for name, of_process in changes.items():
            projector = self.registry.processes[name].projector
            if projector is not None:
                projector(self.tx, of_process)
        if new:
            store.copy_rows(self.tx.connection, f"process ({rows.PROCESS_COLUMNS})", new)
        if changed:
            store.update_processes(self.tx.connection, changed)

    def _write_timers(self, fired: Sequence[StoredMessage]) -> None:
        gone = [(m.instance, m.timer) for m in fired if m.timer is not None]
        started = [row for row in self._timers.values() if row is not None]
        gone += [key for key, row in self._timers.items() if row is None]
        if gone:
            store.delete_timers(self.tx.connection, gone)
        if started:
            store.save_timers(self.tx.connection, started)


def _by_station(deliveries: Iterable[Delivery]) -> dict[str, list[Delivery]]:
    found: dict[str, list[Delivery]] = {}
    for delivery in deliveries:
        found.setdefault(delivery.to.process, []).append(delivery)
    return found
