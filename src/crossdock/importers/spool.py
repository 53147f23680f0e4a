"""Arrivals on disk, read back in time order with bounded memory (24 bytes an arrival).

The file is unlinked while open: nothing stays behind, whatever happens to the process.
"""

from __future__ import annotations

import tempfile
from array import array
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta

import msgspec
import numpy as np

from crossdock.importers.arrivals import Arrival
from crossdock.importers.errors import NoRoomToImport

_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
_MICROSECOND = timedelta(microseconds=1)


class Spool:
    """Append arrivals in any order, then iterate them by (time, order of appending)."""

    def __init__(self) -> None:
        try:
            self._file = tempfile.TemporaryFile(prefix="crossdock-import-")  # noqa: SIM115
        except OSError as error:
            raise _no_room(error) from error
        self._times = array("q")
        self._starts = array("q")
        self._lengths = array("q")
        self._end = 0
        self._encoder = msgspec.msgpack.Encoder()
        self._decoder = msgspec.msgpack.Decoder(Arrival)

    def __len__(self) -> int:
        return len(self._times)

    def append(self, arrival: Arrival) -> None:
        """Add one. Raises NoRoomToImport."""
        body = self._encoder.encode(arrival)
        try:
            self._file.write(body)
        except OSError as error:
            raise _no_room(error) from error
        self._times.append((arrival.at - _EPOCH) // _MICROSECOND)
        self._starts.append(self._end)
        self._lengths.append(len(body))
        self._end += len(body)

    def __iter__(self) -> Iterator[Arrival]:
        try:
            self._file.flush()
        except OSError as error:
            raise _no_room(error) from error
        times = np.frombuffer(self._times, dtype=np.int64) if self._times else np.zeros(0)
        for index in np.argsort(times, kind="stable").tolist():
            self._file.seek(self._starts[index])
            yield self._decoder.decode(self._file.read(self._lengths[index]))

    @property
    def first(self) -> datetime | None:
        """When the first arrival comes."""
        return _EPOCH + min(self._times) * _MICROSECOND if self._times else None

    @property
    def last(self) -> datetime | None:
        """When the last arrival comes."""
        return _EPOCH + max(self._times) * _MICROSECOND if self._times else None

    def close(self) -> None:
        """Give the disk space back."""
        self._file.close()


def _no_room(error: OSError) -> NoRoomToImport:
    return NoRoomToImport(
        f"The orders cannot be kept in {tempfile.gettempdir()} while they are checked: "
        f"{error.strerror}.",
        advice="Make room there, or name another folder in the environment variable TMPDIR.",
    )
