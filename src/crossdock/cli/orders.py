"""`crossdock orders validate`: read an order file as a run would, and account for each row."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import msgspec
import typer
from rich.table import Table

from crossdock.cli.context import FOUND_SOMETHING, output
from crossdock.importers import (
    FORMATS,
    Dataset,
    Rejects,
    Report,
    open_dataset,
)
from crossdock.importers.networks import open_network

orders = typer.Typer(no_args_is_help=True, help="Order files: check them without running.")


def register(app: typer.Typer) -> None:
    """Adds `orders`."""
    app.add_typer(orders, name="orders")


@orders.callback()
def _group() -> None:
    """Order files: check them without running."""


class Checked(msgspec.Struct, frozen=True, kw_only=True):
    """What --json prints."""

    file: str
    report: Report
    rejected_rows: int
    rejected_parts: int
    reasons: dict[str, int]


@orders.command("validate")
def validate(
    file: Annotated[Path, typer.Argument(help="Order file or folder.")],
    network: Annotated[
        Path | None,
        typer.Option(help="Network file or folder: then SKUs, channels and nodes are checked too."),
    ] = None,
    brand: Annotated[
        str | None, typer.Option(help="The chain, where --network is a file of store locations.")
    ] = None,
    form: Annotated[
        str | None,
        typer.Option("--format", help=f"{', '.join(FORMATS)}; by default by the content."),
    ] = None,
    mapping: Annotated[
        Path | None, typer.Option(help="Mapping file (TOML) for formats that have one.")
    ] = None,
    rejects: Annotated[
        Path | None, typer.Option(help="Write every row not taken to this file (JSON Lines).")
    ] = None,
    seed: Annotated[int, typer.Option(help="Seed for what the file lacks.")] = 1,
    as_json: Annotated[bool, typer.Option("--json", help="Print one JSON object.")] = False,
) -> None:
    """Check an order file without running it.

    Exit status 0: every row is taken; 1: some are not, each with its line, reason and remedy;
    2: nothing in the file can be used.
    """
    with Rejects(rejects) as refused:
        known = open_network(network, brand=brand, seed=seed, rejects=refused)
        dataset = open_dataset(
            file, seed=seed, known=known, form=form, mapping=mapping, rejects=refused
        )
        dataset.close()
    if as_json:
        typer.echo(_json(file, dataset))
    else:
        _print(file, dataset)
    if len(refused):
        raise typer.Exit(FOUND_SOMETHING)


def _json(file: Path, dataset: Dataset) -> str:
    refused = dataset.rejects
    checked = Checked(
        file=str(file),
        report=dataset.report,
        rejected_rows=refused.lines,
        rejected_parts=refused.parts,
        reasons=dict(refused.by_reason.most_common()),
    )
    return msgspec.json.encode(checked).decode()


def _print(file: Path, dataset: Dataset) -> None:
    report, refused = dataset.report, dataset.rejects
    output.print(
        f"{file}: {report.format}, {report.orders:,} orders, {report.order_lines:,} lines, "
        f"{report.units:,} units.",
        highlight=False,
        soft_wrap=True,
    )
    output.print("What became of the rows:")
    output.print(_account(report))
    for remark, count in report.remarks.items():
        output.print(f"  {count:,} {remark}", highlight=False)
    if not len(refused):
        output.print("Every row is taken.", style="bold green")
        return
    output.print("What cannot be taken:")
    output.print(_problems(refused))
    if refused.path is None:
        output.print("--rejects FILE writes all of them to a file.")
    else:
        output.print(f"All of them are in {refused.path}.", soft_wrap=True)


def _account(report: Report) -> Table:
    table = Table()
    table.add_column("rows", justify="right")
    table.add_column("became")
    for what, count in sorted(report.taken.items(), key=lambda pair: -pair[1]):
        table.add_row(f"{count:,}", what)
    for what, count in sorted(report.otherwise.items(), key=lambda pair: -pair[1]):
        table.add_row(f"{count:,}", what, style="dim")
    if report.blank:
        table.add_row(f"{report.blank:,}", "blank", style="dim")
    if report.rejected:
        table.add_row(f"{report.rejected:,}", "rejected", style="red")
    table.add_section()
    table.add_row(f"{report.lines_read:,}", "rows read", style="bold")
    return table


def _problems(refused: Rejects) -> Table:
    table = Table()
    table.add_column("count", justify="right")
    table.add_column("reason", no_wrap=True)
    table.add_column("for instance", overflow="fold")
    table.add_column("remedy", overflow="fold")
    for reason, count in refused.by_reason.most_common():
        first = refused.first_of[reason]
        place = f"{first.file}:{first.line}: {first.message}"
        table.add_row(f"{count:,}", reason, place, first.remedy)
    return table
