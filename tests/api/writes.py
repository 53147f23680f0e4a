"""A request that works for each write of the API, and one that differs from it in one field."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, NamedTuple

from crossdock.model.orders import Tender
from tests.api.retail import Client, Retail, told
from tests.integration.orders.shop import BOSTON, outside_order

CARD = (Tender(number=1, kind="card", amount=1250, reference="tok_ada"),)
HERE = "http://127.0.0.1:9/hook"
UNIT = [{"line": 1, "quantity": 1}]


class Request(NamedTuple):
    """Beside the method, what is sent. `content` is a body that is no JSON."""

    path: str
    body: Any = None
    query: dict[str, Any] | None = None
    content: bytes | None = None
    headers: dict[str, str] | None = None


class Write(NamedTuple):
    """One write, the same with other content, and the field that is other in it."""

    first: Request
    other: Request
    field: str


class World:
    """Makes what each write needs."""

    def __init__(self, client: Client, retail: Retail) -> None:
        self.client = client
        self.retail = retail
        self.number = 0

    def name(self) -> str:
        """One that nothing else has."""
        self.number += 1
        return f"W-{self.number}"

    def made(self, path: str, body: Any) -> Any:
        """What the API made."""
        return told(self.client, path, body).json()

    def key(self) -> str:
        return str(self.made("/v1/keys", {"name": self.name(), "grants": ["auditor"]})["id"])

    def webhook(self) -> str:
        return str(self.made("/v1/webhooks", self.hook())["webhook"]["id"])

    def hook(self) -> dict[str, Any]:
        return {"name": self.name(), "url": HERE, "types": ["crossdock.*"]}

    def order(self) -> dict[str, Any]:
        """An order's body."""
        return {
            "channel": "web",
            "number": self.name(),
            "placed_at": "2026-11-03T09:41:00Z",
            "currency": "USD",
            "lines": [{"number": 1, "sku": "mug", "quantity": 1, "unit_price": "12.50"}],
            "groups": [{"address": {"country": "US", "postal_code": "02110"}}],
        }

    def placed(self) -> str:
        return self.retail.order(("mug", 1))

    def work(self) -> str:
        return self.retail.work(self.placed()).id

    def tracking(self) -> dict[str, Any]:
        [number] = self.retail.ship(self.retail.work(self.placed()), prefix=self.name())
        return {"event": "delivered", "tracking": number, "at": "2026-11-04T10:00:00Z"}

    def checkout(self) -> str:
        return str(self.made("/v1/checkouts", reserve(1))["id"])

    def file(self) -> str:
        return str(self.made("/v1/files", {"kind": "products"})["id"])

    def move(self, units: int = 1) -> dict[str, Any]:
        return {
            "move_id": self.name(),
            "sku": "jug",
            "node": BOSTON,
            "quantity": units,
            "from_bucket": "supplier",
            "to_bucket": "sellable",
            "reason": "receipt",
            "occurred_at": "2026-11-03T12:30:00Z",
        }

    def correction(self) -> dict[str, Any]:
        return {
            "sku": "tray",
            "node": BOSTON,
            "expected_quantity": 0,
            "quantity": 0,
            "reason": "recount",
        }

    def reference(self) -> dict[str, Any]:
        name = self.name()
        return {
            "system": name, "kind": "product", "external_id": name,
            "our_id": "mug",
        }  # fmt: skip


def reserve(units: int) -> dict[str, Any]:
    return {"channel": "web", "lines": [{"sku": "mug", "quantity": units}]}


def differing(path: str, body: dict[str, Any], field: str, **change: Any) -> Write:
    """The same path, and a body of which one field is other."""
    return Write(Request(path, body), Request(path, {**body, **change}), field)


def each(path: str, item: dict[str, Any], field: str, **change: Any) -> Write:
    """The same for an array of one."""
    return Write(Request(path, [item]), Request(path, [{**item, **change}]), field)


def other_place(path: str, thing: Callable[[], str], field: str, body: Any = None) -> Write:
    """The path alone says what is meant."""
    return Write(Request(path.format(thing()), body), Request(path.format(thing()), body), field)


def act(world: World, name: str, body: dict[str, Any], field: str, **change: Any) -> Write:
    return differing(f"/v1/work/{world.work()}/{name}", body, field, **change)


def _recall(world: World) -> Write:
    order_id = world.placed()
    work = world.retail.work(order_id)
    world.retail.accept(work)
    world.retail.cancel(order_id)
    [asked] = world.client.get(f"/v1/work/{work.id}").json()["recalls"]
    body = {"request_id": asked["request_id"], "given_back": asked["lines"]}
    return differing(f"/v1/work/{work.id}/answer-recall", body, "given_back[0]", given_back=[])


