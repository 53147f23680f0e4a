"""The command line: what it prints, how it ends, how it shows that something is wrong."""

from __future__ import annotations

import contextlib
import os
import signal
import subprocess
import sys
import tempfile
from pathlib import Path

import pytest
from typer.testing import CliRunner, Result

import crossdock
from crossdock import db
from crossdock.cli.context import Database, connector
from crossdock.cli.main import app
from crossdock.cli.tour import free_port
from crossdock.postgres.folder import DataFolder
from crossdock.settings import DatabaseSettings
from tests.integration.test_postgres_launcher import wait_until

pytestmark = pytest.mark.slow

FAULT = 3
WRONG_USAGE = 2
FOUND_SOMETHING = 1


def run(*arguments: str, **variables: str) -> subprocess.CompletedProcess[str]:
    """Runs crossdock as a person would, without this session's own settings."""
    environment = {
        name: value for name, value in os.environ.items() if not name.startswith("CROSSDOCK_")
    }
    return subprocess.run(
        [sys.executable, "-m", "crossdock", *arguments],
        env={**environment, "COLUMNS": "200", **variables},
        stdin=subprocess.DEVNULL,
        capture_output=True,
        text=True,
        check=False,
        cwd=tempfile.gettempdir(),
    )


def invoke(*arguments: str, **variables: str) -> Result:
    """The same within this process: for what ends before it is a matter of processes."""
    return CliRunner().invoke(app, list(arguments), env={"COLUMNS": "200", **variables})


def test_version_is_printed_alone() -> None:
    done = run("version")
    assert (done.stdout, done.returncode) == (f"{crossdock.__version__}\n", 0)


def test_the_version_is_an_option_too() -> None:
    assert invoke("--version").output == f"{crossdock.__version__}\n"


@pytest.mark.parametrize(
    "arguments",
    [
        ("api", "--port", "99999"),
        ("serve", "--fakes", "--port", "-1"),
        ("serve", "--fakes", "--workers", "-5"),
        ("dead-letters", "list", "--limit", "-1"),
        ("keys", "create", "y", "--grant", "node", "--node", "*", "--days", "99999999"),
        ("keys", "create", "y", "--grant", "node", "--requests", "9999999999"),
        ("keys", "rotate", "y", "--overlap-hours", "1e300"),
        ("keys", "rotate", "y", "--overlap-hours", "nan"),
        ("explain", "caf\udce9"),
    ],
)
def test_an_argument_out_of_bounds_is_wrong_usage(arguments: tuple[str, ...]) -> None:
    done = invoke(*arguments, CROSSDOCK_DATABASE_URL="postgresql://x@127.0.0.1:1/y")
    assert done.exit_code == WRONG_USAGE
    assert "Invalid value" in done.output


@pytest.mark.parametrize("command", ["api", "serve"])
def test_help_names_no_default_that_is_none(command: str) -> None:
    assert "[default" not in invoke(command, "--help").output


def test_an_unknown_command_is_wrong_usage() -> None:
    assert run("frobnicate").returncode == WRONG_USAGE


def test_a_server_that_is_not_there_is_one_message_and_no_traceback() -> None:
    done = run("db", "status", CROSSDOCK_DATABASE_URL="postgresql://x@127.0.0.1:1/y")
    assert done.returncode == FAULT
    assert "Traceback" not in done.stderr
    assert "Connection refused" in done.stderr
    assert "See whether the server runs" in done.stderr
    assert "Then run it again." in done.stderr
    assert "tried again" not in done.stderr


@pytest.mark.parametrize("command", ["status", "psql"])
def test_a_url_that_is_none_is_wrong_usage_and_its_password_not_shown(command: str) -> None:
    done = invoke("db", command, CROSSDOCK_DATABASE_URL="mysql://u:secret@h/x")
    assert done.exit_code == WRONG_USAGE
    assert "CROSSDOCK_DATABASE_URL" in done.output
    assert "secret" not in done.output


def test_a_setting_that_cannot_be_used_is_wrong_usage_and_named() -> None:
    done = run("db", "status", CROSSDOCK_ENGINE_DEDUPE_DAYS="soon")
    assert done.returncode == WRONG_USAGE
    assert "CROSSDOCK_ENGINE_DEDUPE_DAYS is 'soon'" in done.stderr
    assert "Traceback" not in done.stderr


def test_two_databases_at_once_are_wrong_usage(place: Path) -> None:
    done = run("--data", str(place), "db", "status", CROSSDOCK_DATABASE_URL="postgresql:///x")
    assert done.returncode == WRONG_USAGE
    assert "Leave out one of the two" in done.stderr


