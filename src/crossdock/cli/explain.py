"""`crossdock explain ORDER`: why its units leave from where they do."""

from __future__ import annotations

from typing import Annotated
from zoneinfo import ZoneInfo

import msgspec
import typer
from rich.padding import Padding
from rich.table import Table
from rich.text import Text

from crossdock.allocation import store
from crossdock.allocation.records import (
    Background,
    Explained,
    background,
    examined,
    explained,
    replay_decision,
)
from crossdock.allocation.store import FoundOrder
from crossdock.cli.context import (
    FOUND_SOMETHING,
    WRONG_USAGE,
    connect,
    errors,
    open_database,
    output,
)
from crossdock.db import Connection
from crossdock.inventory.facts.lots_store import OrderLot, lots_of_order
from crossdock.kernel.ids import is_id
from crossdock.kernel.money import text_of
from crossdock.sourcing.explain import WORDS, Examination, LineFinding, although_cheaper
from crossdock.sourcing.model import CostParts, PlannedNode

PARTS = CostParts.__struct_fields__


def register(app: typer.Typer) -> None:
    """Adds `explain`."""
    app.command("explain")(explain)


def explain(
    context: typer.Context,
    order: Annotated[
        str, typer.Argument(help="Its number, channel:number, id, or another system's reference.")
    ],
    channel: Annotated[
        str, typer.Option(help="Where several channels have an order of that number.")
    ] = "",
    as_json: Annotated[bool, typer.Option("--json", help="Print one JSON object.")] = False,
    replay: Annotated[
        bool, typer.Option(help="Also make each decision again from its stored inputs.")
    ] = False,
    nodes: Annotated[
        bool, typer.Option(help="Also tell every node's part, by planning the batch again.")
    ] = False,
) -> None:
    """Tell where an order's units leave from, what that costs, and why no other node was better."""
    with open_database(context) as database, connect(database) as connection:
        found = _the_order(connection, order, channel)
        choices = explained(connection, found.id)
        same = [r.is_identical for r in replay_decision(connection, found.id)] if replay else []
        looks = examined(connection, found.id) if nodes else []
        lots = lots_of_order(connection, found.id)
        behind = [] if as_json else [background(connection, choice) for choice in choices]
    if as_json:
        _print_json(found, choices, same, looks, lots)
    else:
        _print_all(found, list(zip(choices, behind, strict=True)), same, looks)
        _print_lots(lots)
    if not choices or not all(same):
        raise typer.Exit(FOUND_SOMETHING)


def _the_order(connection: Connection, text: str, channel: str) -> FoundOrder:
    found = [o for o in store.find_orders(connection, text) if channel in ("", o.channel)]
    if not found and not channel:
        # As the API names it: channel:number.
        of_channel, _, number = text.partition(":")
        found = [o for o in store.find_orders(connection, number) if o.channel == of_channel]
    if len(found) == 1:
        return found[0]
    if not found and is_id(text) and store.decisions_of(connection, text):
        return FoundOrder(text, "", text)
    if not found:
        errors.print(f"There is no order {text!r}.")
        raise typer.Exit(FOUND_SOMETHING)
    channels = ", ".join(sorted(o.channel for o in found))
    errors.print(f"Several orders are called {text!r}; choose one with --channel: {channels}.")
    raise typer.Exit(WRONG_USAGE)


def _print_json(
    found: FoundOrder,
    choices: list[Explained],
    same: list[bool],
    looks: list[Examination],
    lots: list[OrderLot],
) -> None:
    decisions = []
    for number, choice in enumerate(choices):
        told = msgspec.to_builtins(choice, str_keys=True)
        # Structs that are arrays on the wire are named for a reader.
        told["decision"] = _named(choice.decision)
        told["demand"] = None if choice.demand is None else _named(choice.demand)
        if same:
            told["replayed_identically"] = same[number]
        if looks:
            told["nodes"] = _named(looks[number].lines)
        decisions.append(told)
    order = {"id": found.id, "channel": found.channel, "number": found.number}
    whole = {"order": order, "decisions": decisions, "lots": [lot._asdict() for lot in lots]}
    output.print_json(msgspec.json.encode(whole).decode(), highlight=False)


