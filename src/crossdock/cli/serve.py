"""`crossdock api` and `crossdock serve`: the HTTP API alone, and all of Crossdock at once."""

from __future__ import annotations

import os
import socket
from typing import Annotated

import typer

from crossdock.api.asgi import server
from crossdock.cli.context import Database, open_database, options_of, output, settings_of
from crossdock.cli.family import Family, Role
from crossdock.cli.workers import NO_CONNECTOR, until_told
from crossdock.kernel.errors import SettingRefused
from crossdock.settings import ApiSettings

Host = Annotated[str | None, typer.Option(help="Address to listen on; by default api.host.")]
Port = Annotated[
    int | None, typer.Option(min=1, max=65_535, help="Port to listen on; by default api.port.")
]
Workers = Annotated[int | None, typer.Option(min=0, help="Workers; by default api.workers.")]


def register(app: typer.Typer) -> None:
    """Adds `api` and `serve`."""
    app.command("api")(api)
    app.command("serve")(serve)


def api(context: typer.Context, host: Host = None, port: Port = None) -> None:
    """Answer HTTP requests until told to stop (Ctrl-C or SIGTERM).

    Any number of these, on any number of machines, share one database.
    """
    settings = settings_of(context).api
    host, port = host or settings.host, port or settings.port
    _require_free(host, port)
    with open_database(context) as database:
        os.environ.update(_environment(context, database))
        output.print(f"API on http://{host}:{port}, documentation at /docs", highlight=False)
        server(settings, host, port).serve()


def serve(
    context: typer.Context,
    host: Host = None,
    port: Port = None,
    workers: Workers = None,
    fakes: Annotated[
        bool, typer.Option("--fakes", help="Call the built-in fakes of all outside systems.")
    ] = False,
) -> None:
    """Run all of Crossdock in one process tree: API, workers and dispatcher, until told to stop.

    Workers stand back behind the API, so that orders are taken in however much there is to do.
    """
    if not fakes:
        raise SettingRefused(NO_CONNECTOR, advice="--fakes calls the built-in ones.")
    settings = settings_of(context).api
    host, port = host or settings.host, port or settings.port
    _require_free(host, port)
    with open_database(context) as database:
        stop = until_told()
        workers = settings.workers if workers is None else workers
        roles = roles_of(settings, host, port, workers)
        output.print(
            f"Crossdock on http://{host}:{port}, documentation at /docs; Ctrl-C stops it",
            highlight=False,
        )
        code = Family(roles, os.environ | _environment(context, database)).run(stop)
    if code:
        raise typer.Exit(code)


def roles_of(settings: ApiSettings, host: str, port: int, workers: int) -> list[Role]:
    """The processes of the tree."""
    back = settings.worker_niceness
    return [
        Role("API", ("api", "--host", host, "--port", str(port))),
        *(Role(f"worker {number}", ("worker",), back) for number in range(1, workers + 1)),
        Role("dispatcher", ("dispatcher", "--fakes"), back),
        Role("files", ("files",), back),
        *([Role("test mode", ("test-mode",), back)] if settings.test_mode else []),
    ]


def _environment(context: typer.Context, database: Database) -> dict[str, str]:
    """What the children need to find the database that their parent keeps open."""
    config = options_of(context).config
    found = {"CROSSDOCK_DATABASE_URL": database.url}
    return found | ({"CROSSDOCK_CONFIG": str(config)} if config else {})


def _require_free(host: str, port: int) -> None:
    """Raises SettingRefused where nobody can listen there."""
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    with socket.socket(family, socket.SOCK_STREAM) as probe:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind((host, port))
        except OSError as refused:
            raise SettingRefused(
                f"Nobody can listen on {host}:{port}: {refused.strerror or refused}.",
                advice="Stop what listens there, or choose another with --port or api.port.",
            ) from refused