def _edit(world: World) -> Write:
    path, any_revision = f"/v1/orders/{world.placed()}", {"If-Match": "*"}
    return Write(
        Request(path, {"attributes": {"shop.note": "a"}}, headers=any_revision),
        Request(path, {"attributes": {"shop.note": "b"}}, headers=any_revision),
        "attributes.shop.note",
    )


def _result(world: World) -> Write:
    placed = outside_order(
        world.name(), ("mug", 1), tenders=CARD, placed_at=world.retail.clock.now()
    )
    [receipt] = world.retail.take([placed])
    world.retail.runner.run_until_idle()
    [entry] = world.client.get(f"/v1/payments/{receipt.order_id}").json()["entries"]
    body = {"order": receipt.order_id, "key": entry["key"], "outcome": "done", "reference": "A"}
    return differing("/v1/payments/results", body, "reference", reference="B")


def _order_named(world: World) -> Write:
    body = {"provider": "bank", "reference": world.name(), "amount": 100, "currency": "USD"}
    payment = world.made("/v1/payments/received", body)["id"]
    path = f"/v1/payments/received/{payment}/order"
    return differing(path, {"order": world.placed()}, "order", order=world.placed())


def _received(world: World) -> Write:
    body = {
        "provider": "bank", "reference": world.name(), "amount": 100, "currency": "USD",
        "received_at": "2026-11-04T06:00:00Z",
    }  # fmt: skip
    return differing("/v1/payments/received", body, "amount", amount=200)


def _content(world: World) -> Write:
    path = f"/v1/files/{world.file()}/content"
    return Write(
        Request(path, content=b'{"sku":"a"}\n'), Request(path, content=b'{"sku":"b"}\n'), "body"
    )


def _complete(world: World) -> Write:
    path = f"/v1/files/{world.file()}/complete"
    return Write(
        Request(path, query={"total_bytes": 0}), Request(path, query={"total_bytes": 1}),
        "total_bytes",
    )  # fmt: skip


def _drop_reference(world: World) -> Write:
    names = []
    for reference in (world.reference(), world.reference()):
        put = world.client.put("/v1/references", json=reference)
        assert put.status_code == 200, put.text
        names.append(f"{reference['system']}:{reference['external_id']}")
    first, other = (Request(f"/v1/references/product/{name}") for name in names)
    return Write(first, other, "reference")


def _put_reference(world: World) -> Write:
    return differing("/v1/references", world.reference(), "our_id", our_id="jug")


def _node(world: World, **change: Any) -> dict[str, Any]:
    return {
        "code": "annex", "kind": "store", "name": "Annex", "allocation_zone": "east",
        "country": "US", "time_zone": "UTC", **change,
    }  # fmt: skip