def _named(value: object) -> object:
    """A struct with all it holds as plain data with field names."""
    if isinstance(value, msgspec.Struct):
        named = {name: _named(getattr(value, name)) for name in value.__struct_fields__}
        return {**named, "total": value.total} if isinstance(value, CostParts) else named
    if isinstance(value, list | tuple):
        return [_named(each) for each in value]
    if isinstance(value, dict):
        return {str(key): _named(each) for key, each in value.items()}
    return msgspec.to_builtins(value)


def _print_all(
    found: FoundOrder,
    choices: list[tuple[Explained, Background]],
    same: list[bool],
    looks: list[Examination],
) -> None:
    name = f"{found.channel} {found.number}".strip()
    output.print(f"Order {name}  ({found.id})", style="bold", highlight=False)
    if not choices:
        output.print("No node has been chosen for it yet.")
    for number, (choice, behind) in enumerate(choices):
        _print_choice(choice, behind)
        if same:
            verdict = "the same plan" if same[number] else "ANOTHER PLAN"
            output.print(f"Made again from its stored inputs: {verdict}.")
        if looks:
            currency = choice.demand.currency if choice.demand else ""
            for line in looks[number].lines:
                output.print(_node_table(line, currency))


def _print_lots(lots: list[OrderLot]) -> None:
    """Which lots its units are of: this is told of now, not of when a node was chosen."""
    if lots:
        output.print("\nOf lots:")
    for one in lots:
        until = f", good until {one.expires_on}" if one.expires_on else ""
        output.print(
            f"  {one.node}: {one.quantity} x {one.sku} of {one.lot}{until}",
            highlight=False,
            soft_wrap=True,
        )


def _print_choice(choice: Explained, behind: Background) -> None:
    decision = choice.decision
    currency = choice.demand.currency if choice.demand else ""
    at = choice.decided_at.isoformat(timespec="seconds")
    output.print(
        f"\nAttempt {choice.attempt}, zone {choice.zone}, {at}, policy {decision.policy_name}"
        f" {decision.policy_version}"
        + (f", step {decision.chosen.step}" if decision.chosen.step else ""),
        highlight=False,
        soft_wrap=True,
    )
    if choice.was_refused:
        output.print("Not carried out: other facts took its units each time it was planned.")
    if decision.chosen.nodes:
        _print_chosen(choice, behind, currency)
    for line in decision.chosen.unfilled:
        until = f" until {line.until:%Y-%m-%d}" if line.until else ""
        output.print(
            f"Open: line {line.line_number}, {line.quantity} x {line.sku}: {WORDS[line.reason]};"
            f" {line.outcome}{until}",
            soft_wrap=True,
        )
    if choice.demand is not None and choice.demand.barred_substitutes:
        output.print(
            f"Not sent instead, for it was promised to others:"
            f" {', '.join(choice.demand.barred_substitutes)}",
            highlight=False,
            soft_wrap=True,
        )
    _print_runner_up(choice, behind, currency)
    if len(decision.candidates) > 1:
        _print_candidates(choice, currency)
    for reason, nodes in decision.eliminated.items():
        output.print(
            f"Out, {WORDS[reason]}: {', '.join(nodes)}",
            highlight=False,
            soft_wrap=True,
        )


def _print_chosen(choice: Explained, behind: Background, currency: str) -> None:
    """A block for each node, with the parts of its cost below each other."""
    chosen = choice.decision.chosen
    total = _money(chosen.total_minor, currency)
    output.print(f"Chosen, for {total} in all:", highlight=False)
    for node in chosen.nodes:
        parts = [(part, getattr(node.cost, part)) for part in (*PARTS, "total")]
        told = [(_words(part), _money(minor, currency)) for part, minor in parts if minor]
        widest = max((len(money) for _, money in told), default=0)
        rows = [
            ("sends", _units(node, choice)),
            ("distance", f"{node.distance_km} km"),
            ("leaves", _leaves(node, behind.time_zones[node.node])),
            ("arrives", node.arrive_on.isoformat()),
            *((part, money.rjust(widest)) for part, money in told),
        ]
        output.print(f"  {node.node}", style="bold", highlight=False)
        output.print(_rows(rows))


