"""Checks of query parameters that no type can state."""

from __future__ import annotations

from crossdock.api.problems import ApiProblem, problem_type
from crossdock.model.checks import Findings
from crossdock.model.problems import Problem

INVALID_FILTER = problem_type(
    "invalid_filter",
    422,
    "A filter cannot be",
    cause="A query parameter has the right type and a value that nothing can have.",
    remedy="Correct the parameter that `errors` names.",
)


def require_keys(**named: str | None) -> None:
    """Codes and numbers that can name something. Raises ApiProblem 422 with all that cannot."""
    problems: list[Problem] = []
    found = Findings(problems)
    for name, value in named.items():
        if value is not None:
            found.key(value, "", name)
    if problems:
        raise ApiProblem(INVALID_FILTER, errors=problems)


def require_id(name: str, value: str | None) -> None:
    """An id of ours. Raises ApiProblem 422 for anything else."""
    problems: list[Problem] = []
    if value is not None:
        Findings(problems).identifier(value or "-", "", name)
    if problems:
        raise ApiProblem(INVALID_FILTER, errors=problems)
