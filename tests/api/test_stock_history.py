"""Stock as it was: read from the ledger, as far as that goes back."""

from __future__ import annotations

import contextlib
from collections.abc import Iterator
from datetime import datetime, timedelta
from typing import Any

import pytest

from crossdock import db
from crossdock.engine.transaction import Transaction
from crossdock.inventory.upkeep import close_ledger
from tests.api.keys import bearer, make_key
from tests.api.retail import Client, Retail, told
from tests.integration.orders.shop import BOSTON, DENVER, PROVIDENCE


@pytest.fixture(scope="module")
def retail(api_url: str) -> Iterator[Retail]:
    with contextlib.closing(db.connect(api_url)) as connection:
        yield Retail(connection)


def test_while_nothing_has_moved_there_is_no_history(api: Client, retail: Retail) -> None:
    at = retail.clock.now().isoformat()

    refused = api.get("/v1/inventory/levels", params={"node": BOSTON, "as_of": at})

    assert refused.json()["code"] == "no_history" and "nothing has moved" in refused.text


def then(api: Client, as_of: datetime, node: str = BOSTON, **more: Any) -> dict[str, Any]:
    """The levels of a node as they were, by SKU."""
    params = {"node": node, "as_of": as_of.isoformat(), **more}
    answer = api.get("/v1/inventory/levels", params=params)
    assert answer.status_code == 200, answer.text
    return {one["sku"]: one for one in answer.json()["items"]}


def test_stock_of_a_past_time_is_what_was_there_by_all_that_is_known_now(
    api: Client, retail: Retail
) -> None:
    retail.stock(BOSTON, mug=1)
    retail.wait(hours=1)
    retail.stock(PROVIDENCE, tray=10)
    began = retail.clock.now()
    retail.wait(hours=1)
    retail.finish(retail.order(("tray", 3)))
    sold = retail.clock.now()
    retail.wait(hours=1)
    retail.count(PROVIDENCE, tray=6)
    retail.wait(hours=1)
    late = {
        "move_id": "late-tray",
        "sku": "tray",
        "node": PROVIDENCE,
        "quantity": 2,
        "from_bucket": "supplier",
        "to_bucket": "damaged",
        "occurred_at": (began + timedelta(minutes=30)).isoformat(),
    }
    told(api, "/v1/inventory/moves", {"source": "late", "moves": [late]})
    retail.settle()

    def seen(at: datetime) -> tuple[int, int]:
        one = then(api, at, PROVIDENCE)["tray"]
        return one["sellable"], one["damaged"]

    assert seen(began - timedelta(seconds=1)) == (0, 0)
    assert seen(began) == seen(began + timedelta(minutes=29)) == (10, 0)
    # Told three hours late, it is in the past where it happened.
    assert seen(began + timedelta(minutes=30)) == (10, 2)
    assert seen(sold) == (7, 2)
    [now] = api.get("/v1/inventory/levels", params={"node": PROVIDENCE}).json()["items"]
    assert seen(retail.clock.now()) == (now["sellable"], now["damaged"]) == (6, 2)
    past = then(api, began, PROVIDENCE)["tray"]
    assert past["reserved"] is past["available"] is past["quarantined"] is None


def test_a_past_state_comes_in_pages_and_only_of_nodes_one_sees(
    api: Client, retail: Retail
) -> None:
    denver = bearer(make_key(retail.connection, "warehouse", nodes=[DENVER]))
    retail.stock(BOSTON, mug=1, jug=1, tray=1)
    at = retail.clock.now().isoformat()
    seen: list[str] = []
    params: dict[str, str | int] = {"node": BOSTON, "as_of": at, "limit": 1}
    while True:
        page = api.get("/v1/inventory/levels", params=params).json()
        seen += [one["sku"] for one in page["items"]]
        if page["next"] is None:
            break
        params["cursor"] = page["next"]

    assert seen == sorted(set(seen)) and {"mug", "jug", "tray"} <= set(seen)
    hidden = api.get("/v1/inventory/levels", params={"node": BOSTON, "as_of": at}, headers=denver)
    assert hidden.json()["items"] == []


@pytest.mark.parametrize(
    ("params", "code"),
    [
        ({"node": BOSTON, "as_of": "2001-01-01T00:00:00Z"}, "no_history"),
        ({"node": BOSTON, "as_of": "2999-01-01T00:00:00Z"}, "no_history"),
        ({"as_of": "2026-11-02T16:00:00Z"}, "invalid_filter"),
        (
            {
                "node": BOSTON,
                "as_of": "2026-11-02T16:00:00Z",
                "changed_since": "2026-11-02T16:00:00Z",
            },
            "invalid_filter",
        ),
    ],
)
def test_a_past_that_nobody_can_tell_is_refused(
    api: Client, retail: Retail, params: dict[str, str], code: str
) -> None:
    retail.stock(BOSTON, mug=1)

    refused = api.get("/v1/inventory/levels", params=params)

    assert (refused.status_code, refused.json()["code"]) == (422, code)
    assert refused.json()["errors"][0]["path"] == "as_of"


def test_what_was_before_the_ledger_was_closed_is_refused(api: Client, retail: Retail) -> None:
    retail.stock(BOSTON, mug=1)
    until = retail.clock.now()
    retail.wait(days=2)
    close_ledger(Transaction(retail.connection, retail.clock.now()), until)
    retail.connection.commit()

    refused = api.get(
        "/v1/inventory/levels",
        params={"node": BOSTON, "as_of": (until - timedelta(seconds=1)).isoformat()},
    )

    assert refused.json()["code"] == "no_history" and until.isoformat() in refused.text
    assert then(api, until)["mug"]["sellable"] > 0
