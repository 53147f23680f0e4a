"""What a request may weigh, tried on the application as a server would hand it over."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Awaitable, Callable, Iterator, Sequence
from typing import Any

import pytest
from litestar import Litestar, Request, get, post
from litestar.datastructures import State
from litestar.response import Stream

from crossdock.api import problems
from crossdock.api.figures import ApiFigures
from crossdock.api.guards import check_shape, check_times, nesting_of
from crossdock.api.logs import RequestLog
from crossdock.api.operations import Shell, admit
from crossdock.api.problems import ApiProblem
from crossdock.api.shedding import Shedding
from crossdock.settings import LimitsSettings, TelemetrySettings

LIMITS = LimitsSettings(
    body_bytes=2_000,
    bulk_body_bytes=20_000,
    file_bytes=50_000,
    string_bytes=4_096,
    query_characters=300,
    body_seconds=0.3,
    silence_seconds=0.1,
)
TINY_LIMITS = LimitsSettings(body_nesting=8, string_bytes=4_096)


class Desk:
    """The least that the shell needs: no database, no watch."""

    spans = None

    def __init__(self) -> None:
        self.limits = LIMITS
        self.figures = ApiFigures("api test")
        self.shedding = Shedding(LIMITS, self.figures)
        self.log = RequestLog(TelemetrySettings(log_requests="none"))


@post("/weigh", opt={"bulk": False})
async def weigh(request: Request[Any, Any, State]) -> int:
    return len(await request.body())


@post("/bulk", opt={"bulk": True})
async def bulk(request: Request[Any, Any, State]) -> int:
    return len(await request.body())


@post("/pour", opt={"streams": True})
async def pour(request: Request[Any, Any, State]) -> int:
    return sum([len(piece) async for piece in request.stream()])


@get("/spring")
async def spring() -> Stream:
    """As much as anybody reads."""

    async def drops() -> Any:
        while True:
            yield b"x" * 1_000

    return Stream(drops())


@pytest.fixture(scope="module")
def app() -> Iterator[Litestar]:
    app = Litestar(
        [weigh, bulk, pour, spring],
        guards=[admit],
        exception_handlers=problems.HANDLERS,
        request_max_body_size=None,
        openapi_config=None,
        logging_config=None,
    )
    app.state.operations = Desk()
    app.asgi_handler = Shell(app.asgi_handler, app.state.operations)
    yield app


Piece = bytes | float
"""Bytes that arrive, or seconds in which none do."""


class Answer:
    """What the application sent back."""

    status = 0
    body = b""
    headers: dict[str, str]

    @property
    def code(self) -> str:
        return str(json.loads(self.body).get("code", ""))


def send_to(
    app: Litestar,
    path: str,
    pieces: Sequence[Piece] = (b"",),
    *,
    headers: dict[str, str] | None = None,
    reads: Callable[[], Awaitable[None]] | None = None,
    method: str = "POST",
) -> Answer:
    """One request as a server hands it over, piece by piece."""
    answer = Answer()
    rest = list(pieces)
    path, _, query = path.partition("?")

    async def receive() -> dict[str, Any]:
        while rest and isinstance(rest[0], float):
            await asyncio.sleep(rest.pop(0))  # type: ignore[arg-type]
        if not rest:
            await asyncio.sleep(60)
        body = rest.pop(0)
        return {"type": "http.request", "body": body, "more_body": bool(rest)}

    async def send(message: dict[str, Any]) -> None:
        if message["type"] == "http.response.start":
            answer.status = message["status"]
            answer.headers = {k.decode(): v.decode() for k, v in message["headers"]}
        else:
            answer.body += message["body"]
            if reads is not None:
                await reads()

    scope = {
        "type": "http",
        "method": method,
        "path": path,
        "query_string": query.encode(),
        "headers": [(k.encode(), v.encode()) for k, v in (headers or {}).items()],
        "http_version": "1.1",
        "scheme": "http",
        "server": ("test", 80),
        "client": ("test", 1),
    }
    asyncio.run(app(scope, receive, send))  # type: ignore[arg-type]
    return answer


def test_a_body_within_the_limit_arrives_whole(app: Litestar) -> None:
    answer = send_to(app, "/weigh", [b"a" * 1_000, 0.05, b"b" * 1_000])
    assert (answer.status, answer.body) == (201, b"2000")


@pytest.mark.parametrize(
    ("path", "most"), [("/weigh", 2_000), ("/bulk", 20_000), ("/pour", 50_000)]
)
def test_each_kind_of_operation_has_its_own_limit_of_size(
    app: Litestar, path: str, most: int
) -> None:
    assert send_to(app, path, [b'"' + b"a" * 990] * (most // 1_000)).status == 201
    over = send_to(app, path, [b"a" * 1_000] * (most // 1_000) + [b"a"])
    assert (over.status, over.code) == (413, "body_too_large")
    assert over.headers["connection"] == "close"


def test_a_body_announced_too_large_is_not_even_read(app: Litestar) -> None:
    answer = send_to(app, "/weigh", [60.0], headers={"content-length": "2001"})
    assert answer.status == 413


def test_a_client_that_stops_sending_is_cut_off(app: Litestar) -> None:
    for path in ("/weigh", "/pour"):
        answer = send_to(app, path, [b"a", 5.0, b"a"])
        assert (answer.status, answer.code) == (408, "request_timeout")


def test_a_client_that_drips_is_cut_off_too(app: Litestar) -> None:
    dripping: list[Piece] = [b"a", 0.06] * 20
    answer = send_to(app, "/weigh", [*dripping, b"a"])
    assert (answer.status, answer.code) == (408, "request_timeout")


def test_a_streamed_body_may_take_long_while_it_keeps_coming(app: Litestar) -> None:
    dripping: list[Piece] = [b"a", 0.05] * 10
    answer = send_to(app, "/pour", [*dripping, b"a"])
    assert (answer.status, answer.body) == (201, b"11")


def test_a_client_that_does_not_read_is_cut_off(app: Litestar) -> None:
    seen: list[int] = []

    async def reads() -> None:
        seen.append(1)
        if len(seen) > 5:
            await asyncio.sleep(60)

    send_to(app, "/spring", [b""], method="GET", reads=reads)
    assert len(seen) == 6
    assert set(app.state.operations.shedding.in_flight.values()) == {0}


def test_a_compressed_body_is_refused_where_it_is_not_expected(app: Litestar) -> None:
    answer = send_to(app, "/weigh", [b"\x1f\x8b"], headers={"content-encoding": "GZIP"})
    assert (answer.status, answer.code) == (415, "unsupported_media_type")
    assert send_to(app, "/pour", [b"\x1f"], headers={"content-encoding": "gzip"}).status == 201


def test_a_path_with_too_long_a_query_is_refused(app: Litestar) -> None:
    answer = send_to(app, "/weigh?" + "q" * 300)
    assert (answer.status, answer.code) == (414, "uri_too_long")


@pytest.mark.parametrize("target", ["/weigh?node=a%00b", "/weigh?q=1&n%00="])
def test_a_nul_in_a_parameter_is_refused(app: Litestar, target: str) -> None:
    answer = send_to(app, target)
    assert (answer.status, answer.code) == (400, "malformed_request")


def asking(query: str) -> Any:
    """As much of a scope as is looked at."""
    return {"query_string": query.encode()}


@pytest.mark.parametrize(
    "time",
    ["2026-11-03T09:41:00Z", "2026-11-03t09:41:00.25z", "2026-11-03T09:41:00%2B01:00"],
)
def test_a_time_in_a_query_says_its_zone(time: str) -> None:
    check_times(asking(f"since={time}&x=0"), ["since"])


@pytest.mark.parametrize(
    "time", ["0", "", "2026-11-03", "2026-11-03T09:41:00", "2026-11-03T09:41:00+01:00", "now"]
)
def test_a_number_or_a_time_without_zone_is_refused(time: str) -> None:
    with pytest.raises(ApiProblem) as refused:
        check_times(asking(f"since={time}"), ["since"])
    (found,) = refused.value.errors
    assert (found.path, found.code) == ("since", "bad_time")


def findings(document: object, limits: LimitsSettings = TINY_LIMITS) -> set[str]:
    body = document if isinstance(document, bytes) else json.dumps(document).encode()
    try:
        check_shape(body, limits)
    except ApiProblem as refused:
        return {found.code for found in refused.errors}
    return set()


def nested(depth: int) -> Any:
    found: Any = 1
    for _ in range(depth):
        found = [found]
    return found


def test_nesting_is_counted_exactly_and_texts_do_not_count() -> None:
    assert findings(nested(8)) == set()
    assert findings(nested(9)) == {"too_deep"}
    assert findings({"a": nested(8), "b": [1]}) == {"too_deep"}
    assert findings([[] for _ in range(100)]) == set()
    assert findings(["[[[[[[[[[[[[", '"[[[[[[[[[', "\\", "\\\\", '\\"{{{{{{{{{{'] * 3) == set()
    assert findings(['"', "\\", "]]]]]]]]]", nested(9)]) == {"too_deep"}
    assert findings(b"[" * 1_000) == {"too_deep"}


def test_a_text_over_the_limit_is_refused_wherever_it_stands() -> None:
    assert findings({"note": "x" * 4_096, "more": ["y" * 4_000]}) == set()
    assert findings({"note": "x" * 4_097}) == {"text_too_long"}
    assert findings([{"x" * 4_097: 1}]) == {"text_too_long"}
    assert findings({"x" * 5_000: nested(9)}) == {"text_too_long", "too_deep"}


def test_values_are_counted_and_commas_in_texts_are_not() -> None:
    limits = LimitsSettings(values=1_000)
    assert findings(list(range(1_000)), limits) == set()
    assert findings(list(range(1_001)), limits) == {"too_many_values"}
    assert findings(["," * 4_000], limits) == set()


def test_brackets_are_matched_by_depth() -> None:
    assert [nesting_of(text) for text in (b"", b"[]", b"[{}]", b"[][]", b"[[{}],[]]")] == [
        *(0, 1, 2, 1, 3)
    ]
