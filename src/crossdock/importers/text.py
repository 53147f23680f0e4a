"""Lines and rows out of files as they come: plain or gzip, with or without byte-order mark.

A damaged line costs that line alone. Memory is bounded: no line is held beyond MAXIMUM_LINE_BYTES.
"""

from __future__ import annotations

import contextlib
import csv
import zlib
from collections.abc import Iterator
from pathlib import Path
from typing import IO, NamedTuple

from crossdock.importers.errors import UnusableInput
from crossdock.importers.rejects import Reason, Rejects

MAXIMUM_LINE_BYTES = 16 * 1024 * 1024
MAXIMUM_ROW_LINES = 20
"""A quoted field may hold line breaks, but one open quote must not swallow the file."""

_CHUNK_BYTES = 256 * 1024
_GZIP = b"\x1f\x8b"
_UTF8_MARK = b"\xef\xbb\xbf"
_FOREIGN = {
    b"PK\x03\x04": ("a ZIP archive or an Excel workbook", "Unpack it, or export it as CSV UTF-8."),
    b"BZh": ("compressed with bzip2", "Unpack it, or compress it with gzip."),
    b"\xfd7zXZ": ("compressed with xz", "Unpack it, or compress it with gzip."),
    b"\x28\xb5\x2f\xfd": ("compressed with zstd", "Unpack it, or compress it with gzip."),
    b"%PDF": ("a PDF document", "Export the data as CSV or JSON Lines."),
    b"PAR1": ("a Parquet file", "Export the data as CSV or JSON Lines."),
    b"SQLite format": ("a SQLite database", "Export the data as CSV or JSON Lines."),
    b"\xd0\xcf\x11\xe0": ("an old Excel workbook", "Export it as CSV UTF-8."),
    b"\xff\xfe": ("encoded as UTF-16", "Save it as UTF-8 (iconv -f UTF-16 -t UTF-8)."),
    b"\xfe\xff": ("encoded as UTF-16", "Save it as UTF-8 (iconv -f UTF-16 -t UTF-8)."),
}


class Line(NamedTuple):
    """A line without its end. Numbers start at 1."""

    number: int
    text: str


class Row(NamedTuple):
    """Fields of a CSV row; `number` is its first line."""

    number: int
    fields: list[str]
    raw: str


