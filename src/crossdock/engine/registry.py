"""What an engine can run: processes, stations and capabilities, known before it starts."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

from crossdock.engine.capability import Capability, Station
from crossdock.engine.process import Process
from crossdock.kernel.messages import Command

ENGINE_VERSION = 1
"""Raised when a worker of an older build could misread the engine's own tables."""


class Registry:
    """Immutable after it is made; two things of one name or command are a bug."""

    def __init__(
        self,
        processes: Iterable[Process[Any]] = (),
        stations: Iterable[Station] = (),
        capabilities: Iterable[Capability] = (),
    ) -> None:
        self.processes = {process.name: process for process in processes}
        self.stations = {station.name: station for station in stations}
        assert not self.processes.keys() & self.stations.keys(), "a name means one thing"
        self.capabilities = tuple(capabilities)
        self.answering: dict[type[Command], int] = {}
        for position, capability in enumerate(self.capabilities):
            for command in capability.commands:
                assert command not in self.answering, f"{command.__name__} is answered twice"
                self.answering[command] = position

    def versions(self) -> dict[str, int]:
        """What this build knows: the engine's version and each process's."""
        known = {process.name: process.version for process in self.processes.values()}
        return {"engine": ENGINE_VERSION, **known}

    def too_old_for(self, required: dict[str, int]) -> dict[str, int]:
        """The required versions this build does not know; empty when it may work."""
        known = self.versions()
        return {name: version for name, version in required.items() if known.get(name, 0) < version}
