"""For channels: what is available to sell."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import Annotated, NamedTuple

import msgspec
from litestar import Router, get, post
from litestar.di import NamedDependency
from litestar.params import FromQuery, JSONBody, QueryParameter
from msgspec import Meta

from crossdock import db
from crossdock.api import channel_examples as examples
from crossdock.api.access.caller import Caller
from crossdock.api.documents import answers
from crossdock.api.filters import INVALID_FILTER, require_keys
from crossdock.api.problems import NOT_FOUND, ApiProblem
from crossdock.api.services import Services
from crossdock.engine.transaction import Transaction
from crossdock.inventory.ats import network_ats, node_ats
from crossdock.model.checks import MAX_KEY_CHARACTERS
from crossdock.model.orders import Method

MOST_SKUS = 1_000
MOST_SKUS_IN_A_URL = 100

Word = Annotated[str, Meta(min_length=1, max_length=MAX_KEY_CHARACTERS)]


class NodeAvailable(msgspec.Struct, frozen=True):
    """Units at one node."""

    node: str
    available: int


class Available(msgspec.Struct, frozen=True, omit_defaults=True):
    """Units of one SKU that may be sold now; 0 also for what nobody knows."""

    sku: str
    available: int
    nodes: Sequence[NodeAvailable] | None = None
    """Where they are, if that was asked for; what is queued already is not taken off of these,
    but for pickups at their store."""


class AvailableToSell(msgspec.Struct, frozen=True):
    """What one channel may sell by one method at one moment."""

    channel: str
    method: Method
    as_of: datetime
    items: Sequence[Available]


class AtsQuestion(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Which SKUs, for which channel and method."""

    channel: Word
    skus: Annotated[tuple[Word, ...], Meta(min_length=1, max_length=MOST_SKUS)]
    method: Method = Method.SHIP
    by_node: bool = False
    """Also where they are, for at most 100 SKUs."""


class Asked(NamedTuple):
    """A question as the group takes it."""

    channel: str
    method: str
    skus: tuple[str, ...]
    node: str | None
    by_node: bool


Terms = tuple[str, str]
"""Channel and method."""


class Answer(NamedTuple):
    """What was found at `as_of`."""

    as_of: datetime
    items: list[Available]


def look_up(connection: db.Connection, asked: Sequence[Asked], now: datetime) -> Sequence[Answer]:
    """All questions that wait: one look for each channel and method."""
    tx = Transaction(connection, now)
    in_all: dict[Terms, set[str]] = {}
    at_nodes: dict[Terms, set[str]] = {}
    for one in asked:
        terms = (one.channel, one.method)
        if one.node is None:
            in_all.setdefault(terms, set()).update(one.skus)
        if one.node is not None or one.by_node:
            at_nodes.setdefault(terms, set()).update(one.skus)
    network = {terms: network_ats(tx, *terms, skus) for terms, skus in in_all.items()}
    nodes = {terms: node_ats(tx, *terms, skus) for terms, skus in at_nodes.items()}
    return [Answer(now, [_item(one, sku, network, nodes) for sku in one.skus]) for one in asked]


def _item(
    asked: Asked,
    sku: str,
    network: Mapping[Terms, Mapping[str, int]],
    nodes: Mapping[Terms, Mapping[str, Mapping[str, int]]],
) -> Available:
    terms = (asked.channel, asked.method)
    at = nodes[terms][sku] if terms in nodes else {}
    if asked.node is not None:
        total = at.get(asked.node, 0)
        at = {asked.node: total}
    else:
        total = network[terms][sku]
    listed = [NodeAvailable(node, units) for node, units in at.items()]
    return Available(sku, total, listed if asked.by_node else None)


@get(
    "/ats",
    opt={"permission": "ats:read", "shed": "last", "answer_example": examples.ATS},
    responses=answers(NOT_FOUND, INVALID_FILTER),
)
async def read_ats(
    caller: NamedDependency[Caller],
    services: NamedDependency[Services],
    channel: Annotated[Word, QueryParameter(name="channel", description="Its code.")],
    sku: Annotated[
        list[Word],
        QueryParameter(
            name="sku",
            min_items=1,
            max_items=MOST_SKUS_IN_A_URL,
            description="One SKU; more than once: each.",
        ),
    ],
    method: FromQuery[Method] = Method.SHIP,
    node: Annotated[
        Word | None,
        QueryParameter(
            name="node", required=False, description="Only this node, such as a pickup's store."
        ),
    ] = None,
    by_node: FromQuery[bool] = False,
) -> AvailableToSell:
    """Read what a channel may sell now by a method: of one SKU or of many.

    It is what all nodes may sell, less demand that no node has yet and the channel's threshold.
    Safety stock and buffers are taken off. What is promised by a date is asked of /v1/promises.
    """
    asked = Asked(channel, method.value, tuple(dict.fromkeys(sku)), node, by_node)
    return await _answer(caller, services, asked)


@post(
    "/ats",
    status_code=200,
    opt={
        "permission": "ats:read",
        "shed": "last",
        "example": examples.ATS_QUESTION,
        "answer_example": examples.ATS,
    },
    responses=answers(NOT_FOUND, INVALID_FILTER),
)
async def ask_ats(
    data: JSONBody[AtsQuestion],
    caller: NamedDependency[Caller],
    services: NamedDependency[Services],
) -> AvailableToSell:
    """The same for up to 1,000 SKUs at once."""
    skus = tuple(dict.fromkeys(data.skus))
    by_node = data.by_node and len(skus) <= MOST_SKUS_IN_A_URL
    return await _answer(
        caller, services, Asked(data.channel, data.method.value, skus, None, by_node)
    )


async def _answer(caller: Caller, services: Services, asked: Asked) -> AvailableToSell:
    require_keys(channel=asked.channel, node=asked.node)
    for sku in asked.skus:
        require_keys(sku=sku)
    if not caller.sees_channel(asked.channel):
        raise ApiProblem(NOT_FOUND, f"There is no channel {asked.channel!r}.")
    answer = await services.of(caller).group("ats", look_up).put(asked)
    return AvailableToSell(asked.channel, Method(asked.method), answer.as_of, answer.items)


router = Router("/v1", route_handlers=[read_ats, ask_ats], tags=["availability"])
