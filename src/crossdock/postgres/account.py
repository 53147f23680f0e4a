"""The operating system's account the server runs under: PostgreSQL refuses to be root."""

from __future__ import annotations

import os
import pwd
import stat
from dataclasses import dataclass
from pathlib import Path

from crossdock.kernel.errors import DataFolderRefused

# Accounts without rights of their own, in order of preference.
_UNPRIVILEGED = ("crossdock", "postgres", "nobody")


@dataclass(frozen=True)
class Account:
    """Who the server runs as. `switch` is false where we are that account already."""

    name: str
    uid: int
    gid: int
    switch: bool


def server_account(folder: Path, named: str = "") -> Account:
    """Ourselves; as root, whoever owns the data folder already, else `named`, else a choice."""
    if os.geteuid() != 0:
        return Account(_name_of(os.geteuid()), os.geteuid(), os.getegid(), switch=False)
    for candidate in (folder / "cluster", folder):
        if candidate.exists() and candidate.stat().st_uid != 0:
            owner = candidate.stat()
            return Account(_name_of(owner.st_uid), owner.st_uid, owner.st_gid, switch=True)
    named = named or os.environ.get("CROSSDOCK_POSTGRES_USER", "").strip()
    for name in (named,) if named else _UNPRIVILEGED:
        try:
            entry = pwd.getpwnam(name)
        except KeyError:
            continue
        if entry.pw_uid != 0:
            return Account(name, entry.pw_uid, entry.pw_gid, switch=True)
    raise DataFolderRefused(
        "PostgreSQL does not run as root, and this machine has no unprivileged account for it"
        + (f": {named} is unknown or is root." if named else "."),
        advice="Run crossdock as an ordinary user, or name an account in CROSSDOCK_POSTGRES_USER.",
    )


def first_closed_folder(path: Path, account: Account) -> Path | None:
    """The first folder on the way to `path` (itself included) that the account cannot enter."""
    for folder in [*reversed(path.parents), path]:
        if not _may_enter(folder, account):
            return folder
    return None


def check_enterable(path: Path, account: Account) -> None:
    """Refuses a folder the server could not reach; opening it up is not ours to decide."""
    closed = first_closed_folder(path, account)
    if closed is not None:
        raise DataFolderRefused(
            f"The data folder {path} cannot be used: PostgreSQL refuses to run as root, and "
            f"{account.name}, the account it runs under instead, may not enter {closed}.",
            advice="Name a folder elsewhere with --data (for example /var/lib/crossdock), or run "
            "crossdock as an ordinary user.",
        )


def give_to(path: Path, account: Account) -> None:
    """Hands one of our own files or folders to the server's account."""
    if account.switch:
        os.chown(path, account.uid, account.gid)


def _may_enter(folder: Path, account: Account) -> bool:
    try:
        found = folder.stat()
    except (FileNotFoundError, NotADirectoryError):
        return True
    if not stat.S_ISDIR(found.st_mode):
        return True  # Making the folder fails on it, and says so.
    if found.st_uid == account.uid:
        return bool(found.st_mode & stat.S_IXUSR)
    if found.st_gid == account.gid:
        return bool(found.st_mode & stat.S_IXGRP)
    return bool(found.st_mode & stat.S_IXOTH)


def _name_of(uid: int) -> str:
    try:
        return pwd.getpwuid(uid).pw_name
    except KeyError:
        return str(uid)
