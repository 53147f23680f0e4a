"""`crossdock run`: orders of a file through the whole process; `crossdock demo`: of a made-up one.

Exit codes: 0 every order came to its end; 1 rows were left out, an order is stuck or a rule is
broken; 2 the input cannot be used; 3 a fault outside.
"""

from __future__ import annotations

import contextlib
import tempfile
from collections import Counter
from collections.abc import Callable, Iterator
from datetime import timedelta
from pathlib import Path
from typing import Annotated

import msgspec
import typer
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeElapsedColumn

from crossdock.cli import tour
from crossdock.cli.context import (
    FOUND_SOMETHING,
    Database,
    connect,
    errors,
    open_database,
    options_of,
    output,
    settings_of,
)
from crossdock.cli.policies import checked_order_policy, policy_text, sourcing_policy
from crossdock.cli.summary import print_summary
from crossdock.importers import FORMATS, Dataset, Rejects, open_dataset
from crossdock.importers.networks import open_network
from crossdock.kernel.errors import SettingRefused
from crossdock.simulator.outcome import Outcome
from crossdock.simulator.report import write_report
from crossdock.simulator.retailer import RetailerPlan, make_retailer
from crossdock.simulator.run import Progress as Reached
from crossdock.simulator.run import RunPlan, run_dataset, tick_for
from crossdock.simulator.store import is_unused
from crossdock.sourcing.policy_files import SHIPPED

REPORT, SUMMARY, REJECTS = "report.html", "summary.json", "rejects.jsonl"
"""What the folder of --out holds in the end."""
DEMO = RetailerPlan(skus=3_000)
DEMO_TICK_MINUTES = 30
"""Each tick costs some statements whether much happens in it or little."""

Seed = Annotated[int, typer.Option(help="Same seed, same input: same run.")]
Out = Annotated[
    Path, typer.Option("--out", help="Folder for report.html, rejects and summary.json.")
]
Workers = Annotated[
    int, typer.Option(min=1, max=8, help="They take turns: the result is the same.")
]
Policy = Annotated[
    str | None,
    typer.Option(
        help=f"A policy's file, or one of: {', '.join(SHIPPED)}; by default the setting's."
    ),
]


def register(app: typer.Typer) -> None:
    """Adds `run` and `demo`."""
    app.command("run")(run)
    app.command("demo")(demo)


def run(
    context: typer.Context,
    orders: Annotated[Path, typer.Option(help="Order file (JSON Lines or a known dataset).")],
    network: Annotated[
        Path | None, typer.Option(help="Network file or folder; what lacks is filled.")
    ] = None,
    brand: Annotated[
        str | None, typer.Option(help="The chain, where --network is a file of store locations.")
    ] = None,
    mapping: Annotated[
        Path | None, typer.Option(help="Mapping file (TOML) for formats that have one.")
    ] = None,
    policy: Annotated[
        str | None,
        typer.Option(
            help=f"Sourcing policy: a file, or one of {', '.join(SHIPPED)}; by default "
            "policies/sourcing.toml of the network folder, else the setting, else default."
        ),
    ] = None,
    order_policy: Annotated[
        Path | None,
        typer.Option(
            help="Order policy; by default policies/orders.toml of the network folder, else the "
            "setting."
        ),
    ] = None,
    seed: Seed = 1,
    out: Out = Path("crossdock-run"),
    form: Annotated[
        str | None, typer.Option("--format", help=f"One of: {', '.join(FORMATS)}.")
    ] = None,
    tick: Annotated[
        float | None,
        typer.Option(min=0.1, help="Minutes of one tick; 5, or more for orders of many months."),
    ] = None,
    limit: Annotated[int | None, typer.Option(min=1, help="Only the first so many orders.")] = None,
    workers: Workers = 1,
    keep: Annotated[
        bool,
        typer.Option(help="Into CROSSDOCK_DATABASE_URL or --data, which must be empty."),
    ] = False,
) -> None:
    """Run every order of a file to its end under a virtual clock; the data are thrown away."""
    policies = settings_of(context).policies
    named = sourcing_policy(policies, policy, network)
    policy_text(named)  # A mistake in it is found before the orders are read.
    order_rules = checked_order_policy(policies, order_policy, network)
    _make(out)
    with Rejects(out / REJECTS) as rejects:
        known = open_network(network, brand=brand, seed=seed, rejects=rejects)
        dataset = open_dataset(
            orders, seed=seed, known=known, form=form, mapping=mapping, rejects=rejects
        )
    plan = RunPlan(
        title=f"{orders.name}",
        orders_file=orders.name,
        network=network.name if network else f"a network filled from seed {seed}",
        policy=(policy_text(named, _rates(dataset)), Path(named).name),
        order_policy=order_rules,
        seed=seed,
        tick=timedelta(minutes=tick) if tick else tick_for(dataset),
        limit=limit,
        workers=workers,
    )
    kept = keep or options_of(context).data is not None
    outcome = _carry_out(context, dataset, plan, out, kept)
    if outcome.violations or outcome.rejected:
        raise typer.Exit(FOUND_SOMETHING)


