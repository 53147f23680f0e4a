"""`crossdock init`: the commented configuration folder of a small retailer, to start from."""

from __future__ import annotations

import shutil
import tempfile
from importlib import resources
from importlib.resources.abc import Traversable
from pathlib import Path
from typing import Annotated

import typer

from crossdock.cli.context import output
from crossdock.kernel.errors import SettingRefused
from crossdock.sourcing.policy_files import shipped_policy_text

POLICIES = "policies"


def register(app: typer.Typer) -> None:
    """Adds `init`."""
    app.command("init")(init)


def init(
    folder: Annotated[Path, typer.Argument(help="A folder that is empty or not there yet.")],
) -> None:
    """Write a commented configuration folder of a small retailer, which `run` takes as it is."""
    write_starter(folder)
    output.print(f"{folder} holds a small retailer. Try it:", soft_wrap=True)
    output.print(
        f"  crossdock run --orders {folder / 'orders.jsonl'} --network {folder}",
        soft_wrap=True,
        highlight=False,
    )
    output.print(f"{folder / 'README.md'} says what each file is for.", soft_wrap=True)


def write_starter(folder: Path) -> None:
    """Write the folder whole or not at all. Raises SettingRefused where something is there."""
    if folder.exists() and not folder.is_dir():
        raise SettingRefused(f"{folder} is a file.", advice="Name a folder.")
    if folder.is_dir() and any(folder.iterdir()):
        raise SettingRefused(
            f"{folder} is not empty; nothing was written.",
            advice="Name a folder that is empty or not there yet.",
        )
    try:
        folder.parent.mkdir(parents=True, exist_ok=True)
        building = Path(tempfile.mkdtemp(prefix=".crossdock-init-", dir=folder.parent))
        try:
            _fill(building)
            # mkdtemp keeps others out; a configuration folder is as open as any new folder.
            building.chmod(0o755)
            building.rename(folder)
        except BaseException:
            shutil.rmtree(building, ignore_errors=True)
            raise
    except OSError as error:
        raise SettingRefused(
            f"{folder} cannot be written: {error.strerror}.",
            advice="Name a folder you may write to, on a disk with room.",
        ) from error


def _fill(folder: Path) -> None:
    _copy(resources.files("crossdock.cli") / "starter", folder)
    policies = folder / POLICIES
    policies.mkdir()
    (policies / "sourcing.toml").write_text(shipped_policy_text("default"), encoding="utf-8")
    orders = resources.files("crossdock.ordering") / "policies" / "default.toml"
    (policies / "orders.toml").write_bytes(orders.read_bytes())


def _copy(source: Traversable, folder: Path) -> None:
    for entry in source.iterdir():
        if entry.is_dir():
            (folder / entry.name).mkdir()
            _copy(entry, folder / entry.name)
        else:
            (folder / entry.name).write_bytes(entry.read_bytes())
