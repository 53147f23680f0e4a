"""The client does what its methods say, against the API itself; and waits out what passes."""

from __future__ import annotations

import contextlib
import io
import threading
from collections.abc import Iterator
from datetime import UTC, datetime
from typing import Any

import httpx2
import msgspec
import pytest

import crossdock.client.client as client_module
from crossdock import db
from crossdock.api.files.runner import run_next
from crossdock.client import ApiError, Client, Refused, Unreachable, verify
from crossdock.client.http import Http
from crossdock.client.model import PlacedOrder, Units
from crossdock.events.model import EventRow, public
from crossdock.events.publisher import publish
from crossdock.kernel.clock import SystemClock
from crossdock.webhooks.model import new_secret
from crossdock.webhooks.sender import signature
from tests.api.keys import make_key
from tests.api.retail import Retail
from tests.integration.orders.shop import BOSTON, outside_order


class Through(httpx2.BaseTransport):
    """Takes requests to the API in this process."""

    def __init__(self, api: Any) -> None:
        self.api = api

    def handle_request(self, request: httpx2.Request) -> httpx2.Response:
        answer = self.api.request(
            request.method,
            request.url.raw_path.decode(),
            content=request.read(),
            headers=dict(request.headers),
        )
        return httpx2.Response(
            answer.status_code, headers=dict(answer.headers), content=answer.content
        )


@pytest.fixture(scope="module")
def retail(api_url: str) -> Iterator[Retail]:
    with contextlib.closing(db.connect(api_url)) as connection:
        retail = Retail(connection)
        # The API's own time: it would take orders of another one for a long queue.
        retail.clock = SystemClock()  # type: ignore[assignment]
        retail.runner.clock = retail.dispatcher.clock = retail.clock
        retail.stock(BOSTON, mug=50)
        yield retail


@pytest.fixture
def client(api: Any, retail: Retail) -> Iterator[Client]:
    with Client(
        "http://crossdock.test", make_key(retail.connection), transport=Through(api)
    ) as client:
        yield client


def test_an_order_is_placed_worked_on_and_followed(client: Client, retail: Retail) -> None:
    placed = client.place_order(outside_order("C-1", ("mug", 2)))
    again = client.place_order(outside_order("C-1", ("mug", 2)))
    assert placed == again == PlacedOrder(placed.id, "web", "C-1")
    retail.settle()

    [work] = [one for one in client.open_work(BOSTON) if one.order_id == placed.id]
    lines = [Units(line.line, line.to_ship) for line in work.lines]
    client.acknowledge(work.id)
    client.pick(work.id, lines, pick_id="p1")
    client.pack(work.id, lines, pack_id="k1")
    client.ship(work.id, lines, carrier="ups", tracking="1Z-C-1", shipment_id="s1")
    client.ship(work.id, lines, carrier="ups", tracking="1Z-C-1", shipment_id="s1")
    retail.settle()
    assert client.read_work(work.id).work == "shipped"
    client.delivered("1Z-C-1")
    retail.settle()
    while publish(retail.connection):
        pass

    assert client.read_work(work.id).work == "delivered"
    assert client.order("web:C-1").stage == "closed"
    kinds = [event.type[10:-3] for event in client.events(order=placed.id)]
    assert kinds[0] == "sales_order.placed" and kinds.count("shipment.left") == 1
    [left] = client.events(types=["crossdock.shipment.*"], order=placed.id)
    assert left.data["packages"][0]["tracking"] == "1Z-C-1" and left.subject == "web:C-1"


def test_many_orders_are_answered_one_by_one(client: Client) -> None:
    good, bad = outside_order("C-2", ("mug", 1)), outside_order("C-3", ("mug", 1))
    broken = msgspec.to_builtins(bad, str_keys=True)
    broken["lines"][0]["quantity"] = "many"

    result = client.place_orders([good, broken])

    assert (result.taken, result.not_taken) == (1, 1)
    assert result.items[1].status == 400 and result.items[1].problem is not None


def test_a_channel_asks_reserves_orders_and_cancels(client: Client, retail: Retail) -> None:
    retail.settle()
    before = client.available("web", ["mug", "nothing"])
    assert before["mug"] > 2 and before["nothing"] == 0
    place = {"country": "US", "postal_code": "02110", "latitude": 42.35, "longitude": -71.05}
    options = client.promises("web", {"mug": 2}, place).options
    assert options and options[0].arrive_by > options[0].leave_by

    kept = client.reserve("web", {"mug": 2}, minutes=5)
    retail.settle()
    kept = client.extend_checkout(kept.id, 30)
    retail.settle()
    assert client.available("web", ["mug"])["mug"] == before["mug"] - 2
    assert client.drop_checkout(kept.id).id == kept.id
    retail.settle()
    assert client.available("web", ["mug"])["mug"] == before["mug"]

    placed = client.place_order(outside_order("C-5", ("mug", 2)))
    retail.settle()
    client.cancel_order("web:C-5", [Units(1, 1)])
    retail.settle()
    work = retail.work(placed.id)
    [recall] = client.read_work(work.id).recalls
    client.answer_recall(work.id, recall.request_id, recall.lines)
    retail.settle()
    order = client.order("web:C-5")
    assert (order.id, order.lines[0].units["canceled"]) == (placed.id, 1)
    assert placed.id in {one.id for one in client.orders("web")}


def test_a_node_declines_and_counts(client: Client, retail: Retail) -> None:
    placed = client.place_order(outside_order("C-4", ("mug", 1)))
    retail.settle()
    [work] = [one for one in client.open_work(BOSTON) if one.order_id == placed.id]

    client.decline(work.id, "too_busy")
    retail.settle()

    assert client.read_work(work.id).acknowledgement == "declined"
    assert client.count_stock(BOSTON, {"mug": 44}, source="shelf").taken == 1


