"""`crossdock schema`: what Crossdock publishes, for those who build against it."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Annotated

import typer

from crossdock.cli.context import output
from crossdock.contracts.registry import published
from crossdock.kernel.errors import SettingRefused
from crossdock.model.dictionary import dictionary
from crossdock.model.schemas import Published, schema_of


def register(app: typer.Typer) -> None:
    """Adds `schema export` and `schema dictionary`."""
    commands = typer.Typer(no_args_is_help=True, help="What Crossdock publishes: JSON Schemas.")
    commands.command("export")(export)
    commands.command("dictionary")(write_dictionary)
    app.add_typer(commands, name="schema")


def export(
    folder: Annotated[Path, typer.Argument(metavar="DIR", help="Made if it is not there.")],
) -> None:
    """Write a JSON Schema for each object and message type, and the data dictionary, into DIR."""
    everything = published()
    try:
        for one in everything:
            file = folder / _folder_of(one) / f"{one.name}.schema.json"
            file.parent.mkdir(parents=True, exist_ok=True)
            file.write_text(json.dumps(schema_of(one), indent=2, ensure_ascii=False) + "\n")
        (folder / "data-dictionary.md").write_text(dictionary(everything))
        (folder / "index.json").write_text(json.dumps(_index(everything), indent=2) + "\n")
    except OSError as error:
        raise _cannot_write(folder, error) from error
    messages = sum(one.is_message for one in everything)
    output.print(
        f"{len(everything) - messages} objects and {messages} message types are in {folder}.",
    )


def write_dictionary(
    file: Annotated[Path, typer.Argument(metavar="FILE", help="A Markdown file; replaced.")],
) -> None:
    """Write the data dictionary alone."""
    try:
        file.write_text(dictionary(published()))
    except OSError as error:
        raise _cannot_write(file, error) from error


def _folder_of(one: Published) -> str:
    return "messages" if one.is_message else "objects"


def _index(everything: tuple[Published, ...]) -> list[dict[str, str]]:
    return [
        {
            "name": one.name,
            "owner": one.owner,
            "description": one.description,
            "schema": f"{_folder_of(one)}/{one.name}.schema.json",
        }
        for one in everything
    ]


def _cannot_write(path: Path, error: OSError) -> SettingRefused:
    return SettingRefused(
        f"{path} cannot be written: {error.strerror or error}",
        advice="Name a place you may write to.",
    )
