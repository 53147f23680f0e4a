"""The embedded server: who starts it, who shares it, what ends it, what it refuses."""

from __future__ import annotations

import contextlib
import os
import shutil
import signal
import socket
import stat
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import psycopg
import pytest

from crossdock import postgres
from crossdock.kernel.errors import (
    DataFolderInUse,
    DataFolderRefused,
    ForeignMajorVersion,
    NoRoomOnDisk,
    PortTaken,
    PostgresMissing,
    PostgresNotStarted,
)
from tests.integration.embedded import OWNER, note_of, write_a_row

pytestmark = pytest.mark.slow


@contextlib.contextmanager
def another_owner(*arguments: str) -> Iterator[tuple[subprocess.Popen[str], str, Path]]:
    """A process that shares a server until the block ends; yields it, its URL and folder."""
    owner = subprocess.Popen(
        [sys.executable, "-c", OWNER, *arguments],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
    )
    assert owner.stdin is not None
    assert owner.stdout is not None
    try:
        yield owner, owner.stdout.readline().strip(), Path(owner.stdout.readline().strip())
    finally:
        owner.stdin.close()
        owner.wait()
        owner.stdout.close()


def is_alive(pid: int) -> bool:
    try:
        state = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0]
    except FileNotFoundError:
        return False
    return state != "Z"


def wait_until(happened: Callable[[], bool]) -> None:
    deadline = time.monotonic() + 60
    while not happened():
        assert time.monotonic() < deadline, "did not happen within a minute"
        time.sleep(0.02)


def wait_until_replaced(folder: Path, postmaster: int) -> None:
    wait_until(lambda: note_of(folder)["postmaster"] != postmaster)


def rows_kept(url: str) -> int:
    with psycopg.connect(url) as connection:
        row = connection.execute("SELECT count(*) FROM kept").fetchone()
    assert row is not None
    return int(row[0])


def test_data_outlive_the_server_and_the_server_outlives_nobody(place: Path) -> None:
    with postgres.serve(place / "data") as server:
        write_a_row(server.url)
        postmaster = note_of(server.data_folder)["postmaster"]
        assert postgres.running_url(place / "data") == server.url
    assert not is_alive(postmaster)
    assert postgres.running_url(place / "data") is None
    with postgres.serve(place / "data") as server:
        assert rows_kept(server.url) == 1


def test_what_is_committed_is_on_disk_whatever_the_configuration_says(place: Path) -> None:
    with postgres.serve(place / "data") as server:
        with psycopg.connect(server.url, autocommit=True) as connection:
            connection.execute("ALTER SYSTEM SET fsync = off")
            connection.execute("ALTER SYSTEM SET synchronous_commit = off")
            connection.execute("SELECT pg_reload_conf()")
    with postgres.serve(place / "data") as server, psycopg.connect(server.url) as connection:
        for name in ("fsync", "synchronous_commit", "full_page_writes"):
            assert connection.execute(f"SHOW {name}").fetchone() == ("on",)


def test_nobody_gets_in_without_the_password(place: Path) -> None:
    with postgres.serve(place / "data") as server:
        folder = server.data_folder
        for private in (folder / "passfile", folder / "server.json"):
            assert stat.S_IMODE(private.stat().st_mode) == 0o600
        for private in (folder / "cluster", folder / "run"):
            assert stat.S_IMODE(private.stat().st_mode) == 0o700
        secret = (folder / "passfile").read_text().strip().rpartition(":")[2]
        assert secret not in server.url
        without = server.url.partition("&passfile")[0] + "&passfile=/dev/null"
        with pytest.raises(psycopg.OperationalError, match="no password supplied"):
            psycopg.connect(without)


def test_a_second_process_joins_and_the_server_stays_for_it(place: Path) -> None:
    with contextlib.ExitStack() as first:
        server = first.enter_context(postgres.serve(place / "data"))
        postmaster = note_of(server.data_folder)["postmaster"]
        with another_owner(str(place / "data")) as (_, url, _folder):
            assert url == server.url
            first.close()
            assert is_alive(postmaster)
            write_a_row(url)
        assert not is_alive(postmaster)


def test_many_processes_at_once_start_one_server(place: Path) -> None:
    with contextlib.ExitStack() as stack:
        owners = [
            subprocess.Popen(
                [sys.executable, "-c", OWNER, str(place / "data")],
                stdin=subprocess.PIPE,
                stdout=subprocess.PIPE,
                text=True,
            )
            for _ in range(4)
        ]
        for owner in owners:
            stack.callback(owner.wait)
            assert owner.stdin and owner.stdout
            stack.callback(owner.stdin.close)
            stack.enter_context(owner.stdout)
        urls = {owner.stdout.readline() for owner in owners if owner.stdout}
        assert len(urls) == 1
        postmaster = note_of(place / "data")["postmaster"]
        assert is_alive(postmaster)
    assert not is_alive(postmaster)


