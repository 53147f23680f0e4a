"""Answers what the order process asks about orders: validation, screening, holds, claims."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from itertools import groupby
from math import cos, radians

from crossdock.engine.capability import Issued, Outgoing
from crossdock.engine.transaction import Transaction
from crossdock.kernel.ids import derive
from crossdock.kernel.messages import Command
from crossdock.model.orders import DeliveryGroup, SalesOrder
from crossdock.ordering import store
from crossdock.ordering.admission import on_invalid, paid, unknown_to
from crossdock.ordering.model import (
    ClaimReturn,
    LiftHold,
    OrderScreened,
    OrderValidated,
    PlaceHold,
    ScreenOrder,
    ValidateOrder,
)
from crossdock.ordering.policy import OrderPolicies, load_order_policies
from crossdock.ordering.rules import suspicions_of
from crossdock.ordering.store import ChannelTerms, ZonePlace
from crossdock.ordering.terms import SalesTerms


class Ordering:
    """A worker keeps one, with what it has read of channels, zones and SKUs."""

    commands: tuple[type[Command], ...] = (
        ValidateOrder,
        ScreenOrder,
        PlaceHold,
        LiftHold,
        ClaimReturn,
    )

    def __init__(self, policies: OrderPolicies | None = None) -> None:
        self.policies = policies or load_order_policies()
        self._terms = SalesTerms()

    def is_last(self, command: Command) -> bool:
        return False

    def handle(self, issued: Sequence[Issued], tx: Transaction) -> Iterable[Outgoing]:
        """In the order given, each run of one kind at once."""
        for kind, run in groupby(issued, key=lambda each: type(each.command)):
            same = list(run)
            if kind is ValidateOrder:
                yield from self._validate(same, tx)
            elif kind is ScreenOrder:
                yield from self._screen(same, tx)
            elif kind is PlaceHold:
                _place_holds(same, tx)
            elif kind is LiftHold:
                _lift_holds(same, tx)
            else:
                _claim_returns(same, tx)

    def _validate(self, issued: Sequence[Issued], tx: Transaction) -> Iterable[Outgoing]:
        self._terms.read(tx)
        orders: list[SalesOrder] = []
        screened: dict[str, ScreenOrder] = {}
        for each in issued:
            assert isinstance(each.command, ValidateOrder)
            order = each.command.order
            orders.append(order)
            if each.command.screen and (self.policies.screening.paid_orders or not paid(order)):
                screened[order.id] = _screen_of(order)
        suspicions = self._suspicions(list(screened.values()), tx) if screened else {}
        for each, order in zip(issued, orders, strict=True):
            terms = self._terms.of(order.channel)
            yield each.reply(
                OrderValidated(
                    problems=tuple(p.message for p in unknown_to(self._terms, order)),
                    suspicions=suspicions.get(order.id, ()),
                    zones=self._zones_for(order.groups[0], terms),
                    on_invalid=on_invalid(terms, order),
                    on_shortage=terms.on_shortage,
                    policy=self.policies.orders,
                )
            )

    def _zones_for(self, group: DeliveryGroup, terms: ChannelTerms) -> tuple[str, ...]:
        """The channel's zones in its order, else all, those around the destination first."""
        if terms.zones:
            return terms.zones
        zones = self._terms.zones
        latitude, longitude = group.latitude, group.longitude
        if len(zones) > 1 and latitude is not None and longitude is not None:
            shrink = cos(radians(latitude))
            here = (latitude, longitude)
            zones = sorted(zones, key=lambda zone: (_square_degrees(zone, here, shrink), zone.code))
        return tuple(zone.code for zone in zones)

    def _screen(self, issued: Sequence[Issued], tx: Transaction) -> Iterable[Outgoing]:
        commands = [each.command for each in issued if isinstance(each.command, ScreenOrder)]
        suspicions = self._suspicions(commands, tx)
        for each, command in zip(issued, commands, strict=True):
            yield each.reply(OrderScreened(suspicions=suspicions[command.order_id]))

    def _suspicions(
        self, commands: Sequence[ScreenOrder], tx: Transaction
    ) -> dict[str, tuple[str, ...]]:
        known = [c for c in commands if c.customer_id is not None]
        recent: dict[str, int] = {}
        if known and self.policies.screening.orders_per_day_above:
            counted = store.recent_orders(tx, [(c.customer_id or "", c.placed_at) for c in known])
            recent = {c.order_id: count for c, count in zip(known, counted, strict=True)}
            # Orders of this very batch are in no table yet.
            beside: dict[str, int] = {}
            for command in known:
                customer = command.customer_id or ""
                recent[command.order_id] += beside.get(customer, 0)
                beside[customer] = beside.get(customer, 0) + 1
        return {
            c.order_id: suspicions_of(
                self.policies.screening,
                c.total,
                c.largest_quantity,
                recent.get(c.order_id, 0),
                c.risk,
            )
            for c in commands
        }


def _screen_of(order: SalesOrder) -> ScreenOrder:
    return ScreenOrder(
        order_id=order.id,
        customer_id=order.customer_id,
        placed_at=order.placed_at,
        total=order.total,
        largest_quantity=max(line.quantity for line in order.lines),
    )


def _square_degrees(zone: ZonePlace, here: tuple[float, float], shrink: float) -> float:
    """Far enough from exact to be fast, near enough to put zones in order."""
    if zone.latitude is None or zone.longitude is None:
        return float("inf")
    north, east = zone.latitude - here[0], (zone.longitude - here[1]) * shrink
    return north * north + east * east


def _place_holds(issued: Sequence[Issued], tx: Transaction) -> None:
    holds, tasks = [], []
    for each in issued:
        c = each.command
        assert isinstance(c, PlaceHold)
        holds.append((c.order_id, c.hold, c.placed_at, c.group, c.detail))
        task = derive(c.placed_at, c.order_id, "hold", c.hold)
        kind = f"hold {c.hold}"
        tasks.append((task, c.order_id, c.placed_at, kind, c.team, c.order_id, c.detail))
    store.insert_holds(tx, holds, tasks)


def _lift_holds(issued: Sequence[Issued], tx: Transaction) -> None:
    commands = [each.command for each in issued if isinstance(each.command, LiftHold)]
    rows = [(c.order_id, c.hold, c.approved, c.lifted_at, c.actor) for c in commands]
    store.lift_holds(tx, rows)


def _claim_returns(issued: Sequence[Issued], tx: Transaction) -> None:
    rows = []
    for each in issued:
        c = each.command
        assert isinstance(c, ClaimReturn)
        for number, quantity, amount in c.lines:
            claim = derive(c.claimed_at, c.order_id, "claim", c.claim, str(number))
            rows.append((claim, c.order_id, c.claimed_at, number, quantity, amount, c.reason))
    store.insert_claims(tx, rows)
