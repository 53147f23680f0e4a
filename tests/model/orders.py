"""One memorable order: a brass lamp and two bulbs for Ada in Cambridge."""

from __future__ import annotations

from datetime import UTC, datetime
from decimal import Decimal

from crossdock.model.orders import (
    Adjustment,
    Charge,
    DeliveryGroup,
    OrderLine,
    SalesOrder,
    TaxLine,
    Tender,
)

LAMP_AND_BULBS = SalesOrder(
    id="019a3b5c-7c00-8a5e-9b1c-0123456789ab",
    channel="web",
    number="W-10041",
    placed_at=datetime(2026, 11, 3, 9, 41, tzinfo=UTC),
    currency="USD",
    total=10_553,
    lines=(
        OrderLine(number=1, sku="LAMP-BRASS", quantity=1, unit_price=Decimal("89.00"), total=8_900),
        OrderLine(number=2, sku="BULB-E27", quantity=2, unit_price=Decimal("4.995"), total=999),
    ),
    groups=(
        DeliveryGroup(
            country="US",
            postal_code="02139",
            latitude=42.3647,
            longitude=-71.1042,
            promised_by=datetime(2026, 11, 6, 22, tzinfo=UTC),
        ),
    ),
    charges=(Charge(number=1, kind="shipping", amount=599, group=1),),
    adjustments=(Adjustment(number=1, source="WELCOME5", amount=-500, line=1),),
    taxes=(
        TaxLine(number=1, jurisdiction="US-MA", rate=Decimal("0.0625"), amount=525, line=1),
        TaxLine(number=2, jurisdiction="US-MA", rate=Decimal("0.0625"), amount=30, charge=1),
        TaxLine(
            number=3,
            jurisdiction="US-MA",
            rate=Decimal("0.0625"),
            amount=59,
            line=2,
            included=True,
        ),
    ),
    tenders=(
        Tender(number=1, kind="gift_card", amount=2_000, reference="GC-77", paid=True),
        Tender(number=2, amount=8_553, reference="tok_visa", order_of_use=2),
    ),
    customer_id="019a3b5c-7c00-8a5e-9b1c-0123456789ad",
    attributes={"acme.gift_note": "Happy birthday,\nAda"},
)
