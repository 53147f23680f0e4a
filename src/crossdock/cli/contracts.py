"""`crossdock contracts`: the registry of types, its check against the last release, its pages."""

from __future__ import annotations

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Annotated

import typer

from crossdock import __version__
from crossdock.cli.context import FOUND_SOMETHING, output
from crossdock.contracts import asyncapi, files, reference, statuses
from crossdock.contracts.registry import published
from crossdock.kernel.errors import SettingRefused
from crossdock.model.dictionary import dictionary

Folder = Annotated[Path, typer.Option(help="Folder of the contracts.", file_okay=False)]
Docs = Annotated[Path, typer.Option(help="Folder of the reference.", file_okay=False)]


def register(app: typer.Typer) -> None:
    """Adds `contracts check`, `contracts write` and `contracts release`."""
    commands = typer.Typer(no_args_is_help=True, help="The contracts of messages and objects.")
    commands.command("check")(check)
    commands.command("write")(write)
    commands.command("release")(release)
    app.add_typer(commands, name="contracts")


def check(folder: Folder = Path("contracts")) -> None:
    """Find what breaks the promises of the last release; exit code 1 if anything does."""
    findings = files.check(folder)
    for one in findings:
        where = f"{one.name}: {one.path}" if one.path else one.name
        output.print(f"{where}: {one.problem}. {one.advice}", soft_wrap=True)
    if findings:
        raise typer.Exit(FOUND_SOMETHING)
    output.print(f"{len(files.contracts())} contracts keep what was promised.")


def write(folder: Folder = Path("contracts"), docs: Docs = Path("docs/reference")) -> None:
    """Bring the files of the contracts, and the pages made from them, to what the code says."""
    try:
        changed = files.write(folder)
        for name, text in pages().items():
            (docs / name).write_text(text, encoding="utf-8")
    except OSError as error:
        raise SettingRefused(
            f"{error.filename} cannot be written: {error.strerror}",
            advice="Run it at the root of the repository, or name --folder and --docs.",
        ) from error
    output.print(f"{changed} contracts changed in {folder}; pages are in {docs}.")


def release(
    folder: Folder = Path("contracts"),
    name: Annotated[str, typer.Option(help="The release that promises them.")] = __version__,
) -> None:
    """Take the contracts of now as those of a release: from here on they are compared with it."""
    files.release(folder, name)
    output.print(f"Release {name} promises {len(files.contracts())} contracts.")


def pages() -> Mapping[str, str]:
    """The generated pages of the reference, by file name."""
    from crossdock.api import errors_page  # The whole API: too slow to load for every command.

    everything = published()
    document = asyncapi.document(files.contracts())
    return {
        "asyncapi.json": json.dumps(document, indent=1, ensure_ascii=False) + "\n",
        "data-dictionary.md": dictionary(everything),
        "errors.md": errors_page.page(),
        "messages.md": reference.page(everything),
        "statuses.md": statuses.page(),
    }
