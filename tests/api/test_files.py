"""Whole files of stock, products and prices, loaded as one job each."""

from __future__ import annotations

import contextlib
import gzip
import hashlib
import json
import threading
from collections.abc import Iterator
from typing import Any

import pytest

from crossdock import db
from crossdock.api.files.runner import run_next
from crossdock.kernel.clock import SystemClock
from tests.api.retail import Client, Retail, codes, told
from tests.integration.orders.shop import BOSTON, DENVER


@pytest.fixture(scope="module")
def retail(api_url: str) -> Iterator[Retail]:
    with contextlib.closing(db.connect(api_url)) as connection:
        yield Retail(connection)


@pytest.fixture
def runner(api_url: str) -> Iterator[db.Connection]:
    with contextlib.closing(db.connect(api_url)) as connection:
        yield connection


def opened(api: Client, **wanted: Any) -> str:
    return str(told(api, "/v1/files", wanted).json()["id"])


def loaded(api: Client, runner: db.Connection, content: bytes, **wanted: Any) -> dict[str, Any]:
    """A file from its announcement to its end."""
    path = f"/v1/files/{opened(api, **wanted)}"
    sent = api.put(f"{path}/content", params={"complete": True}, content=content)
    assert sent.status_code == 200, sent.text
    assert sent.json()["status"] == "waiting"
    while run_next(runner, SystemClock(), threading.Event()):
        pass
    found: dict[str, Any] = api.get(path).json()
    return found


def lines(*rows: dict[str, Any]) -> bytes:
    return b"".join(json.dumps(row).encode() + b"\n" for row in rows)


def sellable(api: Client, sku: str, node: str) -> int | None:
    found = api.get("/v1/inventory/levels", params={"sku": sku, "node": node}).json()["items"]
    return found[0]["sellable"] if found else None


def test_products_come_as_json_lines(api: Client, retail: Retail, runner: db.Connection) -> None:
    content = lines(
        {"sku": "CHAIR", "name": "Chair", "currency": "USD", "price": 9900},
        {"sku": "TABLE", "name": "Table", "packs": [{"unit": "pallet", "base_quantity": 4}]},
        {"sku": "STOOL"},
        {"sku": "CHAIR", "weight_grams": 4000},
    )
    job = loaded(api, runner, content + b"no json\n", kind="products")
    assert (job["status"], job["rows_taken"], job["rows_refused"]) == ("done", 3, 2)
    chair = api.get("/v1/products/CHAIR").json()
    assert (chair["price"], chair["weight_grams"]) == (9900, 4000)
    results = api.get(f"/v1/files/{job['id']}/results").json()["items"]
    assert [one["status"] for one in results] == ["taken", "taken", "refused", "taken", "refused"]
    refused = api.get(f"/v1/files/{job['id']}/results", params={"refused": True}).json()["items"]
    found = [(one["row"], one["key"], one["errors"][0]["code"]) for one in refused]
    assert found == [(3, "STOOL", "missing"), (5, "", "not_json")]


def test_a_csv_types_its_columns_and_leaves_out_empty_cells(
    api: Client, retail: Retail, runner: db.Connection
) -> None:
    content = (
        "\ufeffsku,name,price,currency,enabled,methods,season_end,attributes\r\n"
        'SOFA,"Sofa, ""soft""\nand wide",120000,USD,true,ship|pickup,2026-12-31,'
        '"{""acme.x"": ""1""}"\r\n'
        "mug,,1300,,,,,\r\n"
        "BED,Bed,dear,USD,,,,\r\n"
        "LAMP,Lamp,1\r\n"
    ).encode()
    job = loaded(
        api, runner, gzip.compress(content), kind="products", format="csv", compression="gzip"
    )
    assert (job["rows_taken"], job["rows_refused"]) == (2, 2), job
    sofa = api.get("/v1/products/SOFA").json()
    assert sofa["name"] == 'Sofa, "soft"\nand wide'
    assert (sofa["methods"], sofa["season_end"]) == (["ship", "pickup"], "2026-12-31")
    assert sofa["attributes"] == {"acme.x": "1"}
    mug = api.get("/v1/products/mug").json()
    assert (mug["price"], mug["name"]) == (1300, "mug")
    refused = api.get(f"/v1/files/{job['id']}/results", params={"refused": True}).json()["items"]
    assert [one["errors"][0]["code"] for one in refused] == ["wrong_type", "wrong_length"]


