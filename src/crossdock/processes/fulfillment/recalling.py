"""Recalls: a node gives back what it still has, a carrier stops what has left, the rest is refused.

Every unit asked for is answered to the order exactly once: given back, stopped, refused or moot.
"""

from __future__ import annotations

from collections.abc import Iterator
from datetime import datetime

from crossdock.engine.process import Effect, Output
from crossdock.model.effects import CARRIER, InterceptRequest
from crossdock.model.events import FulfillmentOrderRecallRequested
from crossdock.model.messages import LineQuantity
from crossdock.ordering.model import RecallRequested, UnitsGivenBack
from crossdock.processes.fulfillment.declaration import tell, to_order
from crossdock.processes.fulfillment.state import FulfillmentState, Package, Recall
from crossdock.processes.fulfillment.units import give_back, quantities


def ask(work: FulfillmentState, asked: RecallRequested, now: datetime) -> Iterator[Output]:
    """Ask the node for units that are here, the carrier for those that have left."""
    gone: dict[int, int] = {}
    wanted: list[LineQuantity] = []
    for one in asked.lines:
        line = work.line(one.line)
        free = line.left - _asked_of(work, one.line) if line is not None else 0
        here = min(one.quantity, free)
        if here:
            wanted.append(LineQuantity(one.line, here))
            work.recalls.append(Recall(asked.request_id, one.line, here, asked.intercept))
            work.news.recalls[asked.request_id, one.line] = [here, 0, asked.reason, now, None, True]
            work.acknowledgement = "recall_requested"
            work.news.changed = True
        gone[one.line] = one.quantity - here
    if wanted:
        tell(
            work,
            FulfillmentOrderRecallRequested,
            request_id=asked.request_id,
            lines=tuple(wanted),
            reason=asked.reason,
        )
    yield from _intercept(work, asked.request_id, gone, asked.intercept)


def _asked_of(work: FulfillmentState, number: int) -> int:
    return sum(recall.quantity for recall in work.recalls if recall.line == number)


def _intercept(
    work: FulfillmentState, request_id: str, gone: dict[int, int], allowed: bool
) -> Iterator[Output]:
    """Stop packages all of whose units are unwanted; refuse units of any other."""
    for package in work.packages if allowed else ():
        if package.status != "on_way" or package.asked or not package.tracking:
            continue
        if all(gone.get(line, 0) >= quantity for line, quantity in package.lines):
            for line, quantity in package.lines:
                gone[line] -= quantity
            package.asked = f"{request_id}/{package.tracking}"
            yield Effect(
                connector=CARRIER,
                operation="intercept",
                order_key=package.tracking,
                key=package.asked,
                payload=InterceptRequest(
                    order_id=work.order_id,
                    fulfillment_id=work.id,
                    shipment_id=package.reference,
                    tracking=package.tracking,
                    request_id=package.asked,
                    carrier=package.carrier,
                ),
            )
    refused = quantities(gone)
    if refused:
        yield _answer(work, request_id, refused=refused)


def stop_what_left(work: FulfillmentState, now: datetime) -> Iterator[Output]:
    """Units left although they were asked for: the carrier may stop them, by policy."""
    allowed = {recall.request_id: recall.intercept for recall in work.recalls}
    for request_id, excess in _excess(work, now).items():
        yield from _intercept(work, request_id, excess, allowed[request_id])


def drop_what_is_not_here(work: FulfillmentState, now: datetime) -> tuple[LineQuantity, ...]:
    """Units asked for that turned out not to be here; the order is told beside."""
    moot: dict[int, int] = {}
    for excess in _excess(work, now).values():
        for line, quantity in excess.items():
            moot[line] = moot.get(line, 0) + quantity
    return quantities(moot)


def _excess(work: FulfillmentState, now: datetime) -> dict[str, dict[int, int]]:
    """Take off the recalls what is asked beyond the units here; by request and line."""
    found: dict[str, dict[int, int]] = {}
    for recall in list(work.recalls):
        line = work.line(recall.line)
        left = line.left if line is not None else 0
        excess = min(recall.quantity, _asked_of(work, recall.line) - left)
        if excess > 0:
            found.setdefault(recall.request_id, {})[recall.line] = excess
            recall.quantity -= excess
            if not recall.quantity:
                _close(work, recall, 0, now)
    return found


