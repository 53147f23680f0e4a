"""Logs: structured, and without secrets or personal data even where a text quotes some."""

from __future__ import annotations

import io
import json
from collections.abc import Callable, Iterator

import pytest
import structlog

from crossdock.kernel import logs

Logged = Callable[[], list[dict[str, object]]]


@pytest.fixture
def logged() -> Iterator[Logged]:
    """What has been logged so far, each line read as JSON."""
    stream = io.StringIO()
    logs.configure("json", stream=stream)
    yield lambda: [json.loads(line) for line in stream.getvalue().splitlines()]
    structlog.reset_defaults()


def test_a_line_is_one_json_object_with_its_time_and_level(logged: Logged) -> None:
    structlog.get_logger().warning("worker waits", seconds=2.0, shards=[1, 2])
    structlog.get_logger().debug("nobody asked for this")
    (line,) = logged()
    assert line.pop("timestamp").endswith("Z")  # type: ignore[attr-defined]
    assert line == {"event": "worker waits", "level": "warning", "seconds": 2.0, "shards": [1, 2]}


@pytest.mark.parametrize(
    "text",
    [
        "postgresql://ada:{}@db/shop does not answer",
        "Authorization: Bearer {}",
        "host=db password={} user=ada",
        "the key crossdock_live_{} is unknown",
        "signed with whsec_{}",
    ],
)
def test_a_secret_within_a_text_is_taken_out(logged: Logged, text: str) -> None:
    structlog.get_logger().error("fault", error=text.format("aBcDeFgHiJkLmNoP0123"))
    assert "aBcDeFgHiJkLmNoP0123" not in str(logged())
    assert logs.GONE in str(logged())


@pytest.mark.parametrize(
    "person",
    ["grace.o'hopper+x@navy.example", "+1 (555) 010-9999", "4111 1111 1111 1111"],
)
def test_what_looks_like_a_person_is_taken_out_of_a_text(logged: Logged, person: str) -> None:
    structlog.get_logger().error("fault", errors=[{"said": f"refused for {person}, sorry"}])
    assert logged()[0]["errors"] == [{"said": f"refused for {logs.GONE}, sorry"}]


def test_fields_named_after_a_secret_or_a_person_are_taken_out(logged: Logged) -> None:
    structlog.get_logger().info(
        "odd", api_key="k", webhook_secret="s", given_name="Grace", postal_code="10001", email=None
    )
    (line,) = logged()
    assert "Grace" not in str(line) and "10001" not in str(line)
    assert [line[field] for field in ("api_key", "webhook_secret")] == [logs.GONE] * 2
    assert line["email"] is None


@pytest.mark.parametrize("form", ["json", "text"])
def test_a_traceback_shows_no_values_of_variables(form: str) -> None:
    stream = io.StringIO()
    logs.configure(form, stream=stream)
    hidden = "-".join(["what", "nobody", "may", "read"])
    try:
        raise ValueError(len(hidden))
    except ValueError as error:
        structlog.get_logger().error("failed", exc_info=error)
    structlog.reset_defaults()
    assert "ValueError: 20" in stream.getvalue()
    assert hidden not in stream.getvalue()


def test_an_exception_is_cleaned_like_any_text(logged: Logged) -> None:
    try:
        raise ValueError("no mail to ada@lovelace.example")
    except ValueError:
        structlog.get_logger().exception("failed")
    assert "ValueError" in str(logged()) and "lovelace" not in str(logged())


@pytest.mark.parametrize(
    "harmless",
    [
        "0199f3aa-7d01-8abc-9def-112233445566",
        "2026-11-21T13:44:02.123456Z",
        "1763732642.123456",
        "web:1001",
        "12,500 orders",
    ],
)
def test_ids_times_and_numbers_stay(harmless: str) -> None:
    assert logs.clean_text(f"about {harmless}.") == f"about {harmless}."