def _leaves(node: PlannedNode, time_zone: str) -> str:
    """The day and the last minute there, by the node's own clocks."""
    by = node.ship_by.astimezone(ZoneInfo(time_zone))
    minute = "24:00" if by.date() > node.ship_on else f"{by:%H:%M}"
    return f"{node.ship_on} by {minute} ({time_zone})"


def _print_candidates(choice: Explained, currency: str) -> None:
    output.print("Plans that were costed:")
    for candidate in choice.decision.candidates:
        arrives = f", arrives {candidate.arrive_on}" if candidate.arrive_on else ""
        parts = [
            f"{_words(part)} {_money(getattr(candidate.cost, part), currency)}"
            for part in PARTS
            if getattr(candidate.cost, part)
        ]
        plan = " + ".join(candidate.nodes) + arrives
        total = _money(candidate.total_minor, currency)
        output.print(_rows([(total, plan), ("", ", ".join(parts))]))


def _rows(rows: list[tuple[str, str]]) -> Padding:
    """Names and what they say, which is folded where a line ends and never cut off."""
    table = Table.grid(padding=(0, 2))
    table.add_column(no_wrap=True)
    table.add_column(overflow="fold")
    for name, said in rows:
        table.add_row(Text(name), Text(said))
    return Padding(table, (0, 0, 0, 4), expand=False)


def _print_runner_up(choice: Explained, behind: Background, currency: str) -> None:
    runner_up = choice.decision.runner_up
    if runner_up is None:
        text = "There was no other plan."
    else:
        delta = choice.decision.runner_up_delta_minor
        more = "more"
        if delta < 0:
            more = f"less, {although_cheaper(choice.decision, behind.choose)}"
        text = (
            f"Runner-up: {' + '.join(runner_up.nodes)} for "
            f"{_money(runner_up.total_minor, currency)}, {_money(abs(delta), currency)} {more}"
        )
    output.print(text, highlight=False, soft_wrap=True)


def _units(node: PlannedNode, choice: Explained) -> str:
    """What it sends: a kit with its components, a substitute with what was ordered."""
    ordered = {line.line_number: line.sku for line in choice.demand.lines} if choice.demand else {}
    substitutes = {one.line: one.sku for one in choice.substitutes}
    told = []
    for line in node.lines:
        substitute = substitutes.get(line.line_number)
        sent = substitute or line.instead_of or line.sku
        told.append(
            f"{line.quantity} x {sent}"
            + (f" instead of {ordered[line.line_number]}" if substitute else "")
            + (f" as {line.taken} {line.sku}" if line.sku != sent else "")
        )
    return ", ".join(told)


def _words(part: str) -> str:
    return part.replace("_", " ")


def _money(minor: int, currency: str) -> str:
    return text_of(minor, currency) if currency else str(minor)


def _node_table(line: LineFinding, currency: str) -> Table:
    numbers = ", ".join(str(number) for number in line.line_numbers)
    table = Table(
        title=f"Every node for line {numbers}: {line.quantity} x {' + '.join(line.skus)}",
        title_justify="left",
    )
    for heading in ("node", "units", "km", "arrives", "alone"):
        number = heading in ("units", "km")
        table.add_column(heading, justify="right" if number else "left", overflow="fold")
    for one in line.nodes:
        told = WORDS[one.reason] if one.reason else ""
        if one.cost is not None:
            told = _money(one.cost.total, currency)
        arrives = one.arrive_on.isoformat() if one.arrive_on else ""
        table.add_row(one.node, str(one.available), str(one.distance_km), arrives, told)
    return table
