"""The processes of the crash test: workers and dispatchers that are killed and hired again."""

from __future__ import annotations

import contextlib
import json
import multiprocessing
import os
import random
import secrets
import signal
import threading
import time
from collections.abc import Callable, Iterator, Sequence
from multiprocessing.managers import BaseManager
from pathlib import Path
from typing import Any, TypeVar

import psycopg

from crossdock import db
from crossdock.engine.dispatcher import Dispatcher, DispatchLimits
from crossdock.engine.effects import EffectResult, PendingEffect, Repeat
from crossdock.engine.registry import Registry
from crossdock.engine.runner import Limits
from crossdock.engine.worker import Worker, WorkerLimits
from crossdock.kernel.clock import Clock, SystemClock
from crossdock.kernel.errors import Fault
from crossdock.kernel.messages import Message

T = TypeVar("T")

spawn: Any = multiprocessing.get_context("spawn")

SHORT_WAITS = WorkerLimits(retry_seconds=0.1, longest_retry_seconds=0.5)
SHORT_LEASES = DispatchLimits(
    batch=40, lease_seconds=1.5, first_wait_seconds=0.05, longest_wait_seconds=0.5
)


class Outside(BaseManager):
    """Serves the receiving fakes of the test's own process, which nobody kills."""


@contextlib.contextmanager
def open_to_others(**fakes: object) -> Iterator[dict[str, tuple[object, bytes]]]:
    """Serve fakes of this process to the dispatchers; yields where to find each."""
    key = secrets.token_bytes(16)
    for name, fake in fakes.items():
        Outside.register(name, callable=lambda fake=fake: fake)
    manager = Outside(address=("127.0.0.1", 0), authkey=key)
    server = manager.get_server()
    thread = threading.Thread(target=server.serve_forever, daemon=True)
    thread.start()
    yield dict.fromkeys(fakes, (server.address, key))


class RemotePort:
    """A port whose other end is in the test's process; it forgets nothing when a caller dies."""

    most_per_second: float | None = None

    def __init__(self, name: str, address: Any, key: bytes) -> None:
        self.name = name
        Outside.register(name)
        self._manager = Outside(address=address, authkey=key)
        self._manager.connect()
        self._port = getattr(self._manager, name)()

    def repeats(self, operation: str) -> Repeat:
        return Repeat(self._port.repeats(operation))

    def send(self, effects: Sequence[PendingEffect]) -> list[EffectResult]:
        found: list[EffectResult] = self._port.send(list(effects))
        return found

    def look_up(self, effects: Sequence[PendingEffect]) -> list[Message | None]:
        found: list[Message | None] = self._port.look_up(list(effects))
        return found


def work(url: str, name: str, build: Callable[[], Registry], clock: Clock | None = None) -> None:
    """A worker process; works until it is killed."""

    def connect(autocommit: bool) -> db.Connection:
        return db.connect(url, autocommit=autocommit, connect_timeout_seconds=3)

    limits = Limits(messages=24)
    worker = Worker(
        build(), connect, clock or SystemClock(), name=name, limits=limits, waits=SHORT_WAITS
    )
    worker.run(threading.Event())


def dispatch(
    url: str,
    ports: dict[str, tuple[Any, bytes]],
    clock: Clock | None = None,
    limits: DispatchLimits = SHORT_LEASES,
) -> None:
    """A dispatcher process; calls until it is killed."""
    remote = {name: RemotePort(name, *where) for name, where in ports.items()}
    dispatcher = Dispatcher(remote, clock or SystemClock(), limits)
    threads = dispatcher.run(
        lambda: db.connect(url, connect_timeout_seconds=3),
        threading.Event(),
        threads_per_connector=1,
    )
    for thread in threads:
        thread.join()


class Crew:
    """Hires processes, kills them at random, and hires them again."""

    def __init__(self, seed: int) -> None:
        self.random = random.Random(seed)
        self.jobs: dict[str, tuple[Callable[..., None], tuple[Any, ...]]] = {}
        self.staff: dict[str, Any] = {}
        self.deaths: dict[str, int] = {}

    def hire(self, role: str, job: Callable[..., None], *arguments: Any) -> None:
        self.jobs[role] = (job, arguments)
        self._start(role)

    def _start(self, role: str) -> None:
        job, arguments = self.jobs[role]
        named = [
            a.format(n=self.deaths.get(role, 0)) if isinstance(a, str) else a for a in arguments
        ]
        self.staff[role] = spawn.Process(target=job, args=tuple(named), daemon=True)
        self.staff[role].start()

    def kill(self, role: str) -> None:
        self.staff[role].kill()
        self.staff[role].join()
        self.deaths[role] = self.deaths.get(role, 0) + 1
        self._start(role)

    def dismiss(self) -> None:
        for process in self.staff.values():
            process.kill()
            process.join()


def kill_postmaster(data_folder: Path) -> None:
    """SIGKILL to the server itself; its keeper starts it again."""
    note = json.loads((data_folder / "server.json").read_text(encoding="utf-8"))
    with contextlib.suppress(ProcessLookupError):
        os.kill(note["postmaster"], signal.SIGKILL)


def persist(do: Callable[[], T], seconds: float = 60.0) -> T:
    """Do something again until the server answers; for the test's own statements."""
    deadline = time.monotonic() + seconds
    while True:
        try:
            return do()
        except (psycopg.Error, Fault):
            if time.monotonic() > deadline:
                raise
            time.sleep(0.1)


def seed_of_this_run() -> int:
    """CROSSDOCK_CRASH_SEED, or one drawn anew; printed, so that it can be run again."""
    seed = int(os.environ.get("CROSSDOCK_CRASH_SEED") or secrets.randbelow(10**6))
    print(f"CROSSDOCK_CRASH_SEED={seed}")
    return seed
