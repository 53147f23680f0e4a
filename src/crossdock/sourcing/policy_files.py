"""Reading a sourcing policy from TOML: strict, with errors that name file, key and remedy."""

from __future__ import annotations

import re
import tomllib
from collections.abc import Sequence
from datetime import date
from functools import lru_cache
from importlib import resources
from pathlib import Path

from crossdock.kernel.money import is_currency
from crossdock.model.problems import Problem as Misfit
from crossdock.model.shape import convert
from crossdock.sourcing.errors import PolicyNotFound, PolicyRefused
from crossdock.sourcing.policy import Service, SourcingPolicy

SHIPPED = ("default", "nearest", "fewest-splits", "margin-aware")
"""The policies that come with Crossdock."""
SHIPPED_CURRENCY = "USD"


def load_policy(path: Path) -> SourcingPolicy:
    """Reads and checks a policy file."""
    try:
        text = path.read_text(encoding="utf-8")
    except FileNotFoundError as error:
        raise PolicyNotFound(
            f"there is no sourcing policy at {path}",
            advice=f"Write one, or name a shipped one: {', '.join(SHIPPED)}.",
        ) from error
    except (OSError, UnicodeDecodeError) as error:
        raise PolicyRefused(
            str(path),
            "(file)",
            f"cannot be read: {error}",
            "Make it a readable UTF-8 file.",
        ) from error
    return parse_policy(text, str(path))


@lru_cache(maxsize=2 * len(SHIPPED))
def shipped_policy(name: str = "default", currency: str = SHIPPED_CURRENCY) -> SourcingPolicy:
    """One of the policies that come with Crossdock."""
    return parse_policy(shipped_policy_text(name, currency), f"{name}.toml")


def shipped_policy_text(name: str, currency: str = SHIPPED_CURRENCY) -> str:
    """A shipped policy's file, comments and all, to start one's own from.

    Its amounts are figures to begin with: in another currency they are the same ones.
    """
    if name not in SHIPPED:
        raise PolicyNotFound(
            f"no sourcing policy named {name!r} comes with Crossdock",
            advice=f"Shipped are {', '.join(SHIPPED)}; give a file's path for one of your own.",
        )
    folder = resources.files("crossdock.sourcing") / "policies"
    text = (folder / f"{name}.toml").read_text(encoding="utf-8")
    return text.replace(f'currency = "{SHIPPED_CURRENCY}"', f'currency = "{currency}"', 1)


def parse_policy(text: str, source: str) -> SourcingPolicy:
    """A policy from TOML text; `source` names it in errors."""
    try:
        content = tomllib.loads(text)
    except tomllib.TOMLDecodeError as error:
        raise PolicyRefused(
            source,
            "(syntax)",
            str(error),
            "Correct the line; the file must be TOML 1.0.",
        ) from error
    policy = convert(content, SourcingPolicy)
    if isinstance(policy, list):
        raise _explained(source, policy)
    for key, problem, remedy in _contradictions(policy):
        raise PolicyRefused(source, key, problem, remedy)
    return policy


def _explained(source: str, found: Sequence[Misfit]) -> PolicyRefused:
    """The first of what does not fit; an unknown key before the one that is missing for it."""
    first = min(found, key=lambda misfit: misfit.code != "unknown_field")
    problem, remedy = _WORDS.get(first.code, (first.message.rstrip("."), _OTHER_VALUE))
    return PolicyRefused(source, first.path or "(top level)", problem, remedy)


_OTHER_VALUE = "Give it a value of that kind; docs/reference/sourcing-policy.md explains the keys."
_WORDS = {
    "unknown_field": (
        "unknown key",
        "Remove it or correct its spelling; docs/reference/sourcing-policy.md lists the keys.",
    ),
    "missing": (
        "missing",
        f"Add it; the shipped policies ({', '.join(SHIPPED)}) show an example.",
    ),
}


Problem = tuple[str, str, str]


def _contradictions(policy: SourcingPolicy) -> list[Problem]:
    return [
        *_of_steps(policy),
        *_of_freight(policy),
        *_of_numbers(policy),
        *_of_the_unfilled(policy),
    ]


def _of_steps(policy: SourcingPolicy) -> list[Problem]:
    problems: list[Problem] = []
    if not policy.steps:
        problems.append(("steps", "there is none", "Add at least one [[steps]] table."))
    names = [step.name for step in policy.steps]
    for i, step in enumerate(policy.steps):
        key = f"steps[{i}]"
        if names.count(step.name) > 1:
            problems.append((f"{key}.name", f"{step.name!r} twice", "Give each step its name."))
        if step.max_nodes_per_line > step.max_nodes:
            problems.append(
                (
                    f"{key}.max_nodes_per_line",
                    "more than max_nodes",
                    "Lower it or raise max_nodes.",
                )
            )
    return problems


