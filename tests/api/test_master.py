"""Systems read and write master data."""

from __future__ import annotations

import contextlib
from collections.abc import Iterator
from typing import Any

import pytest

from crossdock import db
from crossdock.invariants import check
from tests.api.keys import bearer, make_key
from tests.api.retail import Client, Retail, codes, told
from tests.integration.orders.shop import BOSTON, DENVER


@pytest.fixture(scope="module")
def retail(api_url: str) -> Iterator[Retail]:
    with contextlib.closing(db.connect(api_url)) as connection:
        yield Retail(connection)


@pytest.fixture(scope="module", autouse=True)
def reader(retail: Retail) -> dict[str, str]:
    """The key of one node that may read master data."""
    return bearer(make_key(retail.connection, "master:read", nodes=[DENVER]))


def put(api: Client, path: str, body: object, **headers: str) -> Any:
    named = {name.replace("_", "-"): value for name, value in headers.items()}
    return api.put(path, json=body, headers=named)


def lamp(**changes: Any) -> dict[str, Any]:
    return {
        "sku": "LAMP",
        "name": "Brass lamp",
        "currency": "USD",
        "price": 4999,
        "weight_grams": 900,
        "packs": [{"unit": "carton", "base_quantity": 6}],
        **changes,
    }


def test_a_product_is_written_and_read(api: Client) -> None:
    made = put(api, "/v1/products/LAMP", lamp())
    assert made.status_code == 200, made.text
    read = api.get("/v1/products/LAMP")
    assert read.json() == made.json() and read.headers["etag"] == made.headers["etag"]
    assert (read.json()["price"], read.json()["packs"][0]["unit"]) == (4999, "carton")
    assert api.get("/v1/products/LAMPS").status_code == 404


def test_a_put_replaces_the_whole_record(api: Client) -> None:
    put(api, "/v1/products/LAMP", lamp())
    put(api, "/v1/products/LAMP", {"sku": "LAMP", "name": "Lamp"})
    found = api.get("/v1/products/LAMP").json()
    assert found == {"record": "product", "sku": "LAMP", "name": "Lamp"}


def test_an_edit_of_another_state_than_the_present_one_is_refused(api: Client) -> None:
    put(api, "/v1/products/LAMP", lamp())
    tag = api.get("/v1/products/LAMP").headers["etag"]
    assert put(api, "/v1/products/LAMP", lamp(price=5999), If_Match=tag).status_code == 200
    late = put(api, "/v1/products/LAMP", lamp(price=3999), If_Match=tag)
    assert (late.status_code, late.json()["code"]) == (412, "precondition_failed")
    assert api.get("/v1/products/LAMP").json()["price"] == 5999
    absent = put(api, "/v1/products/SHADE", {"sku": "SHADE", "name": "x"}, If_Match=tag)
    assert absent.status_code == 412
    assert api.get("/v1/products/SHADE").status_code == 404


def test_the_same_key_writes_once(api: Client) -> None:
    first = put(api, "/v1/products/LAMP", lamp(price=1), Idempotency_Key="p-1")
    put(api, "/v1/products/LAMP", lamp(price=2))
    again = put(api, "/v1/products/LAMP", lamp(price=1), Idempotency_Key="p-1")
    assert (first.status_code, again.headers["idempotency-replayed"]) == (200, "true")
    assert api.get("/v1/products/LAMP").json()["price"] == 2
    other = put(api, "/v1/products/LAMP", lamp(price=3), Idempotency_Key="p-1")
    assert (other.status_code, codes(other)) == (409, {"price": "differs"})


def test_everything_wrong_with_a_record_is_told_at_once(api: Client) -> None:
    answer = put(api, "/v1/products/LAMP", lamp(price=-1, currency="ZZZ", gtin="123"))
    assert (answer.status_code, set(codes(answer))) == (422, {"price", "currency", "gtin"})
    assert put(api, "/v1/products/LAMP", lamp(colour="red")).status_code == 400
    assert codes(put(api, "/v1/products/OTHER", lamp())) == {"sku": "another_record"}