def test_text_that_nobody_can_keep_is_refused_with_its_row(
    api: Client, retail: Retail, runner: db.Connection
) -> None:
    bad = b'{"sku": "a\\u0000b", "name": "x"}\n{"sku": "OK-1", "name": "x\\u0000"}\n'
    huge = b'{"sku": "OK-2", "name": "x", "price": 99999999999999999999999}\n'
    job = loaded(api, runner, bad + huge + lines({"sku": "OK-3", "name": "x"}), kind="products")
    assert (job["status"], job["rows_taken"], job["rows_refused"]) == ("done", 1, 3), job
    content = b"sku,name\nLATIN,caf\xe9\nB\xe4R,x\nOK-4,x\n"
    job = loaded(api, runner, content, kind="products", format="csv")
    assert (job["status"], job["rows_taken"], job["rows_refused"]) == ("done", 1, 2), job
    refused = api.get(f"/v1/files/{job['id']}/results", params={"refused": True}).json()["items"]
    assert [one["key"] for one in refused] == ["LATIN", "B\\udce4R"]


def test_stock_is_booked_as_of_its_time_and_what_a_full_file_leaves_out_is_zero(
    api: Client, retail: Retail, runner: db.Connection
) -> None:
    retail.stock(BOSTON, jug=7, tray=3)
    retail.stock(DENVER, jug=5)
    content = lines(
        {"sku": "mug", "quantity": 40},
        {"sku": "tray", "quantity": 2, "bucket": "damaged"},
        {"sku": "tray", "quantity": 9},
        {"sku": "mug", "quantity": -1},
        {"sku": "mug", "quantity": 1, "node": "atlantis"},
        {"sku": "mug", "quantity": 1, "bucket": "shelf", "colour": "red"},
    )
    job = loaded(
        api,
        runner,
        content,
        kind="stock",
        source="wms",
        node=BOSTON,
        as_of="2026-11-02T20:00:00Z",
        full=True,
    )
    assert (job["status"], job["rows_taken"], job["rows_refused"]) == ("done", 3, 3)
    assert (job["rows_cleared"], job["messages_waiting"]) == (1, 2)
    retail.settle()
    found = [sellable(api, sku, BOSTON) for sku in ("mug", "tray", "jug")]
    assert found == [40, 9, 0]
    assert sellable(api, "jug", DENVER) == 5  # A node that is not named is left alone.
    assert api.get(f"/v1/files/{job['id']}").json()["messages_waiting"] == 0
    retail.assert_whole()


def test_a_source_that_sends_no_full_files_clears_nothing(
    api: Client, retail: Retail, runner: db.Connection
) -> None:
    retail.connection.execute("INSERT INTO inventory_source (source) VALUES ('pos')")
    retail.connection.commit()
    retail.stock(DENVER, tray=4)
    wanted = {"kind": "stock", "source": "pos", "as_of": "2026-11-03T20:00:00Z", "full": True}
    row = {"sku": "mug", "quantity": 1, "node": DENVER}
    job = loaded(api, runner, lines(row), **wanted)
    assert (job["rows_cleared"], "no full files" in job["note"]) == (0, True)
    retail.settle()
    assert sellable(api, "tray", DENVER) == 4


def test_a_full_file_of_products_switches_off_what_it_does_not_name(
    api: Client, retail: Retail, runner: db.Connection
) -> None:
    told(api, "/v1/products/bulk", [{"sku": "OLD", "name": "Old"}, {"sku": "NEW", "name": "New"}])
    every = api.get("/v1/products", params={"limit": 500}).json()["items"]
    rows = [{"sku": one["sku"]} for one in every if one["sku"] != "OLD"]
    job = loaded(api, runner, lines(*rows), kind="products", full=True)
    assert job["rows_cleared"] == 1
    assert api.get("/v1/products/OLD").json()["enabled"] is False
    assert "enabled" not in api.get("/v1/products/NEW").json()


def test_an_interrupted_upload_goes_on_where_it_broke(
    api: Client, retail: Retail, runner: db.Connection
) -> None:
    content = gzip.compress(lines(*({"sku": "mug", "price": n} for n in range(300))))
    path = f"/v1/files/{opened(api, kind='prices', compression='gzip')}"
    half = len(content) // 2
    assert api.put(f"{path}/content", content=content[:half]).json()["received_bytes"] == half
    again = api.put(f"{path}/content", content=content)
    assert (again.status_code, again.json()["code"]) == (409, "wrong_offset")
    assert again.json()["received_bytes"] == half
    early = api.post(f"{path}/complete", params={"total_bytes": len(content)})
    assert early.status_code == 409
    api.put(f"{path}/content", params={"offset": half}, content=content[half:])
    done = api.post(f"{path}/complete", params={"total_bytes": len(content)})
    assert done.json()["status"] == "waiting"
    closed = api.put(f"{path}/content", params={"offset": len(content)}, content=b"more")
    assert (closed.status_code, closed.json()["code"]) == (409, "file_closed")
    assert run_next(runner, SystemClock(), threading.Event())
    assert api.get(path).json()["rows_taken"] == 300
    assert api.get("/v1/prices/mug").json()["price"] == 299


