"""Benchmarks at a scale that takes seconds: what they answer, never how fast it was."""

from __future__ import annotations

import importlib

import pytest

from crossdock.bench.files import FORMS
from crossdock.bench.result import BenchResult

TINY = 0.002


def run(name: str) -> BenchResult:
    found = importlib.import_module(f"crossdock.bench.{name}").run(seed=1, scale=TINY)
    assert isinstance(found, BenchResult)
    return found


@pytest.mark.slow
@pytest.mark.parametrize(
    ("name", "told"),
    [
        ("orders", {"rows inserted per order", "WAL bytes per order", "peak MiB of a worker"}),
        ("lifecycle", {"messages per order", "effects per order", "limit of inserted rows alone"}),
        ("history", {"closed orders", "rows of closed orders", "orders/s beside history"}),
        ("soak", {"orders/s by part", "dead rows at most", "seconds"}),
    ],
)
def test_a_bench_tells_its_figure_its_limit_and_what_they_are_made_of(
    name: str, told: set[str]
) -> None:
    result = run(name)
    assert result.name == name
    assert result.unit == "orders/s"
    assert result.value > 0 and result.limit > 0
    assert result.ratio == pytest.approx(result.value / result.limit)
    assert "%" in result.aim
    assert told <= result.parts.keys()
    assert result.parts.get("dead letters", 0) == 0
    assert result.parts.get("orders not closed", 0) == 0


@pytest.mark.slow
def test_the_soak_of_the_api_tells_memory_by_part_and_how_requests_ended() -> None:
    result = run("api_soak")
    assert (result.name, result.unit) == ("api-soak", "MiB")
    assert result.value > 10 and result.limit > 10
    statuses = result.parts["answers by status"]
    assert {"200", "201", "400", "401", "404", "422"} <= statuses.keys()
    assert not [status for status in statuses if status.startswith("5")]
    assert result.parts["requests"] == sum(statuses.values())


@pytest.mark.slow
def test_the_bench_of_files_tells_rows_a_second_of_each_kind_in_each_form() -> None:
    result = run("files")
    assert (result.name, result.unit) == ("files", "rows/s")
    kinds = ("products", "prices", "stock")
    speeds = [result.parts[f"{kind}, {form}: rows/s"] for kind in kinds for form in FORMS]
    assert result.value == min(speeds) > 0
    kind = str(result.parts["the slowest"]).partition(",")[0]
    assert result.limit == result.parts[f"{kind}: limit, rows/s"] > result.value
    assert result.ratio == pytest.approx(result.value / result.limit)
    for kind in kinds:
        spent = result.parts[f"{kind}, csv: processor us per row"]
        assert spent.keys() == {"PostgreSQL", "loader", "worker"}
