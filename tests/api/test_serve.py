"""`crossdock serve`: one process tree that does it all, mends itself, and leaves nothing behind."""

from __future__ import annotations

import contextlib
import os
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import httpx2
import pytest

from crossdock import db
from crossdock.catalog.model import Channel, Network, Product
from crossdock.catalog.store import save_network, save_products
from tests.api.keys import bearer, make_key

pytestmark = [pytest.mark.slow, pytest.mark.crash]

PATIENCE_SECONDS = 60


def wait_for(what: Callable[[], Any]) -> Any:
    """Until it is true, or the connection is there."""
    deadline = time.monotonic() + PATIENCE_SECONDS
    while True:
        with contextlib.suppress(httpx2.TransportError):
            if found := what():
                return found
        assert time.monotonic() < deadline, "it did not happen in time"
        time.sleep(0.1)


def children(pid: int) -> dict[str, int]:
    """The process ids of the tree's roles."""
    found = {}
    for each in _all():
        with contextlib.suppress(OSError):
            command = Path(f"/proc/{each}/cmdline").read_bytes().decode().split("\0")
            if _parent(each) == pid and "crossdock" in command:
                found[command[command.index("crossdock") + 1]] = each
    return found


def descendants(pid: int) -> list[int]:
    """Every process below that one."""
    below = [each for each in _all() if _parent(each) == pid]
    return below + [each for child in below for each in descendants(child)]


def _all() -> list[int]:
    return [int(folder.name) for folder in Path("/proc").iterdir() if folder.name.isdigit()]


def _parent(pid: int) -> int:
    with contextlib.suppress(OSError):
        return int(Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[1])
    return 0


@pytest.fixture
def tree(connection: db.Connection, database_url: str) -> Iterator[tuple[int, httpx2.Client]]:
    """The process id of `crossdock serve`, and a client of its API."""
    save_network(connection, Network(channels=(Channel(code="web", name="Web"),)))
    save_products(connection, [Product(sku="LAMP-BRASS", name="Brass lamp")])
    key = make_key(connection)
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = probe.getsockname()[1]
    command = [sys.executable, "-m", "crossdock", "serve", "--fakes", "--port", str(port)]
    environment = os.environ | {"CROSSDOCK_DATABASE_URL": database_url}
    with subprocess.Popen(command, env=environment, stdout=subprocess.DEVNULL) as process:
        try:
            with httpx2.Client(
                base_url=f"http://127.0.0.1:{port}", headers=bearer(key), timeout=10
            ) as client:
                wait_for(lambda: client.get("/health").status_code == 200)
                yield process.pid, client
        finally:
            process.send_signal(signal.SIGTERM)
            process.wait(PATIENCE_SECONDS)


def test_an_order_goes_through_though_every_process_dies_once(
    tree: tuple[int, httpx2.Client], connection: db.Connection
) -> None:
    pid, client = tree
    before = children(pid)
    assert set(before) == {"api", "worker", "dispatcher", "files", "test-mode"}
    grandchildren = [each for each in _all() if _parent(each) in before.values()]
    assert grandchildren
    for process in before.values():
        os.kill(process, signal.SIGKILL)
    wait_for(lambda: set(children(pid)) == set(before))
    assert not set(children(pid).values()) & set(before.values())
    wait_for(lambda: not any(Path(f"/proc/{each}").exists() for each in grandchildren))
    wait_for(lambda: client.get("/health").status_code == 200)
    order = {
        "channel": "web",
        "number": "S-1",
        "placed_at": datetime.now(UTC).isoformat(),
        "currency": "USD",
        "lines": [{"number": 1, "sku": "LAMP-BRASS", "quantity": 1, "unit_price": "49.99"}],
        "groups": [{"address": {"country": "US", "postal_code": "02139"}}],
    }
    answer = client.post("/v1/orders", json=order)
    assert answer.status_code == 201, answer.text
    wait_for(lambda: _stage(connection, answer.json()["id"]) in ("held", "open"))
    now = children(pid)
    os.kill(pid, signal.SIGTERM)
    wait_for(lambda: not any(Path(f"/proc/{each}").exists() for each in now.values()))


def _stage(connection: db.Connection, order_id: str) -> str:
    row = connection.execute("SELECT stage FROM sales_order WHERE id = %s", [order_id]).fetchone()
    connection.rollback()
    return str(row[0]) if row else ""


def test_a_port_in_use_is_said_and_nothing_is_started(database_url: str) -> None:
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        port = taken.getsockname()[1]
        done = subprocess.run(
            [sys.executable, "-m", "crossdock", "serve", "--fakes", "--port", str(port)],
            env=os.environ | {"CROSSDOCK_DATABASE_URL": database_url},
            capture_output=True,
            text=True,
            timeout=PATIENCE_SECONDS,
        )
    assert done.returncode == 2
    assert f"127.0.0.1:{port}" in done.stderr
