"""`crossdock network`: networks and whole made-up retailers as files to run and to start from."""

from __future__ import annotations

from datetime import UTC, datetime
from pathlib import Path
from typing import Annotated

import typer

from crossdock.catalog.files import save_network
from crossdock.catalog.store import save_network as save_records
from crossdock.cli.context import FOUND_SOMETHING, connect, open_database, output
from crossdock.cli.policies import rates_nobody_reckons_in
from crossdock.engine.store import ensure_zone_shards
from crossdock.importers import Rejects
from crossdock.importers.locations import read_locations
from crossdock.importers.networks import open_network
from crossdock.importers.text import Reading
from crossdock.kernel.errors import SettingRefused
from crossdock.simulator.opening import open_stock
from crossdock.simulator.retailer import RetailerPlan, make_retailer, write_retailer
from crossdock.simulator.store import is_unused

network = typer.Typer(no_args_is_help=True, help="Networks of nodes, as files.")


def register(app: typer.Typer) -> None:
    """Adds `network`."""
    app.add_typer(network, name="network")


@network.command("load")
def load(
    context: typer.Context,
    path: Annotated[Path, typer.Argument(help="A network file or folder, as `init` writes.")],
) -> None:
    """Put a network into the database: companies, channels, nodes, products; and stock at first.

    Records of the same code are replaced, others stay. Stock is taken only where there is none at
    all yet; after that it is told over the API.
    """
    known = open_network(path)
    with open_database(context) as database, connect(database) as connection:
        save_records(connection, known.network)
        ensure_zone_shards(connection, [zone.code for zone in known.network.zones])
        levels = None
        if is_unused(connection):
            levels = open_stock(connection, known.stock, known.network, datetime.now(UTC))
        connection.commit()
        stock = "the stock stays as it is" if levels is None else f"{levels} stock levels"
        output.print(
            f"{len(known.network.nodes)} nodes, {len(known.network.products)} products and "
            f"{len(known.network.channels)} channels are in the database; {stock}.",
            highlight=False,
            soft_wrap=True,
        )
        closed = rates_nobody_reckons_in(connection)
    if closed:
        output.print(
            f"Nodes with cost rates in {', '.join(closed)} take part in no plan: no sourcing "
            "policy in force is in that currency. Put one in force ([policies] in crossdock.toml), "
            "or state the rates in the policy's.",
            style="bold yellow",
            soft_wrap=True,
        )


@network.command("from-locations")
def from_locations(
    file: Annotated[Path, typer.Argument(help="CSV of store locations (brand, city, latitude …).")],
    brand: Annotated[str, typer.Option(help="The chain, as the column brand names it.")],
    out: Annotated[Path, typer.Option(help="The network file to write (.jsonl or .jsonl.gz).")],
    rejects: Annotated[
        Path | None, typer.Option(help="Write every row not taken to this file (JSON Lines).")
    ] = None,
    seed: Annotated[int, typer.Option(help="Seed for hours, capacity and costs.")] = 1,
) -> None:
    """Make a network of a chain's real stores; hours, capacity and costs come from the seed."""
    _require_lines(out)
    with Rejects(rejects) as refused:
        found = read_locations(Reading(file, refused), brand, seed)
    save_network(out, found.network)
    output.print(
        f"{out}: {found.stores} stores of {brand} and {len(found.network.nodes) - found.stores} "
        "made-up DCs. Hours, capacity and costs are filled from the seed.",
        highlight=False,
        soft_wrap=True,
    )
    if len(refused):
        output.print(f"{len(refused)} rows of {brand} were not taken.", style="bold red")
        raise typer.Exit(FOUND_SOMETHING)


@network.command("made-up")
def made_up(
    folder: Annotated[Path, typer.Argument(help="Folder for orders.jsonl and network.jsonl.")],
    seed: Annotated[int, typer.Option(help="The same seed gives the same retailer.")] = 1,
    orders: Annotated[int, typer.Option(min=1)] = 20_000,
    stores: Annotated[int, typer.Option(min=0, max=20_000)] = 600,
    dcs: Annotated[int, typer.Option(min=1, max=50)] = 2,
    skus: Annotated[int, typer.Option(min=100, max=900_000)] = 20_000,
    hours: Annotated[float, typer.Option(min=1, help="How long orders come in.")] = 48.0,
) -> None:
    """Write a made-up retailer on real US geography: its network, products, stock and orders."""
    for name in ("orders.jsonl", "network.jsonl"):
        if (folder / name).exists():
            raise SettingRefused(
                f"{folder / name} is there already; nothing was written.",
                advice="Name another folder.",
            )
    plan = RetailerPlan(orders=orders, stores=stores, dcs=dcs, skus=skus, hours=hours)
    dataset = make_retailer(seed, plan)
    try:
        written = write_retailer(dataset, folder)
    except OSError as error:
        raise SettingRefused(
            f"{folder} cannot be written: {error.strerror}.",
            advice="Name a folder you may write to, on a disk with room.",
        ) from error
    for path in written:
        output.print(str(path), highlight=False, soft_wrap=True)


def _require_lines(out: Path) -> None:
    if not out.name.endswith((".jsonl", ".jsonl.gz")):
        raise SettingRefused(f"{out} is no name for a network file.", advice="Name it .jsonl.")
    if not out.parent.is_dir():
        raise SettingRefused(f"The folder {out.parent} does not exist.", advice="Create it first.")