@pytest.mark.crash
def test_an_ephemeral_server_dies_with_its_killed_owner_and_leaves_no_files() -> None:
    with another_owner() as (owner, url, folder):
        write_a_row(url)
        note = note_of(folder)
        owner.send_signal(signal.SIGKILL)
        wait_until(lambda: not folder.exists())
        wait_until(lambda: not is_alive(note["postmaster"]) and not is_alive(note["keeper"]))


@pytest.mark.crash
def test_a_killed_owner_leaves_data_that_start_again(place: Path) -> None:
    with another_owner(str(place / "data")) as (owner, url, _):
        write_a_row(url)
        owner.send_signal(signal.SIGKILL)
    with postgres.serve(place / "data") as server:
        assert rows_kept(server.url) == 1


@pytest.mark.crash
def test_a_killed_server_is_brought_back_under_the_same_url(place: Path) -> None:
    with postgres.serve(place / "data") as server:
        write_a_row(server.url)
        for _ in range(2):
            before = note_of(server.data_folder)["postmaster"]
            os.kill(before, signal.SIGKILL)
            wait_until_replaced(server.data_folder, before)
            assert rows_kept(server.url) == 1


@pytest.mark.crash
def test_a_server_that_cannot_come_back_yet_is_tried_until_it_can(place: Path) -> None:
    with postgres.serve(place / "data") as server:
        write_a_row(server.url)
        before = note_of(server.data_folder)["postmaster"]
        obstacle = server.data_folder / "cluster" / "postgresql.auto.conf"
        obstacle.write_text("max_connections = 'lots'\n")
        os.kill(before, signal.SIGKILL)
        wait_until(lambda: "trying again" in (place / "data" / "postgres.log").read_text())
        obstacle.write_text("")
        wait_until_replaced(server.data_folder, before)
        assert rows_kept(server.url) == 1


@pytest.mark.crash
def test_everything_killed_at_once_is_recovered_by_the_next_run(place: Path) -> None:
    with another_owner(str(place / "data")) as (owner, url, folder):
        write_a_row(url)
        note = note_of(folder)
        for pid in (note["keeper"], note["postmaster"], owner.pid):
            os.kill(pid, signal.SIGKILL)
    with postgres.serve(place / "data") as server:
        assert rows_kept(server.url) == 1


@pytest.mark.crash
def test_a_server_whose_keeper_was_killed_is_replaced_by_the_next_run(place: Path) -> None:
    with another_owner(str(place / "data")) as (owner, url, folder):
        write_a_row(url)
        note = note_of(folder)
        os.kill(note["keeper"], signal.SIGKILL)
        os.kill(owner.pid, signal.SIGKILL)
    assert is_alive(note["postmaster"])
    with postgres.serve(place / "data") as server:
        assert rows_kept(server.url) == 1
        assert not is_alive(note["postmaster"])


@pytest.mark.crash
@pytest.mark.parametrize("is_kept", [True, False])
def test_a_server_whose_keeper_was_killed_stops_with_its_last_owner(
    place: Path, is_kept: bool
) -> None:
    with another_owner(*[str(place / "data")] * is_kept) as (_, url, folder):
        write_a_row(url)
        note = note_of(folder)
        os.kill(note["keeper"], signal.SIGKILL)
        wait_until(lambda: not is_alive(note["keeper"]))
    assert not is_alive(note["postmaster"])
    assert not (folder / "server.json").exists()
    assert folder.exists() == is_kept


@pytest.mark.crash
def test_a_server_that_is_not_ours_is_named_and_left_alone(place: Path) -> None:
    with another_owner(str(place / "data")) as (owner, url, folder):
        note = note_of(folder)
        os.kill(note["keeper"], signal.SIGKILL)
        os.kill(owner.pid, signal.SIGKILL)
    (folder / "server.json").unlink()
    with pytest.raises(DataFolderInUse, match=f"process {note['postmaster']}"):
        with postgres.serve(place / "data"):
            pass
    with psycopg.connect(url) as connection:
        assert connection.execute("SELECT 1").fetchone() == (1,)
    os.kill(note["postmaster"], signal.SIGINT)
    wait_until(lambda: not is_alive(note["postmaster"]))


def test_a_number_left_by_a_power_cut_does_not_stand_for_a_running_server(place: Path) -> None:
    with postgres.serve(place / "data") as server:
        write_a_row(server.url)
    # The machine is up again, and the number in the file belongs to some other program.
    stale = place / "data" / "cluster" / "postmaster.pid"
    stale.write_text(f"{os.getpid()}\n{place}\n1\n5432\n\n\n  1 1\nready\n")
    with postgres.serve(place / "data") as server:
        assert rows_kept(server.url) == 1


def test_data_of_another_major_version_are_refused_by_name(place: Path) -> None:
    with postgres.serve(place / "data"):
        pass
    (place / "data" / "cluster" / "PG_VERSION").write_text("14\n")
    with pytest.raises(ForeignMajorVersion, match=r"written by PostgreSQL 14.*are PostgreSQL \d+"):
        with postgres.serve(place / "data"):
            pass


