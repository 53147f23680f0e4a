"""Setting up a checkout: what a newcomer is told when it cannot work, and what is left behind."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

pytestmark = pytest.mark.slow

ROOT = Path(__file__).resolve().parents[2]
TOOLS = ("dirname", "env", "sed", "sh")


@pytest.fixture
def checkout(tmp_path: Path) -> Path:
    """What the set-up reads, in a folder whose name has spaces; nothing is pinned in it."""
    folder = tmp_path / "my own checkout"
    (folder / "scripts").mkdir(parents=True)
    for name in ("setup", "setup.py"):
        shutil.copy(ROOT / "scripts" / name, folder / "scripts" / name)
    (folder / "pyproject.toml").write_text("")
    (folder / "requirements.lock").write_text("")
    (folder / "requirements-dev.lock").write_text("")
    return folder


def set_up(checkout: Path, **variables: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        ["sh", checkout / "scripts" / "setup", "requirements.lock"],
        env={**os.environ, "PYTHON": sys.executable, **variables},
        capture_output=True,
        text=True,
        check=False,
    )


def only_tools(folder: Path) -> Path:
    """A folder for the PATH with what the script itself needs and no Python."""
    folder.mkdir()
    for tool in TOOLS:
        found = shutil.which(tool)
        assert found is not None
        (folder / tool).symlink_to(found)
    return folder


def pretend_python(path: Path, *, version: str, old: bool) -> None:
    """A Python that says it has this version and, where it is new enough, lacks venv."""
    test = "3, 11" if old else "ensurepip"
    path.write_text(f'#!/bin/sh\ncase "$2" in *"{test}"*) exit 1;; esac\necho {version}\n')
    path.chmod(0o755)


def test_without_a_python_one_is_asked_for(checkout: Path, tmp_path: Path) -> None:
    tools = only_tools(tmp_path / "tools")
    done = set_up(checkout, PYTHON="", PATH=str(tools))
    assert done.returncode == 1
    assert "needs Python 3.11 or newer" in done.stderr
    assert "no python3 on the PATH" in done.stderr


def test_each_python_that_does_not_do_is_named_with_its_reason(
    checkout: Path, tmp_path: Path
) -> None:
    tools = only_tools(tmp_path / "tools")
    pretend_python(tools / "python3", version="3.9", old=True)
    pretend_python(tools / "python3.12", version="3.12", old=False)
    done = set_up(checkout, PYTHON="", PATH=str(tools))
    assert done.returncode == 1
    assert f"{tools}/python3 is Python 3.9\n" in done.stderr
    assert f"{tools}/python3.12 is Python 3.12 without venv" in done.stderr
    assert "apt install python3.12-venv" in done.stderr


def test_without_a_network_it_is_said_and_nothing_is_left(checkout: Path, tmp_path: Path) -> None:
    (checkout / "requirements.lock").write_text(f"absent-package==1 --hash=sha256:{'0' * 64}\n")
    no_network = {
        "PIP_INDEX_URL": "http://127.0.0.1:9/packages",
        "PIP_CONFIG_FILE": os.devnull,
        "PIP_EXTRA_INDEX_URL": "",
        "PIP_FIND_LINKS": "",
        "PIP_RETRIES": "0",
    }
    done = set_up(checkout, **no_network)
    assert done.returncode == 1
    assert "is there a network" in done.stderr
    assert "Traceback" not in done.stderr
    assert not (checkout / ".venv").exists()


def test_a_set_up_that_was_cut_short_is_done_again_and_a_whole_one_is_not(
    checkout: Path,
) -> None:
    # An empty pyproject.toml cannot be installed: pip fails at the last step, after a whole venv.
    done = set_up(checkout)
    assert done.returncode == 1
    assert not (checkout / ".venv").exists()
    (checkout / "pyproject.toml").write_text(_SMALLEST)
    (checkout / "tiny.py").write_text("answer = 42\n")
    environment = checkout / ".venv"
    environment.mkdir()
    (environment / ".crossdock-unfinished").touch()
    (environment / "half").touch()
    (checkout / "backend.py").write_text(_BACKEND)
    done = set_up(checkout)
    assert done.returncode == 0, done.stderr
    assert not (environment / "half").exists()
    python = environment / "bin" / "python"
    asked = subprocess.run(
        [python, "-c", "import tiny; print(tiny.answer)"],
        capture_output=True,
        text=True,
        check=True,
        cwd="/",
    )
    assert asked.stdout == "42\n"
    again = set_up(checkout)
    assert (again.returncode, again.stdout) == (0, "")


_SMALLEST = """\
[build-system]
requires = []
build-backend = "backend"
backend-path = ["."]

[project]
name = "tiny"
version = "1"
"""

# A build backend of a few lines, so that the test needs no network.
_BACKEND = """\
import pathlib, zipfile

def build_editable(folder, config_settings=None, metadata_directory=None):
    name = "tiny-1-py3-none-any.whl"
    with zipfile.ZipFile(pathlib.Path(folder) / name, "w") as wheel:
        wheel.writestr("tiny.pth", str(pathlib.Path.cwd()))
        about = "tiny-1.dist-info/"
        wheel.writestr(about + "METADATA", "Metadata-Version: 2.1\\nName: tiny\\nVersion: 1\\n")
        wheel.writestr(about + "WHEEL", "Wheel-Version: 1.0\\nTag: py3-none-any\\n")
        wheel.writestr(about + "RECORD", "")
    return name
"""
