"""The process itself; its handlers are in process.py, what recalls need in recalling.py."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from crossdock.engine.process import Address, Process, Send
from crossdock.kernel.messages import Message
from crossdock.model.events import WorkEvent
from crossdock.ordering.model import FULFILLMENT_PROCESS, ORDER_PROCESS
from crossdock.processes.fulfillment.state import FulfillmentState, News

SUBMITTED = "submitted"
"""Nobody at the node has looked at it."""
WORKING = "working"
"""Accepted: being picked and packed."""
SHIPPED = "shipped"
"""Nothing is left at the node; packages are on their way."""
CLOSED = "closed"

AT_NODE = (SUBMITTED, WORKING)
ALIVE = (SUBMITTED, WORKING, SHIPPED)

process = Process(
    FULFILLMENT_PROCESS,
    version=1,
    owner="store operations",
    state=FulfillmentState,
    stages=(SUBMITTED, WORKING, SHIPPED, CLOSED),
    closed=(CLOSED,),
)
process.objects = lambda work, message: [work.id, work.order_id]


def take_told(work: FulfillmentState) -> Sequence[Message]:
    """What the world is told, given to the log."""
    news: News | None = work.__dict__.get("news")
    if news is None or not news.told:
        return ()
    told, news.told = news.told, []
    return told


process.told = take_told


def tell(work: FulfillmentState, event: type[WorkEvent], **more: Any) -> None:
    """The world hears what became of this work."""
    work.news.told.append(
        event(order_id=work.order_id, fulfillment_id=work.id, node=work.node, **more)
    )


def to_order(work: FulfillmentState, message: Message) -> Send:
    """Tell the order that this work is for."""
    return Send(Address(ORDER_PROCESS, work.order_id, work.order_id), message)
