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
from crossdock.kernel.errors import SettingRefused, StatementTimedOut
from crossdock.paths import schema_folder


class InvariantRefused(SettingRefused):
    """A file of rules cannot be used: names the file and what is wrong with it."""


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
    """The rules of this version, or of another folder, by name. Raises InvariantRefused."""
    folder = folder or schema_folder() / "invariants"
    found = tuple(_parse(path) for path in sorted(folder.glob("*.sql")))
    if not found:
        raise InvariantRefused(
            f"There are no rules in {folder}.", advice="Name a folder with a .sql file for each."
        )
    return found


def check(
    connection: db.Connection, folder: Path | None = None, *, rows_per_rule: int = 100
) -> list[Violation]:
    """The rows that break a rule, at most `rows_per_rule` for each; an empty list is good news.

    All rules see one snapshot, so that work going on meanwhile breaks none of them. Raises
    InvariantRefused.
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
    try:
        cursor = connection.execute(invariant.query.encode(), prepare=False)
    except db.Error as error:
        if db.fault_of(error) is not None:
            raise
        raise _refused(invariant.name, str(error)) from error
    if cursor.description is None:
        raise _refused(invariant.name, "This is not a query: it returns no rows.")
    names = [column.name for column in cursor.description]
    rows = cursor.fetchall() if most is None else cursor.fetchmany(most)
    return [
        Violation(invariant.name, invariant.rule, tuple(zip(names, row, strict=True)))
        for row in rows
    ]


def _parse(path: Path) -> Invariant:
    try:
        lines = path.read_text(encoding="utf-8").strip().splitlines()
    except (OSError, UnicodeError) as error:
        raise _refused(path.stem, str(error)) from error
    comment: list[str] = []
    for line in lines:
        if not line.startswith("--"):
            break
        comment.append(line.removeprefix("--").strip())
    rule = " ".join(comment).strip()
    query = "\n".join(lines[len(comment) :]).strip()
    if not rule:
        raise _refused(path.stem, "It does not start with a comment that states its rule.")
    if not query:
        raise _refused(path.stem, "It has no query.")
    return Invariant(path.stem, rule, query)


def _refused(name: str, problem: str) -> InvariantRefused:
    return InvariantRefused(
        f"{name}.sql cannot be used. {problem}",
        advice="A file is a comment that states a rule, and a query for the rows that break it.",
    )
