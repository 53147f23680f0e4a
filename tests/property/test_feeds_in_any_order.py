"""Whatever feeds tell, and in whatever order, batch or repetition it arrives: one level results."""

from __future__ import annotations

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from crossdock import db
from crossdock.kernel.messages import Message
from tests.inventory.stockroom import OAK, Stockroom, count, move
from tests.property.test_inventory_conserves_units import empty

pytestmark = pytest.mark.slow

BUCKETS = ("supplier", "customer", "sellable", "damaged")

moves = st.tuples(
    st.integers(0, 40),
    st.integers(1, 6),
    st.permutations(BUCKETS).map(lambda drawn: (drawn[0], drawn[1])),
)
counts = st.dictionaries(st.integers(1, 40), st.integers(0, 9), max_size=3)
WHAT_CAN_BE_SEEN = ("sellable", "damaged", "sellable_overdrawn", "damaged_overdrawn")


def story(told: list[tuple[int, int, tuple[str, str]]], counted: dict[int, int]) -> list[Message]:
    """Moves in the middle of a minute's halves, so that none falls on the time of a count."""
    messages: list[Message] = [
        move(f"m{number}", "mug", units, source, into, minute=minute + 0.5)
        for number, (minute, units, (source, into)) in enumerate(told)
        if (source, into) not in {("supplier", "customer"), ("customer", "supplier")}
    ]
    return messages + [count(minute, mug=units) for minute, units in counted.items()]


@settings(
    max_examples=40, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture]
)
@given(
    told=st.lists(moves, max_size=6),
    counted=counts,
    data=st.data(),
)
def test_the_level_does_not_depend_on_the_order_of_arrival(
    connection: db.Connection,
    told: list[tuple[int, int, tuple[str, str]]],
    counted: dict[int, int],
    data: st.DataObject,
) -> None:
    messages = story(told, counted)
    arrival = data.draw(st.permutations(messages))
    repeated = data.draw(st.lists(st.sampled_from(messages), max_size=3)) if messages else []

    def level_after(*batches: list[Message]) -> tuple[int, ...]:
        empty(connection)
        stockroom = Stockroom(connection)
        for batch in batches:
            stockroom.tell(*batch)
        assert stockroom.broken_rules() == []
        return stockroom.buckets("mug", OAK, *WHAT_CAN_BE_SEEN)

    one_by_one = level_after(*[[message] for message in messages])
    assert level_after(*[[message] for message in arrival]) == one_by_one
    assert level_after(list(arrival)) == one_by_one
    assert level_after(list(arrival), list(repeated)) == one_by_one
