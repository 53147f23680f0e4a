"""The keeper: a small process of its own that is the parent of the server.

It starts PostgreSQL, announces it in server.json, starts it again when it was killed, and stops it
when the last owner has gone, be it by closing or by SIGKILL: owners share `owners.lock`, and once
the keeper can have that lock alone, nobody is left. It imports the standard library only, so that
it is up in a moment, and it outlives the process that started it.

Run by `launcher` as a file, with its job as JSON on standard input; the answer, one line on
standard output, is `ready` or `failed` with a reason.
"""

from __future__ import annotations

import fcntl
import json
import os
import shutil
import signal
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

_POLL_SECONDS = 0.05
_SHUTDOWN_SECONDS = 300.0
_RESTART_SECONDS = 3.0
_LOG_LIMIT_BYTES = 10 * 1024 * 1024


class _GaveUpError(Exception):
    """The server cannot be brought up; the message goes to the launcher and the log."""


class Keeper:
    """Starts, restarts and stops one server."""

    def __init__(self, job: dict[str, Any]) -> None:
        self.folder = Path(job["folder"])
        self.cluster = self.folder / "cluster"
        self.arguments: list[str] = job["arguments"]
        self.account: list[int] | None = job["account"]
        self.socket_folder: str = job["socket_folder"]
        self.port: int = job["port"]
        self.loopback: bool = job["loopback"]
        self.ephemeral: bool = job["ephemeral"]
        self.start_seconds: float = job["start_seconds"]
        self.asked_to_stop = False
        self.log_path = self.folder / "postgres.log"

    def run(self, report: Any) -> None:
        """The whole life of the keeper; `report` takes the line for the launcher."""
        signal.signal(signal.SIGTERM, self._ask_to_stop)
        for ignored in (signal.SIGINT, signal.SIGHUP):
            signal.signal(ignored, signal.SIG_IGN)
        lock = os.open(self.folder / "keeper.lock", os.O_RDWR | os.O_CREAT, 0o600)
        fcntl.flock(lock, fcntl.LOCK_EX)
        owners = os.open(self.folder / "owners.lock", os.O_RDWR | os.O_CREAT, 0o600)
        try:
            self._stop_an_orphan()
            self._remove_stale_sockets()
            server = self._start(owners)
        except _GaveUpError as failed:
            report.write(f"failed {failed}\n")
            report.close()
            self._clear()
            return
        report.write("ready\n")
        report.close()
        try:
            self._keep(server, owners)
        finally:
            self._clear()

    def _keep(self, server: subprocess.Popen[bytes], owners: int) -> None:
        """Waits for the last owner to go; brings a killed server back meanwhile."""
        while True:
            if self.asked_to_stop or _is_free(owners):
                self._stop(server)
                return
            if server.poll() is not None:
                self._log(f"the server ended with status {server.returncode}; starting it again")
                again = self._restart(owners)
                if again is None:
                    return
                server = again
            time.sleep(_POLL_SECONDS)

    def _restart(self, owners: int) -> subprocess.Popen[bytes] | None:
        """Tries until the server is back, however long its disk stays full; None: nobody waits."""
        while True:
            try:
                return self._start(owners)
            except _GaveUpError as failed:
                self._log(f"{failed}\nkeeper: trying again in {_RESTART_SECONDS:.0f} seconds")
            until = time.monotonic() + _RESTART_SECONDS
            while time.monotonic() < until:
                if self.asked_to_stop or _is_free(owners):
                    return None
                time.sleep(_POLL_SECONDS)

    def _start(self, owners: int) -> subprocess.Popen[bytes]:
        """Starts the server and waits until it takes connections, retrying while the old one's
        processes still hold its shared memory."""
        deadline = time.monotonic() + self.start_seconds
        while True:
            server = self._spawn()
            if self._becomes_ready(server, deadline, owners):
                self._announce(server.pid)
                return server
            if self.asked_to_stop:
                raise _GaveUpError("told to stop while starting")
            said = self._last_words()
            if server.poll() is None:
                server.send_signal(signal.SIGQUIT)
                server.wait()
                raise _GaveUpError(f"no answer within {self.start_seconds:.0f} seconds\n{said}")
            if "shared memory block" not in said or time.monotonic() > deadline:
                raise _GaveUpError(f"it ended with status {server.returncode}\n{said}")
            time.sleep(0.2)

    def _spawn(self) -> subprocess.Popen[bytes]:
        if self.log_path.exists() and self.log_path.stat().st_size > _LOG_LIMIT_BYTES:
            self.log_path.replace(self.folder / "postgres.log.1")
        switch: dict[str, Any] = {}
        if self.account is not None:
            switch = {"user": self.account[0], "group": self.account[1], "extra_groups": []}
        with self.log_path.open("ab") as log:
            self._give_to_the_folders_owner(self.log_path)
            self.log_starts_at = log.tell()
            try:
                return subprocess.Popen(
                    self.arguments,
                    stdin=subprocess.DEVNULL,
                    stdout=log,
                    stderr=log,
                    cwd=self.cluster,
                    env={"PATH": os.defpath, "LC_ALL": "C", "PGTZ": "UTC"},
                    umask=0o077,
                    **switch,
                )
            except (OSError, subprocess.SubprocessError) as failed:
                raise _GaveUpError(f"{self.arguments[0]} does not run: {failed}") from failed

    def _becomes_ready(self, server: subprocess.Popen[bytes], deadline: float, owners: int) -> bool:
        """PostgreSQL writes `ready` into the eighth line of postmaster.pid."""
        while time.monotonic() < deadline and server.poll() is None:
            lines = _postmaster_lines(self.cluster)
            if len(lines) >= 8 and lines[0] == str(server.pid) and lines[7].strip() == "ready":
                return True
            if self.asked_to_stop or _is_free(owners):
                self.asked_to_stop = True
                self._stop(server)
                return False
            time.sleep(_POLL_SECONDS / 5)
        return False

    def _stop(self, server: subprocess.Popen[bytes]) -> None:
        """Fast shutdown; an ephemeral server's files go anyway, so it may simply drop them."""
        (self.folder / "server.json").unlink(missing_ok=True)
        server.send_signal(signal.SIGQUIT if self.ephemeral else signal.SIGINT)
        try:
            server.wait(_SHUTDOWN_SECONDS)
        except subprocess.TimeoutExpired:
            server.send_signal(signal.SIGQUIT)
            server.wait()

    def _stop_an_orphan(self) -> None:
        """Replaces a server whose keeper was killed; an owner it still has must connect again."""
        lines = _postmaster_lines(self.cluster)
        if not lines or not lines[0].isdigit():
            return
        orphan = int(lines[0])
        if not _is_postgres(orphan):
            # Left by a machine that lost power: the number belongs to another program now.
            (self.cluster / "postmaster.pid").unlink(missing_ok=True)
            return
        try:
            announced = json.loads((self.folder / "server.json").read_bytes())["postmaster"]
        except (OSError, ValueError, KeyError):
            announced = None
        if announced != orphan:
            raise _GaveUpError(f"held process {orphan}")
        self._log(f"stopping process {orphan}, whose keeper was killed")
        if not stop_orphan(self.cluster, orphan):
            raise _GaveUpError(f"held process {orphan}")

    def _remove_stale_sockets(self) -> None:
        """What a killed server left; its lock file would stand in the way of the next one."""
        for stale in Path(self.socket_folder).glob(".s.PGSQL.*"):
            stale.unlink(missing_ok=True)

    def _announce(self, postmaster: int) -> None:
        note = {
            "postmaster": postmaster,
            "keeper": os.getpid(),
            "socket_folder": self.socket_folder,
            "port": self.port,
            "loopback": self.loopback,
        }
        fresh = self.folder / "server.json.new"
        fresh.write_text(json.dumps(note), encoding="utf-8")
        self._give_to_the_folders_owner(fresh)
        fresh.replace(self.folder / "server.json")

    def _clear(self) -> None:
        """Takes away what only made sense while the server ran."""
        (self.folder / "server.json").unlink(missing_ok=True)
        if Path(self.socket_folder).parent != self.folder:
            shutil.rmtree(self.socket_folder, ignore_errors=True)
        if self.ephemeral:
            shutil.rmtree(self.folder, ignore_errors=True)

    def _last_words(self) -> str:
        with self.log_path.open("rb") as log:
            log.seek(self.log_starts_at)
            return log.read().decode("utf-8", "replace").strip()[-2000:]

    def _log(self, text: str) -> None:
        with self.log_path.open("a", encoding="utf-8") as log:
            log.write(f"keeper: {text}\n")

    def _give_to_the_folders_owner(self, path: Path) -> None:
        """Root may use a user's data folder; what it leaves there must stay the user's."""
        if os.geteuid() == 0:
            owner = self.folder.stat()
            os.chown(path, owner.st_uid, owner.st_gid)

    def _ask_to_stop(self, _signal: int, _frame: object) -> None:
        self.asked_to_stop = True


