"""A data folder: what lies where in it, and the three locks that say who uses it.

    cluster/        PostgreSQL's own files, owned by the server's account
    run/            the unix socket (elsewhere where the path would be too long)
    server.json     where the running server listens
    passfile        the password, in libpq's format, readable by its owner only
    postgres.log    what the server and its keeper say
    start.lock      held while somebody starts or joins the server
    owners.lock     shared by every process that uses the server
    keeper.lock     held by the keeper as long as it lives

All three are flocks: the kernel frees them when a process ends, however it ends.
"""

from __future__ import annotations

import contextlib
import fcntl
import os
import time
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import msgspec

from crossdock.kernel.errors import DataFolderInUse, DataFolderRefused

_POLL_SECONDS = 0.02


class ServerNote(msgspec.Struct, frozen=True):
    """The content of server.json, written by the keeper once the server answers."""

    postmaster: int
    keeper: int
    socket_folder: str
    port: int
    loopback: bool


@dataclass(frozen=True)
class DataFolder:
    """Paths and locks of one data folder."""

    path: Path

    @property
    def cluster(self) -> Path:
        return self.path / "cluster"

    @property
    def run(self) -> Path:
        return self.path / "run"

    @property
    def passfile(self) -> Path:
        return self.path / "passfile"

    @property
    def log(self) -> Path:
        return self.path / "postgres.log"

    def note(self) -> ServerNote | None:
        """What server.json says; None while no server is announced."""
        try:
            return msgspec.json.decode((self.path / "server.json").read_bytes(), type=ServerNote)
        except (FileNotFoundError, msgspec.DecodeError):
            return None

    def create(self, mode: int) -> None:
        """Makes the folder and what is missing above it; raises DataFolderRefused."""
        try:
            if not self.path.is_dir():
                self.path.parent.mkdir(parents=True, exist_ok=True)
                self.path.mkdir(mode=mode, exist_ok=True)
                self.path.chmod(mode)
        except OSError as failed:
            raise DataFolderRefused(
                f"The data folder {self.path} cannot be created: {failed.strerror}.",
                advice="Name another folder with --data, one that you may write to.",
            ) from failed
        self._refuse_a_folder_of_something_else()

    def open_lock(self, name: str) -> int:
        """A descriptor of one of the lock files, made where missing and owned as the folder is."""
        path = self.path / name
        try:
            descriptor = os.open(path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
        except OSError as failed:
            raise DataFolderRefused(
                f"The data folder {self.path} cannot be used: {name}: {failed.strerror}.",
                advice="It belongs to somebody else, or the disk is read-only. Name another "
                "folder with --data.",
            ) from failed
        owner = self.path.stat()
        if os.geteuid() == 0 and owner.st_uid != os.fstat(descriptor).st_uid:
            os.fchown(descriptor, owner.st_uid, owner.st_gid)
        return descriptor

    @contextlib.contextmanager
    def locked(self, name: str, timeout_seconds: float) -> Iterator[None]:
        """Holds a lock alone for the length of the block; raises DataFolderInUse."""
        descriptor = self.open_lock(name)
        try:
            acquire(descriptor, fcntl.LOCK_EX, timeout_seconds, self)
            yield
        finally:
            os.close(descriptor)

    def keeper_is_alive(self) -> bool:
        """True while a keeper process watches over this folder's server."""
        descriptor = self.open_lock("keeper.lock")
        try:
            return not try_lock(descriptor, fcntl.LOCK_SH)
        finally:
            os.close(descriptor)

    def _refuse_a_folder_of_something_else(self) -> None:
        """A home folder or someone's project given by mistake must not fill with our files."""
        if self.cluster.is_dir() or (self.path / "start.lock").exists():
            return
        try:
            strangers = [entry.name for entry in self.path.iterdir()]
        except OSError as failed:
            raise DataFolderRefused(
                f"The data folder {self.path} cannot be read: {failed.strerror}.",
                advice="It belongs to somebody else. Name another folder with --data.",
            ) from failed
        if strangers:
            raise DataFolderRefused(
                f"The folder {self.path} is not empty and is no data folder of Crossdock (it has "
                f"{sorted(strangers)[0]}).",
                advice="Name an empty or a new folder with --data.",
            )


def try_lock(descriptor: int, kind: int) -> bool:
    """Takes the lock if it is free right now."""
    try:
        fcntl.flock(descriptor, kind | fcntl.LOCK_NB)
    except BlockingIOError:
        return False
    return True


def acquire(descriptor: int, kind: int, timeout_seconds: float, folder: DataFolder) -> None:
    """Takes the lock, waiting for it; raises DataFolderInUse naming who is there."""
    deadline = time.monotonic() + timeout_seconds
    while not try_lock(descriptor, kind):
        if time.monotonic() > deadline:
            note = folder.note()
            holder = f" (its server is process {note.postmaster})" if note else ""
            raise DataFolderInUse(
                f"Another process has been starting or stopping the server of {folder.path} for "
                f"{timeout_seconds:.0f} seconds{holder}.",
                advice="Wait for it, or end it; or name another folder with --data.",
            )
        time.sleep(_POLL_SECONDS)
