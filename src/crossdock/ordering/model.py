"""What processes ask of ordering and of each other's instances, and what is answered.

`line` is an order line's number; quantities are base units; money is minor units.
"""

from __future__ import annotations

from datetime import date, datetime

import msgspec

from crossdock.kernel.messages import Command, Message, message_type
from crossdock.model.messages import LineQuantity, LineSubstitute, ShippedPackage, ShortLine
from crossdock.model.orders import SalesOrder
from crossdock.ordering.policy import OrderPolicy

ORDER_PROCESS = "order-to-fulfillment"
FULFILLMENT_PROCESS = "fulfillment"
CHECKOUT_PROCESS = "checkout"


# Asked of the ordering capability ----------------------------------------------------------------


class ValidateOrder(Command, frozen=True, kw_only=True):
    """Does the order make sense? `screen` asks in the same look whether it may be trusted."""

    order: SalesOrder
    screen: bool


@message_type("crossdock.order.validated.v1")
class OrderValidated(Message, frozen=True, kw_only=True):
    """No problems: it makes sense. Zones are in the order in which to ask them for stock."""

    problems: tuple[str, ...] = ()
    suspicions: tuple[str, ...] = ()
    zones: tuple[str, ...] = ()
    on_invalid: str = "hold"
    """hold or refuse, as the channel wants it."""
    on_shortage: str = "backorder"
    """backorder or refuse, as the channel wants it."""
    policy: OrderPolicy = OrderPolicy()


class ScreenOrder(Command, frozen=True, kw_only=True):
    """May the order be trusted, with what the payment provider thinks of it?"""

    order_id: str
    customer_id: str | None
    placed_at: datetime
    total: int
    largest_quantity: int
    risk: int = 0


@message_type("crossdock.order.screened.v1")
class OrderScreened(Message, frozen=True, kw_only=True):
    """What looks suspicious; nothing: the order may go on."""

    suspicions: tuple[str, ...] = ()


class PlaceHold(Command, frozen=True, kw_only=True):
    """Keep an order from going on until a person decides; opens a task for `team`."""

    order_id: str
    hold: str
    detail: str
    team: str
    placed_at: datetime
    group: int | None = None


class LiftHold(Command, frozen=True, kw_only=True):
    """Record how a hold ended and close its task."""

    order_id: str
    hold: str
    approved: bool
    lifted_at: datetime
    actor: str = ""


class ClaimReturn(Command, frozen=True, kw_only=True):
    """Keep what a customer wants to send back, for returns to settle."""

    order_id: str
    claim: str
    lines: tuple[tuple[int, int, int], ...]
    """(line, quantity, amount)."""
    reason: str
    claimed_at: datetime


# Between an order and its fulfillments -----------------------------------------------------------


@message_type("crossdock.fulfillment.opened.v1")
class FulfillmentOpened(Message, frozen=True, kw_only=True):
    """Work for one node: these units are reserved there."""

    order_id: str
    node: str
    group: int
    lines: tuple[LineQuantity, ...]
    decision_id: str
    estimated_cost: int = 0
    ship_by: datetime | None = None
    replaces: str | None = None
    acknowledge_by: datetime | None = None
    """Taken from the node when nobody there has looked at it by then."""
    zone: str = ""
    counted_on: date | None = None
    """It takes a place of the node's capacity on that day; `zone` is told if it sends nothing."""
    substitutes: tuple[LineSubstitute, ...] = ()
    """What is sent in place of what lines name."""


@message_type("crossdock.fulfillment.recall_requested.v1")
class RecallRequested(Message, frozen=True, kw_only=True):
    """Give these units back if they have not left; stop them on their way if they have."""

    request_id: str
    lines: tuple[LineQuantity, ...]
    reason: str
    intercept: bool = True


@message_type("crossdock.units.picked.v1")
class UnitsPicked(Message, frozen=True, kw_only=True):
    """A node has units in hand; `short` ones it could not find.

    `moot` are units of open recalls for which too few are left: they are answered with this.
    """

    fulfillment_id: str
    picked: tuple[LineQuantity, ...] = ()
    short: tuple[ShortLine, ...] = ()
    moot: tuple[LineQuantity, ...] = ()


