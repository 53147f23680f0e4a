"""A stock file goes no faster than the workers that book it."""

from __future__ import annotations

import contextlib
import threading
import time
from collections.abc import Iterator
from typing import Any

import msgspec
import pytest

from crossdock import db
from crossdock.api.files.loading import PORTION
from crossdock.api.files.runner import run_next
from crossdock.kernel.clock import SystemClock
from tests.api.retail import Client, Retail, told
from tests.integration.orders.shop import BOSTON


@pytest.fixture
def retail(api_url: str) -> Iterator[Retail]:
    with contextlib.closing(db.connect(api_url)) as connection:
        yield Retail(connection)


@pytest.fixture
def running(api: Client, retail: Retail, api_url: str, monkeypatch: Any) -> Iterator[str]:
    """The path of the job of a file of eight rows, two to a portion, which a loader is at."""
    monkeypatch.setitem(PORTION, "stock", 2)
    wanted = {"kind": "stock", "source": "wms", "node": BOSTON, "as_of": "2026-11-02T20:00:00Z"}
    path = f"/v1/files/{told(api, '/v1/files', wanted).json()['id']}"
    rows = [msgspec.json.encode({"sku": f"P-{n}", "quantity": n}) for n in range(8)]
    api.put(f"{path}/content", params={"complete": True}, content=b"\n".join(rows))
    stop = threading.Event()
    with contextlib.closing(db.connect(api_url)) as connection:
        loader = threading.Thread(target=run_next, args=(connection, SystemClock(), stop))
        loader.start()
        until(api, path, rows_read=4)
        yield path
        stop.set()
        loader.join(30)
        assert not loader.is_alive()


def until(api: Client, path: str, **wanted: object) -> dict[str, Any]:
    """The job, once it is like that."""
    deadline = time.monotonic() + 60
    while True:
        job: dict[str, Any] = api.get(path).json()
        if all(job[name] == value for name, value in wanted.items()):
            return job
        assert time.monotonic() < deadline, job
        time.sleep(0.02)


def test_no_more_than_two_portions_wait_for_the_workers(
    api: Client, retail: Retail, running: str
) -> None:
    time.sleep(0.5)
    job = api.get(running).json()
    assert (job["status"], job["rows_read"], job["messages_waiting"]) == ("running", 4, 2)
    retail.settle()
    until(api, running, rows_read=8)
    retail.settle()
    until(api, running, status="done", messages_waiting=0)
    retail.assert_whole()


def test_a_job_that_is_canceled_waits_for_nobody(api: Client, retail: Retail, running: str) -> None:
    assert api.post(f"{running}/cancel").json()["status"] == "canceled"
    time.sleep(0.5)
    assert api.get(running).json()["rows_read"] == 4
