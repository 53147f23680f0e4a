"""Recorded histories replay to the same stages and outputs."""

from __future__ import annotations

import pytest

from tests.replay.history import FOLDER, PROCESSES, load, replay
from tests.replay.scenarios import SCENARIOS


def test_every_scenario_is_on_record() -> None:
    assert {path.stem for path in FOLDER.glob("*.jsonl")} == set(SCENARIOS)


@pytest.mark.parametrize("name", sorted(SCENARIOS))
def test_a_recorded_history_replays_to_the_same_outputs(name: str) -> None:
    steps = load(FOLDER / f"{name}.jsonl")
    assert len(steps) > 5
    for number, (step, stage, outputs) in enumerate(replay(steps), start=1):
        where = f"{name}.jsonl line {number}: {step.type} to {step.process}"
        assert stage == step.stage, where
        assert outputs == step.outputs, where


def test_every_process_version_on_record_can_still_be_loaded() -> None:
    for path in FOLDER.glob("*.jsonl"):
        for step in load(path):
            process = PROCESSES[step.process]
            missing = [v for v in range(step.version, process.version) if v not in process.upgrades]
            assert not missing, f"{step.process} has no upgrade from {missing}"
