"""Several API processes on one database: one quota, one answer, one way out."""

from __future__ import annotations

import contextlib
import os
import signal
import socket
import subprocess
import sys
import time
from collections import Counter
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import httpx2
import pytest
from prometheus_client.parser import text_string_to_metric_families

from crossdock import db
from crossdock.catalog.model import Channel, Network, Product
from crossdock.catalog.store import save_network, save_products
from tests.api.keys import bearer, make_key
from tests.api.test_serve import PATIENCE_SECONDS, descendants, wait_for

pytestmark = [pytest.mark.slow, pytest.mark.crash]


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port: int = probe.getsockname()[1]
        return port


@contextlib.contextmanager
def running(database_url: str, *command: str, **settings: str) -> Iterator[tuple[int, str]]:
    """A crossdock command with an API; its process id and the URL."""
    port = free_port()
    environment = {f"CROSSDOCK_{name.upper()}": value for name, value in settings.items()}
    process = subprocess.Popen(
        [sys.executable, "-m", "crossdock", *command, "--port", str(port)],
        env=os.environ | environment | {"CROSSDOCK_DATABASE_URL": database_url},
        stdout=subprocess.DEVNULL,
        stderr=subprocess.PIPE,
    )
    url = f"http://127.0.0.1:{port}"
    try:
        wait_for(lambda: httpx2.get(f"{url}/health").status_code == 200)
        yield process.pid, url
    finally:
        process.send_signal(signal.SIGTERM)
        _, said = process.communicate(timeout=PATIENCE_SECONDS)
    assert process.returncode == 0, said.decode()
    assert b"Traceback" not in said, said.decode()


def order(number: int) -> dict[str, Any]:
    return {
        "channel": "web",
        "number": f"P-{number}",
        "placed_at": "2026-11-03T09:41:00Z",
        "currency": "USD",
        "lines": [{"number": 1, "sku": "LAMP-BRASS", "quantity": 1, "unit_price": "49.99"}],
        "groups": [{"address": {"country": "US", "postal_code": "02139"}}],
    }


@pytest.fixture
def sold(connection: db.Connection) -> None:
    save_network(connection, Network(channels=(Channel(code="web", name="Web"),)))
    save_products(connection, [Product(sku="LAMP-BRASS", name="Brass lamp")])
    connection.commit()


def test_two_commands_share_a_clients_quota(connection: db.Connection, database_url: str) -> None:
    quota, each = 200, 150
    key = bearer(make_key(connection, "orders:read", requests=quota))
    window = {"access_window_seconds": "100000"}
    with (
        running(database_url, "api", **window) as (_, one),
        running(database_url, "api", **window) as (_, other),
        ThreadPoolExecutor(8) as threads,
        httpx2.Client(headers=key, timeout=PATIENCE_SECONDS) as client,
    ):
        asked = [f"{url}/v1/orders" for _ in range(each) for url in (one, other)]
        answers = list(threads.map(client.get, asked))
        # A process that has nothing left in hand says when to come back, as the other one does.
        late = [client.get(f"{url}/v1/orders") for url in (one, other)]
    statuses = Counter(answer.status_code for answer in answers)
    assert statuses == {200: quota, 429: 2 * each - quota}
    took = Counter(str(a.request.url)[: len(one)] for a in answers if a.status_code == 200)
    assert set(took) == {one, other}, "both have let requests through"
    assert {answer.status_code for answer in late} == {429}
    assert all(int(answer.headers["retry-after"]) > 0 for answer in late)


def test_processes_of_one_command_take_orders_and_repeat_each_others_answers(
    connection: db.Connection, database_url: str, sold: None
) -> None:
    key = bearer(make_key(connection))
    with running(database_url, "serve", "--fakes", api_processes="2") as (pid, url):

        def send(method: str, path: str, body: Any, name: str) -> httpx2.Response:
            """Over a connection of its own, which goes to either process."""
            headers = {**key, "Idempotency-Key": name}
            return httpx2.request(
                method, f"{url}{path}", json=body, headers=headers, timeout=PATIENCE_SECONDS
            )

        def placed(number: int) -> list[httpx2.Response]:
            return [send("POST", "/v1/orders", order(number), f"o-{number}") for _ in range(4)]

        def made(number: int) -> list[httpx2.Response]:
            wanted = {"name": f"shop {number}", "grants": ["auditor"]}
            return [send("POST", "/v1/keys", wanted, f"k-{number}") for _ in range(4)]

        with ThreadPoolExecutor(8) as threads:
            repeated = [*threads.map(placed, range(12)), *threads.map(made, range(12))]
        for answers in repeated:
            assert {answer.status_code for answer in answers} == {201}, answers[0].text
            assert len({answer.content for answer in answers}) == 1
            replayed = [a.headers.get("idempotency-replayed") for a in answers]
            assert replayed == [None, "true", "true", "true"]
        wait_for(lambda: len(answered(url, key)) == 2)
        tree = descendants(pid)
        assert len(tree) >= 7
    wait_for(lambda: not any(Path(f"/proc/{each}").exists() for each in tree))
    count = connection.execute("SELECT count(*) FROM sales_order").fetchone()
    waits = connection.execute("SELECT count(*) FROM inbox").fetchone()
    assert count is not None and waits is not None and count[0] + waits[0] >= 12


def answered(url: str, key: dict[str, str]) -> Counter[str]:
    """How many orders each API process answered."""
    time.sleep(0.5)
    text = httpx2.get(f"{url}/metrics", headers=key).text
    found: Counter[str] = Counter()
    for family in text_string_to_metric_families(text):
        for sample in family.samples:
            if sample.labels.get("route") == "POST /v1/orders" and sample.name.endswith("_count"):
                found[sample.labels["process"]] += int(sample.value)
    return +found
