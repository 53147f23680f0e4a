"""Starts the server of a data folder, or joins it, and leaves it again."""

from __future__ import annotations

import contextlib
import fcntl
import json
import os
import shutil
import signal
import socket
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from urllib.parse import quote

from crossdock.kernel.errors import DataFolderInUse, PortTaken, PostgresNotStarted
from crossdock.paths import user_data_folder
from crossdock.postgres import keeper as keeper_module
from crossdock.postgres.account import (
    Account,
    check_enterable,
    first_closed_folder,
    give_to,
    server_account,
)
from crossdock.postgres.binaries import Binaries, find_binaries
from crossdock.postgres.cluster import DATABASE, USER, check_room, prepare_cluster
from crossdock.postgres.folder import DataFolder, ServerNote, acquire, try_lock
from crossdock.postgres.store import answers, ensure_database
from crossdock.postgres.tuning import shared_memory_is_ample

# Crash recovery reads up to 4 GiB of WAL, minutes on a slow disk; cutting it short helps nobody.
START_SECONDS = 300.0

# A unix socket's path has room for 107 bytes, 103 on macOS.
_SOCKET_PATH_BYTES = 103
_SOCKET_PORT = 5432

# Never taken from a file: whoever runs Crossdock keeps what was committed.
_DURABLE = ("fsync=on", "synchronous_commit=on", "full_page_writes=on")
_NOT_DURABLE = ("fsync=off", "synchronous_commit=off", "full_page_writes=off")


@dataclass(frozen=True)
class Server:
    """A running server that this process owns a share of."""

    url: str
    data_folder: Path
    programs: Path


@contextlib.contextmanager
def serve(
    data_dir: Path | None = None,
    *,
    ephemeral: bool = False,
    durable: bool = True,
    port: int | None = None,
    binaries: Binaries | None = None,
    account_name: str = "",
) -> Iterator[Server]:
    """A running PostgreSQL for the length of the block; the last block to end stops it.

    `data_dir` defaults to the user's data folder. An ephemeral server gets a folder of its own that
    goes with it, also when this process is killed. `durable=False` is for ephemeral servers of unit
    tests only: it gives up what a crash must not take. `port` (0: any free one) opens
    127.0.0.1 beside the socket. `account_name` is whom root's server runs as. Raises the
    PostgresFaults; see kernel.errors.
    """
    assert durable or ephemeral, "only a server whose data are thrown away may risk them"
    assert not (ephemeral and data_dir), "an ephemeral server chooses its own folder"
    binaries = binaries or find_binaries()
    programs = binaries.folder
    folder = (
        _new_ephemeral_folder(durable, account_name)
        if ephemeral
        else _data_folder(data_dir, account_name)
    )
    account = server_account(folder.path, account_name)
    check_enterable(folder.path, account)
    owners = folder.open_lock("owners.lock")
    us = os.getpid()
    try:
        with folder.locked("start.lock", START_SECONDS):
            acquire(owners, fcntl.LOCK_SH, START_SECONDS, folder)
            note = _join(folder)
            if note is None:
                if first_closed_folder(programs, account) is not None:
                    # A checkout in /root is closed to every other account, the wheel with it.
                    programs = binaries.copied_to(folder.path)
                prepare_cluster(folder, programs, account, durable=durable)
                _start(folder, programs, account, ephemeral, durable, port)
                note = folder.note()
                assert note is not None, "the keeper announces the server before it reports"
                ensure_database(_url(folder, note, "postgres"), DATABASE)
        yield Server(_url(folder, note, DATABASE), folder.path, programs)
    finally:
        # A forked child has this frame too, and shares our lock; leaving is not for it to do.
        if os.getpid() == us:
            _leave(folder, owners)
        if ephemeral and os.getpid() == us:
            # The keeper took it away already, unless there never was one.
            shutil.rmtree(folder.path, ignore_errors=True)


def running_url(data_dir: Path | None = None) -> str | None:
    """The URL of the data folder's server if one runs right now; starts nothing."""
    folder = DataFolder((data_dir or user_data_folder()).expanduser().absolute())
    note = folder.note()
    return None if note is None else _url(folder, note, DATABASE)


def _data_folder(named: Path | None, account_name: str) -> DataFolder:
    path = (named or user_data_folder()).expanduser().absolute()
    folder = DataFolder(path)
    # Before it is made: what is refused leaves nothing behind.
    if os.geteuid() == 0:
        check_enterable(path, server_account(path, account_name))
    if not os.path.exists(folder.cluster):
        check_room(folder)
    # Root's server runs under another account, which has to pass through; its files stay closed.
    folder.create(mode=0o711 if os.geteuid() == 0 else 0o700)
    return folder


def _new_ephemeral_folder(durable: bool, account_name: str) -> DataFolder:
    """/var/tmp first: /tmp is often memory, where nothing is durable and everything is dear.

    What need not be durable is better off in memory: a test's database is there in a thirtieth of
    the time.
    """
    places = [os.environ.get("TMPDIR"), "/var/tmp", tempfile.gettempdir()]
    if not durable and shared_memory_is_ample():
        places.insert(0, "/dev/shm")
    for place in filter(None, places):
        path = Path(place).absolute()
        if not os.access(path, os.W_OK | os.X_OK):
            continue
        if first_closed_folder(path, server_account(path / "none", account_name)) is None:
            break
    folder = Path(tempfile.mkdtemp(prefix="crossdock-", dir=path))
    if os.geteuid() == 0:
        folder.chmod(0o711)
    return DataFolder(folder)