@message_type("crossdock.units.packed.v1")
class UnitsPacked(Message, frozen=True, kw_only=True):
    """Units are in packages."""

    fulfillment_id: str
    lines: tuple[LineQuantity, ...]


@message_type("crossdock.units.shipped.v1")
class UnitsShipped(Message, frozen=True, kw_only=True):
    """Units left the node. `shipment_id` is ours, `reference` what the node calls it."""

    fulfillment_id: str
    shipment_id: str
    reference: str
    packages: tuple[ShippedPackage, ...]
    shipped_at: datetime


@message_type("crossdock.units.delivered.v1")
class UnitsDelivered(Message, frozen=True, kw_only=True):
    """A package arrived. Packages are counted from 1 within their shipment."""

    fulfillment_id: str
    shipment_id: str
    package: int
    lines: tuple[LineQuantity, ...]
    delivered_at: datetime


@message_type("crossdock.units.lost.v1")
class UnitsLost(Message, frozen=True, kw_only=True):
    """A package will not arrive."""

    fulfillment_id: str
    shipment_id: str
    package: int
    lines: tuple[LineQuantity, ...]
    reason: str


@message_type("crossdock.units.stopped.v1")
class UnitsStopped(Message, frozen=True, kw_only=True):
    """The carrier stopped a package on its way and brings it back."""

    fulfillment_id: str
    shipment_id: str
    package: int
    lines: tuple[LineQuantity, ...]
    request_id: str


@message_type("crossdock.units.given_back.v1")
class UnitsGivenBack(Message, frozen=True, kw_only=True):
    """A node gives units up: it declines, stays silent, or answers a recall.

    Units of a recall are reserved nowhere now (but `bare` ones, whose reservations the books had
    queued already), others are queued again. `refused` units of a recall are gone for good.
    """

    fulfillment_id: str
    reason: str
    lines: tuple[LineQuantity, ...] = ()
    refused: tuple[LineQuantity, ...] = ()
    bare: tuple[LineQuantity, ...] = ()
    request_id: str = ""


@message_type("crossdock.units.withdrawn.v1")
class UnitsWithdrawn(Message, frozen=True, kw_only=True):
    """The answer to a shortage: units nobody had in hand are withdrawn, `gone` ones are not here.

    The reservations of all of them are queued again already. `moot` as in UnitsPicked.
    """

    fulfillment_id: str
    moot: tuple[LineQuantity, ...] = ()
    lines: tuple[LineQuantity, ...] = ()
    gone: tuple[LineQuantity, ...] = ()


# Between an order and the checkout it came from ---------------------------------------------------


@message_type("crossdock.checkout.claimed.v1")
class CheckoutClaimed(Message, frozen=True, kw_only=True):
    """An order was placed for it: nothing expires while the order is being checked."""

    order_id: str
    channel: str


@message_type("crossdock.checkout.settled.v1")
class CheckoutSettled(Message, frozen=True, kw_only=True):
    """The order has taken the units over (`accepted`), or it ended before it could."""

    order_id: str
    channel: str
    accepted: bool


@message_type("crossdock.checkout.expired.v1")
class CheckoutExpired(Message, frozen=True, kw_only=True):
    """The time for which its units were kept is over."""


# What an order reminds itself of -----------------------------------------------------------------


@message_type("crossdock.order.backorder_expired.v1")
class BackorderExpired(Message, frozen=True, kw_only=True):
    """Units of this line waited as long as the policy lets them."""

    line: int


@message_type("crossdock.order.authorization_expiring.v1")
class AuthorizationExpiring(Message, frozen=True, kw_only=True):
    """The provider will soon hold this tender's money no longer."""

    tender: int


@message_type("crossdock.order.payment_overdue.v1")
class PaymentOverdue(Message, frozen=True, kw_only=True):
    """Nobody has settled how this order is paid."""


@message_type("crossdock.order.debt_due.v1")
class DebtDue(Message, frozen=True, kw_only=True):
    """Try again to capture what was shipped."""

    tender: int
    amount: int
    shipment_id: str
    attempt: int


@message_type("crossdock.fulfillment.acknowledgement_due.v1")
class AcknowledgementDue(Message, frozen=True, kw_only=True):
    """The node has had its time to look at the work."""


class IntakeRefusal(msgspec.Struct, frozen=True, array_like=True):
    """An order that was not taken in, and why."""

    channel: str
    number: str
    reason: str