def stop_orphan(cluster: Path, orphan: int) -> bool:
    """Fast shutdown of a server that has no keeper, if the cluster names it; whether it is gone."""
    if _postmaster_lines(cluster)[:1] != [str(orphan)] or not _is_postgres(orphan):
        return True
    os.kill(orphan, signal.SIGINT)
    deadline = time.monotonic() + _SHUTDOWN_SECONDS
    while _is_postgres(orphan):
        if time.monotonic() > deadline:
            return False
        time.sleep(_POLL_SECONDS)
    return True


def _is_free(owners: int) -> bool:
    """True once nobody shares the owners' lock; we keep it then, so that nobody joins any more."""
    try:
        fcntl.flock(owners, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        return False
    return True


def _postmaster_lines(cluster: Path) -> list[str]:
    try:
        return (cluster / "postmaster.pid").read_text(encoding="utf-8").splitlines()
    except OSError:
        return []


def _is_postgres(pid: int) -> bool:
    """Whether the process runs a program of that name; a dead one nobody has reaped does not."""
    try:
        program = Path(f"/proc/{pid}/cmdline").read_bytes().split(b"\0")[0].decode(errors="replace")
    except OSError:
        if Path("/proc/self").exists():
            return False
        program = subprocess.run(
            ["ps", "-o", "comm=", "-p", str(pid)], capture_output=True, text=True, check=False
        ).stdout.strip()
    return Path(program).name == "postgres"


def main() -> None:
    """Reads the job, leaves the launcher's process group, and keeps."""
    job = json.loads(sys.stdin.read())
    if os.fork():
        os._exit(0)
    os.setsid()
    os.umask(0o077)
    report = os.fdopen(os.dup(1), "w")
    nowhere = os.open(os.devnull, os.O_RDWR)
    for standard in (0, 1, 2):
        os.dup2(nowhere, standard)
    Keeper(job).run(report)


if __name__ == "__main__":
    main()