class Reading:
    """One pass over a file: what it rejects, and how many lines (rows) it met.

    `rejects` None stands for a pass whose rejects were or will be recorded by another one.
    """

    def __init__(self, path: Path, rejects: Rejects | None) -> None:
        self.path = path
        self.rejects = rejects
        self.read = 0
        """Rows met: good, bad and (in `blank`) empty ones."""
        self.blank = 0
        self.rejected = 0

    def reject(
        self, line: int, reason: str, message: str, raw: str | bytes, remedy: str = ""
    ) -> None:
        """Leave out a whole row."""
        self.rejected += 1
        if self.rejects is not None:
            self.rejects.add(self.path, line, reason, message, raw, remedy=remedy)

    def remark(self, line: int, reason: str, message: str, raw: str | bytes) -> None:
        """Leave out a part of a row, or say something about the file."""
        if self.rejects is not None:
            self.rejects.add(self.path, line, reason, message, raw, part=True)

    def lines(self) -> Iterator[Line]:
        """The lines that can be read as UTF-8 text; blank ones are counted and left out.

        Raises UnusableInput for a file that is missing, empty or of a foreign kind.
        """
        for number, data in self._numbered():
            if not data.strip():
                self.read += 1
                self.blank += 1
                continue
            text = self._decoded(number, data)
            self.read += 1
            if text is not None:
                yield Line(number, text)

    def rows(self) -> Iterator[Row]:
        """The rows of a CSV file, header first; the delimiter is the header's."""
        lines = self.lines()
        header = next(lines, None)
        if header is None:
            raise UnusableInput(f"{self.path} has no header line that can be read.")
        delimiter = max(",;\t", key=header.text.count)
        self.read -= 1
        fields = _split([header.text], delimiter)
        if fields is None:
            raise UnusableInput(f"{self.path}: the header line has an open quotation mark.")
        yield Row(header.number, [name.strip() for name in fields], header.text)
        yield from self._rows(lines, delimiter, len(fields))

    def _rows(self, lines: Iterator[Line], delimiter: str, width: int) -> Iterator[Row]:
        # Lines looked at to close a quote that did not close are read again on their own.
        ahead: list[Line] = []
        while (line := ahead.pop(0) if ahead else next(lines, None)) is not None:
            fields = line.text.split(delimiter) if '"' not in line.text else None
            raw = line.text
            if fields is None:
                taken = self._closed(line, lines, ahead, delimiter)
                if taken is None:
                    self.reject(
                        line.number,
                        Reason.UNCLOSED_QUOTE,
                        "the quotation marks of the row do not match",
                        raw,
                    )
                    continue
                fields, raw = taken
            if len(fields) != width:
                message = f"the row has {len(fields)} fields, the header {width}"
                self.reject(line.number, Reason.WRONG_COLUMN_COUNT, message, raw)
                continue
            yield Row(line.number, fields, raw)

    def _closed(
        self, line: Line, lines: Iterator[Line], ahead: list[Line], delimiter: str
    ) -> tuple[list[str], str] | None:
        """The fields of a row with quotes, joined with following lines where one is still open."""
        joined = [line]
        while (fields := _split([part.text for part in joined], delimiter)) is None:
            if len(joined) == MAXIMUM_ROW_LINES or not _is_open(joined):
                return None
            place = len(joined) - 1
            if place >= len(ahead):
                following = next(lines, None)
                if following is None:
                    return None
                ahead.append(following)
            joined.append(ahead[place])
        del ahead[: len(joined) - 1]
        self.read -= len(joined) - 1
        return fields, "\n".join(part.text for part in joined)

    def _decoded(self, number: int, data: bytes) -> str | None:
        if b"\0" in data:
            self.reject(number, Reason.UNSTORABLE_CHARACTER, "the row holds a NUL", data)
            return None
        try:
            return data.decode("utf-8")
        except UnicodeDecodeError as error:
            start, end = max(error.start - 12, 0), error.start + 12
            # latin-1 knows every byte, and shows Western European text as it was meant.
            near = data[start:end].decode("latin-1")
            message = f"byte {error.start + 1} of the row is not UTF-8; near it: {near!r}"
            self.reject(number, Reason.NOT_UTF8, message, data)
            return None

    def _numbered(self) -> Iterator[tuple[int, bytes]]:
        number = 0
        pending = b""
        skipping = False
        for chunk in self._chunks():
            *whole, pending = (pending + chunk).split(b"\n")
            for data in whole:
                number += 1
                if skipping:
                    skipping = False
                    continue
                yield number, data.removesuffix(b"\r")
            if len(pending) > MAXIMUM_LINE_BYTES:
                if not skipping:
                    self.read += 1
                    message = f"the row is longer than {MAXIMUM_LINE_BYTES} bytes"
                    self.reject(number + 1, Reason.LINE_TOO_LONG, message, pending)
                skipping, pending = True, b""
        if self._damage is not None:
            reason, message = self._damage
            if pending and not skipping:
                self.read += 1
                self.reject(number + 1, reason, message + "; this row is cut", pending)
            else:
                self.remark(number + 1, reason, message, "")
        elif pending and not skipping:
            yield number + 1, pending.removesuffix(b"\r")

    _damage: tuple[Reason, str] | None = None

    def _chunks(self) -> Iterator[bytes]:
        self._damage = None
        try:
            with self.path.open("rb") as file:
                head = file.read(64)
                file.seek(0)
                if not head:
                    raise UnusableInput(f"{self.path} is empty.")
                source = self._unzipped(file) if head.startswith(_GZIP) else _blocks(file)
                first = next(source, b"")
                _refuse_foreign(self.path, first)
                yield first.removeprefix(_UTF8_MARK)
                yield from source
        except FileNotFoundError:
            raise UnusableInput(f"{self.path} does not exist.") from None
        except OSError as error:
            raise UnusableInput(f"{self.path} cannot be read: {error.strerror}.") from error

    def _unzipped(self, file: IO[bytes]) -> Iterator[bytes]:
        member = zlib.decompressobj(31)
        try:
            for block in _blocks(file):
                data = block
                while data:
                    sound = member.copy()
                    try:
                        text = member.decompress(data, _CHUNK_BYTES)
                    except zlib.error:
                        yield _before_damage(sound, data)
                        raise
                    yield text
                    data = member.unconsumed_tail
                    if member.eof:
                        # A gzip file may have several members, and zeros behind the last.
                        data = member.unused_data.lstrip(b"\0")
                        member = zlib.decompressobj(31) if data else member
        except zlib.error as error:
            self._damage = (Reason.DAMAGED_FILE, f"the gzip data are damaged ({error})")
            return
        if not member.eof:
            self._damage = (Reason.TRUNCATED_FILE, "the gzip data end before their end")


def _before_damage(member: zlib._Decompress, data: bytes) -> bytes:
    """What can be unpacked of data that are damaged somewhere: byte by byte up to there."""
    unpacked = []
    with contextlib.suppress(zlib.error):
        for at in range(len(data)):
            unpacked.append(member.decompress(data[at : at + 1]))
    return b"".join(unpacked)


def _blocks(file: IO[bytes]) -> Iterator[bytes]:
    while block := file.read(_CHUNK_BYTES):
        yield block


def _refuse_foreign(path: Path, head: bytes) -> None:
    if not head:
        raise UnusableInput(f"{path} holds no data that can be unpacked, or is empty.")
    for magic, (what, advice) in _FOREIGN.items():
        if head.startswith(magic):
            raise UnusableInput(f"{path} is {what}.", advice=advice)
    if head[1:8:2].count(0) == 4 and head[0:8:2].count(0) == 0:
        what, advice = _FOREIGN[b"\xff\xfe"]
        raise UnusableInput(f"{path} is {what}.", advice=advice)


def _split(lines: list[str], delimiter: str) -> list[str] | None:
    """The fields of one row, None where a quote stays open or is misplaced."""
    ended = [line + "\n" for line in lines[:-1]] + lines[-1:]
    try:
        rows = list(csv.reader(ended, delimiter=delimiter, strict=True))
    except csv.Error:
        return None
    return rows[0] if len(rows) == 1 else None


def _is_open(joined: list[Line]) -> bool:
    """Whether more lines could close the row: its quotation marks do not pair up."""
    return sum(part.text.count('"') for part in joined) % 2 == 1
