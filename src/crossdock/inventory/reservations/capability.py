"""Answers what processes ask of reservations, in bulk, each step beside its undo."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from datetime import datetime
from typing import assert_never

from crossdock.engine.capability import Delivery, Issued, Outgoing
from crossdock.engine.process import Address
from crossdock.engine.transaction import Transaction
from crossdock.inventory.facts.lots import book_facts
from crossdock.inventory.facts.shortages import break_reservations, serve_backorders
from crossdock.inventory.facts.station import ORDERS
from crossdock.inventory.model import (
    AcceptDemand,
    ExtendReservations,
    FreeLine,
    FreeReservations,
    Move,
    PickStock,
    ReservationsExtended,
    ReservationsFreed,
    ShipStock,
    ShortageFound,
    StockArrived,
    StockPicked,
    StockShipped,
    StockUnpicked,
    UnpickStock,
)
from crossdock.inventory.reservations import rules, store
from crossdock.inventory.reservations.acceptance import accept
from crossdock.inventory.reservations.book import ALLOCATED, PICKED, Reservation, ReservationBook
from crossdock.inventory.rules import Level
from crossdock.inventory.store import apply_moves
from crossdock.kernel.messages import Command, Message
from crossdock.model.messages import LineQuantity, ShortLine

Known = ExtendReservations | FreeReservations | PickStock | UnpickStock | ShipStock


class Reservations:
    """The capability of reservations; allocation reserves, everything else happens here."""

    commands: tuple[type[Command], ...] = (
        AcceptDemand,
        ExtendReservations,
        FreeReservations,
        PickStock,
        UnpickStock,
        ShipStock,
    )

    def is_last(self, command: Command) -> bool:
        """Demand that stands in gates."""
        return isinstance(command, AcceptDemand) and not command.paid

    def handle(self, issued: Sequence[Issued], tx: Transaction) -> Iterable[Outgoing]:
        """Answer demand first, then the rest in the order given."""
        demands = [each for each in issued if isinstance(each.command, AcceptDemand)]
        rest = [each for each in issued if not isinstance(each.command, AcceptDemand)]
        answers = [e.reply(a) for e, a in zip(demands, accept(demands, tx), strict=True)]
        if rest:
            answers += _Work(tx).answer(rest)
        return answers


class _Work:
    """Commands of one round on reservations that exist; their moves are booked together."""

    def __init__(self, tx: Transaction) -> None:
        self.tx = tx
        self.book = tx.book(ReservationBook)
        self.moves: list[Move] = []
        self.unplaced: list[tuple[Move, str]] = []
        """Moves of units that were reserved nowhere any more, and the shipment they left with."""
        self.lots: dict[tuple[str, str, int, str, str], int] = {}
        """Units that left by order, shipment, line, SKU and lot."""
        self.unqueued: set[str] = set()
        """SKUs of queued units that were given up."""

    def answer(self, issued: Sequence[Issued]) -> list[Outgoing]:
        commands = [_known(each.command) for each in issued]
        self.book.load(self.tx, [command.order_id for command in commands])
        answers = [
            each.reply(self._answer_one(command))
            for each, command in zip(issued, commands, strict=True)
        ]
        answers += self._tell_others(issued[-1].cause)
        if self.lots:
            store.add_shipped_lots(self.tx, self.lots)
        return answers

    def _tell_others(self, cause: Delivery) -> list[Outgoing]:
        """Book the moves; tell orders that lost their units by them, and those that can be served.

        What was given up may be what a backorder waits for.
        """
        levels = apply_moves(self.tx, self.moves) if self.moves else []
        risen = {level.key.sku for level in levels if level.available > level.available_before}
        if self.unplaced:
            again = self._place()
            risen |= {level.key.sku for level in again if level.available > level.available_before}
            levels = list({level.key: level for level in (*levels, *again)}.values())
        told: list[ShortageFound | StockArrived] = [
            shortage.found for shortage in break_reservations(self.tx, levels)
        ]
        told += [arrival.found for arrival in serve_backorders(self.tx, risen | self.unqueued)]
        return [Outgoing(Address(ORDERS, m.order_id, m.order_id), m, cause) for m in told]

    def _answer_one(self, command: Known) -> Message:
        match command:
            case ExtendReservations():
                return self._extend(command)
            case FreeReservations():
                return self._free(command)
            case PickStock():
                return self._pick(command)
            case UnpickStock():
                return self._unpick(command)
            case ShipStock():
                return self._ship(command)
            case _:
                assert_never(command)

    def _extend(self, command: ExtendReservations) -> ReservationsExtended:
        queued = [r for r in self.book.of(command.order_id) if r.node is None]
        for promised in queued:
            self.book.expire_at(promised, command.expires_at)
        return ReservationsExtended(order_id=command.order_id, live=bool(queued))

    def _free(self, command: FreeReservations) -> ReservationsFreed:
        freed: list[FreeLine] = []
        for wish in command.lines:
            live = self.book.of(command.order_id)
            if wish.node is None:
                found = rules.queued_of_line(live, wish.line)
            else:
                found = rules.held_of_line(live, wish.line, wish.node, ALLOCATED)
            taken, units = rules.take_units(self.book, self.tx, found, wish.quantity)
            for promised in taken:
                self._give_up(promised, command.reason, requeue=command.requeue)
            if units:
                freed.append(FreeLine(wish.line, units, wish.node))
        return ReservationsFreed(
            order_id=command.order_id, lines=tuple(freed), reason=command.reason
        )

    def _pick(self, command: PickStock) -> StockPicked:
        picked: list[LineQuantity] = []
        short: list[ShortLine] = []
        for line in command.picked:
            taken, units = self._held(command, line.line, line.quantity, ALLOCATED)
            for promised in taken:
                self._move(promised, "reserved", "picked", "picked", command.fulfillment_id)
                self.book.pick(promised, command.fulfillment_id, self.tx)
            if units:
                picked.append(LineQuantity(line.line, units))
        for missing in command.short:
            taken, units = self._held(command, missing.line, missing.quantity, ALLOCATED)
            for promised in taken:
                where = rules.short_bucket(missing.reason, promised)
                self._move(promised, "reserved", where, missing.reason, command.fulfillment_id)
                self.book.queue(promised)
            if units:
                short.append(ShortLine(missing.line, units, missing.reason))
        return StockPicked(
            order_id=command.order_id,
            fulfillment_id=command.fulfillment_id,
            node=command.node,
            picked=tuple(picked),
            short=tuple(short),
        )

    def _unpick(self, command: UnpickStock) -> StockUnpicked:
        lines: list[LineQuantity] = []
        for line in command.lines:
            taken, units = self._held(command, line.line, line.quantity, PICKED, ALLOCATED)
            for promised in taken:
                self._give_up(promised, command.reason, requeue=command.requeue)
            if units:
                lines.append(LineQuantity(line.line, units))
        return StockUnpicked(
            order_id=command.order_id,
            fulfillment_id=command.fulfillment_id,
            node=command.node,
            lines=tuple(lines),
        )

    def _ship(self, command: ShipStock) -> StockShipped:
        """The units are gone, whatever we thought of them: also those a shortage had broken."""
        lines: list[LineQuantity] = []
        for line in command.lines:
            taken, units = self._held(command, line.line, line.quantity, PICKED, ALLOCATED)
            for promised in taken:
                bucket = "picked" if promised.state == PICKED else "reserved"
                self._ship_units(promised, bucket, command)
            if units < line.quantity:
                queued = rules.queued_of_line(self.book.of(command.order_id), line.line)
                missing = line.quantity - units
                taken, more = rules.take_units(self.book, self.tx, queued[::-1], missing)
                for promised in taken:
                    self._ship_units(promised, "free", command)
                units += more
            if units:
                lines.append(LineQuantity(line.line, units))
        return StockShipped(
            order_id=command.order_id,
            fulfillment_id=command.fulfillment_id,
            node=command.node,
            shipment_id=command.shipment_id,
            lines=tuple(lines),
        )

    def _held(
        self, command: PickStock | UnpickStock | ShipStock, line: int, units: int, *states: str
    ) -> tuple[list[Reservation], int]:
        """Reservations of a line at the command's node, this fulfillment's own picks first."""
        live = self.book.of(command.order_id)
        found = rules.held_of_line(live, line, command.node, *states)
        foreign = (command.fulfillment_id, None)
        found = [r for r in found if r.fulfillment_id in foreign]
        return rules.take_units(self.book, self.tx, found, units)

    def _give_up(self, promised: Reservation, reason: str, *, requeue: bool) -> None:
        if promised.node is not None:
            bucket = "picked" if promised.state == PICKED else "reserved"
            self._move(promised, bucket, "free", reason, promised.fulfillment_id)
        else:
            self.unqueued.add(promised.sku)
        if requeue:
            self.book.queue(promised)
        else:
            self.book.remove(promised)

    def _ship_units(self, promised: Reservation, bucket: str, command: ShipStock) -> None:
        move = _move_of(
            promised, bucket, "customer", "shipped", command.fulfillment_id,
            node=command.node, at=command.shipped_at,
        )  # fmt: skip
        if promised.node is None:
            self.unplaced.append((move, command.shipment_id))
        else:
            self.moves.append(move)
            self._note_lot(move, command.shipment_id)
        self.book.remove(promised)

    def _place(self) -> list[Level]:
        """Book units that left though no level had them reserved, of whichever lot they are."""
        booked = book_facts(self.tx, [move for move, _ in self.unplaced])
        for (_, shipment_id), parts in zip(self.unplaced, booked.parts, strict=True):
            for part in parts:
                self._note_lot(part, shipment_id)
        return booked.levels

    def _note_lot(self, move: Move, shipment_id: str) -> None:
        if move.lot:
            assert move.order_id is not None and move.line is not None, "shipped for an order"
            key = (move.order_id, shipment_id, move.line, move.sku, move.lot)
            self.lots[key] = self.lots.get(key, 0) + move.quantity

    def _move(
        self,
        promised: Reservation,
        source: str,
        target: str,
        reason: str,
        fulfillment_id: str | None,
    ) -> None:
        """Note a move of these units; it is booked at the end of the round."""
        self.moves.append(_move_of(promised, source, target, reason, fulfillment_id))


def _move_of(
    promised: Reservation,
    source: str,
    target: str,
    reason: str,
    fulfillment_id: str | None,
    *,
    node: str | None = None,
    at: datetime | None = None,
) -> Move:
    where = node or promised.node
    assert where is not None, "units move at a node"
    return Move(
        promised.sku,
        where,
        promised.quantity,
        source,
        target,
        reason,
        order_id=promised.order_id,
        line=promised.line,
        fulfillment_id=fulfillment_id,
        occurred_at=at,
        owner=promised.owner,
        lot=promised.lot,
    )


def _known(command: Command) -> Known:
    assert isinstance(command, Known), f"nothing here answers {type(command).__name__}"
    return command


def expire(tx: Transaction, limit: int) -> int:
    """Give up queued units whose time is over, e.g. of checkouts left behind; returns how many.

    A step that begins from at most `limit` reservations; the caller flushes the books and commits.
    """
    orders = store.expired_orders(tx, limit)
    book = tx.book(ReservationBook)
    book.load(tx, orders)
    units = 0
    for order_id in orders:
        for promised in book.of(order_id):
            over = promised.expires_at is not None and promised.expires_at <= tx.now
            if promised.node is None and over:
                units += promised.quantity
                book.remove(promised)
    return units
