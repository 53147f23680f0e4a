"""What is wrong with something that came from outside."""

from __future__ import annotations

import msgspec


class Problem(msgspec.Struct, frozen=True, array_like=True):
    """One thing wrong: where, which rule, what was found, what to do about it."""

    path: str
    """The field, as in `lines[0].quantity`; empty for the whole document."""
    code: str
    """A word of a closed set, for machines: `unknown_currency`."""
    message: str
    remedy: str

    def __str__(self) -> str:
        where = f"{self.path}: " if self.path else ""
        return f"{where}{self.message} {self.remedy}".rstrip()
