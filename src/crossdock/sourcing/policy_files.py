"""Reading a sourcing policy from TOML: strict, with errors that name file, key and remedy."""

from __future__ import annotations

import re
import tomllib
from datetime import date
from functools import lru_cache
from importlib import resources
from pathlib import Path

import msgspec

from crossdock.sourcing.errors import PolicyNotFound, PolicyRefused
from crossdock.sourcing.policy import Service, SourcingPolicy

SHIPPED = ("default", "nearest", "fewest-splits", "margin-aware")
"""The policies that come with Crossdock."""


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


@lru_cache(maxsize=len(SHIPPED))
def shipped_policy(name: str = "default") -> SourcingPolicy:
    """One of the policies that come with Crossdock."""
    return parse_policy(shipped_policy_text(name), f"{name}.toml")


def shipped_policy_text(name: str) -> str:
    """A shipped policy's file, comments and all, to start one's own from."""
    if name not in SHIPPED:
        raise PolicyNotFound(
            f"no sourcing policy named {name!r} comes with Crossdock",
            advice=f"Shipped are {', '.join(SHIPPED)}; give a file's path for one of your own.",
        )
    folder = resources.files("crossdock.sourcing") / "policies"
    return (folder / f"{name}.toml").read_text(encoding="utf-8")


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
    try:
        policy = msgspec.convert(content, SourcingPolicy)
    except msgspec.ValidationError as error:
        raise _explained(source, str(error)) from error
    for key, problem, remedy in _contradictions(policy):
        raise PolicyRefused(source, key, problem, remedy)
    return policy


def _explained(source: str, message: str) -> PolicyRefused:
    """Turns msgspec's message into key, problem and remedy."""
    problem, _, path = message.partition(" - at `")
    key = path.rstrip("`").removeprefix("$").removeprefix(".") or "(top level)"
    unknown = re.search(r"unknown field `(.+)`", problem)
    missing = re.search(r"missing required field `(.+)`", problem)
    prefix = "" if key == "(top level)" else f"{key}."
    if unknown:
        return PolicyRefused(
            source,
            f"{prefix}{unknown[1]}",
            "unknown key",
            "Remove it or correct its spelling; docs/reference/sourcing-policy.md lists the keys.",
        )
    if missing:
        return PolicyRefused(
            source,
            f"{prefix}{missing[1]}",
            "missing",
            f"Add it; the shipped policies ({', '.join(SHIPPED)}) show an example.",
        )
    return PolicyRefused(source, key, problem, "Give it a value of the type it asks for.")


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
        if step.max_nodes < 1 or step.max_nodes_per_line < 1:
            problems.append((f"{key}.max_nodes", "below 1", "An order needs at least one node."))
        if step.max_nodes_per_line > step.max_nodes:
            problems.append(
                (
                    f"{key}.max_nodes_per_line",
                    "more than max_nodes",
                    "Lower it or raise max_nodes.",
                )
            )
        if step.distance_percent <= 0:
            problems.append((f"{key}.distance_percent", "not above 0", "100 keeps the limits."))
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
    if freight.dimensional_mm3_per_gram <= 0:
        problems.append(
            (
                "freight.dimensional_mm3_per_gram",
                "not above 0",
                "5000 is usual; raise it to disable.",
            )
        )
    if freight.tare_grams < 0:
        problems.append(("freight.tare_grams", "below 0", "Give the weight of an empty package."))
    if freight.default_service not in freight.services:
        problems.append(
            (
                "freight.default_service",
                f"{freight.default_service!r} is not among the services",
                f"Name one of {', '.join(sorted(freight.services)) or 'freight.services'}.",
            )
        )
    for name, service in freight.services.items():
        problems.extend(_of_service(policy, f"freight.services.{name}", service))
    for i, peak in enumerate(freight.surcharges.peaks):
        for day in (peak.first_day, peak.last_day):
            if not _is_day(day):
                problems.append(
                    (
                        f"freight.surcharges.peaks[{i}]",
                        f"{day!r} is no day",
                        "Write MM-DD.",
                    )
                )
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
        if list(column) != sorted(column) or column[0] < 0:
            problems.append(
                (
                    f"{key}.rates",
                    f"zone {zone + 1} gets cheaper with weight, or is below 0",
                    "Make each column rise from row to row.",
                )
            )
    return problems


