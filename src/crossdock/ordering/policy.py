"""What the retailer decides once for all orders: read from TOML, pinned in each order's state."""

from __future__ import annotations

import tomllib
from hashlib import blake2b
from pathlib import Path
from typing import Annotated, Any

import msgspec
from msgspec import Meta

from crossdock.kernel.errors import SettingRefused

NonNegative = Annotated[int, Meta(ge=0)]
Positive = Annotated[int, Meta(ge=1)]


class OrderPolicy(msgspec.Struct, frozen=True, array_like=True):
    """The rules an order keeps from its validation to its end, whatever is changed meanwhile."""

    version: str = ""
    on_nothing_available: str = "backorder"
    """backorder or cancel, for units nobody has."""
    backorder_days: Positive = 21
    """Units that waited so long are canceled."""
    on_payment_refused: str = "hold"
    """hold or cancel, when no tender is left."""
    payment_hold_hours: Positive = 72
    """A hold for payment ends in cancellation."""
    on_lost_parcel: str = "resend"
    """resend or refund."""
    intercept: bool = True
    """Ask the carrier to stop what a customer cancels on its way."""
    acknowledgement_hours: NonNegative = 36
    """Work nobody looked at is given to another node; 0 waits for good."""
    capture_attempts: Positive = 5
    """Tries to capture what was shipped before the debt is left to people."""
    capture_retry_hours: Positive = 24
    reauthorize_hours: NonNegative = 24
    """So long before an authorization ends it is renewed."""


class ScreeningPolicy(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Above these an order is held for a person. 0 switches a rule off."""

    paid_orders: bool = False
    """Screen also what the channel was paid for."""
    total_above: NonNegative = 1_000_000
    """Minor units of the order's currency."""
    quantity_above: NonNegative = 500
    """Units of one line."""
    orders_per_day_above: NonNegative = 20
    """Of one customer, in the 24 hours before."""
    risk_above: NonNegative = 80
    """The payment provider's own score, 0 to 100."""


class OrderPolicies(msgspec.Struct, frozen=True, kw_only=True):
    """Both, as one file holds them."""

    orders: OrderPolicy = OrderPolicy()
    screening: ScreeningPolicy = ScreeningPolicy()


_CHOICES = {
    "on_nothing_available": ("backorder", "cancel"),
    "on_payment_refused": ("hold", "cancel"),
    "on_lost_parcel": ("resend", "refund"),
}


def load_order_policies(file: Path | None = None) -> OrderPolicies:
    """The policies of a TOML file, or the shipped ones. Raises SettingRefused."""
    path = file or Path(__file__).parent / "policies" / "default.toml"
    try:
        text = path.read_text(encoding="utf-8")
    except (OSError, UnicodeDecodeError) as failed:
        raise SettingRefused(f"{path} cannot be read: {failed}.") from failed
    return parse_order_policies(text, str(path))


def parse_order_policies(text: str, source: str) -> OrderPolicies:
    """The policies of a TOML text; the version is named by its content. Raises SettingRefused."""
    try:
        tables = tomllib.loads(text)
        for name in sorted(set(tables) - set(OrderPolicies.__struct_fields__)):
            raise msgspec.ValidationError(f"{name!r} is no table of an order policy")
        orders = _fitting(tables, "orders", OrderPolicy)
        screening = _fitting(tables, "screening", ScreeningPolicy)
    except (tomllib.TOMLDecodeError, msgspec.ValidationError) as refused:
        raise SettingRefused(
            f"{source}: {refused}.",
            advice="The shipped policy shows every table and key with its meaning.",
        ) from refused
    version = blake2b(text.encode(), digest_size=4).hexdigest()
    return OrderPolicies(
        orders=OrderPolicy(version=version, **orders), screening=ScreeningPolicy(**screening)
    )


def _fitting(tables: dict[str, Any], name: str, policy: type[msgspec.Struct]) -> dict[str, Any]:
    """A table each of whose keys is known and has a value that it may have."""
    table = tables.get(name, {})
    if not isinstance(table, dict):
        raise msgspec.ValidationError(f"{name} is no table; write [{name}]")
    types = {field.name: field.type for field in msgspec.structs.fields(policy)}
    for key, value in table.items():
        if key not in types or key == "version":
            raise msgspec.ValidationError(f"[{name}] has no key {key!r}")
        choices = _CHOICES.get(key)
        if choices and value not in choices:
            raise msgspec.ValidationError(f"[{name}] {key} must be one of {', '.join(choices)}")
        try:
            msgspec.convert(value, types[key])
        except msgspec.ValidationError as refused:
            raise msgspec.ValidationError(f"[{name}] {key}: {refused}") from refused
    return table