def test_a_half_made_cluster_is_made_again(place: Path) -> None:
    (place / "data").mkdir(mode=0o711)
    (place / "data" / "start.lock").touch()
    (place / "data" / "cluster.new-4711").mkdir()
    (place / "data" / "cluster.new-4711" / "PG_VERSION").write_text("18\n")
    with postgres.serve(place / "data") as server:
        write_a_row(server.url)
    assert not list((place / "data").glob("cluster.new*"))


def test_a_folder_with_other_things_in_it_is_refused_and_left_as_it_is(place: Path) -> None:
    (place / "thesis.tex").touch()
    with pytest.raises(DataFolderRefused, match=r"thesis\.tex"), postgres.serve(place):
        pass
    assert [entry.name for entry in place.iterdir()] == ["thesis.tex"]


def test_a_data_folder_that_cannot_be_made_is_refused(place: Path) -> None:
    (place / "file").touch()
    with pytest.raises(DataFolderRefused, match="cannot be created"):
        with postgres.serve(place / "file" / "data"):
            pass


def test_a_disk_without_room_is_refused_before_anything_is_made(
    place: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    full = shutil.disk_usage(place)._replace(free=10 * 1024**2)
    monkeypatch.setattr(shutil, "disk_usage", lambda path: full)
    monkeypatch.setenv("TMPDIR", str(place))
    with pytest.raises(NoRoomOnDisk, match="Only 10 MiB are free"):
        postgres.serve(place / "new" / "data").__enter__()
    with pytest.raises(NoRoomOnDisk, match="Only 10 MiB are free"):
        postgres.serve(ephemeral=True).__enter__()
    assert list(place.iterdir()) == []


def test_a_path_too_long_for_a_socket_still_works(place: Path) -> None:
    folder = place / ("deep " * 20) / "data"
    with postgres.serve(folder) as server:
        write_a_row(server.url)
        elsewhere = Path(str(note_of(folder)["socket_folder"]))
        assert folder not in elsewhere.parents
    assert not elsewhere.exists()


def test_a_port_is_opened_on_loopback_only_when_asked_for(place: Path) -> None:
    with postgres.serve(place / "data", port=0) as server:
        with psycopg.connect(server.url) as connection:
            assert connection.execute("SHOW listen_addresses").fetchone() == ("127.0.0.1",)
            assert connection.info.host == "127.0.0.1"
    with postgres.serve(place / "data") as server, psycopg.connect(server.url) as connection:
        assert connection.execute("SHOW listen_addresses").fetchone() == ("",)


def test_a_taken_port_is_named(place: Path) -> None:
    with socket.socket() as other:
        other.bind(("127.0.0.1", 0))
        other.listen()
        port = other.getsockname()[1]
        with pytest.raises(PortTaken, match=str(port)):
            with postgres.serve(place / "data", port=port):
                pass


def test_a_server_that_does_not_start_shows_its_last_words(place: Path) -> None:
    with postgres.serve(place / "data"):
        pass
    auto = place / "data" / "cluster" / "postgresql.auto.conf"
    auto.write_text("max_connections = 'lots'\n")
    with pytest.raises(PostgresNotStarted, match="max_connections"):
        with postgres.serve(place / "data"):
            pass


def test_programs_that_are_missing_or_too_old_are_refused(place: Path) -> None:
    with pytest.raises(PostgresMissing, match="has no initdb and no postgres"):
        with postgres.serve(place / "data", binaries=postgres.BinariesInFolder(place)):
            pass
    for program in ("initdb", "postgres"):
        (place / program).write_text("#!/bin/sh\necho 'postgres (PostgreSQL) 13.4'\n")
        (place / program).chmod(0o755)
    with pytest.raises(PostgresMissing, match="holds PostgreSQL 13; Crossdock needs 15"):
        with postgres.serve(place / "other", binaries=postgres.BinariesInFolder(place)):
            pass


def test_a_machines_own_postgresql_serves_too_and_its_data_are_its_own(place: Path) -> None:
    folders = sorted(Path("/usr/lib/postgresql").glob("*/bin/initdb"))
    if not folders:
        pytest.skip("this machine has no PostgreSQL of its own in /usr/lib/postgresql")
    own = postgres.BinariesInFolder(folders[0].parent)
    with postgres.serve(place / "data", binaries=own) as server:
        write_a_row(server.url)
        with psycopg.connect(server.url) as connection:
            assert str(connection.info.server_version // 10_000) == folders[0].parents[1].name
    with postgres.serve(place / "data", binaries=own) as server:
        assert rows_kept(server.url) == 1
    with pytest.raises(ForeignMajorVersion):
        with postgres.serve(place / "data", binaries=postgres.BinariesOfWheel()):
            pass