def answer_from(work: FulfillmentState, units: dict[int, int], now: datetime) -> Iterator[Output]:
    """Answer all recalls from units that are given back anyway, and take these off `units`."""
    yield from _answer_all(work, list(work.recalls), units, now)


def _answer_all(
    work: FulfillmentState, recalls: list[Recall], units: dict[int, int], now: datetime
) -> Iterator[Output]:
    """One answer per request; what was asked for is canceled, so nothing of it is queued."""
    given: dict[int, int] = {}
    answers: dict[str, tuple[dict[int, int], dict[int, int]]] = {}
    for recall in recalls:
        here = min(recall.quantity, units.get(recall.line, 0))
        units[recall.line] = units.get(recall.line, 0) - here
        given[recall.line] = given.get(recall.line, 0) + here
        lines, refused = answers.setdefault(recall.request_id, ({}, {}))
        lines[recall.line] = here
        refused[recall.line] = recall.quantity - here
        _close(work, recall, here, now)
    bare: dict[int, int] = {}
    yield from give_back(work, given, bare)
    for request_id, (lines, refused) in answers.items():
        yield _answer(
            work,
            request_id,
            lines=quantities(lines),
            refused=quantities(refused),
            bare=quantities(bare),
        )
        bare = {}


def take_answer(
    work: FulfillmentState, request_id: str, given: dict[int, int], now: datetime
) -> Iterator[Output]:
    """The node's answer: what it gives back is freed.

    What it gives beyond the question answers other recalls, and is sourced elsewhere after that.
    """
    units: dict[int, int] = {}
    for number, quantity in given.items():
        line = work.line(number)
        units[number] = min(quantity, line.left) if line is not None else 0
    recalls = [recall for recall in work.recalls if recall.request_id == request_id]
    yield from _answer_all(work, recalls, units, now)
    yield from _answer_others(work, units, now)
    yield from give_back(work, units)
    rest = quantities(units)
    if rest:
        yield to_order(
            work, UnitsGivenBack(fulfillment_id=work.id, reason="given back", lines=rest)
        )
    if not work.recalls and work.acknowledgement == "recall_requested":
        left = any(line.left for line in work.lines)
        work.acknowledgement = "accepted" if left else "recalled"
        work.news.changed = True


def _answer_others(
    work: FulfillmentState, units: dict[int, int], now: datetime
) -> Iterator[Output]:
    """Units given beyond the question, for other recalls: these stay open for the rest."""
    for recall in list(work.recalls):
        here = min(recall.quantity, units.get(recall.line, 0))
        if here:
            units[recall.line] -= here
            recall.quantity -= here
            recall.given += here
            lines, bare = {recall.line: here}, dict[int, int]()
            yield from give_back(work, lines, bare)
            yield _answer(work, recall.request_id, lines=quantities(lines), bare=quantities(bare))
            if not recall.quantity:
                _close(work, recall, 0, now)


def _close(work: FulfillmentState, recall: Recall, given: int, now: datetime) -> None:
    work.recalls.remove(recall)
    row = work.news.recalls.setdefault(
        (recall.request_id, recall.line), [0, 0, "", now, None, False]
    )
    row[1], row[4] = recall.given + given, now


def refuse_package(work: FulfillmentState, package: Package, now: datetime) -> Iterator[Output]:
    """A package that was to be stopped is beyond stopping."""
    if package.asked:
        lines = tuple(LineQuantity(*line) for line in package.lines)
        request_id, package.asked = package.asked, ""
        yield _answer(work, request_id, refused=lines)


def _answer(
    work: FulfillmentState,
    request_id: str,
    *,
    lines: tuple[LineQuantity, ...] = (),
    refused: tuple[LineQuantity, ...] = (),
    bare: tuple[LineQuantity, ...] = (),
) -> Output:
    return to_order(
        work,
        UnitsGivenBack(
            fulfillment_id=work.id,
            reason="recalled",
            lines=lines,
            refused=refused,
            bare=bare,
            request_id=request_id,
        ),
    )
