"""The door for orders from outside: the master data and the channel's policy are asked first.

What came before is never judged again: it gets the answer that it got first.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime

import msgspec

from crossdock import db
from crossdock.engine import inbox
from crossdock.engine.inbox import Received, content_of
from crossdock.engine.transaction import Transaction
from crossdock.model.outside import TakenApart
from crossdock.model.problems import Problem
from crossdock.ordering import store
from crossdock.ordering.admission import Verdict, unknown_to, verdict_of
from crossdock.ordering.intake import OrderReceipt, Taken, take_orders
from crossdock.ordering.terms import SalesTerms

_NAME, _ANSWER = "request", "answer"


@dataclass(frozen=True, slots=True)
class Wanted:
    """An order somebody asks to be taken in, and what is wrong with it by itself."""

    taken: TakenApart
    problems: Sequence[Problem] = ()
    sender: str = ""
    request: str = ""
    """The sender's own name for this request (an idempotency key); empty where there is none."""

    @property
    def number(self) -> tuple[str, str]:
        """What is unique forever."""
        return self.taken.order.channel, self.taken.order.number


@dataclass(slots=True)
class _Case:
    """One order on its way through the door."""

    wanted: Wanted
    problems: tuple[Problem, ...]
    verdict: Verdict
    receipt: OrderReceipt | None = None

    @property
    def open(self) -> bool:
        return self.receipt is None


def admit_orders(
    connection: db.Connection, wanted: Sequence[Wanted], terms: SalesTerms, now: datetime
) -> list[OrderReceipt]:
    """Take orders in as their channels want it, in a fixed number of statements; commit then.

    One receipt each, in their order; `problems` of one that was taken are why it will be held.
    """
    terms.read(Transaction(connection, now))
    cases = [_judge(terms, each) for each in wanted]
    _refuse(connection, cases)
    fresh_names = _take_names(connection, cases, now)
    coming = [case for case in cases if case.open]
    receipts = take_orders(connection, [case.wanted.taken for case in coming], now)
    for case, receipt in zip(coming, receipts, strict=True):
        case.receipt = receipt
    _free_names(connection, fresh_names)
    _answer_again(connection, coming, now)
    return [case.receipt for case in cases if case.receipt is not None]


def _judge(terms: SalesTerms, wanted: Wanted) -> _Case:
    taken = terms.in_our_words(wanted.taken)
    if taken is not wanted.taken:
        wanted = Wanted(taken, wanted.problems, wanted.sender, wanted.request)
    order = taken.order
    problems = (*wanted.problems, *unknown_to(terms, order))
    return _Case(wanted, problems, verdict_of(terms.of(order.channel), order, problems))


def _refuse(connection: db.Connection, cases: Sequence[_Case]) -> None:
    """A receipt for those that are refused and did not come before, when the rules were others."""
    refused = [case for case in cases if case.verdict is Verdict.REFUSED]
    if not refused:
        return
    known = store.known_orders(connection, [case.wanted.number for case in refused])
    for case in refused:
        if case.wanted.number not in known:
            order_id = case.wanted.taken.order.id
            case.receipt = OrderReceipt(Taken.REFUSED, order_id, problems=case.problems)


def _take_names(
    connection: db.Connection, cases: Sequence[_Case], now: datetime
) -> dict[bytes, _Case]:
    """Note the senders' names for what is coming; another order under one is NUMBER_TAKEN.

    Returns the names that nobody had used before.
    """
    named = [case for case in cases if case.open and case.wanted.request]
    if not named:
        return {}
    contents = [
        content_of(
            case.wanted.sender,
            case.wanted.request,
            _NAME,
            dict(zip(("channel", "number"), case.wanted.number, strict=True)),
        )
        for case in named
    ]
    fresh = {}
    for case, content, receipt in zip(
        named, contents, inbox.take_once(connection, contents, now), strict=True
    ):
        if receipt.result is Received.CONFLICT:
            order_id = case.wanted.taken.order.id
            case.receipt = OrderReceipt(Taken.NUMBER_TAKEN, order_id, receipt.field)
        elif receipt.result is Received.ACCEPTED:
            fresh[content.hash] = case
    return fresh


def _free_names(connection: db.Connection, fresh: Mapping[bytes, _Case]) -> None:
    """A name under which nothing was taken may be used again."""
    unused = [
        name
        for name, case in fresh.items()
        if case.receipt and case.receipt.result in (Taken.FLAWED, Taken.NUMBER_TAKEN)
    ]
    if unused:
        inbox.forget(connection, unused)


def _answer_again(connection: db.Connection, cases: Sequence[_Case], now: datetime) -> None:
    """Keep the problems of what will be held, and give those kept to what is repeated."""
    noted, repeated = [], {}
    for case in cases:
        assert case.receipt is not None
        if case.receipt.result is Taken.ACCEPTED and case.problems:
            case.receipt = case.receipt._replace(problems=case.problems)
            noted.append(content_of(_ANSWER, case.receipt.order_id, _ANSWER, case.problems))
        elif case.receipt.result is Taken.REPEATED:
            repeated[content_of(_ANSWER, case.receipt.order_id, _ANSWER, ()).hash] = case
    if noted:
        inbox.take_once(connection, noted, now)
    for name, body in inbox.kept_bodies(connection, list(repeated)).items() if repeated else ():
        case = repeated[name]
        assert case.receipt is not None
        problems = msgspec.msgpack.decode(body, type=tuple[Problem, ...])
        case.receipt = case.receipt._replace(problems=problems)
