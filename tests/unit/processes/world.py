"""Both processes without engine and database: messages in a queue, inventory as a dictionary.

Replies of capabilities and zones come in the order they were asked for; what outside systems answer
waits in `effects` until a test lets them answer, and so does what is `under_way` to and from a zone
where `delay` says which way takes time. Time is a number of minutes since MONDAY.
"""

from __future__ import annotations

from collections import Counter, deque
from collections.abc import Sequence
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from typing import Any, Literal

from crossdock.allocation.model import (
    Action,
    AllocateOrder,
    OrderAllocated,
    PlannedFulfillment,
    UnsourcedLine,
)
from crossdock.engine.process import (
    Address,
    Effect,
    OpenCase,
    Process,
    Send,
    StartTimer,
    StopTimer,
    Unfit,
)
from crossdock.inventory.model import (
    AcceptDemand,
    DemandAccepted,
    FreeLine,
    FreeReservations,
    PickStock,
    ReservationsFreed,
    ShipStock,
    StockPicked,
    StockShipped,
    StockUnpicked,
    UnpickStock,
)
from crossdock.kernel.ids import derive
from crossdock.kernel.messages import Message, decode, encode
from crossdock.model.messages import LineQuantity, OrderPlaced
from crossdock.model.orders import DeliveryGroup, OrderLine, SalesOrder, Tender
from crossdock.ordering.model import (
    FULFILLMENT_PROCESS,
    ORDER_PROCESS,
    ClaimReturn,
    LiftHold,
    OrderScreened,
    OrderValidated,
    PlaceHold,
    ScreenOrder,
    ValidateOrder,
)
from crossdock.ordering.policy import OrderPolicy
from crossdock.processes.fulfillment import fulfillment
from crossdock.processes.order_to_fulfillment import order_to_fulfillment

MONDAY = datetime(2026, 11, 2, 15, tzinfo=UTC)
ORDER = derive(MONDAY, "order", "web", "1")
PROCESSES: dict[str, Process[Any]] = {p.name: p for p in (order_to_fulfillment, fulfillment)}


def an_order(
    *quantities: int, price: int = 1000, tenders: Sequence[Tender] | None = None, **more: Any
) -> SalesOrder:
    """Lines of so many units; paid by card unless told otherwise."""
    total = price * sum(quantities)
    return SalesOrder(
        id=ORDER,
        channel="web",
        number="1",
        placed_at=MONDAY,
        currency="USD",
        total=more.pop("total", total),
        lines=tuple(
            OrderLine(
                number=n,
                sku=f"sku-{n}",
                quantity=q,
                unit_price=Decimal(price) / 100,
                total=price * q,
            )
            for n, q in enumerate(quantities, start=1)
        ),
        groups=(DeliveryGroup(country="US", postal_code="02110"),),
        tenders=(Tender(number=1, amount=total),) if tenders is None else tuple(tenders),
        customer_id=derive(MONDAY, "party"),
        **more,
    )


