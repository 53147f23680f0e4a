"""Reading and writing a network: nodes, products, channels and opening stock in files.

A network is one file or a folder of them, read in the order of their names:

    *.toml            written by people: an array of tables for each kind of record ([[node]] ...)
    *.json            the same as one JSON object
    *.jsonl, *.ndjson written by systems: one record per line, its kind in the field `record`;
                      also with .gz behind

In a folder with a `network` folder inside (a configuration folder), that one is read. What cannot
be taken is reported with file, line and field; the rest is returned. A network that names no zone
has one, `main`.
"""

from __future__ import annotations

import gzip
import tomllib
from collections.abc import Iterator
from pathlib import Path
from typing import IO, Any, cast

import msgspec

from crossdock.catalog import rules
from crossdock.catalog.errors import NetworkUnreadable
from crossdock.catalog.model import (
    Brand,
    Channel,
    HierarchyLink,
    LegalEntity,
    Listing,
    Network,
    Node,
    NodeGroup,
    NodeLot,
    NodeProduct,
    NodeStock,
    Product,
    Record,
    Region,
    ScopeSwitch,
    Zone,
)
from crossdock.model.problems import Problem
from crossdock.model.shape import convert, read_json

_FIELD_OF: dict[type[Record], str] = {
    LegalEntity: "legal_entities",
    Brand: "brands",
    Region: "regions",
    Zone: "zones",
    Node: "nodes",
    NodeGroup: "node_groups",
    HierarchyLink: "hierarchy",
    ScopeSwitch: "scope_switches",
    Product: "products",
    NodeProduct: "node_products",
    Channel: "channels",
    Listing: "listings",
    NodeStock: "stock",
    NodeLot: "lots",
}
_KINDS = {str(record.__struct_config__.tag): record for record in _FIELD_OF}
ONE_ZONE = "main"
_LINE_SUFFIXES = (".jsonl", ".ndjson", ".jsonl.gz", ".ndjson.gz")
_TABLE_SUFFIXES = (".toml", ".json")


class FileProblem(msgspec.Struct, frozen=True, kw_only=True):
    """A Problem with the place of its record. Between records, or in a table, `line` is 0."""

    file: str
    line: int
    problem: Problem

    def __str__(self) -> str:
        place = f"{self.file}:{self.line}" if self.line else self.file
        return f"{place}: {self.problem}"


class NetworkRead(msgspec.Struct, frozen=True, kw_only=True):
    """What could be taken of a network, and everything wrong with it."""

    network: Network
    problems: tuple[FileProblem, ...]


def load_network(path: Path) -> NetworkRead:
    """Read a network file or folder. Raises NetworkUnreadable where there is none."""
    records: dict[type[Record], list[Record]] = {kind: [] for kind in _FIELD_OF}
    problems: list[FileProblem] = []
    for file in network_files(path):
        for found in _records(file):
            if isinstance(found, FileProblem):
                problems.append(found)
            else:
                records[type(found)].append(found)
    if records[Node] and not records[Zone]:
        records[Zone].append(Zone(code=ONE_ZONE, name="Main"))
    fields: dict[str, Any] = {_FIELD_OF[kind]: tuple(them) for kind, them in records.items()}
    network = Network(**fields)
    # What seems to name nothing may name a record that could not be read.
    all_read = not problems
    problems += [
        FileProblem(file=path.name, line=0, problem=problem)
        for problem in rules.problems_of(network)
        if all_read or problem.code != rules.UNKNOWN_REFERENCE
    ]
    return NetworkRead(network=network, problems=tuple(problems))


def network_files(path: Path) -> tuple[Path, ...]:
    """The files a network is read from, in order. Raises NetworkUnreadable where there is none."""
    if path.is_dir():
        folder = path / "network" if (path / "network").is_dir() else path
        files = tuple(
            file
            for file in sorted(folder.iterdir())
            if file.is_file() and file.name.endswith(_LINE_SUFFIXES + _TABLE_SUFFIXES)
        )
        if not files:
            raise NetworkUnreadable(
                f"{folder} holds no network file.",
                advice="Put .toml, .json or .jsonl files there; `crossdock init` writes examples.",
            )
        return files
    if not path.exists():
        raise NetworkUnreadable(f"{path} does not exist.", advice="Check the path.")
    if not path.name.endswith(_LINE_SUFFIXES + _TABLE_SUFFIXES):
        raise NetworkUnreadable(
            f"{path.name} is no network file.",
            advice="Name it .toml, .json or .jsonl, by what it holds.",
        )
    return (path,)


