"""A few stored decisions in plain words, for the report; `crossdock explain` tells them in full."""

from __future__ import annotations

from collections.abc import Iterator

from crossdock import db
from crossdock.allocation import records
from crossdock.kernel.money import text_of
from crossdock.simulator import figures_store
from crossdock.simulator.outcome import Explained
from crossdock.sourcing.model import CostParts, Decision

MOST_CANDIDATES = 5
MOST_NODES_NAMED = 4


def explained(connection: db.Connection, most: int, currency: str) -> tuple[Explained, ...]:
    """Decisions of up to `most` orders that show something."""
    found = []
    for order_id, why in figures_store.telling_orders(connection, most):
        choices = records.explained(connection, order_id)
        if not choices:
            continue
        lines: list[str] = []
        for choice in choices:
            at = choice.decided_at.isoformat(sep=" ", timespec="minutes")
            policy = f"policy {choice.decision.policy_name} {choice.decision.policy_version}"
            lines.append(f"Attempt {choice.attempt} in zone {choice.zone} at {at}, {policy}")
            lines += (f"  {line}" for line in _told(choice.decision, currency))
        found.append(
            Explained(
                order=figures_store.order_number(connection, order_id),
                headline=why,
                text="\n".join(lines),
            )
        )
    return tuple(found)


def _told(decision: Decision, currency: str) -> Iterator[str]:
    """What was chosen, what it was compared with, and who was out of the question."""
    for node in decision.chosen.nodes:
        units = ", ".join(
            f"{line.quantity} x {line.sku}" + (f" for {line.instead_of}" if line.instead_of else "")
            for line in node.lines
        )
        yield (
            f"Chosen: {node.node} sends {units} over {node.distance_km:,} km, leaves by "
            f"{node.ship_by:%a %d %b %H:%M} UTC, arrives {node.arrive_on:%a %d %b}"
        )
        yield f"        {_parts(node.cost, currency)}"
    for line in decision.chosen.unfilled:
        reason = str(line.reason).replace("_", " ")
        yield f"Open:   {line.quantity} x {line.sku}: {reason}; {line.outcome}"
    if decision.runner_up is not None:
        other = decision.runner_up
        names, delta = " + ".join(other.nodes), decision.runner_up_delta_minor
        yield (
            f"Runner-up: {names} for {text_of(other.total_minor, currency)}, "
            f"{text_of(abs(delta), currency)} {'more' if delta >= 0 else 'less'}"
        )
        yield f"        {_parts(other.cost, currency)}"
    for candidate in decision.candidates[2:MOST_CANDIDATES]:
        total = text_of(candidate.total_minor, currency)
        yield f"Also costed: {' + '.join(candidate.nodes)} for {total}"
    for reason, nodes in decision.eliminated.items():
        named = ", ".join(nodes[:MOST_NODES_NAMED])
        more = f" and {len(nodes) - MOST_NODES_NAMED} more" if len(nodes) > MOST_NODES_NAMED else ""
        yield f"Out, {str(reason).replace('_', ' ')}: {named}{more}"


def _parts(cost: CostParts, currency: str) -> str:
    parts = [
        f"{part.replace('_', ' ')} {text_of(getattr(cost, part), currency)}"
        for part in CostParts.__struct_fields__
        if getattr(cost, part)
    ]
    return f"{text_of(cost.total, currency)} = {' + '.join(parts)}".replace("+ -", "- ")
