"""What the dispatcher may rely on with every port, and what each fake does of its own."""

from __future__ import annotations

from collections.abc import Callable
from datetime import UTC, datetime, timedelta

import msgspec
import pytest

from crossdock.connectors.fakes import CarrierFake, ErpFake, Mood, NotificationFake, PaymentFake
from crossdock.connectors.fakes.mood import Fake
from crossdock.engine.effects import Done, PendingEffect, TryLater, Unknown
from crossdock.kernel.clock import VirtualClock
from crossdock.kernel.messages import Message
from crossdock.model.effects import (
    AuthorizationRefused,
    CaptureRefused,
    Document,
    InterceptRequest,
    Notice,
    PaymentAuthorized,
    PaymentCaptured,
    PaymentRefunded,
    PaymentRequest,
    PaymentVoided,
    RefundRefused,
    VoidRefused,
)
from crossdock.model.messages import InterceptAnswered

NOON = datetime(2026, 3, 2, 12, tzinfo=UTC)

PAY = PaymentRequest(order_id="o1", tender=1, amount=5_000, currency="EUR", reference="tok_1")
EXAMPLES: list[tuple[type[Fake], str, msgspec.Struct]] = [
    (PaymentFake, "authorize", PAY),
    (
        CarrierFake,
        "intercept",
        InterceptRequest(
            order_id="o1", fulfillment_id="f1", shipment_id="s1", tracking="1Z", request_id="r1"
        ),
    ),
    (
        ErpFake,
        "post",
        Document(
            order_id="o1", kind="order", channel="web", number="1", currency="EUR", amount=5_000
        ),
    ),
    (
        NotificationFake,
        "notify",
        Notice(order_id="o1", party_id="p1", event="confirmed", channel="web", number="1"),
    ),
]
every_port = pytest.mark.parametrize(
    ("port", "operation", "payload"), EXAMPLES, ids=[kind.__name__ for kind, _, _ in EXAMPLES]
)


def effect(operation: str, payload: msgspec.Struct, key: str, attempt: int = 1) -> PendingEffect:
    body = msgspec.msgpack.encode(payload)
    return PendingEffect(key, "port", operation, "o1", key, body, attempt, NOON)


def answer(port: Fake, operation: str, payload: msgspec.Struct, key: str) -> Message:
    (result,) = port.send([effect(operation, payload, key)])
    assert isinstance(result, Done)
    return result.message


@every_port
def test_the_same_key_is_done_once_and_answered_alike(
    port: type[Fake], operation: str, payload: msgspec.Struct
) -> None:
    fake = port(VirtualClock(NOON))
    first = answer(fake, operation, payload, "k")
    assert answer(fake, operation, payload, "k") == first
    assert fake.times_done == {"k": 1}
    assert fake.look_up([effect(operation, payload, "k")]) == [first]


@every_port
def test_a_port_answers_every_effect_in_its_place(
    port: type[Fake], operation: str, payload: msgspec.Struct
) -> None:
    fake = port(VirtualClock(NOON))
    results = fake.send([effect(operation, payload, key) for key in ("a", "b", "c")])
    assert [fake.answers[key] for key in ("a", "b", "c")] == [
        result.message for result in results if isinstance(result, Done)
    ]


@every_port
def test_a_port_that_is_down_does_nothing_and_says_so(
    port: type[Fake], operation: str, payload: msgspec.Struct
) -> None:
    clock = VirtualClock(NOON)
    fake = port(clock, Mood(down=((NOON, NOON + timedelta(hours=3)),)))
    (result,) = fake.send([effect(operation, payload, "k")])
    assert isinstance(result, TryLater) and not fake.times_done
    assert fake.look_up([effect(operation, payload, "k")]) == [None]
    clock.move_to(NOON + timedelta(hours=3))
    assert answer(fake, operation, payload, "k") == fake.answers["k"]


@every_port
def test_a_lost_answer_is_an_unknown_outcome_of_something_done(
    port: type[Fake], operation: str, payload: msgspec.Struct
) -> None:
    fake = port(VirtualClock(NOON), Mood(loses_answer=1.0))
    (result,) = fake.send([effect(operation, payload, "k")])
    assert isinstance(result, Unknown) and fake.times_done == {"k": 1}
    assert fake.look_up([effect(operation, payload, "k")])[0] is not None


@every_port
def test_failures_are_drawn_from_the_seed_and_the_attempt(
    port: type[Fake], operation: str, payload: msgspec.Struct
) -> None:
    def outcomes(seed: int) -> list[bool]:
        fake = port(VirtualClock(NOON), Mood(seed=seed, fails=0.5))
        sent = [effect(operation, payload, "k", attempt) for attempt in range(40)]
        return [isinstance(result, Done) for result in fake.send(sent)]

    assert outcomes(1) == outcomes(1) != outcomes(2)
    assert 5 < sum(outcomes(1)) < 35


def test_a_provider_captures_in_parts_and_never_more_than_it_holds() -> None:
    provider = PaymentFake(VirtualClock(NOON))
    held = answer(provider, "authorize", PAY, "a")
    assert isinstance(held, PaymentAuthorized)
    assert held.expires_at == NOON + timedelta(days=7)
    part = msgspec.structs.replace(PAY, amount=3_000, authorization=held.authorization)
    assert isinstance(answer(provider, "capture", part, "c1"), PaymentCaptured)
    assert isinstance(answer(provider, "capture", part, "c2"), CaptureRefused)
    rest = msgspec.structs.replace(part, amount=2_000)
    assert isinstance(answer(provider, "void", rest, "v1"), PaymentVoided)
    assert isinstance(answer(provider, "void", rest, "v2"), VoidRefused)
    assert isinstance(answer(provider, "refund", part, "r1"), PaymentRefunded)
    assert isinstance(answer(provider, "refund", part, "r2"), RefundRefused)


def test_a_declined_card_is_refused_and_a_paid_marketplace_order_can_be_refunded() -> None:
    provider = PaymentFake(VirtualClock(NOON))
    declined = msgspec.structs.replace(PAY, reference="declined-1")
    assert isinstance(answer(provider, "authorize", declined, "a"), AuthorizationRefused)
    assert isinstance(answer(provider, "refund", PAY, "r"), PaymentRefunded)


@pytest.mark.parametrize(("gone", "stopped"), [(set(), True), ({"1Z"}, False)])
def test_a_carrier_stops_what_is_not_gone(gone: set[str], stopped: bool) -> None:
    carrier = CarrierFake(VirtualClock(NOON))
    carrier.gone = gone
    answered: Callable[..., Message] = answer
    told = answered(carrier, "intercept", EXAMPLES[1][2], "k")
    assert isinstance(told, InterceptAnswered) and told.stopped is stopped
    assert carrier.stopped == ({"1Z"} if stopped else set())
