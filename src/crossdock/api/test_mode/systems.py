"""The outside systems of test mode: the fakes, doing to an order what its attributes ask for."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence

import msgspec

from crossdock.api.test_mode import store
from crossdock.api.test_mode.wishes import (
    DOWN,
    FAIL,
    FAILURES,
    LOSE_ANSWER,
    Attributes,
    is_refused,
    wish_for,
)
from crossdock.connectors.fakes import CarrierFake, ErpFake, NotificationFake, PaymentFake
from crossdock.connectors.fakes.mood import Fake
from crossdock.connectors.fakes.payment import Authorization
from crossdock.db import Connection
from crossdock.engine.effects import Done, EffectResult, PendingEffect, Repeat, TryLater, Unknown
from crossdock.kernel.clock import Clock
from crossdock.kernel.messages import Message
from crossdock.model.effects import PaymentRequest

SECONDS = 1.0
"""Until what failed is tried again: a test does not wait for a real provider's pace."""

AttributesOf = Callable[[Sequence[str]], Mapping[str, Attributes]]


class TestPayment(PaymentFake):
    """Knows its authorizations also after a restart: their numbers are ours."""

    __test__ = False

    def _answer(self, effect: PendingEffect) -> EffectResult:
        asked = msgspec.msgpack.decode(effect.payload, type=PaymentRequest)
        if asked.authorization and asked.authorization not in self.authorizations:
            known = Authorization(asked.order_id, held=10**15, captured=10**15)
            self.authorizations[asked.authorization] = known
        return super()._answer(effect)


class Provoked:
    """A port around a fake that looks at each order's attributes first."""

    most_per_second: float | None = None

    def __init__(self, fake: Fake, attributes_of: AttributesOf) -> None:
        self.fake = fake
        self.name = fake.name
        self._attributes_of = attributes_of

    def repeats(self, operation: str) -> Repeat:
        """As the fake has it."""
        return self.fake.repeats(operation)

    def look_up(self, effects: Sequence[PendingEffect]) -> list[Message | None]:
        """As the fake has it."""
        return self.fake.look_up(effects)

    def send(self, effects: Sequence[PendingEffect]) -> list[EffectResult]:
        """Each effect as its order wishes; effects' order keys are order ids."""
        attributes = self._attributes_of([effect.order_key for effect in effects])
        return [self._send(effect, attributes.get(effect.order_key, {})) for effect in effects]

    def _send(self, effect: PendingEffect, attributes: Attributes) -> EffectResult:
        wish = wish_for(attributes, self.name)
        if wish == DOWN:
            return TryLater(f"{self.name} is down, as the order wishes")
        if wish == FAIL and effect.attempt <= FAILURES:
            return TryLater(f"{self.name} is busy, as the order wishes", SECONDS)
        if is_refused(wish, effect.operation):
            operation: Callable[[PendingEffect, bool], Message] = getattr(
                self.fake, effect.operation
            )
            return Done(operation(effect, True))
        [result] = self.fake.send([effect])
        if wish == LOSE_ANSWER and effect.attempt == 1:
            return Unknown(f"{self.name} did not answer, as the order wishes")
        return result


def systems(clock: Clock, connect: Callable[[], Connection]) -> dict[str, Provoked]:
    """The ports of test mode, by name."""

    def attributes_of(order_ids: Sequence[str]) -> Mapping[str, Attributes]:
        connection = connect()
        try:
            return store.attributes_of(connection, order_ids)
        finally:
            connection.close()

    fakes = (TestPayment(clock), CarrierFake(clock), ErpFake(clock), NotificationFake(clock))
    return {fake.name: Provoked(fake, attributes_of) for fake in fakes}
