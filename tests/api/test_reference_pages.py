"""The reference pages of limits and operations name what there is, as it is."""

from __future__ import annotations

from pathlib import Path

import msgspec
import pytest

from crossdock.api.figures import ApiFigures
from crossdock.api.shedding import Shedding
from crossdock.engine.figures import DispatchFigures, Figures, WorkerFigures
from crossdock.settings import LimitsSettings
from tests.api.test_operations import Client, operations_of, scraped

PAGES = Path(__file__).resolve().parents[2] / "docs" / "reference"
LIMITS, OPERATIONS = (PAGES / name for name in ("limits.md", "operations.md"))


@pytest.mark.parametrize("field", msgspec.structs.fields(LimitsSettings), ids=lambda f: f.name)
def test_every_limit_is_told_with_its_default(field: msgspec.structs.FieldInfo) -> None:
    lines = [
        line
        for line in LIMITS.read_text(encoding="utf-8").splitlines()
        if f"`{field.name}`" in line
    ]
    assert lines, f"{field.name} is not in limits.md"
    assert any(f"{field.default:,g}" in line or f"{field.default:,}" in line for line in lines)


def test_every_metric_is_told(api: Client) -> None:
    page = OPERATIONS.read_text(encoding="utf-8")
    kept: list[Figures] = [WorkerFigures("w"), DispatchFigures("d"), ApiFigures("a")]
    Shedding(LimitsSettings(), kept[-1])  # type: ignore[arg-type]
    names = {
        metric.name + ("_total" if metric.type == "counter" else "")
        for figures in kept
        for metric in figures.registry.collect()
    }
    for source in operations_of(api).metrics.collect():
        names.add(source.name + ("_total" if source.type == "counter" else ""))
    missing = sorted(name for name in names if f"`{name}`" not in page)
    assert not missing
    assert len(names) > 30 and scraped(api)