def test_an_interrupted_job_goes_on_where_it_stood(
    api: Client, retail: Retail, runner: db.Connection, api_url: str
) -> None:
    rows = [{"sku": f"N-{n:05d}", "name": "x" if n % 4_000 else 7} for n in range(12_000)]
    path = f"/v1/files/{opened(api, kind='products', compression='gzip')}"
    body = gzip.compress(lines(*rows[:7_000])) + gzip.compress(lines(*rows[7_000:]))
    api.put(f"{path}/content", params={"complete": True}, content=body)
    killed = threading.Event()
    killed.set()  # It ends after its first portion.
    with contextlib.closing(db.connect(api_url)) as first:
        assert run_next(first, SystemClock(), killed)
    stopped = api.get(path).json()
    assert (stopped["status"], stopped["rows_read"]) == ("running", 5_000)
    partly = api.get(f"{path}/results", params={"limit": 3}).json()
    assert [one["status"] for one in partly["items"]] == ["refused", "taken", "taken"]
    assert run_next(runner, SystemClock(), threading.Event())
    job = api.get(path).json()
    assert (job["status"], job["rows_read"], job["rows_refused"]) == ("done", 12_000, 3)
    refused = api.get(f"{path}/results", params={"refused": True}).json()["items"]
    assert [one["row"] for one in refused] == [1, 4_001, 8_001]
    kept = runner.execute("SELECT count(*) FROM file_part WHERE job_id = %s", [job["id"]])
    assert kept.fetchone() == (0,)


def test_two_runners_never_run_one_job(
    api: Client, retail: Retail, runner: db.Connection, api_url: str
) -> None:
    path = f"/v1/files/{opened(api, kind='prices')}"
    api.put(f"{path}/content", params={"complete": True}, content=lines({"sku": "mug", "cost": 1}))
    with contextlib.closing(db.connect(api_url)) as other:
        name = [f"file_job {path[10:]}"]
        other.execute("SELECT pg_advisory_lock(hashtextextended(%s, 8))", name)
        assert not run_next(runner, SystemClock(), threading.Event())
        other.execute("SELECT pg_advisory_unlock(hashtextextended(%s, 8))", name)
        assert run_next(runner, SystemClock(), threading.Event())


def test_a_file_that_is_not_what_it_says_fails_and_tells_why(
    api: Client, retail: Retail, runner: db.Connection
) -> None:
    row = lines({"sku": "mug", "price": 1})
    broken = loaded(api, runner, row, kind="prices", compression="gzip")
    assert (broken["status"], "gzip" in broken["note"]) == ("failed", True)
    cut = loaded(api, runner, gzip.compress(row * 500)[:-20], kind="prices", compression="gzip")
    assert (cut["status"], "not complete" in cut["note"]) == ("failed", True)
    header = loaded(api, runner, b"sku,colour\nmug,red\n", kind="prices", format="csv")
    assert (header["status"], "colour" in header["note"]) == ("failed", True)
    other = hashlib.sha256(b"other").hexdigest()
    summed = loaded(api, runner, row, kind="prices", sha256=other)
    assert (summed["status"], summed["rows_read"], "SHA-256" in summed["note"]) == (
        "failed",
        0,
        True,
    )
    right = loaded(api, runner, row, kind="prices", sha256=hashlib.sha256(row).hexdigest())
    assert right["status"] == "done"


def test_a_canceled_job_is_not_run(api: Client, retail: Retail, runner: db.Connection) -> None:
    path = f"/v1/files/{opened(api, kind='prices')}"
    api.put(f"{path}/content", params={"complete": True}, content=lines({"sku": "mug", "cost": 9}))
    assert api.post(f"{path}/cancel").json()["status"] == "canceled"
    assert not run_next(runner, SystemClock(), threading.Event())
    assert api.post(f"{path}/cancel").status_code == 200
    assert api.get("/v1/prices/mug").json().get("cost") != 9


def test_a_file_is_announced_whole_and_once(api: Client, retail: Retail) -> None:
    answer = api.post("/v1/files", json={"kind": "stock", "node": "atlantis"})
    assert (answer.status_code, set(codes(answer))) == (422, {"source", "as_of", "node"})
    key = {"Idempotency-Key": "nightly"}
    first = api.post("/v1/files", json={"kind": "prices"}, headers=key)
    again = api.post("/v1/files", json={"kind": "prices"}, headers=key)
    assert (again.status_code, again.json()) == (201, first.json())
    other = api.post("/v1/files", json={"kind": "products"}, headers=key)
    assert (other.status_code, codes(other)) == (409, {"kind": "differs"})
    listed = api.get("/v1/files", params={"limit": 500}).json()["items"]
    assert first.json()["id"] in {one["id"] for one in listed}
    assert api.get("/v1/files/00000000-0000-8000-8000-000000000000").status_code == 404
