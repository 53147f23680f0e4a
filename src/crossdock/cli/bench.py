"""`crossdock bench`: speed and memory, measured with the limit they are compared with."""

from __future__ import annotations

import importlib
from typing import Annotated, Any

import msgspec
import typer
from rich.table import Table

from crossdock.cli.context import errors, output

BENCHES = {
    "orders": "paid orders from durable in the inbox to released",
    "lifecycle": "placed to closed, all messages, effects and log entries",
    "hot-sku": "every order wants the same SKU at the same node",
    "feed": "inventory moves applied, one by one and in chunks",
    "ats": "what can be sold: 100 SKUs for a channel, one SKU node by node",
    "api": "orders over HTTP, durable when answered, next to an endpoint that does nothing",
    "api-soak": "all kinds of requests for ten minutes, and what memory the API takes",
    "files": "whole files of products, prices and stock, a job each, next to COPY",
    "history": "orders again, with 1,000,000 closed ones in the tables",
    "soak": "orders for ten minutes beside a reader that holds a transaction open",
    "sourcing": "total cost and time against an exact solver",
}


def register(app: typer.Typer) -> None:
    """Adds `bench`."""
    app.command("bench")(bench)


def bench(
    name: Annotated[str, typer.Argument(help=", ".join(BENCHES))],
    as_json: Annotated[bool, typer.Option("--json", help="Print one JSON object.")] = False,
    seed: Annotated[int, typer.Option(help="Same seed, same work.")] = 1,
    scale: Annotated[float, typer.Option(help="Share of the full size.")] = 1,
) -> None:
    """Measure one thing and print it beside its limit from the same run."""
    if name not in BENCHES:
        raise typer.BadParameter(f"{name} is none of {', '.join(BENCHES)}")
    if not 0 < scale <= 1:
        raise typer.BadParameter("--scale is above 0 and at most 1")
    module = importlib.import_module(f"crossdock.bench.{name.replace('-', '_')}")
    errors.print(f"{name}: {BENCHES[name]}", highlight=False)
    result = msgspec.to_builtins(module.run(seed=seed, scale=scale))
    if as_json:
        typer.echo(msgspec.json.encode(result).decode())
        return
    _print(result)


def _print(result: dict[str, Any]) -> None:
    table = Table("figure", "value", title=str(result["name"]))
    unit = result["unit"]
    table.add_row("measured", f"{result['value']:,.1f} {unit}")
    table.add_row("limit in the same run", f"{result['limit']:,.1f} {unit}")
    table.add_row("ratio", f"{result['ratio']:.3f}")
    table.add_row("aim", str(result["aim"]))
    table.add_row("met", "yes" if result["met"] else "no")
    for part, value in result["parts"].items():
        shown = f"{value:,.3f}" if isinstance(value, float) else str(value)
        table.add_row(str(part), shown)
    output.print(table)
