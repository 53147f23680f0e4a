"""Every look-up takes our id or what another system calls it: `system:reference`.

Where a system has several companies, it is `system/company:reference`.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable

from crossdock.api.references_store import our_ids
from crossdock.db import Connection

Reference = tuple[str, str, str]
"""system, company, external id."""


def parse_reference(text: str) -> Reference | None:
    """What a text refers to, if it is a reference at all."""
    system, colon, external_id = text.partition(":")
    system, _, company = system.partition("/")
    return (system, company, external_id) if colon and system and external_id else None


def resolve(
    connection: Connection, kind: str, texts: Iterable[str], is_ours: Callable[[str], bool]
) -> dict[str, str]:
    """Our id of each text; a reference that nobody knows is left out."""
    found: dict[str, str] = {}
    references: dict[str, Reference] = {}
    for text in texts:
        if is_ours(text):
            found[text] = text
        elif (reference := parse_reference(text)) is not None:
            references[text] = reference
    if references:
        known = our_ids(connection, kind, sorted(set(references.values())))
        found |= {text: known[r] for text, r in references.items() if r in known}
    return found