def save_network(path: Path, network: Network) -> None:
    """Write a network as one JSON Lines file, zipped if its name ends in .gz."""
    lines = (msgspec.json.encode(record) + b"\n" for record in records_of(network))
    if path.name.endswith(".gz"):
        # No name and no time inside: the same network gives the same bytes.
        with path.open("wb") as raw, gzip.GzipFile("", "wb", fileobj=raw, mtime=0) as zipped:
            zipped.writelines(lines)
    else:
        with path.open("wb") as plain:
            plain.writelines(lines)


def records_of(network: Network) -> Iterator[Record]:
    """All records, what is referred to before what refers to it."""
    for field in _FIELD_OF.values():
        yield from getattr(network, field)


def _records(file: Path) -> Iterator[Record | FileProblem]:
    try:
        if file.name.endswith(_LINE_SUFFIXES):
            yield from _from_lines(file)
        else:
            yield from _from_tables(file)
    except (OSError, EOFError) as error:
        raise NetworkUnreadable(
            f"{file} cannot be read: {error}", advice="Check the file and your rights on it."
        ) from error


def _from_lines(file: Path) -> Iterator[Record | FileProblem]:
    decoders = {name: msgspec.json.Decoder(kind) for name, kind in _KINDS.items()}
    kind_of = msgspec.json.Decoder(_Kind)
    with _opened(file) as lines:
        for number, line in enumerate(lines, start=1):
            text = line.removeprefix(b"\xef\xbb\xbf").strip() if number == 1 else line.strip()
            if not text:
                continue
            named = read_json(text, kind_of)
            if isinstance(named, list):
                yield from _reported(file, number, named)
            elif named.record not in decoders:
                yield from _reported(file, number, [_unknown_kind(named.record)])
            else:
                record = read_json(text, decoders[named.record])
                if isinstance(record, list):
                    yield from _reported(file, number, record)
                else:
                    yield record


def _opened(file: Path) -> IO[bytes]:
    if file.name.endswith(".gz"):
        return cast("IO[bytes]", gzip.open(file, "rb"))
    return file.open("rb")


class _Kind(msgspec.Struct):
    """The one field every line has."""

    record: str


def _from_tables(file: Path) -> Iterator[Record | FileProblem]:
    content = file.read_bytes().removeprefix(b"\xef\xbb\xbf")
    try:
        if file.suffix == ".toml":
            tables = tomllib.loads(content.decode())
        else:
            tables = msgspec.json.decode(content, type=dict[str, object])
    except (tomllib.TOMLDecodeError, msgspec.DecodeError, UnicodeDecodeError) as error:
        problem = Problem("", "unreadable", f"{error}.", "Correct the file as a whole.")
        yield from _reported(file, 0, [problem])
        return
    for name, rows in tables.items():
        if name not in _KINDS:
            yield from _reported(file, 0, [_unknown_kind(name)])
        elif not isinstance(rows, list):
            problem = Problem(name, "wrong_type", "It is not a list.", f"Write [[{name}]].")
            yield from _reported(file, 0, [problem])
        else:
            for index, row in enumerate(rows):
                record = convert(row, _KINDS[name])
                if isinstance(record, list):
                    yield from _reported(file, 0, record, f"{name}[{index}].")
                else:
                    yield record


def _reported(
    file: Path, line: int, problems: list[Problem], at: str = ""
) -> Iterator[FileProblem]:
    for problem in problems:
        placed = msgspec.structs.replace(problem, path=at + problem.path)
        yield FileProblem(file=file.name, line=line, problem=placed)


def _unknown_kind(name: str) -> Problem:
    return Problem(
        "record",
        "unknown_record",
        f"{name[:60]!r} is no kind of record.",
        f"Use one of {', '.join(sorted(_KINDS))}.",
    )