def test_the_embedded_database_is_migrated_checked_and_reached_with_psql(place: Path) -> None:
    data = ("--data", str(place / "data"))
    assert "Run `crossdock db migrate`" in run(*data, "check").stderr or not db.migrations()
    assert run(*data, "db", "migrate").returncode == 0
    status = run(*data, "db", "status")
    assert "pending    nothing" in status.stdout
    assert str(place / "data") in status.stdout
    checked = run(*data, "check")
    assert (checked.returncode, "invariants hold" in checked.stdout) == (0, True)
    asked = run(*data, "db", "psql", "--", "-tA", "-c", "SELECT 6 * 7")
    assert (asked.stdout, asked.returncode) == ("42\n", 0)
    assert run(*data, "db", "psql", "--", "-c", "SELECT 1 / 0").returncode == 1
    stopped = run(*data, "db", "url")
    assert stopped.returncode == FOUND_SOMETHING
    assert "not running" in stopped.stderr


@pytest.mark.parametrize("end", [signal.SIGINT, signal.SIGTERM])
def test_serve_keeps_the_database_up_for_others_until_it_is_told_to_stop(
    place: Path, end: signal.Signals
) -> None:
    data = ("--data", str(place / "data"))
    with subprocess.Popen(
        [sys.executable, "-m", "crossdock", *data, "db", "serve"],
        stdout=subprocess.PIPE,
        stderr=subprocess.DEVNULL,
        text=True,
    ) as serving:
        assert serving.stdout is not None
        url = serving.stdout.readline()
        assert run(*data, "db", "url").stdout == url
        with contextlib.closing(db.connect(url.strip())) as connection:
            assert connection.execute("SELECT 1").fetchone() == (1,)
        serving.send_signal(end)
        assert serving.wait() == 0
    assert run(*data, "db", "url").returncode == FOUND_SOMETHING


@pytest.mark.parametrize("service", [("worker",), ("files",), ("test-mode",), ("serve", "--fakes")])
def test_a_service_that_waits_for_its_data_folder_can_be_stopped(
    place: Path, service: tuple[str, ...]
) -> None:
    data = DataFolder(place / "data")
    data.create(0o711)
    with data.locked("start.lock", 0):
        waiting = subprocess.Popen(
            [sys.executable, "-m", "crossdock", "--data", str(data.path), *service],
            env={**os.environ, "CROSSDOCK_API_PORT": str(free_port())},
            stdout=subprocess.DEVNULL,
        )
        try:
            wait_until(lambda: has_open(waiting.pid, data.path / "start.lock"))
            waiting.send_signal(signal.SIGTERM)
            assert waiting.wait(30) == -signal.SIGTERM
        finally:
            waiting.kill()
            waiting.wait()


def has_open(pid: int, file: Path) -> bool:
    """Whether the process has the file open, as one that waits for its lock has."""
    for descriptor in Path(f"/proc/{pid}/fd").iterdir():
        with contextlib.suppress(FileNotFoundError):
            if descriptor.readlink() == file:
                return True
    return False


def test_every_part_connects_with_the_timeouts_that_are_set(empty_database_url: str) -> None:
    timeouts = DatabaseSettings(idle_in_transaction_seconds=7, connect_timeout_seconds=4)
    connect = connector(Database(empty_database_url, None, timeouts), "dispatcher")
    with contextlib.closing(connect(autocommit=True)) as connection:
        said = connection.info.get_parameters()
        assert (said["connect_timeout"], said["application_name"]) == ("4", "crossdock dispatcher")
        shown = connection.execute("SHOW idle_in_transaction_session_timeout").fetchone()
        assert shown == ("7s",)


def test_check_prints_the_rows_that_break_a_rule_and_exits_with_one(
    database_url: str, tmp_path: Path
) -> None:
    invariants = tmp_path / "invariants"
    invariants.mkdir()
    (invariants / "shelf_is_not_overfull.sql").write_text(
        "-- No shelf holds more than ten books.\nSELECT 'B' AS shelf, 11 AS books"
    )
    done = run("check", "--invariants", str(invariants), CROSSDOCK_DATABASE_URL=database_url)
    assert done.returncode == FOUND_SOMETHING
    assert "No shelf holds more than ten books." in done.stdout
    assert "1 of 1 invariants are broken." in done.stdout


