"""What each API process of granian makes: the application over the database of its environment."""

from __future__ import annotations

import gc
import sys

from granian.constants import HTTPModes, Interfaces
from granian.http import HTTP1Settings
from granian.log import LogLevels
from granian.server import MPServer
from litestar import Litestar

from crossdock.api.app import create_app
from crossdock.api.services import Services
from crossdock.kernel import logs
from crossdock.kernel.lineage import end_with_parent
from crossdock.settings import ApiSettings, load_settings

TARGET = "crossdock.api.asgi:make"

SWITCH_SECONDS = 0.001
"""The committing thread waits for the database some ten times per commit, and each time has to get
its turn back from the event loop: Python's own 5 ms would add 50 ms to every order."""

COLLECT_AFTER = 10_000
"""New objects between two looks of the garbage collector; requests leave few cycles behind."""


def make() -> Litestar:
    """By the settings; `crossdock api` has put the URL of the database into the environment."""
    end_with_parent()  # Else it would listen on, beside those that a new parent starts.
    settings = load_settings()
    logs.configure(settings.telemetry.log_format, settings.telemetry.log_level)
    sys.setswitchinterval(SWITCH_SECONDS)
    services = Services.open(settings.database.url, settings)
    app = create_app(services)
    app.on_shutdown.append(services.close)
    # What exists by now lives as long as the process: the collector need not look at it again, and
    # nobody waits 50 ms for that.
    gc.collect()
    gc.freeze()
    gc.set_threshold(COLLECT_AFTER, 20, 20)
    return app


def server(settings: ApiSettings, host: str, port: int, target: str = TARGET) -> MPServer:
    """The HTTP server with its processes; `serve()` runs it until it is told to stop."""
    return MPServer(
        target,
        address=host,
        port=port,
        interface=Interfaces.ASGI,
        factory=True,
        workers=settings.processes,
        http=HTTPModes.http1,
        websockets=False,
        backlog=1024,
        http1_settings=HTTP1Settings(
            header_read_timeout=settings.header_seconds * 1000, max_buffer_size=65_536
        ),
        log_level=LogLevels.warning,
        respawn_failed_workers=True,
        workers_kill_timeout=15,
    )
