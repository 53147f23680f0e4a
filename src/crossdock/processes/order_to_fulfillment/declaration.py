"""The process itself; its handlers are in process.py (the way it should go), changes.py (the ways
it may go otherwise) and payment.py (what providers answer)."""

from __future__ import annotations

from collections.abc import Sequence

from crossdock.engine.process import Process
from crossdock.kernel.messages import Message
from crossdock.ordering.model import ORDER_PROCESS
from crossdock.processes.order_to_fulfillment.news import News
from crossdock.processes.order_to_fulfillment.state import SalesOrderState

CHECKING = "checking"
"""Does it make sense, is it paid for, may it be trusted?"""
HELD = "held"
"""A person has to decide before anything is promised."""
OPEN = "open"
"""Accepted: being sourced, picked, packed, shipped, delivered."""
CLOSED = "closed"

process = Process(
    ORDER_PROCESS,
    version=1,
    owner="retail operations",
    state=SalesOrderState,
    stages=(CHECKING, HELD, OPEN, CLOSED),
    closed=(CLOSED,),
)


def take_told(order: SalesOrderState) -> Sequence[Message]:
    """What the world is told, given to the log."""
    news: News | None = order.__dict__.get("news")
    if news is None or not news.told:
        return ()
    told, news.told = news.told, []
    return told


process.told = take_told


def enter(order: SalesOrderState, stage: str) -> None:
    """Change the stage, visibly."""
    order.stage = stage
    order.news.stage = True
