"""What an order of test mode may ask to go wrong: documented values of its attributes.

    test.payment       refuse, refuse_authorize, refuse_capture, refuse_void, refuse_refund,
    test.carrier       fail, lose_answer or down; of the carrier also lose_parcel or never
    test.erp           refuse, fail, lose_answer, down
    test.notification  refuse, fail, lose_answer, down
    test.node          decline, short, silent, keep or manual

Everything else goes well. docs/howto/test-mode.md tells what comes of each.
"""

from __future__ import annotations

from collections.abc import Mapping

PREFIX = "test."

REFUSE, FAIL, LOSE_ANSWER, DOWN = "refuse", "fail", "lose_answer", "down"
"""Says no for good; asks to come again twice; does it, unheard; never answers."""

FAILURES = 2
"""How often what is to fail does so before it goes well."""

DECLINE, SHORT, SILENT, KEEP, MANUAL = "decline", "short", "silent", "keep", "manual"
LOSE_PARCEL, NEVER = "lose_parcel", "never"

Attributes = Mapping[str, str]


def wish_for(attributes: Attributes, system: str) -> str:
    """What is to happen at an outside system, or empty."""
    return attributes.get(PREFIX + system, "")


def is_refused(wish: str, operation: str) -> bool:
    """Whether the system says no to this operation."""
    return wish in (REFUSE, f"{REFUSE}_{operation}")
