"""The server's own files: made once by initdb, configured anew at every start."""

from __future__ import annotations

import os
import secrets
import shutil
import subprocess
from pathlib import Path

from crossdock.kernel.errors import (
    DataFolderRefused,
    ForeignMajorVersion,
    NoRoomOnDisk,
    PostgresNotStarted,
)
from crossdock.postgres.account import Account, give_to
from crossdock.postgres.binaries import major_version
from crossdock.postgres.folder import DataFolder
from crossdock.postgres.tuning import tuned_settings

USER = "crossdock"
DATABASE = "crossdock"

# A new cluster with its first WAL, and what recovery of an old one may write at least.
_ROOM_FOR_NEW_BYTES = 300 * 1024 * 1024
_ROOM_BYTES = 64 * 1024 * 1024
_CONFIGURATION = "crossdock.conf"
_HOST_RULES = """\
# Written by Crossdock at every start. A password always; sockets and loopback only.
local all all scram-sha-256
host all all 127.0.0.1/32 scram-sha-256
host all all ::1/128 scram-sha-256
"""


def prepare_cluster(folder: DataFolder, programs: Path, account: Account, *, durable: bool) -> None:
    """Makes the cluster where there is none, checks its version, writes its configuration.

    The caller holds start.lock. A half-made cluster is never left under its final name.
    """
    version = major_version(programs)
    for leftover in folder.path.glob("cluster.new-*"):
        shutil.rmtree(leftover, ignore_errors=True)
    check_room(folder)
    if not folder.cluster.exists():
        _create(folder, programs, account, durable=durable)
    _check_version(folder, programs, version)
    folder.run.mkdir(mode=0o700, exist_ok=True)
    give_to(folder.run, account)
    _configure(folder, programs, account)


def check_room(folder: DataFolder) -> None:
    """Whether there is room to start, also where the folder is yet to be made; raises
    NoRoomOnDisk."""
    there = next(path for path in (folder.path, *folder.path.parents) if os.path.exists(path))
    free = shutil.disk_usage(there).free
    needed = _ROOM_BYTES if os.path.exists(folder.cluster) else _ROOM_FOR_NEW_BYTES
    if free < needed:
        raise NoRoomOnDisk(
            f"Only {free // 1024**2} MiB are free where {folder.path} lies; PostgreSQL needs "
            f"{needed // 1024**2} MiB to start.",
            advice="Free some space, or name a folder on another disk with --data.",
        )


def _create(folder: DataFolder, programs: Path, account: Account, *, durable: bool) -> None:
    fresh = folder.path / f"cluster.new-{os.getpid()}"
    fresh.mkdir(mode=0o700)
    give_to(fresh, account)
    password = secrets.token_hex(24)
    told = fresh.with_name(f"{fresh.name}.password")
    _write_private(told, f"{password}\n")
    give_to(told, account)
    try:
        _run(
            [
                str(programs / "initdb"),
                f"--pgdata={fresh}",
                f"--username={USER}",
                f"--pwfile={told}",
                "--auth=scram-sha-256",
                "--encoding=UTF8",
                # Code point order: the same on every machine, and the order Python sorts in.
                "--locale=C",
                *([] if durable else ["--no-sync"]),
            ],
            account,
            folder,
        )
        _write_private(folder.passfile, f"*:*:*:{USER}:{password}\n")
        owner = folder.path.stat()
        if os.geteuid() == 0 and owner.st_uid != 0:
            os.chown(folder.passfile, owner.st_uid, owner.st_gid)
        with (fresh / "postgresql.conf").open("a", encoding="utf-8") as settings:
            settings.write(f"\ninclude_if_exists = '{_CONFIGURATION}'\n")
        fresh.rename(folder.cluster)
    finally:
        told.unlink(missing_ok=True)
        shutil.rmtree(fresh, ignore_errors=True)


def _check_version(folder: DataFolder, programs: Path, ours: int) -> None:
    written_by = (folder.cluster / "PG_VERSION").read_text(encoding="ascii").strip()
    if written_by != str(ours):
        raise ForeignMajorVersion(
            f"The data in {folder.path} were written by PostgreSQL {written_by}; the programs in "
            f"{programs} are PostgreSQL {ours}.",
            advice=f"Set CROSSDOCK_POSTGRES_BIN to a folder with PostgreSQL {written_by}, or move "
            "the data with pg_dump and pg_restore, or name another folder with --data.",
        )


def _configure(folder: DataFolder, programs: Path, account: Account) -> None:
    """Written at every start, because the machine's memory may have changed.

    ALTER SYSTEM still wins over it: a retailer's own tuning stays.
    """
    settings = tuned_settings(folder.cluster)
    if _takes(programs, folder, account, "wal_compression=lz4"):
        settings["wal_compression"] = "lz4"
    lines = ["# Written by Crossdock at every start; use ALTER SYSTEM for settings of your own."]
    lines += [f"{name} = '{value}'" for name, value in settings.items()]
    for name, text in (
        (_CONFIGURATION, "\n".join(lines) + "\n"),
        ("pg_hba.conf", _HOST_RULES),
    ):
        path = folder.cluster / name
        _write_private(path, text)
        give_to(path, account)


def _takes(programs: Path, folder: DataFolder, account: Account, setting: str) -> bool:
    """Asks the server's program whether it was built with what a setting needs."""
    name, _, value = setting.partition("=")
    asked = subprocess.run(
        [str(programs / "postgres"), "-D", str(folder.cluster), "-c", setting, "-C", name],
        capture_output=True,
        text=True,
        check=False,
        cwd=folder.cluster,
        env={"PATH": os.defpath, "LC_ALL": "C"},
        user=account.uid if account.switch else None,
        group=account.gid if account.switch else None,
        extra_groups=[] if account.switch else None,
    )
    return asked.returncode == 0 and asked.stdout.strip() == value


def _run(command: list[str], account: Account, folder: DataFolder) -> None:
    try:
        done = subprocess.run(
            command,
            capture_output=True,
            text=True,
            check=False,
            cwd=folder.path,
            env={"PATH": os.defpath, "LC_ALL": "C", "TZ": "UTC"},
            umask=0o077,
            user=account.uid if account.switch else None,
            group=account.gid if account.switch else None,
            extra_groups=[] if account.switch else None,
        )
    except (PermissionError, subprocess.SubprocessError) as failed:
        raise DataFolderRefused(
            f"PostgreSQL does not run as root, and becoming {account.name} failed: {failed}.",
            advice="Run crossdock as an ordinary user, or set CROSSDOCK_DATABASE_URL to a server "
            "of your own.",
        ) from failed
    if done.returncode != 0:
        said = (done.stderr.strip() or done.stdout.strip())[-2000:]
        if "No space left on device" in said:
            raise NoRoomOnDisk(
                f"The disk of {folder.path} became full while creating the database.",
                advice="Free some space, or name a folder on another disk with --data.",
            )
        raise PostgresNotStarted(
            f"{Path(command[0]).name} failed in {folder.path}:\n{said}",
            advice="Nothing was left behind; mend what it complains about and try again.",
        )


def _write_private(path: Path, text: str) -> None:
    """Writes a file nobody but its owner may read, whole or not at all."""
    fresh = path.with_name(path.name + ".tmp")
    fresh.unlink(missing_ok=True)
    descriptor = os.open(fresh, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
    with os.fdopen(descriptor, "w", encoding="utf-8") as file:
        file.write(text)
    fresh.replace(path)