def test_many_records_are_each_taken_or_refused(api: Client) -> None:
    body = [
        {"sku": "BULB", "name": "Bulb", "gtin": "4006381333931"},
        {"sku": "BULB-2", "name": "Bulb", "gtin": "4006381333931"},
        {"sku": "LAMP", "category": "light"},
        {"name": "nothing"},
        {"sku": "KIT", "name": "Kit", "kind": "kit", "components": [["NOBODY", 1]]},
    ]
    put(api, "/v1/products/LAMP", lamp())
    answer = told(api, "/v1/products/bulk", body, key="bulk-1").json()
    statuses = [one["status"] for one in answer["results"]]
    assert statuses == ["changed", "refused", "changed", "refused", "refused"]
    assert (answer["changed"], answer["refused"]) == (2, 3)
    assert answer["results"][1]["errors"][0]["code"] == "product_gtin"
    assert answer["results"][4]["errors"][0]["path"] == "components"
    kept = api.get("/v1/products/LAMP").json()
    assert (kept["category"], kept["price"]) == ("light", 4999)  # What is not sent stays.
    huge = [{"sku": "LAMP", "price": 10**30}]
    assert told(api, "/v1/products/bulk", huge, key="bulk-2").json()["refused"] == 1
    again = told(api, "/v1/products/bulk", body, key="bulk-1")
    assert again.headers["idempotency-replayed"] == "true"


def test_a_kit_is_made_of_goods(api: Client) -> None:
    kit = {"sku": "SET", "name": "Set", "kind": "kit", "components": [["mug", 2]]}
    assert put(api, "/v1/products/SET", kit).status_code == 200
    nested = {"sku": "SETS", "name": "Sets", "kind": "kit", "components": [["SET", 2]]}
    assert codes(put(api, "/v1/products/SETS", nested)) == {"components": "kit_in_kit"}


def test_a_price_is_part_of_its_product(api: Client) -> None:
    put(api, "/v1/products/LAMP", lamp())
    price = {"sku": "LAMP", "currency": "EUR", "price": 4499, "cost": 2000}
    assert put(api, "/v1/prices/LAMP", price).status_code == 200
    found = api.get("/v1/products/LAMP").json()
    assert (found["currency"], found["price"], found["name"]) == ("EUR", 4499, "Brass lamp")
    assert api.get("/v1/prices/LAMP").json() == {"record": "price", **price}
    unknown = put(api, "/v1/prices/NOBODY", {**price, "sku": "NOBODY"})
    assert (unknown.status_code, codes(unknown)) == (422, {"sku": "unknown_product"})
    bulk = told(api, "/v1/prices/bulk", [{"sku": "LAMP", "price": 1}, {"sku": "LAMP", "cost": -1}])
    assert [one["status"] for one in bulk.json()["results"]] == ["changed", "refused"]
    assert api.get("/v1/prices/LAMP").json()["price"] == 1


def test_what_another_system_owns_is_left_alone(api: Client, retail: Retail) -> None:
    put(api, "/v1/products/LAMP", lamp())
    retail.connection.execute("INSERT INTO field_owner VALUES ('product', 'price', 'erp')")
    retail.connection.commit()
    try:
        put(api, "/v1/products/LAMP", lamp(price=1, name="Lamp of the PIM"))
        found = api.get("/v1/products/LAMP").json()
        assert (found["price"], found["name"]) == (4999, "Lamp of the PIM")
    finally:
        retail.connection.execute("DELETE FROM field_owner")
        retail.connection.commit()


def test_lists_come_in_pages_and_since_a_time(api: Client) -> None:
    for number in range(5):
        put(api, f"/v1/products/P-{number}", {"sku": f"P-{number}", "name": "P"})
    first = api.get("/v1/products", params={"limit": 3}).json()
    rest = api.get("/v1/products", params={"limit": 500, "cursor": first["next"]}).json()
    skus = [one["sku"] for one in (*first["items"], *rest["items"])]
    assert skus == sorted(set(skus)) and {"P-0", "P-4", "mug"} <= set(skus)
    changed = api.get("/v1/products", params={"changed_since": "2020-01-01T00:00:00Z"}).json()
    latest = [one["sku"] for one in changed["items"]][-2:]
    assert latest == ["P-3", "P-4"]
    put(api, "/v1/products/P-1", {"sku": "P-1", "name": "again", "packs": []})
    put(api, "/v1/products/P-3", {"sku": "P-3", "name": "P"})  # As it was.
    params: dict[str, Any] = {"changed_since": "2020-01-01T00:00:00Z", "limit": 2}
    seen: list[str] = []
    while True:
        page = api.get("/v1/products", params=params).json()
        seen += [one["sku"] for one in page["items"]]
        if page["next"] is None:
            break
        params["cursor"] = page["next"]
    assert seen[-1] == "P-1" and len(seen) == len(set(seen)) == len(skus)
    none = api.get("/v1/prices", params={"changed_since": "2090-01-01T00:00:00Z"}).json()
    assert none["items"] == []