def test_check_says_so_when_more_rows_break_a_rule_than_it_shows(
    database_url: str, tmp_path: Path
) -> None:
    def printed(rows: int) -> str:
        (tmp_path / "nothing_is_counted.sql").write_text(
            f"-- There are no numbers.\nSELECT n FROM generate_series(1001, {1000 + rows}) AS n"
        )
        arguments = ["check", "--invariants", str(tmp_path)]
        done = CliRunner().invoke(app, arguments, env={"CROSSDOCK_DATABASE_URL": database_url})
        assert done.exit_code == FOUND_SOMETHING
        return done.output

    assert "1100" in printed(100) and "more" not in printed(100)
    assert "1100" in printed(101) and "1101" not in printed(101)
    assert "... and more" in printed(101)


def test_check_refuses_rules_that_are_missing_or_wrong(database_url: str, tmp_path: Path) -> None:
    def refused() -> str:
        arguments = ["check", "--invariants", str(tmp_path)]
        done = CliRunner().invoke(app, arguments, env={"CROSSDOCK_DATABASE_URL": database_url})
        assert done.exit_code == WRONG_USAGE
        return done.output

    assert f"There are no rules in {tmp_path}." in refused()
    (tmp_path / "typo.sql").write_text("-- A shelf has a name.\nSELECT naem FROM pg_class")
    assert 'typo.sql cannot be used. column "naem" does not exist' in refused()


def test_settings_are_printed_with_where_they_come_from_but_no_password() -> None:
    done = run("settings", CROSSDOCK_DATABASE_URL="postgresql://u:geheim@h/d")
    assert "CROSSDOCK_DATABASE_URL" in done.stdout
    assert "geheim" not in done.stdout
    assert "engine.batch_messages" in done.stdout


def test_python_without_assertions_is_refused() -> None:
    for switch, variables in ((("-O",), {}), ((), {"PYTHONOPTIMIZE": "1"})):
        done = subprocess.run(
            [sys.executable, *switch, "-c", "import crossdock"],
            env={**os.environ, **variables},
            capture_output=True,
            text=True,
            check=False,
        )
        assert done.returncode != 0
        assert "assertions switched off" in done.stderr


def test_a_key_may_be_called_what_a_terminal_might_read_as_markup(database_url: str) -> None:
    named = {"CROSSDOCK_DATABASE_URL": database_url}
    assert invoke("keys", "create", "[/b] :x:", "--grant", "channel", **named).exit_code == 0
    listed = invoke("keys", "list", **named)
    assert (listed.exit_code, "[/b] :x:" in listed.output) == (0, True)


def test_a_level_in_quarantine_is_listed_and_lifted_by_name(
    connection: db.Connection, database_url: str
) -> None:
    connection.execute("INSERT INTO stock_level (sku, node, zone, methods, quarantined)"
                       " VALUES ('mug', 'oak', 'east', 1, true)")  # fmt: skip
    connection.commit()

    def quarantine(*arguments: str) -> Result:
        variables = {"CROSSDOCK_DATABASE_URL": database_url}
        return CliRunner().invoke(app, ["quarantine", *arguments], env=variables)

    listed = quarantine("list").output
    assert "mug" in listed and "oak" in listed
    assert quarantine("lift", "mug", "elm").exit_code == FOUND_SOMETHING
    assert "is offered again" in quarantine("lift", "mug", "oak").output
    assert "No stock level" in quarantine("list").output


def test_a_worker_puts_the_configured_sourcing_policy_in_force(
    connection: db.Connection, database_url: str
) -> None:
    with subprocess.Popen(
        [sys.executable, "-m", "crossdock", "worker"],
        env={
            **os.environ,
            "CROSSDOCK_DATABASE_URL": database_url,
            "CROSSDOCK_POLICIES_SOURCING": "nearest",
        },
        stdout=subprocess.PIPE,
        text=True,
    ) as worker:
        assert worker.stdout is not None
        assert "is in force now" in worker.stdout.readline()
        worker.send_signal(signal.SIGTERM)
        assert worker.wait() == 0
    assert connection.execute(
        "SELECT p.name FROM active_sourcing_policy a JOIN sourcing_policy p USING (version)"
    ).fetchall() == [("nearest",)]


def test_a_worker_with_an_order_policy_that_is_not_there_does_not_start(database_url: str) -> None:
    done = run(
        "worker",
        CROSSDOCK_DATABASE_URL=database_url,
        CROSSDOCK_POLICIES_ORDERS="/nowhere/orders.toml",
    )
    assert done.returncode == WRONG_USAGE
    assert "/nowhere/orders.toml cannot be read" in done.stderr
