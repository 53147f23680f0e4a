"""The whole API as its document describes it, against requests that fit it and others that do not.

No answer may be a server error, and none may be other than the document says. Positive and negative
data, edge cases of every schema, and chains of operations along the document's links. The suite
does a little of each within a minute; `pytest tests/api/test_fuzz.py --fuzz-minutes 10` does more.
"""

from __future__ import annotations

import contextlib
from collections.abc import Callable, Iterator
from typing import Any

import pytest
import schemathesis
from schemathesis.config import SchemathesisConfig
from schemathesis.engine import events, from_schema
from schemathesis.python.asgi import shutdown_lifespans

from crossdock import db
from crossdock.api.app import create_app
from crossdock.api.services import Services
from crossdock.settings import Settings, TelemetrySettings
from tests.api.keys import bearer, make_key

SECONDS = {"coverage": 300, "fuzzing": 8, "stateful": 8}
"""What the suite gives to each. Edge cases come to an end by themselves, after some 30 s."""
LEAST_CALLS = {"coverage": 2_000, "fuzzing": 50, "stateful": 20}
SHOWN = 20

Load = Callable[[SchemathesisConfig], Any]


@pytest.fixture
def document(api_url: str) -> Iterator[tuple[Load, dict[str, str]]]:
    """How to load the document of an application in this process, and a key that may do all.

    It serves one run: the application is shut down at its end.
    """
    with contextlib.closing(db.connect(api_url)) as connection:
        headers = bearer(make_key(connection))
    quiet = Settings(telemetry=TelemetrySettings(log_requests="none"))
    with contextlib.closing(Services.open(api_url, quiet)) as services:
        app = create_app(services)
        yield (
            lambda config: schemathesis.openapi.from_asgi("/docs/openapi.json", app, config=config),
            headers,
        )
        shutdown_lifespans()


def settings(headers: dict[str, str], phase: str, minutes: float) -> SchemathesisConfig:
    """One phase. Without minutes of its own it tries the same as ever."""
    return SchemathesisConfig.from_dict(
        {
            "headers": headers,
            "continue-on-failure": True,
            "max-time": minutes * 60 or SECONDS[phase],
            "generation": {"deterministic": not minutes, "no-shrink": True, "database": "none"},
            "phases": {
                "examples": {"enabled": phase == "coverage"},
                **{name: {"enabled": name == phase} for name in SECONDS},
            },
            # What the schema allows may still be no cursor, channel or order there is.
            "checks": {"positive_data_acceptance": {"enabled": False}},
            # Every item has a result of its own, within an answer that is a success.
            "operations": [
                {
                    "include-path-regex": "/bulk$",
                    "checks": {"negative_data_rejection": {"enabled": False}},
                }
            ],
        }
    )


@pytest.mark.slow
@pytest.mark.parametrize("phase", SECONDS)
def test_no_request_gets_a_server_error_or_an_answer_that_is_not_documented(
    document: tuple[Load, dict[str, str]], phase: str, request: pytest.FixtureRequest
) -> None:
    load, headers = document
    minutes = float(request.config.getoption("--fuzz-minutes"))
    failures: dict[str, str] = {}
    calls = 0
    for event in from_schema(load(settings(headers, phase, minutes))).execute():
        if isinstance(event, events.ScenarioFinished):
            calls += len(event.recorder.interactions)
            failures.update(failures_of(event))
        elif isinstance(event, events.NonFatalError | events.FatalError):
            failures[str(event)] = ""
    assert calls >= LEAST_CALLS[phase]
    text = "\n\n".join(f"{title}\n{how}" for title, how in list(failures.items())[:SHOWN])
    assert not failures, f"{len(failures)} kinds of failure in {calls} calls:\n\n{text}"


def failures_of(event: events.ScenarioFinished) -> Iterator[tuple[str, str]]:
    """Each kind of failure of a scenario once, with the request that shows it."""
    for checks in event.recorder.checks.values():
        for check in checks:
            if check.failure_info is not None:
                found, how = check.failure_info.failure, check.failure_info.code_sample
                title = f"{found.operation}: {check.name}: {found.title}"
                yield title, f"{found.message[:600]}\n{how[:600]}"
