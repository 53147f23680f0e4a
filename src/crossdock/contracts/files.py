"""The registry as files: `contracts/<kind>s/<type>.json` each, and what the last release had.

A file stays when its type is gone, since what was stored in it is still read.
"""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any, NamedTuple

import msgspec

from crossdock.contracts.compare import breaks
from crossdock.contracts.registry import RULES, Direction, direction_of, kind_of, published
from crossdock.kernel.errors import SettingRefused
from crossdock.kernel.messages import former
from crossdock.model.schemas import schema_of

RELEASED = "released.json"


class Contract(msgspec.Struct, frozen=True, kw_only=True):
    """One type in one version, as its file has it."""

    name: str
    kind: str
    direction: Direction
    owner: str
    description: str
    compatibility: str
    schema: dict[str, Any]
    """JSON Schema 2020-12, with a filled example."""

    @property
    def file(self) -> str:
        """Its path within the folder."""
        return f"{self.kind}s/{self.name}.json"


class Released(msgspec.Struct, frozen=True):
    """What a release promised: the schemas of all types, without their words."""

    release: str
    contracts: dict[str, Promised]


class Promised(msgspec.Struct, frozen=True):
    """One type of a release."""

    direction: Direction
    schema: dict[str, Any]


class Finding(NamedTuple):
    """A contract that is broken, or a file that is not what the code says."""

    name: str
    path: str
    problem: str
    advice: str


def contracts() -> list[Contract]:
    """All of this build, in the order of the registry."""
    return [
        Contract(
            name=one.name,
            kind=kind_of(one),
            direction=(direction := direction_of(one)),
            owner=one.owner,
            description=one.description,
            compatibility=RULES[direction],
            # As JSON has it: msgspec writes a default list as a tuple.
            schema=json.loads(json.dumps(schema_of(one))),
        )
        for one in published()
    ]


def write(folder: Path) -> int:
    """Bring the files to what the code says; returns how many changed."""
    changed = 0
    for one in contracts():
        file = folder / one.file
        text = _text(msgspec.to_builtins(one))
        if not file.exists() or file.read_text(encoding="utf-8") != text:
            file.parent.mkdir(parents=True, exist_ok=True)
            file.write_text(text, encoding="utf-8")
            changed += 1
    return changed


def release(folder: Path, name: str) -> None:
    """Take what the code says as what release `name` promises."""
    promised = {one.name: Promised(one.direction, _bare(one.schema)) for one in contracts()}
    text = _text(msgspec.to_builtins(Released(name, dict(sorted(promised.items())))))
    (folder / RELEASED).write_text(text, encoding="utf-8")


def check(folder: Path) -> list[Finding]:
    """Breaking changes against the last release, and files that are not up to date."""
    now = {one.name: one for one in contracts()}
    return [*_broken(_released(folder), now), *_outdated(folder, now)]


def _released(folder: Path) -> Released:
    try:
        return msgspec.json.decode((folder / RELEASED).read_bytes(), type=Released)
    except OSError as error:
        raise SettingRefused(
            f"{folder / RELEASED} cannot be read: {error.strerror}.",
            advice="Name the folder of the contracts; `crossdock contracts release` makes it.",
        ) from error


def _broken(last: Released, now: Mapping[str, Contract]) -> Iterator[Finding]:
    upcast = former()
    for name, promised in last.contracts.items():
        current = now.get(name)
        if current is not None:
            direction = promised.direction
            advice = "Take it back, or make it a new version beside this one (and upcast)."
            for path, problem in breaks(promised.schema, current.schema, direction):
                yield Finding(name, path, problem, advice)
        elif promised.direction in (Direction.OUTGOING, Direction.BOTH):
            advice = "Bring it back: readers of that release wait for it."
            yield Finding(name, "", f"is gone since release {last.release}", advice)
        elif name not in upcast:
            advice = "Bring it back, or declare an upcaster: what was stored must be read for ever."
            yield Finding(name, "", f"is gone since release {last.release}", advice)


def _outdated(folder: Path, now: Mapping[str, Contract]) -> Iterator[Finding]:
    advice = "Run `crossdock contracts write`."
    for one in now.values():
        file = folder / one.file
        if not file.exists():
            yield Finding(one.name, "", f"{one.file} is missing", advice)
        elif file.read_text(encoding="utf-8") != _text(msgspec.to_builtins(one)):
            yield Finding(one.name, "", f"{one.file} is not up to date", advice)
    for file in sorted(folder.glob("*/*.json")):
        if file.stem not in now and file.stem not in former():
            advice = "Delete the file if it never was in a release; else declare an upcaster."
            yield Finding(file.stem, "", "no type of this build reads it", advice)


def _bare(schema: Any, *, names: bool = False) -> Any:
    """A schema without what is for people; `names` where the keys are names of fields or parts."""
    if isinstance(schema, Mapping):
        return {
            key: _bare(value, names=not names and key in ("properties", "$defs"))
            for key, value in schema.items()
            if names or key not in ("description", "examples", "$id", "$schema")
        }
    return [_bare(one) for one in schema] if isinstance(schema, list) else schema


def _text(value: object) -> str:
    return json.dumps(value, indent=2, ensure_ascii=False) + "\n"
