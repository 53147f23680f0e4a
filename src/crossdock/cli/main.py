"""The command line's entry point."""

import typer

from crossdock import __version__

app = typer.Typer(name="crossdock", no_args_is_help=True, add_completion=False)


@app.callback()
def main() -> None:
    """Run a retailer's orders, stock and fulfillment as durable, explainable workflows."""


@app.command()
def version() -> None:
    """Print the version."""
    typer.echo(__version__)
