"""Money that nobody asked for is never lost: it pays what it fits, or is seen where it does not."""

from __future__ import annotations

import contextlib
from collections.abc import Iterator
from typing import Any

import pytest

from crossdock import db
from crossdock.model.orders import Tender
from tests.api.keys import bearer, make_key
from tests.api.retail import Client, Retail, codes, told
from tests.integration.orders.shop import BOSTON

PATH = "/v1/payments/received"
DECLINED = (Tender(number=1, kind="card", amount=0, reference="declined_card"),)


@pytest.fixture(scope="module")
def retail(api_url: str) -> Iterator[Retail]:
    with contextlib.closing(db.connect(api_url)) as connection:
        shop = Retail(connection)
        shop.stock(BOSTON, mug=300)
        yield shop


def report(reference: str, order: str | None = None, **more: Any) -> dict[str, Any]:
    body = {"provider": "bank", "reference": reference, "amount": 1250, "currency": "USD"}
    return {**body, **({"order": order} if order else {}), **more}


def read(api: Client, reference: str) -> dict[str, Any]:
    answer = api.get(f"{PATH}/bank:{reference}")
    assert answer.status_code == 200, answer.text
    found: dict[str, Any] = answer.json()
    return found


def test_just_what_an_order_is_held_for_pays_it_and_it_goes_on(api: Client, retail: Retail) -> None:
    order = retail.order(("mug", 1), tenders=DECLINED)
    assert (retail.stage(order), retail.holds(order)) == ("held", ["payment"])

    taken = told(api, PATH, report("T-1", f"web:R-{Retail.numbers}")).json()
    assert taken["order_id"] == order
    assert read(api, "T-1")["reason"] == "being_looked_at"
    retail.settle()

    found = read(api, "T-1")
    assert (found["status"], found["reason"], found["order_id"]) == ("applied", "", order)
    assert retail.holds(order) == [] and retail.units(order) == {"released": 1}
    tender = retail.tender(order, 2)
    assert (tender["status"], tender["captured"]) == ("paid", 1250)
    shown = api.get(f"/v1/payments/{order}").json()["tenders"][1]
    assert (shown["kind"], shown["status"]) == ("bank", "paid")
    retail.finish(order)
    assert retail.stage(order) == "closed"
    retail.assert_whole()


def test_what_it_paid_for_is_paid_back_when_it_is_canceled(api: Client, retail: Retail) -> None:
    order = retail.order(("jug", 1), tenders=DECLINED)
    told(api, PATH, report("T-2", order, amount=3000))
    retail.settle()
    assert retail.units(order) == {"backordered": 1}

    retail.cancel(order)

    assert retail.tender(order, 2)["refunded"] == 3000
    retail.assert_whole()


@pytest.mark.parametrize(
    ("reference", "more", "reason"),
    [
        ("T-3", {"amount": 1249}, "amount_differs"),
        ("T-4", {"amount": 1251}, "amount_differs"),
        ("T-5", {"currency": "EUR"}, "currency_differs"),
    ],
)
def test_anything_else_stays_unapplied_with_its_reason(
    api: Client, retail: Retail, reference: str, more: dict[str, Any], reason: str
) -> None:
    order = retail.order(("mug", 1), tenders=DECLINED)

    told(api, PATH, report(reference, order, **more))
    retail.settle()

    found = read(api, reference)
    assert (found["status"], found["reason"]) == ("unapplied", reason)
    assert retail.holds(order) == ["payment"]
    assert len(api.get(f"/v1/payments/{order}").json()["tenders"]) == 1
    assert "payment not applied" in retail.cases()
    retail.assert_whole()


def test_money_for_an_order_that_owes_none_or_that_nobody_knows_is_kept(
    api: Client, retail: Retail
) -> None:
    order = retail.order(("mug", 1))
    told(api, PATH, report("T-6", order))
    told(api, PATH, report("T-7", "web:nobody"))
    told(api, PATH, report("T-8"))
    retail.settle()

    seen = {one: (read(api, one)["reason"], read(api, one)["channel"]) for one in ("T-6", "T-8")}
    assert seen == {"T-6": ("nothing_outstanding", "web"), "T-8": ("order_unknown", "")}
    unknown = read(api, "T-7")
    assert (unknown["reason"], unknown["order"], unknown["order_id"]) == (
        "order_unknown", "web:nobody", None,
    )  # fmt: skip
    assert unknown["channel"] == "web"


def test_the_same_payment_told_again_is_one(api: Client, retail: Retail) -> None:
    order = retail.order(("mug", 1), tenders=DECLINED)
    told(api, PATH, report("T-9", order), key="k9")
    retail.settle()
    for key in ("k9", None, "other"):
        again = told(api, PATH, report("T-9", order), key=key)
        assert again.headers["idempotency-replayed"] == "true"
    # Long after, when nobody remembers the message, the provider's number still names it.
    retail.connection.execute("DELETE FROM dedupe")
    retail.connection.commit()
    told(api, PATH, report("T-9", order, amount=99))
    retail.settle()

    assert (read(api, "T-9")["status"], read(api, "T-9")["amount"]) == ("applied", 1250)
    assert len(api.get(f"/v1/payments/{order}").json()["tenders"]) == 2
    retail.assert_whole()


