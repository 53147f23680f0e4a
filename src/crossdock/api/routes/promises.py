"""For channels: which ways to deliver are open, by when, at what cost."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime
from typing import Annotated

import msgspec
from litestar import Router, post
from litestar.di import NamedDependency
from litestar.params import JSONBody
from msgspec import Meta

from crossdock.api import channel_examples as examples
from crossdock.api.access.caller import Caller
from crossdock.api.documents import answers
from crossdock.api.problems import NOT_FOUND, ApiProblem, problem_type
from crossdock.api.services import Backend, Services
from crossdock.engine.transaction import Transaction
from crossdock.kernel.quantity import MAX_QUANTITY
from crossdock.model.checks import MAX_KEY_CHARACTERS, Findings
from crossdock.model.orders import Method
from crossdock.model.text import unstorable
from crossdock.promising.model import Closed, Inquiry, Option, Place, WantedLine
from crossdock.promising.promiser import Promiser

MOST_LINES = 100
MOST_STORES = 20

INVALID_PROMISE = problem_type(
    "invalid_promise",
    422,
    "The question cannot be",
    cause="The destination or a SKU is none that can be.",
    remedy="Correct every field that `errors` names.",
)

Word = Annotated[str, Meta(min_length=1, max_length=MAX_KEY_CHARACTERS)]


class PromiseLine(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """Units of one SKU the customer is about to buy."""

    sku: Word
    quantity: Annotated[int, Meta(ge=1, le=MAX_QUANTITY)]


class PromisePlace(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Where the customer is. Without coordinates, distances are unknown and taken as far."""

    country: Word
    postal_code: Annotated[str, Meta(max_length=MAX_KEY_CHARACTERS)] = ""
    latitude: float | None = None
    longitude: float | None = None


class PromiseQuestion(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """What is to go where. Without methods, all that the channel offers are looked at."""

    channel: Word
    lines: Annotated[tuple[PromiseLine, ...], Meta(min_length=1, max_length=MOST_LINES)]
    destination: PromisePlace
    methods: Annotated[tuple[Method, ...], Meta(max_length=5)] = ()
    services: Annotated[tuple[Word, ...], Meta(max_length=10)] = ()
    """Carrier services such as standard and express; without, all that the policy prices."""
    stores: Annotated[tuple[Word, ...], Meta(max_length=MOST_STORES)] = ()
    """Where to collect it; without, the five nearest stores."""
    brand: Annotated[str, Meta(max_length=MAX_KEY_CHARACTERS)] = ""


class PromiseAnswer(msgspec.Struct, frozen=True):
    """The ways that are open, soonest first, and those that are not, and why."""

    as_of: datetime
    options: Sequence[Option]
    closed: Sequence[Closed]


@post(
    "/promises",
    status_code=200,
    opt={
        "permission": "promises:read",
        "example": examples.PROMISE_QUESTION,
        "answer_example": examples.PROMISES,
    },
    responses=answers(NOT_FOUND, INVALID_PROMISE),
    sync_to_thread=True,
)
def ask_promises(
    data: JSONBody[PromiseQuestion],
    caller: NamedDependency[Caller],
    services: NamedDependency[Services],
) -> PromiseAnswer:
    """Ask which ways are open to a customer: ship, pick up, ship to a store, deliver locally.

    Each says by when it arrives or is ready and what it is expected to cost. Nothing is reserved;
    put `arrive_by` into the order's delivery group as `promised_by`, and sourcing works to keep it.
    """
    problems = unstorable(data)
    found = Findings(problems)
    place = data.destination
    found.country(place.country, "destination.")
    found.place(place.latitude, place.longitude, "destination.")
    if problems:
        raise ApiProblem(INVALID_PROMISE, errors=problems)
    if not caller.sees_channel(data.channel):
        raise ApiProblem(NOT_FOUND, f"There is no channel {data.channel!r}.")
    return _answer(services.of(caller), data)


def _answer(backend: Backend, asked: PromiseQuestion) -> PromiseAnswer:
    place = asked.destination
    inquiry = Inquiry(
        channel=asked.channel,
        lines=tuple(WantedLine(line.sku, line.quantity) for line in asked.lines),
        place=Place(place.country, place.postal_code, place.latitude, place.longitude),
        brand=asked.brand,
        methods=tuple(dict.fromkeys(method.value for method in asked.methods)),
        services=tuple(dict.fromkeys(asked.services)),
        stores=tuple(dict.fromkeys(asked.stores)),
    )
    now = backend.clock.now()
    with backend.reading() as connection:
        found = backend.one(Promiser, Promiser).answer(Transaction(connection, now), inquiry)
    return PromiseAnswer(now, found.options, found.closed)


router = Router("/v1", route_handlers=[ask_promises], tags=["availability"])