class World:
    """One order, its nodes and everything around them."""

    def __init__(
        self, policy: OrderPolicy | None = None, stock: dict[str, dict[int, int]] | None = None
    ) -> None:
        self.policy = policy or OrderPolicy()
        self.stock = stock or {}
        """Free units by node and line."""
        self.zones = ("east",)
        self.unavailable = Action.BACKORDER
        self.on_invalid = "hold"
        self.problems: tuple[str, ...] = ()
        self.suspicions: tuple[str, ...] = ()
        self.now = MONDAY
        self.states: dict[str, Any] = {}
        self.queue: deque[tuple[Address, Message]] = deque()
        self.delay: Literal["", "question", "answer"] = ""
        self.under_way: list[AllocateOrder | OrderAllocated] = []
        self.held: list[tuple[Address, Message]] = []
        self.reserved: Counter[tuple[int, str, str | None]] = Counter()
        """Units by line, reservation state and node."""
        self.shipped: Counter[int] = Counter()
        self.timers: dict[tuple[str, str], tuple[datetime, Message]] = {}
        self.effects: list[tuple[Address, Effect]] = []
        self.cases: list[str] = []
        self.stale: list[str] = []
        self.holds: set[str] = set()
        self.outputs: list[Any] = []

    @property
    def order(self) -> Any:
        return self.states[ORDER]

    def works(self) -> list[Any]:
        """States of fulfillments that are not closed."""
        return [s for key, s in self.states.items() if key != ORDER and s.stage != "closed"]

    def place(self, order: SalesOrder, *beside: Message) -> None:
        """The order, and messages that reach it before anybody has looked at it."""
        for message in (OrderPlaced(order=order), *beside):
            self.queue.append((Address(ORDER_PROCESS, ORDER, ORDER), message))
        self._work()

    def tell(self, message: Message, instance: str = ORDER) -> None:
        """Deliver a message and everything that follows from it."""
        name = ORDER_PROCESS if instance == ORDER else FULFILLMENT_PROCESS
        self.queue.append((Address(name, instance, ORDER), message))
        self._work()

    def let_zone_answer(self) -> None:
        """What is under way to the zone and from it arrives."""
        self._arrive()
        self._work()

    def _arrive(self) -> None:
        coming, self.under_way = self.under_way, []
        for message in coming:
            answer = self._allocate(message) if isinstance(message, AllocateOrder) else message
            self.queue.append((Address(ORDER_PROCESS, ORDER, ORDER), answer))

    def _work(self) -> None:
        while self.queue:
            self._deliver(*self.queue.popleft())

    def wait(self, **span: float) -> None:
        """Let time pass; timers fire in the order they fall due."""
        until = self.now + timedelta(**span)
        while True:
            due = sorted((at, key) for key, (at, _) in self.timers.items() if at <= until)
            if not due:
                break
            at, key = due[0]
            self.now = max(self.now, at)
            self.tell(self.timers.pop(key)[1], key[0])
        self.now = until

    def answer(self, effect: Effect, message: Message) -> None:
        """An outside system answers."""
        [to] = [to for to, pending in self.effects if pending is effect]
        self.effects = [(t, e) for t, e in self.effects if e is not effect]
        self.tell(message, to.instance)

    def _deliver(self, to: Address, message: Message) -> None:
        process = PROCESSES[to.process]
        kind = type(message)
        message = decode(message.message_type, encode(message))  # As it comes from the inbox.
        state = self.states.get(to.instance)
        if state is None:
            handler = process.starters.get(kind)
            if handler is None:
                self.held.append((to, message))
                return
            state = process.state.opened(to.instance, message, self.now)
            state.stage = process.stages[0]
            self.states[to.instance] = state
            outputs = list(handler(state, message, self.now) or ())
            self._after(to, state, outputs, changed=True)
            return
        stage = state.stage
        handler = process.handlers.get((kind, stage))
        if handler is None:
            default = Unfit.STALE if kind in process.starters else Unfit.REFUSED
            how = process.unfit.get((kind, stage), default)
            if how is Unfit.EARLY:
                self.held.append((to, message))
            elif how is Unfit.REFUSED:
                self.cases.append(f"{process.name} in {stage} refuses {kind.__name__}")
            else:
                self.stale.append(kind.__name__)
            return
        outputs = list(handler(state, message, self.now) or ())
        self._after(to, state, outputs, changed=state.stage != stage)

    def _after(self, to: Address, state: Any, outputs: list[Any], *, changed: bool) -> None:
        body = PROCESSES[to.process].encode(state)
        assert PROCESSES[to.process].encode(PROCESSES[to.process].decode(body)) == body
        for output in outputs:
            self._take(to, output)
        if changed:
            early = [(t, m) for t, m in self.held if t.instance == to.instance]
            self.held = [(t, m) for t, m in self.held if t.instance != to.instance]
            self.queue.extend(early)

    def _take(self, to: Address, output: Any) -> None:
        self.outputs.append(output)
        if isinstance(output, Send):
            if isinstance(output.message, AllocateOrder):
                asked = output.message
                self.under_way.append(asked if self.delay == "question" else self._allocate(asked))
                if not self.delay:
                    self._arrive()
            else:
                self.queue.append((output.to, output.message))
        elif isinstance(output, StartTimer):
            self.timers[to.instance, output.name] = (output.due, output.message)
        elif isinstance(output, StopTimer):
            self.timers.pop((to.instance, output.name), None)
        elif isinstance(output, Effect):
            self.effects.append((to, output))
        elif isinstance(output, OpenCase):
            self.cases.append(output.kind)
        elif isinstance(output, PlaceHold):
            self.holds.add(output.hold)
        elif isinstance(output, LiftHold):
            self.holds.discard(output.hold)
        elif not isinstance(output, ClaimReturn):
            self.queue.append((to, self._reply(output)))

    # What capabilities answer ------------------------------------------------------------------

    def _reply(self, command: Any) -> Message:
        match command:
            case ValidateOrder():
                return OrderValidated(
                    problems=self.problems,
                    suspicions=self.suspicions if command.screen else (),
                    zones=self.zones,
                    on_invalid=self.on_invalid,
                    policy=self.policy,
                )
            case ScreenOrder():
                return OrderScreened(suspicions=self.suspicions)
            case AcceptDemand():
                return self._accept(command)
            case FreeReservations():
                return self._free(command)
            case PickStock():
                return self._pick(command)
            case UnpickStock():
                return self._unpick(command)
            case ShipStock():
                return self._ship(command)
        raise TypeError(type(command).__name__)

    def _accept(self, command: AcceptDemand) -> DemandAccepted:
        assert all(line.quantity > 0 for line in command.lines), "nothing is demanded"
        for line in command.lines:
            self.reserved[line.line, "soft", None] += line.quantity
        soft = tuple(LineQuantity(line.line, line.quantity) for line in command.lines)
        return DemandAccepted(order_id=command.order_id, soft=soft)

    def _allocate(self, asked: AllocateOrder) -> OrderAllocated:
        """The first nodes that have any; the rest as `unavailable` says."""
        planned: dict[str, list[LineQuantity]] = {}
        unsourced: list[UnsourcedLine] = []
        for line in asked.lines:
            rest = min(line.quantity, self._queued(line.line))
            if rest < line.quantity:
                unsourced.append(
                    UnsourcedLine(line.line, line.quantity - rest, "not_open", Action.HOLD)
                )
            for node, shelf in self.stock.items():
                taken = min(rest, shelf.get(line.line, 0))
                if taken and node not in line.excluded_nodes:
                    shelf[line.line] -= taken
                    rest -= taken
                    self._unqueue(line.line, taken, soft_first=True)
                    self.reserved[line.line, "allocated", node] += taken
                    planned.setdefault(node, []).append(LineQuantity(line.line, taken))
            if rest:
                unsourced.append(UnsourcedLine(line.line, rest, "no_stock", self.unavailable))
                if self.unavailable is Action.BACKORDER:
                    self._unqueue(line.line, rest, soft_first=True)
                    self.reserved[line.line, "backordered", None] += rest
        return OrderAllocated(
            order_id=asked.order_id,
            attempt=asked.attempt,
            zone="east",
            decision_id=derive(self.now, "decision", str(asked.attempt)),
            fulfillments=tuple(
                PlannedFulfillment(node, 1, tuple(lines)) for node, lines in planned.items()
            ),
            unsourced=tuple(unsourced),
        )

    def _queued(self, line: int) -> int:
        return self.reserved[line, "soft", None] + self.reserved[line, "backordered", None]

    def _unqueue(self, line: int, quantity: int, *, soft_first: bool = False) -> int:
        taken = 0
        for state in ("soft", "backordered") if soft_first else ("backordered", "soft"):
            step = min(quantity - taken, self.reserved[line, state, None])
            self.reserved[line, state, None] -= step
            taken += step
        return taken

    def _free(self, command: FreeReservations) -> ReservationsFreed:
        freed = []
        for line in command.lines:
            if line.node is None:
                taken = self._unqueue(line.line, line.quantity)
            else:
                taken = self._put_back(line.line, line.quantity, line.node, command.requeue)
            if taken:
                freed.append(FreeLine(line.line, taken, line.node))
        return ReservationsFreed(order_id=ORDER, lines=tuple(freed), reason=command.reason)

    def _put_back(
        self, line: int, quantity: int, node: str, requeue: bool, *, state: str = "allocated"
    ) -> int:
        taken = min(quantity, self.reserved[line, state, node])
        self.reserved[line, state, node] -= taken
        shelf = self.stock.setdefault(node, {})
        shelf[line] = shelf.get(line, 0) + taken
        if requeue:
            self.reserved[line, "soft", None] += taken
        return taken

    def _pick(self, command: PickStock) -> StockPicked:
        for line in command.picked:
            taken = min(line.quantity, self.reserved[line.line, "allocated", command.node])
            self.reserved[line.line, "allocated", command.node] -= taken
            self.reserved[line.line, "picked", command.node] += taken
        for short in command.short:
            taken = min(short.quantity, self.reserved[short.line, "allocated", command.node])
            self.reserved[short.line, "allocated", command.node] -= taken
            self.reserved[short.line, "soft", None] += taken
        return StockPicked(order_id=ORDER, fulfillment_id="", node=command.node)

    def _unpick(self, command: UnpickStock) -> StockUnpicked:
        for line in command.lines:
            taken = self._put_back(
                line.line, line.quantity, command.node, command.requeue, state="picked"
            )
            self._put_back(line.line, line.quantity - taken, command.node, command.requeue)
        return StockUnpicked(order_id=ORDER, fulfillment_id="", node=command.node, lines=())

    def _ship(self, command: ShipStock) -> StockShipped:
        for line in command.lines:
            rest = line.quantity
            self.shipped[line.line] += rest
            for state in ("picked", "allocated"):
                taken = min(rest, self.reserved[line.line, state, command.node])
                self.reserved[line.line, state, command.node] -= taken
                rest -= taken
            self._unqueue(line.line, rest, soft_first=True)
        return StockShipped(
            order_id=ORDER, fulfillment_id="", node=command.node, shipment_id="", lines=()
        )
