"""What must hold across rows: each file of schema/invariants finds the rows that break one rule.

A file starts with a comment that states the rule in a sentence, followed by one query; every row
it returns is a violation.
"""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from crossdock import db
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
            cursor = connection.execute(invariant.query.encode(), prepare=False)
            assert cursor.description is not None, f"{invariant.name} is not a query"
            names = [column.name for column in cursor.description]
            violations += [
                Violation(invariant.name, invariant.rule, tuple(zip(names, row, strict=True)))
                for row in cursor.fetchmany(rows_per_rule)
            ]
    return violations


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
