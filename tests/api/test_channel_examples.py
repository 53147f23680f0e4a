"""The examples in the document are of the types they stand for."""

from __future__ import annotations

from typing import Any

import msgspec
import pytest

from crossdock.api import channel_examples as examples
from crossdock.api.checkouts.model import CheckoutRead, Extend, Reserve
from crossdock.api.orders.model import Cancel, CancelTaken, OrderEdit, OrderRead
from crossdock.api.pages import Page
from crossdock.api.routes.ats import AtsQuestion, AvailableToSell
from crossdock.api.routes.promises import PromiseAnswer, PromiseQuestion


@pytest.mark.parametrize(
    ("example", "kind"),
    [
        (examples.CANCEL, Cancel),
        (examples.CANCEL_TAKEN, CancelTaken),
        (examples.EDIT, OrderEdit),
        (examples.ORDER, OrderRead),
        (examples.ORDERS, Page[OrderRead]),
        (examples.ATS_QUESTION, AtsQuestion),
        (examples.ATS, AvailableToSell),
        (examples.PROMISE_QUESTION, PromiseQuestion),
        (examples.PROMISES, PromiseAnswer),
        (examples.RESERVE, Reserve),
        (examples.EXTEND, Extend),
        (examples.CHECKOUT, CheckoutRead),
    ],
)
def test_an_example_is_what_it_stands_for(example: dict[str, Any], kind: Any) -> None:
    assert msgspec.json.decode(msgspec.json.encode(example), type=kind) is not None
