"""What must hold across rows: each file of schema/invariants finds the rows that break one rule.

A file starts with a comment that states the rule in a sentence, followed by one query; every row
it returns is a violation.
"""

from __future__ import annotations

import time
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import NamedTuple

from crossdock import db
from crossdock.kernel.errors import StatementTimedOut
from crossdock.paths import schema_folder


@dataclass(frozen=True)
class Invariant:
    """A rule and the query that finds the rows which break it."""

    name: str
    rule: str
    query: str


@dataclass(frozen=True)
class Violation:
    """One row that breaks a rule; `row` pairs column names with values."""

    invariant: str
    rule: str
    row: tuple[tuple[str, object], ...]

    def __str__(self) -> str:
        columns = ", ".join(f"{name}={value}" for name, value in self.row)
        return f"{self.invariant}: {columns}"


class Checked(NamedTuple):
    """What a look at one rule found; None: it took longer than it may."""

    invariant: Invariant
    violations: list[Violation] | None
    seconds: float


def load_invariants(folder: Path | None = None) -> tuple[Invariant, ...]:
    """The rules of this version, by name."""
    return tuple(
        _parse(path) for path in sorted((folder or schema_folder() / "invariants").glob("*.sql"))
    )


def check(
    connection: db.Connection, folder: Path | None = None, *, rows_per_rule: int = 100
) -> list[Violation]:
    """The rows that break a rule, at most `rows_per_rule` for each; an empty list is good news.

    All rules see one snapshot, so that work going on meanwhile breaks none of them.
    """
    violations: list[Violation] = []
    with db.naming_faults(), db.one_snapshot(connection):
        for invariant in load_invariants(folder):
            violations += _violations(connection, invariant, rows_per_rule)
    return violations


def check_each(
    connection: db.Connection, *, statement_seconds: int, rows_per_rule: int
) -> Iterator[Checked]:
    """Each rule in a short read-only transaction of its own, so that none holds up vacuum.

    Every rule is one statement and so sees one moment. One that takes longer is given up.
    """
    for invariant in load_invariants():
        began = time.perf_counter()
        violations: list[Violation] | None = None
        try:
            with db.naming_faults(), db.one_snapshot(connection):
                connection.execute(f"SET LOCAL statement_timeout = {statement_seconds * 1000:d}")
                violations = _violations(connection, invariant, rows_per_rule)
        except StatementTimedOut:
            pass
        yield Checked(invariant, violations, time.perf_counter() - began)


def breaks_of(
    connection: db.Connection, name: str, columns: tuple[tuple[str, str], ...]
) -> list[Violation]:
    """The rows that break one rule and have these values in these columns."""
    (invariant,) = (one for one in load_invariants() if one.name == name)
    with db.naming_faults(), db.one_snapshot(connection):
        found = _violations(connection, invariant, None)
    return [one for one in found if set(columns) <= set(one.row)]


def _violations(
    connection: db.Connection, invariant: Invariant, most: int | None
) -> list[Violation]:
    cursor = connection.execute(invariant.query.encode(), prepare=False)
    assert cursor.description is not None, f"{invariant.name} is not a query"
    names = [column.name for column in cursor.description]
    rows = cursor.fetchall() if most is None else cursor.fetchmany(most)
    return [
        Violation(invariant.name, invariant.rule, tuple(zip(names, row, strict=True)))
        for row in rows
    ]


def _parse(path: Path) -> Invariant:
    lines = path.read_text(encoding="utf-8").strip().splitlines()
    comment: list[str] = []
    for line in lines:
        if not line.startswith("--"):
            break
        comment.append(line.removeprefix("--").strip())
    rule = " ".join(comment).strip()
    query = "\n".join(lines[len(comment) :]).strip()
    assert rule, f"{path.name} does not start with a comment that states its rule"
    assert query, f"{path.name} has no query"
    return Invariant(path.stem, rule, query)
