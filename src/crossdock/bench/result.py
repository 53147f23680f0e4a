"""What every benchmark answers, and what it is compared with."""

from __future__ import annotations

from typing import Any

import msgspec


class BenchResult(msgspec.Struct, frozen=True, kw_only=True):
    """One figure with the limit measured in the same run.

    `ratio` is value / limit (limit / value where less is better); `met` says whether the aim, in
    words, was reached; `parts` are the figures it is made of.
    """

    name: str
    value: float
    unit: str
    limit: float
    ratio: float
    aim: str
    met: bool
    parts: dict[str, Any]
