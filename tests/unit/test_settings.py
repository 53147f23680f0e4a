"""Settings: from the environment, crossdock.toml or the default, in that order."""

from __future__ import annotations

from pathlib import Path

import pytest

from crossdock.kernel.errors import SettingRefused
from crossdock.settings import Settings, load_settings, settings_in_use


def test_without_file_and_environment_the_defaults_hold(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    assert load_settings(environment={}) == Settings()


def test_the_environment_goes_before_the_file_and_the_file_before_the_default(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    (tmp_path / "crossdock.toml").write_text("[engine]\nbatch_messages = 7\nbatch_rounds = 9\n")
    settings = load_settings(environment={"CROSSDOCK_ENGINE_BATCH_ROUNDS": "11"})
    assert settings.engine.batch_messages == 7
    assert settings.engine.batch_rounds == 11
    assert settings.engine.dedupe_days == Settings().engine.dedupe_days
    rows = {
        row.name: row.source
        for row in settings_in_use(environment={"CROSSDOCK_ENGINE_BATCH_ROUNDS": "11"})
    }
    assert rows["engine.batch_messages"] == "crossdock.toml"
    assert rows["engine.batch_rounds"] == "CROSSDOCK_ENGINE_BATCH_ROUNDS"
    assert rows["engine.dedupe_days"] == "default"


def test_every_setting_says_what_it_means() -> None:
    for row in settings_in_use(environment={}):
        assert row.meaning, row.name


@pytest.mark.parametrize(
    ("variable", "value", "expected"),
    [
        ("CROSSDOCK_ENGINE_BATCH_MESSAGES", "many", "Expected `int`"),
        ("CROSSDOCK_ENGINE_BATCH_MESSAGES", "0", "Expected `int` >= 1"),
        ("CROSSDOCK_POSTGRES_PORT", "70000", "Expected `int` <= 65535"),
        ("CROSSDOCK_DISPATCHER_BACKOFF_SECONDS", "-1", "Expected `float` > 0"),
    ],
)
def test_a_value_that_cannot_be_used_is_refused_by_name(
    variable: str, value: str, expected: str
) -> None:
    with pytest.raises(SettingRefused, match=f"{variable} is '{value}': {expected}"):
        load_settings(environment={variable: value})


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("[engine]\nbatch_mesages = 7\n", "batch_mesages"),
        ("[engine]\nbatch_messages = 'x'\n", r"engine\.batch_messages"),
        ("engine = 5\n", "engine"),
        ("[engin]\nbatch_messages = 7\n", "engin"),
        ("batch_messages = 7\n", "batch_messages"),
        ("[policies]\nsourcin = 'nearest'\n", "sourcin"),
        ("[engine\n", "cannot be read"),
    ],
)
def test_a_file_that_cannot_be_used_is_refused_with_its_name(
    tmp_path: Path, text: str, expected: str
) -> None:
    file = tmp_path / "mine.toml"
    file.write_text(text)
    with pytest.raises(SettingRefused, match=f"(?s)mine.toml.*{expected}"):
        load_settings(file, environment={})


def test_a_variable_that_sets_nothing_is_refused_by_name() -> None:
    with pytest.raises(SettingRefused, match=r"CROSSDOCK_ENGINE_BATCH_MESSAGE is no setting\."):
        load_settings(environment={"CROSSDOCK_ENGINE_BATCH_MESSAGE": "3"})


def test_variables_that_are_no_settings_are_left_alone() -> None:
    others = ("CROSSDOCK_TEST_DATABASE_URL", "CROSSDOCK_CRASH_SEED", "CROSSDOCK_SHARED_DATA")
    assert load_settings(environment=dict.fromkeys(others, "x")) == Settings()


def test_a_file_that_was_named_must_exist(tmp_path: Path) -> None:
    with pytest.raises(SettingRefused, match=r"no settings file .*absent\.toml"):
        load_settings(environment={"CROSSDOCK_CONFIG": str(tmp_path / "absent.toml")})
