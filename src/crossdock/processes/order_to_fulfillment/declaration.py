"""The process itself; its handlers are in process.py (the way it should go), changes.py (the ways
it may go otherwise) and payment.py (what providers answer)."""

from __future__ import annotations

from crossdock.engine.process import Process
from crossdock.ordering.model import ORDER_PROCESS
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


def enter(order: SalesOrderState, stage: str) -> None:
    """Change the stage, visibly."""
    order.stage = stage
    order.news.stage = True
