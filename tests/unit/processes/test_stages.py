"""The declared stages: what every message is in every stage, and that no answer is lost."""

from __future__ import annotations

from typing import Any

import pytest

from crossdock.engine.process import Process, Unfit
from crossdock.inventory import model as inventory
from crossdock.kernel.messages import Message, registered
from crossdock.model import effects
from crossdock.model.messages import InterceptAnswered
from crossdock.ordering import model as ordering
from crossdock.processes.checkout import checkout
from crossdock.processes.fulfillment import fulfillment
from crossdock.processes.order_to_fulfillment import order_to_fulfillment

PROCESSES: list[Process[Any]] = [order_to_fulfillment, fulfillment, checkout]
of_each_process = pytest.mark.parametrize("process", PROCESSES, ids=lambda p: p.name)

# What a process is answered, by what it asks for. A message here is awaited, so that in a stage
# where it may come while the question is open it has a handler, or is declared stale on purpose.
ANSWERS: dict[str, list[tuple[type[Message], set[str]]]] = {
    "order-to-fulfillment": [
        (ordering.OrderValidated, {"checking"}),
        (ordering.OrderScreened, {"checking"}),
        (inventory.DemandAccepted, {"open"}),
        (inventory.ReservationsFreed, {"open"}),
        (effects.PaymentAuthorized, {"checking", "held", "open", "closed"}),
        (effects.AuthorizationRefused, {"checking", "held", "open"}),
        (effects.PaymentCaptured, {"open", "closed"}),
        (effects.CaptureRefused, {"open", "closed"}),
        (effects.PaymentVoided, {"open", "closed"}),
        (effects.VoidRefused, {"open", "closed"}),
        (effects.PaymentRefunded, {"open", "closed"}),
        (effects.RefundRefused, {"open", "closed"}),
        (effects.DocumentPosted, {"checking", "held", "open", "closed"}),
        (effects.DocumentRefused, {"checking", "held", "open", "closed"}),
        (effects.CustomerNotified, {"checking", "held", "open", "closed"}),
        (ordering.UnitsPicked, {"open"}),
        (ordering.UnitsPacked, {"open"}),
        (ordering.UnitsShipped, {"open"}),
        (ordering.UnitsDelivered, {"open"}),
        (ordering.UnitsLost, {"open"}),
        (ordering.UnitsStopped, {"open"}),
        (ordering.UnitsGivenBack, {"open"}),
        (ordering.UnitsWithdrawn, {"open"}),
    ],
    "fulfillment": [
        (inventory.StockPicked, {"submitted", "working", "shipped", "closed"}),
        (inventory.StockUnpicked, {"submitted", "working", "shipped", "closed"}),
        (inventory.StockShipped, {"submitted", "working", "shipped", "closed"}),
        (inventory.ReservationsFreed, {"submitted", "working", "shipped", "closed"}),
        (InterceptAnswered, {"submitted", "working", "shipped"}),
    ],
    "checkout": [
        (inventory.DemandAccepted, {"keeping", "placed", "closed"}),
        (inventory.ReservationsExtended, {"keeping", "placed", "closed"}),
        (inventory.ReservationsFreed, {"keeping", "placed", "closed"}),
    ],
}


@of_each_process
def test_every_message_is_declared_in_every_stage(process: Process[Any]) -> None:
    known = {message for message, _ in process.handlers} | {m for m, _ in process.unfit}
    undeclared = [
        (message.__name__, stage)
        for message in sorted(known, key=lambda m: m.__name__)
        for stage in process.stages
        if (message, stage) not in process.handlers and (message, stage) not in process.unfit
    ]
    assert undeclared == []


@of_each_process
def test_no_message_is_both_handled_and_unfit_in_one_stage(process: Process[Any]) -> None:
    assert not process.handlers.keys() & process.unfit.keys()


@of_each_process
def test_every_answer_is_taken_while_it_is_awaited(process: Process[Any]) -> None:
    for message, stages in ANSWERS[process.name]:
        for stage in stages:
            assert (message, stage) in process.handlers, f"{message.__name__} in {stage}"


@of_each_process
def test_an_answer_that_comes_when_nobody_waits_is_never_kept_for_later(
    process: Process[Any],
) -> None:
    """An early answer would wait for good: nothing asks for it again."""
    for message, _ in ANSWERS[process.name]:
        for stage in process.stages:
            assert process.unfit.get((message, stage)) is not Unfit.EARLY


def test_every_answer_of_ordering_and_of_outside_systems_has_a_receiver() -> None:
    received = {m for p in PROCESSES for m, _ in p.handlers} | {
        m for p in PROCESSES for m in p.starters
    }
    ours = {
        message
        for message in registered().values()
        if message.__module__ in (ordering.__name__, effects.__name__)
    }
    assert sorted(m.__name__ for m in ours - received) == []


def test_a_closed_order_takes_back_what_a_provider_still_holds() -> None:
    assert (effects.PaymentAuthorized, "closed") in order_to_fulfillment.handlers
