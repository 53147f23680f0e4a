"""A tree of processes: children that are restarted when they die, and go when their parent goes."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Mapping, Sequence
from typing import NamedTuple

from crossdock.cli.context import WRONG_USAGE, output
from crossdock.kernel.lineage import end_with_parent

FIRST_WAIT_SECONDS = 1.0
LONGEST_WAIT_SECONDS = 30.0
STEADY_SECONDS = 60.0
"""A child that lived so long is restarted without waiting."""
STOP_SECONDS = 20.0
"""What a child may take to finish its batch and end, before it is killed."""
_LOOK_SECONDS = 0.2


class Role(NamedTuple):
    """One process of the tree: a crossdock command, and how far it stands back (0 to 19)."""

    name: str
    command: tuple[str, ...]
    niceness: int = 0


class Family:
    """Starts one child per role, and keeps them all running until it is told to stop."""

    def __init__(self, roles: Sequence[Role], environment: Mapping[str, str]) -> None:
        self._environment = dict(environment)
        self._children = [_Child(role) for role in roles]

    def run(self, stop: threading.Event) -> int:
        """Until `stop`; returns 0, or the exit code of a child that no restart would help."""
        try:
            while not stop.wait(_LOOK_SECONDS):
                for child in self._children:
                    code = child.look(self._environment)
                    if code == WRONG_USAGE:
                        return code
        finally:
            self._stop()
        return 0

    def _stop(self) -> None:
        running = [c.process for c in self._children if c.process and c.process.poll() is None]
        for process in running:
            process.send_signal(signal.SIGTERM)
        deadline = time.monotonic() + STOP_SECONDS
        for process in running:
            try:
                process.wait(max(0.0, deadline - time.monotonic()))
            except subprocess.TimeoutExpired:
                process.kill()
                process.wait()


class _Child:
    def __init__(self, role: Role) -> None:
        self.role = role
        self.process: subprocess.Popen[bytes] | None = None
        self._started = 0.0
        self._wait = FIRST_WAIT_SECONDS
        self._due = 0.0

    def look(self, environment: Mapping[str, str]) -> int | None:
        """Start it if it is time to; returns its exit code when it has just died."""
        now = time.monotonic()
        if self.process is None:
            if now >= self._due:
                self._started = now
                self.process = _start(self.role, environment)
            return None
        code = self.process.poll()
        if code is None:
            return None
        self.process = None
        self._wait = FIRST_WAIT_SECONDS if now - self._started >= STEADY_SECONDS else self._wait
        self._due = now + self._wait
        output.print(
            f"{self.role.name} ended with {code}; it starts again in {self._wait:.0f} s",
            highlight=False,
        )
        self._wait = min(self._wait * 2, LONGEST_WAIT_SECONDS)
        return code


def _start(role: Role, environment: Mapping[str, str]) -> subprocess.Popen[bytes]:
    def stand_back() -> None:
        if role.niceness:
            os.nice(role.niceness)
        end_with_parent()  # Its database may go away with the parent.

    return subprocess.Popen(
        [sys.executable, "-m", "crossdock", *role.command],
        env=dict(environment),
        preexec_fn=stand_back,
        start_new_session=True,  # Ctrl-C reaches the parent alone, which ends them in order.
    )
