"""The oldest PostgreSQL that is supported, where this machine has it: the same tests pass there."""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from crossdock import postgres
from crossdock.postgres.binaries import major_version

PROGRAMS = Path("/usr/lib/postgresql/15/bin")
"""Where Debian's and Ubuntu's packages put it."""
ROOT = Path(__file__).resolve().parents[2]
SAME = (
    "tests/integration/test_migrations.py",
    "tests/integration/test_db.py",
    "tests/integration/engine/test_runner.py",
    "tests/integration/engine/test_dispatcher.py",
    "tests/integration/engine/test_fence.py",
    "tests/integration/orders/test_the_way_it_should_go.py",
    "tests/inventory/test_acceptance.py",
    "tests/inventory/test_ats.py",
    "tests/allocation/test_station.py",
    "tests/catalog/test_store.py",
)


@pytest.fixture(scope="module")
def url_of_15() -> Iterator[str]:
    if not (PROGRAMS / "postgres").exists():
        pytest.skip(f"PostgreSQL 15 absent: {PROGRAMS} (Debian package postgresql-15)")
    programs = postgres.BinariesInFolder(PROGRAMS)
    assert major_version(programs.folder) == 15
    with postgres.serve(ephemeral=True, durable=False, binaries=programs) as server:
        yield server.url


@pytest.mark.slow
def test_the_same_tests_pass_on_postgresql_15(url_of_15: str) -> None:
    environment = {k: v for k, v in os.environ.items() if not k.startswith("PYTEST_XDIST")}
    done = subprocess.run(
        [sys.executable, "-m", "pytest", "-q", "-x", "-p", "no:cacheprovider", *SAME],
        cwd=ROOT,
        env=environment | {"CROSSDOCK_TEST_DATABASE_URL": url_of_15},
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stdout[-6_000:] + done.stderr[-2_000:]
    assert " passed" in done.stdout