WRITES: dict[str, Callable[[World], Write]] = {
    "POST /v1/keys": lambda w: differing(
        "/v1/keys", {"name": w.name(), "grants": ["auditor"]}, "grants[0]", grants=["node"]
    ),
    "POST /v1/keys/{key}/rotate": lambda w: differing(
        f"/v1/keys/{w.key()}/rotate", {"overlap_seconds": 5}, "overlap_seconds", overlap_seconds=6
    ),
    "DELETE /v1/keys/{key}": lambda w: other_place("/v1/keys/{}", w.key, "key"),
    "POST /v1/orders": lambda w: differing("/v1/orders", w.order(), "number", number=w.name()),
    "POST /v1/orders/bulk": lambda w: each("/v1/orders/bulk", w.order(), "number", number=w.name()),
    "PATCH /v1/orders/{order}": _edit,
    "POST /v1/orders/{order}/cancel": lambda w: differing(
        f"/v1/orders/{w.placed()}/cancel",
        {"lines": UNIT, "reason": "customer"},
        "reason",
        reason="fraud",
    ),
    "POST /v1/work/{work}/acknowledge": lambda w: act(
        w, "acknowledge", {}, "at", at="2026-11-03T12:00:00Z"
    ),
    "POST /v1/work/{work}/decline": lambda w: act(
        w, "decline", {"reason": "too_busy"}, "reason", reason="closed_early"
    ),
    "POST /v1/work/{work}/answer-recall": _recall,
    "POST /v1/work/{work}/pick": lambda w: act(
        w,
        "pick",
        {"picked": UNIT},
        "picked[0]",
        picked=[],
        short=[{"line": 1, "quantity": 1, "reason": "not_in_stock"}],
    ),
    "POST /v1/work/{work}/pack": lambda w: act(
        w, "pack", {"lines": UNIT}, "lines[0].quantity", lines=[{"line": 1, "quantity": 2}]
    ),
    "POST /v1/work/{work}/ship": lambda w: act(
        w,
        "ship",
        {"packages": [{"lines": UNIT, "tracking": "A"}]},
        "packages[0].tracking",
        packages=[{"lines": UNIT, "tracking": "B"}],
    ),
    "POST /v1/work/{work}/hand-over": lambda w: act(
        w, "hand-over", {"lines": UNIT}, "at", at="2026-11-03T12:00:00Z"
    ),
    "POST /v1/work/bulk": lambda w: each(
        "/v1/work/bulk",
        {"work": w.work(), "decline": {"reason": "too_busy"}},
        "reason",
        decline={"reason": "closed_early"},
    ),
    "POST /v1/inventory/moves": lambda w: differing(
        "/v1/inventory/moves",
        {"source": "pos", "moves": [w.move()]},
        "moves[0].move_id",
        moves=[w.move()],
    ),
    "POST /v1/inventory/counts": lambda w: differing(
        "/v1/inventory/counts",
        {
            "source": w.name(),
            "node": BOSTON,
            "as_of": "2026-11-03T02:00:00Z",
            "counts": [{"sku": "jug", "quantity": 7}],
        },
        "counts[0].quantity",
        counts=[{"sku": "jug", "quantity": 8}],
    ),
    "POST /v1/inventory/corrections": lambda w: differing(
        "/v1/inventory/corrections", w.correction(), "reason", reason="damaged"
    ),
    "POST /v1/inventory/corrections/bulk": lambda w: each(
        "/v1/inventory/corrections/bulk", w.correction(), "reason", reason="damaged"
    ),
    "POST /v1/webhooks": lambda w: differing("/v1/webhooks", w.hook(), "name", name=w.name()),
    "DELETE /v1/webhooks/{webhook}": lambda w: other_place("/v1/webhooks/{}", w.webhook, "webhook"),
    "PATCH /v1/webhooks/{webhook}": lambda w: differing(
        f"/v1/webhooks/{w.webhook()}", {"active": False}, "active", active=True
    ),
    "POST /v1/webhooks/{webhook}/secret": lambda w: other_place(
        "/v1/webhooks/{}/secret", w.webhook, "webhook"
    ),
    "POST /v1/webhooks/{webhook}/replay": lambda w: differing(
        f"/v1/webhooks/{w.webhook()}/replay", {"after": 0}, "after", after=1
    ),
    "PUT /v1/nodes/{node}": lambda w: differing("/v1/nodes/annex", _node(w), "name", name="B"),
    "POST /v1/nodes/bulk": lambda w: each(
        "/v1/nodes/bulk", _node(w, code="barn"), "body[0].name", name="B"
    ),
    "PUT /v1/products/{sku}": lambda w: differing(
        "/v1/products/cup", {"sku": "cup", "name": "Cup"}, "name", name="B"
    ),
    "POST /v1/products/bulk": lambda w: each(
        "/v1/products/bulk", {"sku": "bowl", "name": "Bowl"}, "body[0].name", name="B"
    ),
    "PUT /v1/prices/{sku}": lambda w: differing(
        "/v1/prices/tray", {"sku": "tray", "currency": "USD", "price": 1}, "price", price=2
    ),
    "POST /v1/prices/bulk": lambda w: each(
        "/v1/prices/bulk", {"sku": "tray", "currency": "USD", "price": 3}, "body[0].price", price=4
    ),
    "PUT /v1/references": _put_reference,
    "DELETE /v1/references/{kind}/{reference}": _drop_reference,
    "POST /v1/checkouts": lambda w: differing(
        "/v1/checkouts", reserve(1), "lines[0].quantity", lines=reserve(2)["lines"]
    ),
    "DELETE /v1/checkouts/{checkout}": lambda w: other_place(
        "/v1/checkouts/{}", w.checkout, "checkout_id"
    ),
    "POST /v1/checkouts/{checkout}/extend": lambda w: differing(
        f"/v1/checkouts/{w.checkout()}/extend", {"minutes": 5}, "seconds", minutes=6
    ),
    "POST /v1/files": lambda w: differing("/v1/files", {"kind": "products"}, "kind", kind="prices"),
    "PUT /v1/files/{job}/content": _content,
    "POST /v1/files/{job}/complete": _complete,
    "POST /v1/files/{job}/cancel": lambda w: other_place("/v1/files/{}/cancel", w.file, "job"),
    "POST /v1/shipments/tracking": lambda w: differing(
        "/v1/shipments/tracking", w.tracking(), "event", event="lost"
    ),
    "POST /v1/shipments/tracking/bulk": lambda w: each(
        "/v1/shipments/tracking/bulk", w.tracking(), "event", event="lost"
    ),
    "POST /v1/payments/results": _result,
    "POST /v1/payments/received": _received,
    "PUT /v1/payments/received/{payment}/order": _order_named,
}
"""By the operation as the document names it."""
