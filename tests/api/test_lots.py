"""Systems tell of lots, nodes see which to take, and it is known who got them."""

from __future__ import annotations

import contextlib
import threading
from collections.abc import Iterator
from typing import Any

import pytest

from crossdock import db
from crossdock.api.files.runner import run_next
from crossdock.kernel.clock import SystemClock
from tests.api.keys import bearer, make_key
from tests.api.retail import Client, Retail, codes, told
from tests.integration.orders.shop import BOSTON, DENVER

TEA = {
    "name": "Tea",
    "currency": "USD",
    "price": 1250,
    "cost": 400,
    "weight_grams": 200,
    "tracks_lots": True,
    "shelf_life_days": 365,
    "minimum_remaining_days": 14,
}


@pytest.fixture(scope="module")
def retail(api_url: str) -> Iterator[Retail]:
    with contextlib.closing(db.connect(api_url)) as connection:
        yield Retail(connection)


@pytest.fixture(scope="module", autouse=True)
def denver(retail: Retail) -> dict[str, str]:
    return bearer(make_key(retail.connection, "node", nodes=[DENVER]))


def make(api: Client, sku: str) -> None:
    answer = api.put(f"/v1/products/{sku}", json={"sku": sku, **TEA})
    assert answer.status_code in (200, 201), answer.text


def receipt(sku: str, lot: str, quantity: int, expires_on: str) -> dict[str, Any]:
    return {
        "move_id": f"{sku} {lot}",
        "sku": sku,
        "node": BOSTON,
        "quantity": quantity,
        "from_bucket": "supplier",
        "to_bucket": "sellable",
        "occurred_at": "2026-11-02T08:00:00Z",
        "lot": lot,
        "expires_on": expires_on,
    }


def lots(api: Client, sku: str) -> dict[str, tuple[int, str | None]]:
    """Sellable units and last day by lot."""
    found = api.get("/v1/inventory/levels", params={"sku": sku, "node": BOSTON}).json()["items"]
    return {one["lot"]: (one["sellable"], one["expires_on"]) for one in found}


def test_an_order_is_filled_from_a_lot_and_it_is_known_who_got_it(
    api: Client, retail: Retail, denver: dict[str, str]
) -> None:
    make(api, "tea")
    moves = [
        receipt("tea", "L1", 2, "2027-01-31"),
        receipt("tea", "L2", 5, "2027-06-30"),
    ]
    told(api, "/v1/inventory/moves", {"source": "wms", "moves": moves})
    retail.settle()
    assert lots(api, "tea") == {"L1": (2, "2027-01-31"), "L2": (5, "2027-06-30")}
    order_id = retail.order(("tea", 3))
    work = retail.work(order_id)
    [line] = api.get(f"/v1/work/{work.id}").json()["lines"]
    assert line["lots"] == [
        {"sku": "tea", "lot": "L1", "expires_on": "2027-01-31", "quantity": 2},
        {"sku": "tea", "lot": "L2", "expires_on": "2027-06-30", "quantity": 1},
    ]
    retail.ship(work)
    left = [{"line": 1, **one} for one in line["lots"]]
    [shipment] = api.get(f"/v1/orders/{order_id}").json()["shipments"]
    assert shipment["lots"] == left
    assert api.get(f"/v1/shipments/{shipment['id']}").json()["lots"] == left
    [line] = api.get(f"/v1/work/{work.id}").json()["lines"]
    assert line["lots"] == []
    wanted = {"sku": "tea", "lot": "L1"}
    [sent] = api.get("/v1/shipped-lots", params=wanted).json()["items"]
    assert (sent["order_id"], sent["shipment_id"], sent["line"], sent["quantity"]) == (
        order_id, shipment["id"], 1, 2,
    )  # fmt: skip
    elsewhere = api.get("/v1/shipped-lots", params=wanted, headers=denver)
    assert elsewhere.json()["items"] == []
    retail.assert_whole()


def test_who_got_a_lot_is_told_page_by_page(api: Client, retail: Retail) -> None:
    make(api, "rum")
    moves = [receipt("rum", "R1", 9, "2027-06-30")]
    told(api, "/v1/inventory/moves", {"source": "wms", "moves": moves})
    retail.settle()
    orders = [retail.order(("rum", 1)) for _ in range(3)]
    for order_id in orders:
        retail.ship(retail.work(order_id))
    seen: list[str] = []
    cursor: str | None = None
    while cursor is not None or not seen:
        more = {"cursor": cursor} if cursor else {}
        params = {"sku": "rum", "lot": "R1", "limit": "2", **more}
        page = api.get("/v1/shipped-lots", params=params).json()
        seen += [one["order_id"] for one in page["items"]]
        cursor = page["next"]
    assert seen == sorted(orders)
    bad = api.get("/v1/shipped-lots", params={"sku": "rum", "lot": "R1", "cursor": "bm9uZQ"})
    assert bad.status_code == 400 and codes(bad) == {"cursor": "bad_cursor"}