def test_a_changed_node_offers_its_stock_by_its_new_terms_at_once(
    api: Client, retail: Retail
) -> None:
    retail.stock(BOSTON, mug=10)
    node = api.get(f"/v1/nodes/{BOSTON}").json()
    changed = put(api, f"/v1/nodes/{BOSTON}", {**node, "safety_stock": 4})
    assert changed.status_code == 200, changed.text
    level = api.get("/v1/inventory/levels", params={"node": BOSTON, "sku": "mug"}).json()
    assert level["items"][0]["safety_stock"] == 4
    hours = [{"weekday": 1, "opens": "09:00:00", "closes": "18:00:00"}]
    bulk = told(api, "/v1/nodes/bulk", [{"code": BOSTON, "safety_stock": 0, "openings": hours}])
    assert bulk.json()["changed"] == 1
    assert api.get(f"/v1/nodes/{BOSTON}").json()["openings"] == hours
    unknown = told(api, "/v1/nodes/bulk", [{"code": BOSTON, "allocation_zone": "mars"}])
    assert unknown.json()["results"][0]["errors"][0]["path"] == "allocation_zone"
    broken = check(retail.connection)
    retail.connection.rollback()
    assert not broken


def test_a_limited_client_sees_its_own_nodes(api: Client, reader: dict[str, str]) -> None:
    assert [one["code"] for one in api.get("/v1/nodes", headers=reader).json()["items"]] == [DENVER]
    assert api.get(f"/v1/nodes/{BOSTON}", headers=reader).status_code == 404
    assert api.put(f"/v1/nodes/{DENVER}", headers=reader, json={}).status_code == 403


def test_every_look_up_takes_what_another_system_calls_it(api: Client) -> None:
    body = {
        "system": "erp",
        "company": "us",
        "kind": "product",
        "external_id": "10/7",
        "our_id": "mug",
    }
    assert put(api, "/v1/references", body).json()["our_id"] == "mug"
    assert api.get("/v1/products/erp%2Fus:10%2F7").json()["sku"] == "mug"
    plain = {**body, "company": "", "external_id": "1007"}
    assert put(api, "/v1/references", plain).status_code == 200
    assert api.get("/v1/products/erp:1007").json()["sku"] == "mug"
    taken = put(api, "/v1/references", {**plain, "external_id": "1008"})
    assert (taken.status_code, taken.json()["code"]) == (409, "reference_taken")
    moved = put(api, "/v1/references", {**plain, "our_id": "jug"})
    assert moved.status_code == 200
    assert api.get("/v1/prices/erp:1007").json()["sku"] == "jug"
    listed = api.get("/v1/references/product", params={"system": "erp"}).json()["items"]
    assert [(one["company"], one["our_id"]) for one in listed] == [("us", "mug"), ("", "jug")]
    assert api.delete("/v1/references/product/erp:1007").status_code == 204
    assert api.get("/v1/products/erp:1007").status_code == 404
    assert api.delete("/v1/references/product/erp:1007").status_code == 404


def test_a_customer_is_found_under_the_systems_number(api: Client, retail: Retail) -> None:
    customer = "00000000-0000-8000-8000-00000000ada0"
    retail.connection.execute(
        "INSERT INTO party (id, name, recorded_at) VALUES (%s, 'Ada', now())", [customer]
    )
    retail.connection.commit()
    body = {"system": "crm", "kind": "customer", "external_id": "C-1", "our_id": customer}
    assert put(api, "/v1/references", body).status_code == 200
    found = api.get("/v1/references/customer", params={"external_id": "C-1"}).json()["items"]
    assert [one["our_id"] for one in found] == [customer]
    stranger = put(api, "/v1/references", {**body, "external_id": "C-2", "our_id": "nobody"})
    assert codes(stranger) == {"our_id": "unknown_customer"}
