"""What a feed said that could not be booked: never silent, each opens a Case."""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

from crossdock.engine.capability import Delivery
from crossdock.engine.transaction import Transaction
from crossdock.inventory.facts import store as facts_store
from crossdock.kernel.ids import derive

MOST_CASES = 100
"""Of one batch and kind; a feed that is wrong as a whole opens one more that counts the rest."""


class Complaint(NamedTuple):
    """Something a person has to see; `delivery` brought it."""

    delivery: Delivery
    kind: str
    subject: str
    detail: str


def open_cases(tx: Transaction, complaints: Sequence[Complaint]) -> None:
    """Open a Case for each complaint, and one for those beyond the limit."""
    if not complaints:
        return
    shown = list(complaints[:MOST_CASES])
    if len(complaints) > MOST_CASES:
        more = complaints[MOST_CASES]
        detail = f"and {len(complaints) - MOST_CASES} more in the same batch; the first: "
        shown.append(more._replace(detail=detail + more.detail))
    facts_store.open_cases(
        tx,
        [
            (
                derive(tx.now, "case", one.delivery.id, one.kind, str(number)),
                one.kind,
                one.subject,
                one.detail,
                3,
                one.delivery.to.process,
                one.delivery.to.instance,
                one.delivery.correlation_id,
                tx.now,
            )
            for number, one in enumerate(shown)
        ],
    )