def test_counts_and_corrections_are_of_a_lot(api: Client, retail: Retail) -> None:
    make(api, "salt")
    counted = {
        "source": "wms",
        "node": BOSTON,
        "as_of": "2026-11-02T09:00:00Z",
        "counts": [
            {"sku": "salt", "lot": "S1", "quantity": 4, "expires_on": "2028-01-01"},
            {"sku": "salt", "quantity": 1},
        ],
    }
    told(api, "/v1/inventory/counts", counted)
    retail.settle()
    assert lots(api, "salt") == {"": (1, None), "S1": (4, "2028-01-01")}
    asked = {
        "sku": "salt",
        "node": BOSTON,
        "lot": "S1",
        "expected_quantity": 4,
        "quantity": 3,
        "reason": "recount",
    }
    made = told(api, "/v1/inventory/corrections", asked).json()
    assert (made["lot"], made["previous_quantity"], made["quantity"]) == ("S1", 4, 3)
    assert lots(api, "salt") == {"": (1, None), "S1": (3, "2028-01-01")}
    retail.assert_whole()


@pytest.mark.parametrize(
    ("wrong", "code"),
    [
        ({"lot": "", "expires_on": "2028-01-01"}, {"counts[0].expires_on": "date_without_lot"}),
        ({"lot": " S1"}, {"counts[0].lot": "bad_key"}),
    ],
)
def test_a_lot_that_cannot_be_is_refused(
    api: Client, retail: Retail, wrong: dict[str, str], code: dict[str, str]
) -> None:
    counted = {
        "source": "wms",
        "node": BOSTON,
        "as_of": "2026-11-02T09:00:00Z",
        "counts": [{"sku": "pepper", "quantity": 4, **wrong}],
    }
    answer = api.post("/v1/inventory/counts", json=counted)
    assert answer.status_code == 422 and codes(answer) == code
    retail.settle()
    assert lots(api, "pepper") == {}


def test_a_file_of_stock_has_lots(api: Client, retail: Retail, api_url: str) -> None:
    make(api, "oats")
    moves = [receipt("oats", lot, 3, "2027-06-30") for lot in ("O1", "O2", "O3")]
    told(api, "/v1/inventory/moves", {"source": "wms", "moves": moves})
    retail.settle()
    content = (
        b"sku,lot,expires_on,quantity\noats,O1,2027-06-30,5\noats,O4,2027-09-30,2\n"
        b"oats,,2027-09-30,2\noats,O5,next year,2\noats,O3,,1\noats,,,6\n"
    )
    wanted = {
        "kind": "stock",
        "format": "csv",
        "source": "wms",
        "node": BOSTON,
        "as_of": "2026-11-03T20:00:00Z",
        "full": True,
    }
    job = told(api, "/v1/files", wanted).json()
    path = f"/v1/files/{job['id']}"
    api.put(f"{path}/content", params={"complete": True}, content=content)
    with contextlib.closing(db.connect(api_url)) as runner:
        while run_next(runner, SystemClock(), threading.Event()):
            pass
    retail.settle()
    results = api.get(f"{path}/results", params={"refused": True}).json()["items"]
    found = [(one["row"], one["errors"][0]["code"]) for one in results]
    assert found == [(3, "date_without_lot"), (4, "wrong_type")]
    assert lots(api, "oats") == {
        "": (6, None),
        "O1": (5, "2027-06-30"),
        "O2": (0, "2027-06-30"),
        "O3": (1, "2027-06-30"),
        "O4": (2, "2027-09-30"),
    }
    retail.assert_whole()


def load(api: Client, api_url: str, content: bytes, as_of: str) -> None:
    wanted = {
        "kind": "stock",
        "source": "wms",
        "node": BOSTON,
        "format": "csv",
        "as_of": as_of,
        "full": True,
    }
    path = f"/v1/files/{told(api, '/v1/files', wanted).json()['id']}"
    api.put(f"{path}/content", params={"complete": True}, content=content)
    with contextlib.closing(db.connect(api_url)) as runner:
        while run_next(runner, SystemClock(), threading.Event()):
            pass


def test_a_full_file_may_begin_and_end_to_tell_lots(
    api: Client, retail: Retail, api_url: str
) -> None:
    make(api, "flour")
    load(api, api_url, b"sku,quantity\nflour,12\n", "2026-11-04T06:00:00Z")
    retail.settle()
    by_lots = b"sku,lot,quantity\nflour,F1,5\nflour,F2,7\n"
    load(api, api_url, by_lots, "2026-11-05T06:00:00Z")
    retail.settle()
    assert lots(api, "flour") == {"": (0, None), "F1": (5, None), "F2": (7, None)}
    load(api, api_url, by_lots, "2026-11-06T06:00:00Z")
    retail.settle()
    load(api, api_url, b"sku,quantity\nflour,9\n", "2026-11-07T06:00:00Z")
    retail.settle()
    assert lots(api, "flour") == {"": (9, None), "F1": (0, None), "F2": (0, None)}
    retail.assert_whole()


def test_a_full_file_by_lots_clears_what_was_of_none(
    api: Client, retail: Retail, api_url: str
) -> None:
    make(api, "rice")
    counted = {
        "source": "wms",
        "node": BOSTON,
        "as_of": "2026-11-02T06:00:00Z",
        "counts": [{"sku": "rice", "quantity": 12}, {"sku": "rice", "quantity": 5, "lot": "R1"}],
    }
    told(api, "/v1/inventory/counts", counted)
    retail.settle()
    load(api, api_url, b"sku,lot,quantity\nrice,R1,5\n", "2026-11-08T06:00:00Z")
    retail.settle()
    assert lots(api, "rice") == {"": (0, None), "R1": (5, None)}
    retail.assert_whole()