def _join(folder: DataFolder) -> ServerNote | None:
    """The running server of this folder once it answers; None if there is none."""
    deadline = time.monotonic() + START_SECONDS
    while folder.keeper_is_alive():
        note = folder.note()
        if note is not None and answers(_url(folder, note, "postgres")):
            return note
        if time.monotonic() > deadline:
            raise PostgresNotStarted(
                f"The server of {folder.path} has not answered for {START_SECONDS:.0f} seconds.",
                advice=f"Its log is {folder.log}.",
            )
        time.sleep(0.05)
    return None


def _start(
    folder: DataFolder,
    programs: Path,
    account: Account,
    ephemeral: bool,
    durable: bool,
    port: int | None,
) -> None:
    """Starts a keeper and waits for its word that the server takes connections."""
    socket_folder = _socket_folder(folder, account)
    listening = _SOCKET_PORT if port is None else port or _free_port()
    arguments = [
        str(programs / "postgres"),
        "-D",
        str(folder.cluster),
        "-k",
        socket_folder,
        "-p",
        str(listening),
        "-h",
        "" if port is None else "127.0.0.1",
    ]
    for setting in _DURABLE if durable else _NOT_DURABLE:
        arguments += ["-c", setting]
    job = {
        "folder": str(folder.path),
        "arguments": arguments,
        "account": [account.uid, account.gid] if account.switch else None,
        "socket_folder": socket_folder,
        "port": listening,
        "loopback": port is not None,
        "ephemeral": ephemeral,
        "start_seconds": START_SECONDS,
    }
    answer = subprocess.run(
        [sys.executable, "-I", "-S", keeper_module.__file__],
        input=json.dumps(job),
        stdout=subprocess.PIPE,
        text=True,
        check=False,
        cwd="/",
        start_new_session=True,
    ).stdout.strip()
    if answer != "ready":
        _explain(folder, answer.removeprefix("failed "), listening)


def _explain(folder: DataFolder, said: str, port: int) -> None:
    if "could not bind" in said or "Address already in use" in said:
        raise PortTaken(
            f"Port {port} on 127.0.0.1 belongs to another program.",
            advice="Choose another one in CROSSDOCK_POSTGRES_PORT (0: any free one), or unset it.",
        )
    held = said.removeprefix("held process ")
    if held != said:
        raise DataFolderInUse(
            f"The data folder {folder.path} is held by process {held}, a PostgreSQL that Crossdock "
            "did not start.",
            advice=f"End it (kill -INT {held}), or name another folder with --data.",
        )
    raise PostgresNotStarted(
        f"PostgreSQL did not start in {folder.path}: {said or 'its keeper was killed'}",
        advice=f"Its log is {folder.log}.",
    )


def _leave(folder: DataFolder, owners: int) -> None:
    """Gives up our share. If it was the last one, waits until the server has stopped."""
    try:
        if try_lock(owners, fcntl.LOCK_EX) and folder.path.exists():
            # Nobody can join while we hold the lock alone, so the server may go now.
            watch = folder.open_lock("keeper.lock")
            try:
                note = folder.note()
                if note is not None and try_lock(watch, fcntl.LOCK_EX):
                    _stop_without_keeper(folder, note)
                elif note is not None:
                    with contextlib.suppress(ProcessLookupError, PermissionError):
                        os.kill(note.keeper, signal.SIGTERM)
                    acquire(watch, fcntl.LOCK_EX, 2 * START_SECONDS, folder)
            finally:
                os.close(watch)
    finally:
        os.close(owners)


def _stop_without_keeper(folder: DataFolder, note: ServerNote) -> None:
    """Does what a killed keeper cannot do any more: nothing runs on after the last owner."""
    # Another account's server stays, and so does the note that tells the next owner it is ours.
    with contextlib.suppress(ProcessLookupError, PermissionError):
        if keeper_module.stop_orphan(folder.cluster, note.postmaster):
            (folder.path / "server.json").unlink(missing_ok=True)
            if Path(note.socket_folder) != folder.run:
                shutil.rmtree(note.socket_folder, ignore_errors=True)


def _socket_folder(folder: DataFolder, account: Account) -> str:
    """The data folder's own `run`, or a short one where the path would not fit into a socket."""
    longest = folder.run / f".s.PGSQL.{65535}"
    if len(os.fsencode(longest)) <= _SOCKET_PATH_BYTES:
        return str(folder.run)
    short = Path(tempfile.mkdtemp(prefix="crossdock-", dir="/tmp"))
    give_to(short, account)
    return str(short)


def _free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


def _url(folder: DataFolder, note: ServerNote, database: str) -> str:
    """A libpq URL; it names the password's file, so that it can be shown and passed on."""
    host = "127.0.0.1" if note.loopback else note.socket_folder
    return (
        f"postgresql://{USER}@/{database}?host={quote(host, safe='')}&port={note.port}"
        f"&passfile={quote(str(folder.passfile), safe='')}"
    )
