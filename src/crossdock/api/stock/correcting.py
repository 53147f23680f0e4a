"""Corrections of many requests decided in one transaction."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime
from typing import NamedTuple

import msgspec

from crossdock import db
from crossdock.api.idempotency import was_done_before
from crossdock.api.stock import store
from crossdock.api.stock.model import CorrectionAsked
from crossdock.api.stock.store import StoredCorrection
from crossdock.engine.inbox import content_of, deliver, take_once
from crossdock.engine.transaction import Transaction
from crossdock.inventory.facts.corrections import Correction, correct
from crossdock.kernel.ids import derive
from crossdock.model.outside import EPOCH


class Asked(NamedTuple):
    """A correction under its name, and who asks for it."""

    name: tuple[str, str]
    """(source, source id)."""
    correction: CorrectionAsked
    actor: str

    @property
    def id(self) -> str:
        """The same for the same name, so that the first answer can be given again."""
        return derive(EPOCH, "correction", *self.name)


class Decided(NamedTuple):
    """What was decided, now or the first time."""

    stored: StoredCorrection
    before: bool


def write_corrections(
    connection: db.Connection, asked: Sequence[Asked], now: datetime
) -> list[Decided]:
    """Decide corrections, in their order; raises ApiProblem 409 where a name is another's."""
    contents = [
        content_of(*one.name, "correction", msgspec.structs.asdict(one.correction)) for one in asked
    ]
    before = [was_done_before(receipt) for receipt in take_once(connection, contents, now)]
    new = [one for one, known in zip(asked, before, strict=True) if not known]
    found = _decide(connection, new, now) if new else {}
    known = [one.id for one, was_known in zip(asked, before, strict=True) if was_known]
    if known:
        found |= store.corrections(connection, known)
    return [Decided(found[one.id], known) for one, known in zip(asked, before, strict=True)]


def _decide(
    connection: db.Connection, new: Sequence[Asked], now: datetime
) -> dict[str, StoredCorrection]:
    wanted = [
        Correction(
            one.id,
            one.correction.sku,
            one.correction.node,
            one.correction.bucket,
            one.correction.expected_quantity,
            one.correction.quantity,
            one.correction.lot,
        )
        for one in new
    ]
    outcome = correct(Transaction(connection, now), wanted)
    stored = [
        StoredCorrection(
            id=one.id,
            decided_at=now,
            expected=one.correction.expected_quantity,
            quantity=one.correction.quantity,
            actual=what.actual,
            applied=what.applied,
            sku=one.correction.sku,
            node=one.correction.node,
            bucket=one.correction.bucket,
            reason=one.correction.reason,
            actor=one.actor,
            lot=one.correction.lot,
        )
        for one, what in zip(new, outcome.corrected, strict=True)
    ]
    store.save_corrections(connection, stored)
    deliver(connection, outcome.told, now)
    return {one.id: one for one in stored}
