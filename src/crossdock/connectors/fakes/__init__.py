"""Outside systems for simulation, tests and demos: small, stateful, and as moody as real ones."""

from __future__ import annotations

from crossdock.connectors.fakes.carrier import CarrierFake
from crossdock.connectors.fakes.erp import ErpFake
from crossdock.connectors.fakes.mood import Mood
from crossdock.connectors.fakes.notification import NotificationFake
from crossdock.connectors.fakes.payment import PaymentFake

__all__ = ["CarrierFake", "ErpFake", "Mood", "NotificationFake", "PaymentFake"]
