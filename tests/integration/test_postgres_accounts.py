"""Whose server it is: root's runs under another account, everybody else's under his own."""

from __future__ import annotations

import contextlib
import os
import pwd
import shutil
import stat
import subprocess
import sys
from pathlib import Path

import psycopg
import pytest

from crossdock import postgres
from crossdock.kernel.errors import DataFolderRefused, PostgresMissing
from tests.integration.embedded import OWNER, note_of, write_a_row

pytestmark = [
    pytest.mark.slow,
    pytest.mark.skipif(os.geteuid() != 0, reason="only root becomes another account"),
]


def test_root_serves_under_another_account_and_opens_no_folder(place: Path) -> None:
    before = stat.S_IMODE(place.stat().st_mode)
    with postgres.serve(place / "data", account_name="nobody") as server:
        postmaster = note_of(server.data_folder)["postmaster"]
        assert Path(f"/proc/{postmaster}").stat().st_uid == pwd.getpwnam("nobody").pw_uid
    assert stat.S_IMODE(place.stat().st_mode) == before
    assert place.stat().st_uid == 0


def test_an_account_that_is_unknown_or_root_is_refused(place: Path) -> None:
    for name in ("root", "crossdock-stranger"):
        with pytest.raises(DataFolderRefused, match=f"{name} is unknown or is root"):
            with postgres.serve(place / "data", account_name=name):
                pass
        assert not (place / "data").exists()


def test_root_is_told_which_folder_is_closed_to_the_servers_account(place: Path) -> None:
    (place / "closed").mkdir(mode=0o700)
    with pytest.raises(DataFolderRefused, match=r"may not enter .*closed"):
        with postgres.serve(place / "closed" / "data"):
            pass
    assert stat.S_IMODE((place / "closed").stat().st_mode) == 0o700
    assert not list((place / "closed").iterdir())


def test_programs_in_a_closed_folder_are_copied_to_where_the_server_can_run_them(
    place: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    package = postgres.BinariesOfWheel().folder.parents[1]
    closed = place / "closed"
    closed.mkdir(mode=0o700)
    for part in (package, package.with_name(f"{package.name}.libs")):
        shutil.copytree(part, closed / part.name)
    monkeypatch.syspath_prepend(closed)
    for _ in range(2):
        with postgres.serve(place / "data", binaries=postgres.BinariesOfWheel()) as server:
            write_a_row(server.url)
            assert server.programs.is_relative_to(place / "data")


def test_a_machines_own_programs_in_a_closed_folder_are_refused(place: Path) -> None:
    programs = postgres.find_binaries().folder
    closed = place / "closed"
    shutil.copytree(programs, closed)
    closed.chmod(0o700)
    with pytest.raises(PostgresMissing, match="may not enter"):
        with postgres.serve(place / "data", binaries=postgres.BinariesInFolder(closed)):
            pass


def test_an_ordinary_user_serves_as_himself_and_root_may_use_his_folder(place: Path) -> None:
    nobody = pwd.getpwnam("nobody")
    python = _python_for(nobody.pw_uid)
    (place / "home").mkdir()
    os.chown(place / "home", nobody.pw_uid, nobody.pw_gid)
    script = OWNER.replace("sys.stdin.read()", "")
    source = Path(postgres.__file__).parents[2]
    packages = Path(psycopg.__file__).parents[1]
    programs = {k: v for k, v in os.environ.items() if k == "CROSSDOCK_POSTGRES_BIN"}
    told = subprocess.run(
        [python, "-c", script, str(place / "home" / "data")],
        env={"PYTHONPATH": f"{source}:{packages}", "HOME": str(place / "home")} | programs,
        user=nobody.pw_uid,
        group=nobody.pw_gid,
        extra_groups=[],
        capture_output=True,
        text=True,
        check=False,
    )
    assert told.returncode == 0, told.stderr
    with postgres.serve(place / "home" / "data") as server:
        write_a_row(server.url)
        postmaster = note_of(server.data_folder)["postmaster"]
        assert Path(f"/proc/{postmaster}").stat().st_uid == nobody.pw_uid
    owners = {path.stat().st_uid for path in (place / "home" / "data").iterdir()}
    assert owners == {nobody.pw_uid}


def _python_for(uid: int) -> str:
    """A Python of this version that the account may run and that finds our packages."""
    version = f"python{sys.version_info[0]}.{sys.version_info[1]}"
    packages = Path(psycopg.__file__).parents[1]
    for candidate in (sys.executable, f"/usr/bin/{version}", f"/usr/local/bin/{version}"):
        with contextlib.suppress(OSError):
            done = subprocess.run(
                [candidate, "-c", "import psycopg, msgspec"],
                env={"PYTHONPATH": str(packages)},
                user=uid,
                extra_groups=[],
                capture_output=True,
                check=False,
            )
            if done.returncode == 0:
                return candidate
    pytest.skip("no Python here that an ordinary user may run")