def test_another_amount_under_the_same_number_is_refused(api: Client, retail: Retail) -> None:
    told(api, PATH, report("T-10"))

    other = api.post(PATH, json=report("T-10", amount=1))

    assert (other.status_code, codes(other)) == (409, {"amount": "differs"})


def test_unapplied_payments_are_listed_by_pages_that_lose_none(api: Client) -> None:
    for number in range(5):
        told(api, PATH, report(f"L-{number}"))
    seen: list[str] = []
    cursor = None
    while True:
        params: dict[str, str | int] = {"status": "unapplied", "limit": 2}
        params |= {"cursor": cursor} if cursor else {}
        page = api.get(PATH, params=params).json()
        seen += [one["reference"] for one in page["items"]]
        cursor = page["next"]
        if cursor is None:
            break

    assert {f"L-{number}" for number in range(5)} <= set(seen)
    assert len(seen) == len(set(seen))
    applied = api.get(PATH, params={"status": "applied"}).json()["items"]
    assert not {one["reference"] for one in applied} & set(seen)


def test_a_channel_sees_and_tells_only_what_is_its_own(api: Client, retail: Retail) -> None:
    pos = bearer(make_key(retail.connection, "payments", channels=["pos"]))
    order = retail.order(("mug", 1), tenders=DECLINED)
    told(api, PATH, report("P-1", order))

    assert api.get(f"{PATH}/bank:P-1", headers=pos).status_code == 404
    for body in (report("P-2"), report("P-2", "web:W-1"), report("P-2", order)):
        assert api.post(PATH, json=body, headers=pos).json()["code"] == "channel_not_permitted"
    own = api.post(PATH, json=report("P-2", "pos:W-1"), headers=pos)
    assert own.status_code == 202, own.text
    listed = api.get(PATH, headers=pos).json()["items"]
    assert [one["reference"] for one in listed] == ["P-2"]


def test_what_cannot_be_kept_is_refused_with_every_finding(api: Client) -> None:
    body = {"provider": " bank", "reference": "x\u0000y", "amount": 1, "currency": "XXY"}

    assert codes(api.post(PATH, json=body)) == {"reference": "unstorable_character"}
    body["reference"] = "x "
    assert codes(api.post(PATH, json=body)) == {
        "provider": "bad_key",
        "reference": "bad_key",
        "currency": "unknown_currency",
    }


def test_a_payment_that_came_before_its_order_is_given_to_it(api: Client, retail: Retail) -> None:
    told(api, PATH, report("G-1"))
    of_it = "SELECT status FROM case_file WHERE detail LIKE '%%bank G-1:%%'"
    assert retail.rows(of_it) == [("open",)]
    order = retail.order(("mug", 1), tenders=DECLINED)
    other = retail.order(("mug", 1), tenders=DECLINED)
    body = {"order": order}

    given = api.put(f"{PATH}/bank:G-1/order", json=body)
    assert (given.status_code, given.json()["order_id"]) == (202, order), given.text
    assert read(api, "G-1")["reason"] == "being_looked_at"
    assert retail.rows(of_it) == [("closed",)]
    again = api.put(f"{PATH}/bank:G-1/order", json=body)
    assert again.json() == given.json()
    retail.settle()

    found = read(api, "G-1")
    assert (found["status"], found["order_id"], found["channel"]) == ("applied", order, "web")
    assert len(api.get(f"/v1/payments/{order}").json()["tenders"]) == 2
    late = api.put(f"{PATH}/bank:G-1/order", json={"order": other})
    assert (late.status_code, late.json()["code"]) == (409, "payment_given")
    retail.settle()
    assert retail.holds(other) == ["payment"]
    retail.assert_whole()


def test_a_payment_is_given_to_another_order_as_long_as_none_has_it(
    api: Client, retail: Retail
) -> None:
    paid, held = retail.order(("mug", 1)), retail.order(("mug", 1), tenders=DECLINED)
    told(api, PATH, report("G-2", paid))
    retail.settle()
    assert read(api, "G-2")["reason"] == "nothing_outstanding"

    told_again = api.put(f"{PATH}/bank:G-2/order", json={"order": held})
    assert told_again.status_code == 202
    retail.settle()

    assert (read(api, "G-2")["status"], read(api, "G-2")["order_id"]) == ("applied", held)
    nobody = api.put(f"{PATH}/bank:G-2/order", json={"order": "web:nobody"})
    assert (nobody.status_code, codes(nobody)) == (422, {"order": "unknown_order"})
    assert api.put(f"{PATH}/bank:nothing/order", json={"order": held}).status_code == 404