def test_a_refusal_says_everything_that_is_wrong(client: Client) -> None:
    with pytest.raises(ApiError) as refused:
        client.place_order({"channel": "web", "lines": "none"})

    assert (refused.value.status, refused.value.code) == (400, "malformed_request")
    assert {"number", "lines"} <= {error.path for error in refused.value.errors}
    assert "lines" in str(refused.value)
    with pytest.raises(ApiError) as missing:
        client.read_work("nobody:1")
    assert missing.value.code == "not_found"


class Moody(httpx2.BaseTransport):
    """Answers in turn; an exception is raised."""

    def __init__(self, *answers: Any) -> None:
        self.answers = list(answers)
        self.requests: list[httpx2.Request] = []

    def handle_request(self, request: httpx2.Request) -> httpx2.Response:
        self.requests.append(request)
        answer = self.answers.pop(0)
        if isinstance(answer, Exception):
            raise answer
        assert isinstance(answer, httpx2.Response)
        return answer


def asking(*answers: Any, tries: int = 3) -> tuple[Http, Moody, list[float]]:
    moody, waits = Moody(*answers), list[float]()
    http = Http(
        "http://x", "k", timeout_seconds=1, tries=tries, transport=moody, pause=waits.append
    )
    return http, moody, waits


PLACED = httpx2.Response(201, content=b'{"id":"o","channel":"web","number":"1"}')


def test_what_passes_is_waited_out_and_a_write_keeps_its_key() -> None:
    http, moody, waits = asking(
        httpx2.ConnectError("refused"), httpx2.Response(503, headers={"Retry-After": "7"}), PLACED
    )

    placed = http.send("POST", "/v1/orders", PlacedOrder, {"number": "1"})

    assert placed.id == "o" and waits[1] == 7.0
    keys = {request.headers["idempotency-key"] for request in moody.requests}
    assert len(moody.requests) == 3 and len(keys) == 1


def test_what_stays_wrong_is_not_asked_again() -> None:
    http, moody, _ = asking(httpx2.Response(422, content=b"not JSON"))
    with pytest.raises(ApiError) as refused:
        http.send("POST", "/v1/orders", PlacedOrder, {})
    assert len(moody.requests) == 1 and refused.value.detail == "not JSON"

    http, moody, _ = asking(*[httpx2.ConnectError("refused")] * 3)
    with pytest.raises(Unreachable, match="GET http://x/v1/work"):
        http.send("GET", "/v1/work", PlacedOrder)
    assert "idempotency-key" not in moody.requests[0].headers

    http, moody, _ = asking(*[httpx2.Response(503)] * 3)
    with pytest.raises(ApiError) as busy:
        http.send("GET", "/v1/work", PlacedOrder)
    assert busy.value.status == 503


def test_a_webhook_is_believed_only_with_its_signature() -> None:
    now = datetime.now(UTC)
    row = EventRow(7, "e-1", "crossdock.package.lost.v1", "o", "web:1", now, "o", "m", '{"a":1}')
    body = msgspec.json.encode(public(row))
    secret = new_secret()
    headers = signature([secret], "e-1", body, now)

    event = verify(secret, headers, body)

    assert (event.id, event.sequence, event.data) == ("e-1", "7", {"a": 1})
    for wrong in (body + b" ", body.replace(b"web:1", b"web:2")):
        with pytest.raises(Refused):
            verify(secret, headers, wrong)
    with pytest.raises(Refused):
        verify(new_secret(), headers, body)
    with pytest.raises(Refused):
        verify(secret, {}, body)


class Losing(Through):
    """Takes requests to the API; the line breaks in the middle of the first piece of a file."""

    lost = 0

    def handle_request(self, request: httpx2.Request) -> httpx2.Response:
        if request.method == "PUT" and not self.lost:
            self.lost += 1
            headers = {"Authorization": request.headers["Authorization"]}
            some = request.read()[:10]
            self.api.put(request.url.raw_path.decode(), content=some, headers=headers)
            raise httpx2.ReadError("the line broke")
        return super().handle_request(request)


def test_a_file_goes_on_where_the_line_broke_and_tells_its_rows(
    api: Any, retail: Retail, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(client_module, "PIECE_BYTES", 40)
    rows = [{"sku": "C-1", "name": "Chair"}, {"sku": "C-2"}, {"sku": "C-3", "name": "Table"}]
    content = b"".join(msgspec.json.encode(row) + b"\n" for row in rows)
    lost = Losing(api)
    with Client("http://crossdock.test", make_key(retail.connection), transport=lost) as client:
        client.http.pause = lambda seconds: None
        job = client.send_file("products", io.BytesIO(content), key="nightly")
        assert (job.status, job.received_bytes, lost.lost) == ("waiting", len(content), 1)
        assert client.send_file("products", io.BytesIO(content), key="nightly").id == job.id
        while run_next(retail.connection, SystemClock(), threading.Event()):
            pass
        done = client.file(job.id)
        assert (done.status, done.rows_taken, done.rows_refused) == ("done", 2, 1)
        told = [one.status for one in client.file_results(job.id)]
        assert told == ["taken", "refused", "taken"]
        [refused] = client.file_results(job.id, refused=True)
    assert (refused.row, refused.key, refused.errors[0]["path"]) == (2, "C-2", "name")


def test_why_an_order_leaves_from_there_can_be_asked(client: Client, retail: Retail) -> None:
    placed = client.place_order(outside_order("C-WHY", ("mug", 1)))
    retail.settle()
    [seen] = client.decisions(placed.id)
    assert (seen.order_id, seen.was_refused) == (placed.id, False)
    assert seen.decision["chosen"]["nodes"][0]["node"] == BOSTON
