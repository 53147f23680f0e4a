"""From the pieces of a file to its rows, in bounded memory: gzip, NDJSON, CSV."""

from __future__ import annotations

import csv
import hashlib
import zlib
from collections.abc import Callable, Iterator, Mapping
from functools import partial
from types import UnionType
from typing import Any, NamedTuple, Union, get_args, get_origin

import msgspec

from crossdock.kernel.errors import Fault
from crossdock.model.problems import Problem

LINE_BYTES = 1 << 20
"""Of one row, unpacked."""
_PIECE = 1 << 20


class FileUnreadable(Fault):
    """The file cannot be read on: it is not what the job says it is."""


class FileRow(NamedTuple):
    """One row: its fields as they were sent, or why they cannot be told."""

    number: int
    content: Mapping[str, Any]
    problems: tuple[Problem, ...] = ()


Pieces = Iterator[bytes]


def read_rows(
    pieces: Pieces, form: str, compression: str, record: type[msgspec.Struct], skip: int = 0
) -> Iterator[FileRow]:
    """The rows of a file, without the first `skip`. `record` types the columns of a CSV.

    Raises FileUnreadable.
    """
    unpacked = _unzip(pieces) if compression == "gzip" else pieces
    lines = _lines(unpacked)
    if form == "csv":
        return _csv_rows(lines, record, skip)
    return _json_rows(lines, skip)


def checksum(pieces: Pieces) -> str:
    """SHA-256 in hex."""
    digest = hashlib.sha256()
    for piece in pieces:
        digest.update(piece)
    return digest.hexdigest()


def _unzip(pieces: Pieces) -> Pieces:
    """Unpack piece by piece, also of several members, never much at once."""
    unzip = zlib.decompressobj(wbits=31)
    begun = False
    try:
        for piece in pieces:
            while piece:
                if unzip.eof:
                    unzip, begun = zlib.decompressobj(wbits=31), False
                    if not piece.strip(b"\0"):
                        break  # Padding behind the last member.
                begun = True
                yield unzip.decompress(piece, _PIECE)
                piece = unzip.unused_data if unzip.eof else unzip.unconsumed_tail
    except zlib.error as error:
        raise FileUnreadable(f"It is no gzip file, or broken: {error}.") from error
    if begun and not unzip.eof:
        raise FileUnreadable("It ends in the middle: the upload was not complete.")


def _lines(pieces: Pieces) -> Iterator[bytes]:
    """Lines with their ends, but for a byte order mark before the first."""
    rest, is_first = b"", True
    for piece in pieces:
        rest += piece
        if is_first and len(rest) >= 3:
            rest, is_first = rest.removeprefix(b"\xef\xbb\xbf"), False
        *lines, rest = rest.split(b"\n")
        if len(rest) > LINE_BYTES:
            raise FileUnreadable(f"A row is longer than {LINE_BYTES:,} bytes.")
        for line in lines:
            yield line + b"\n"
    if rest:
        yield rest


def _json_rows(lines: Iterator[bytes], skip: int) -> Iterator[FileRow]:
    decode = msgspec.json.Decoder(dict[str, Any]).decode
    number = 0
    for line in lines:
        if not line.strip():
            continue
        number += 1
        if number <= skip:
            continue
        try:
            yield FileRow(number, decode(line))
        except (msgspec.DecodeError, UnicodeDecodeError, RecursionError) as error:
            problem = Problem("", "not_json", f"{error}.", "Send one JSON object on each line.")
            yield FileRow(number, {}, (problem,))


def _csv_rows(lines: Iterator[bytes], record: type[msgspec.Struct], skip: int) -> Iterator[FileRow]:
    # What is no UTF-8 is refused with its row, by whoever checks the text.
    texts = (line.decode("utf-8", "surrogateescape") for line in lines)
    try:
        rows = csv.reader(texts, strict=True)
        header = next(rows, None)
        if header is None:
            return
        columns = _columns(header, record)
        number = 0
        for cells in rows:
            if not cells:
                continue
            number += 1
            if number > skip:
                yield _csv_row(number, cells, columns)
    except csv.Error as error:
        raise FileUnreadable(f"It is no CSV, or broken: {error}.") from error


Converter = Callable[[str], Any]


class Columns(NamedTuple):
    """The names in a header, and how cells of those are read that are no text."""

    names: list[str]
    typed: list[tuple[str, Converter]]


def _columns(header: list[str], record: type[msgspec.Struct]) -> Columns:
    types = {field.name: field.type for field in msgspec.structs.fields(record)}
    unknown = [name for name in header if name not in types]
    if unknown or len(set(header)) < len(header):
        raise FileUnreadable(
            f"Its header has columns that are unknown or twice: {', '.join(unknown)[:300]}.",
            advice=f"Columns are {', '.join(types)}.",
        )
    converters = [(name, _converter(types[name])) for name in header]
    return Columns(header, [(name, reads) for name, reads in converters if reads is not None])


def _csv_row(number: int, cells: list[str], columns: Columns) -> FileRow:
    """An empty cell is a field that is not sent."""
    if len(cells) != len(columns.names):
        said = f"It has {len(cells)} cells, the header {len(columns.names)}."
        problem = Problem("", "wrong_length", said, "Quote cells that contain a comma.")
        return FileRow(number, {}, (problem,))
    content: dict[str, Any] = dict(zip(columns.names, cells, strict=True))
    if "" in cells:
        content = {name: cell for name, cell in content.items() if cell != ""}
    problems: tuple[Problem, ...] = ()
    for name, reads in columns.typed:
        if name in content:
            try:
                content[name] = reads(content[name])
            except (msgspec.MsgspecError, ValueError) as error:
                del content[name]
                problems += (Problem(name, "wrong_type", f"{error}.", "Correct the value."),)
    return FileRow(number, content, problems)


def _converter(wanted: Any) -> Converter | None:
    """From a cell to a field: words of a list are parted by |, anything deeper is JSON.

    None: a cell is the field as it stands.
    """
    if get_origin(wanted) in (Union, UnionType):
        [wanted] = [choice for choice in get_args(wanted) if choice is not type(None)]
    if wanted is str:
        return None
    origin = get_origin(wanted)
    if origin is tuple and not _is_deep(get_args(wanted)[0]):
        return lambda cell: [word.strip() for word in cell.split("|")]
    if origin in (tuple, dict):
        return lambda cell: msgspec.json.decode(cell)
    if wanted in (int, bool):
        return partial(msgspec.convert, type=wanted, strict=False)
    return lambda cell: msgspec.to_builtins(msgspec.convert(cell, wanted, strict=False))


def _is_deep(wanted: Any) -> bool:
    return isinstance(wanted, type) and issubclass(wanted, msgspec.Struct)