def demo(
    context: typer.Context,
    orders: Annotated[int, typer.Option(min=1, help="How many orders.")] = DEMO.orders,
    stores: Annotated[int, typer.Option(min=1, help="How many stores.")] = DEMO.stores,
    policy: Policy = None,
    seed: Seed = 1,
    out: Out = Path("crossdock-demo"),
    tick: Annotated[float, typer.Option(min=0.1, help="Minutes of one tick.")] = DEMO_TICK_MINUTES,
    workers: Workers = 1,
) -> None:
    """Make up a retailer on the real map of the United States and run two days of its orders."""
    policies = settings_of(context).policies
    named = sourcing_policy(policies, policy)
    policy_text(named)
    order_rules = checked_order_policy(policies)
    _make(out)
    size = msgspec.structs.replace(DEMO, orders=orders, stores=stores)
    errors.print(f"Making up {stores} stores, {size.dcs} DCs and {orders:,} orders ...")
    dataset = make_retailer(seed, size)
    plan = RunPlan(
        title=f"{orders:,} orders of a made-up retailer",
        orders_file=f"{orders:,} orders from seed {seed}",
        network=f"{stores} stores and {size.dcs} DCs at US postal codes",
        policy=(policy_text(named, _rates(dataset)), Path(named).name),
        order_policy=order_rules,
        seed=seed,
        tick=timedelta(minutes=tick),
        workers=workers,
    )
    outcome = _carry_out(context, dataset, plan, out, kept=False, then=tour.show)
    if outcome.violations:
        raise typer.Exit(FOUND_SOMETHING)


def _carry_out(
    context: typer.Context,
    dataset: Dataset,
    plan: RunPlan,
    out: Path,
    kept: bool,
    then: Callable[[Database], None] = lambda database: None,
) -> Outcome:
    """Run with a progress bar, write report and summary, print them, `then` look at the data."""
    expected = min(dataset.report.orders, plan.limit or dataset.report.orders)
    with open_database(context, ephemeral=not kept) as database:
        _refuse_used(context, database)
        with _bar() as bar:
            task = bar.add_task("loading", total=expected, when="")

            def reached(progress: Reached) -> None:
                when = progress.now.strftime("%d %b %Y %H:%M")
                bar.update(task, completed=progress.closed, when=when, description="orders closed")

            outcome = run_dataset(database.url, dataset, plan, reached)
            bar.update(task, completed=outcome.totals.closed)
        dataset.close()
        with _writing(out):
            write_report(outcome, out / REPORT)
            (out / SUMMARY).write_bytes(msgspec.json.format(msgspec.json.encode(outcome)))
        print_summary(output, outcome, out / REPORT)
        then(database)
    return outcome


def _rates(dataset: Dataset) -> list[str]:
    """Currencies of the nodes' cost rates, the most frequent first."""
    stated = Counter(node.cost_currency for node in dataset.network.nodes if node.cost_currency)
    return [currency for currency, _ in stated.most_common()]


def _bar() -> Progress:
    return Progress(
        TextColumn("{task.description}"),
        BarColumn(),
        MofNCompleteColumn(),
        TimeElapsedColumn(),
        TextColumn("simulated {task.fields[when]}"),
        console=errors,
    )


def _refuse_used(context: typer.Context, database: Database) -> None:
    """A run moves its own clock: it would confuse the orders of a database that is in use."""
    with connect(database) as connection:
        if is_unused(connection):
            return
    raise SettingRefused(
        "The database holds orders already; a run needs an empty one.",
        advice="Name another folder with --data."
        if options_of(context).data
        else "Leave out --keep: the run then has a database of its own.",
    )


def _make(out: Path) -> None:
    """Make the folder for the results and try it out, before anything runs that may take hours."""
    with _writing(out):
        out.mkdir(parents=True, exist_ok=True)
        tempfile.TemporaryFile(dir=out).close()
        for file in (out / REPORT, out / SUMMARY):
            if file.exists():
                file.open("ab").close()
        (out / REJECTS).unlink(missing_ok=True)


@contextlib.contextmanager
def _writing(out: Path) -> Iterator[None]:
    try:
        yield
    except OSError as error:
        raise SettingRefused(
            f"The results cannot be written to {out}: {error.strerror} ({error.filename}).",
            advice="Name with --out a folder you may write to, on a disk with room.",
        ) from error