def _of_numbers(policy: SourcingPolicy) -> list[Problem]:
    cost, search = policy.cost, policy.search
    surcharges = policy.freight.surcharges
    at_least = {
        "candidates.nearest": (policy.candidates.nearest, 1),
        "candidates.holders": (policy.candidates.holders, 1),
        "split.cost_minor": (policy.split.cost_minor, 0),
        "split.min_order_value_minor": (policy.split.min_order_value_minor, 0),
        "split.min_shipment_value_minor": (policy.split.min_shipment_value_minor, 0),
        "freight.surcharges.fuel_percent": (surcharges.fuel_percent, 0),
        "freight.surcharges.oversize_minor": (surcharges.oversize_minor, 0),
        "freight.surcharges.heavy_minor": (surcharges.heavy_minor, 0),
        "freight.surcharges.dangerous_goods_minor": (
            surcharges.dangerous_goods_minor,
            0,
        ),
        "freight.surcharges.remote_minor": (surcharges.remote_minor, 0),
        "cost.handling.order_minor": (cost.handling.order_minor, 0),
        "cost.handling.unit_minor": (cost.handling.unit_minor, 0),
        "cost.markdown.percent": (cost.markdown.percent, 0),
        "cost.markdown.horizon_days": (cost.markdown.horizon_days, 1),
        "cost.markdown.aged_within_days": (cost.markdown.aged_within_days, 1),
        "cost.stockout.margin_percent": (cost.stockout.margin_percent, 0),
        "cost.lateness.day_minor": (cost.lateness.day_minor, 0),
        "cost.lateness.day_percent": (cost.lateness.day_percent, 0),
        "cost.failed_pick_minor": (cost.failed_pick_minor, 0),
        "cost.load_percent": (cost.load_percent, 0),
        "calendar.max_wait_days": (policy.calendar.max_wait_days, 0),
        "unfilled.penalty_minor": (policy.unfilled.penalty_minor, 0),
        "unfilled.penalty_percent": (policy.unfilled.penalty_percent, 0),
        "search.exact_lines": (search.exact_lines, 1),
        "search.exact_evaluations": (search.exact_evaluations, 1),
        "search.batch_evaluations": (search.batch_evaluations, 1),
        "search.joint_rounds": (search.joint_rounds, 0),
        "search.joint_orders": (search.joint_orders, 1),
        "search.joint_trials": (search.joint_trials, 1),
        "record.candidates": (policy.record.candidates, 1),
    }
    problems: list[Problem] = [
        (key, f"{value} is below {least}", f"Give at least {least}.")
        for key, (value, least) in at_least.items()
        if value < least
    ]
    if not 0.001 <= policy.candidates.cell_degrees <= 1:
        problems.append(("candidates.cell_degrees", "not from 0.001 to 1", "0.02 is about a mile."))
    if policy.record.candidates > 10:
        problems.append(("record.candidates", "above 10", "A Decision keeps at most 10."))
    if policy.calendar.max_wait_days > 30:
        problems.append(("calendar.max_wait_days", "above 30", "Backorder instead of waiting."))
    if not re.fullmatch(r"[A-Z]{3}", policy.currency):
        problems.append(("currency", f"{policy.currency!r} is no ISO 4217 code", "Such as USD."))
    if not re.fullmatch(r"[a-z0-9][a-z0-9-]*", policy.name):
        problems.append(("name", f"{policy.name!r}", "Use small letters, digits and hyphens."))
    for kind, kilometres in policy.distance_km.items():
        if kilometres <= 0:
            problems.append((f"distance_km.{kind}", "not above 0", "Remove it for no limit."))
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
        if rule.days is not None and rule.days < 1:
            problems.append((f"unfilled.rules[{i}].days", "below 1", "Use outcome cancel at once."))
    return problems


def _is_day(text: str) -> bool:
    try:
        date.fromisoformat(f"2024-{text}")
    except ValueError:
        return False
    return True