def _of_freight(policy: SourcingPolicy) -> list[Problem]:
    freight = policy.freight
    problems: list[Problem] = []
    for key, values in (
        ("zones_km", freight.zones_km),
        ("weights_grams", freight.weights_grams),
    ):
        if list(values) != sorted(set(values)) or (values and values[0] <= 0):
            problems.append((f"freight.{key}", "not rising from above 0", "Sort the limits."))
    if not freight.weights_grams:
        problems.append(("freight.weights_grams", "empty", "Give at least one weight limit."))
    if len(freight.zones_km) > 200:
        problems.append(("freight.zones_km", "more than 200 zones", "Use fewer zones."))
    barred = policy.dangerous_goods.barred_services
    for key, name in (
        ("freight.default_service", freight.default_service),
        *((f"dangerous_goods.barred_services[{i}]", name) for i, name in enumerate(barred)),
    ):
        if name not in freight.services:
            problems.append(
                (
                    key,
                    f"{name!r} is not among the services",
                    f"Name one of {', '.join(sorted(freight.services)) or 'freight.services'}.",
                )
            )
    for name, service in freight.services.items():
        problems.extend(_of_service(policy, f"freight.services.{name}", service))
    for i, peak in enumerate(freight.surcharges.peaks):
        for end, day in (("first_day", peak.first_day), ("last_day", peak.last_day)):
            if not _is_day(day):
                key = f"freight.surcharges.peaks[{i}].{end}"
                problems.append((key, f"{day!r} is no day", "Write MM-DD."))
    return problems


def _of_service(policy: SourcingPolicy, key: str, service: Service) -> list[Problem]:
    zones, weights = len(policy.freight.zones_km) + 1, len(policy.freight.weights_grams)
    problems: list[Problem] = []
    if len(service.transit_days) != zones:
        problems.append(
            (
                f"{key}.transit_days",
                f"{len(service.transit_days)} values for {zones} zones",
                "Give one for each zone: one more than zones_km has limits.",
            )
        )
    if len(service.rates) != weights:
        problems.append(
            (
                f"{key}.rates",
                f"{len(service.rates)} rows for {weights} weights",
                "Give one row for each of weights_grams.",
            )
        )
    for i, row in enumerate(service.rates):
        if len(row) != zones:
            problems.append(
                (
                    f"{key}.rates[{i}]",
                    f"{len(row)} values for {zones} zones",
                    "Give one for each zone: one more than zones_km has limits.",
                )
            )
    if problems:
        return problems
    columns = [*zip(*service.rates, strict=True)]
    if service.abroad is not None:
        if len(service.abroad.rates) != weights:
            return [
                (
                    f"{key}.abroad.rates",
                    "not one for each weight",
                    "Add or remove values.",
                )
            ]
        columns.append(service.abroad.rates)
    for zone, column in enumerate(columns):
        # The search prunes by it: a heavier package must not be cheaper.
        if list(column) != sorted(column):
            problems.append(
                (
                    f"{key}.rates",
                    f"zone {zone + 1} gets cheaper with weight",
                    "Make each column rise from row to row.",
                )
            )
    return problems


def _of_numbers(policy: SourcingPolicy) -> list[Problem]:
    problems: list[Problem] = []
    if not is_currency(policy.currency):
        problems.append(("currency", f"{policy.currency!r} is no ISO 4217 code", "Such as USD."))
    if not re.fullmatch(r"[a-z0-9][a-z0-9-]*", policy.name):
        problems.append(("name", f"{policy.name!r}", "Use small letters, digits and hyphens."))
    return problems


def _of_the_unfilled(policy: SourcingPolicy) -> list[Problem]:
    rules = policy.unfilled.rules
    problems: list[Problem] = []
    if not rules or rules[-1].reasons:
        problems.append(
            (
                "unfilled.rules",
                "no rule for all other reasons",
                "End with a [[unfilled.rules]] table without reasons.",
            )
        )
    for i, rule in enumerate(rules):
        if not rule.reasons and i < len(rules) - 1:
            problems.append(
                (
                    f"unfilled.rules[{i}]",
                    "takes every reason, the rules after it never apply",
                    "Give it reasons or move it to the end.",
                )
            )
    return problems


def _is_day(text: str) -> bool:
    if not re.fullmatch("[0-9]{2}-[0-9]{2}", text):
        return False  # Such as W01-2, the second day of the first week.
    try:
        date.fromisoformat(f"2024-{text}")
    except ValueError:
        return False
    return True
