"""Makes .venv from a lock file; quick when that is done already. Standard library only.

A new environment that cannot be finished is removed again; one that was there stays, without the
stamp that says it is complete, so that the next run mends it.
"""

from __future__ import annotations

import errno
import fcntl
import hashlib
import os
import shutil
import subprocess
import sys
import venv
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
ENVIRONMENT = ROOT / ".venv"
# Present while we build: an environment that has it was cut short and is ours to remove.
UNFINISHED = ENVIRONMENT / ".crossdock-unfinished"
ROOM_BYTES = 900 * 1024**2


class Problem(Exception):
    """What went wrong and what to do about it, in words for the person at the terminal."""


def main() -> None:
    """Brings .venv to the state the lock file asks for."""
    lock_file = ROOT / sys.argv[1]
    try:
        with (ROOT / ".venv.lock").open("w") as lock:
            _wait_for(lock.fileno())
            if not _is_complete(lock_file):
                _make(lock_file)
    except Problem as problem:
        sys.exit(f"\n{problem}")
    except OSError as failed:
        sys.exit(f"\n{_said_of(failed)}")
    except KeyboardInterrupt:
        sys.exit("\nInterrupted; nothing half-made was left behind.")


def _wait_for(lock: int) -> None:
    """Two `make` in one checkout at once: the second waits for the first."""
    try:
        fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        print("Another make sets up this checkout; waiting for it.", flush=True)
        fcntl.flock(lock, fcntl.LOCK_EX)


def _wanted(lock_file: Path) -> str:
    """A fingerprint of all that decides what is installed, and where."""
    digest = hashlib.sha256(os.fsencode(ENVIRONMENT))
    for path in (lock_file, ROOT / "pyproject.toml", Path(__file__)):
        digest.update(path.read_bytes())
    return digest.hexdigest()


def _stamp(lock_file: Path) -> Path:
    return ENVIRONMENT / f".crossdock-{lock_file.stem}"


def _is_complete(lock_file: Path) -> bool:
    if UNFINISHED.exists() or not (ENVIRONMENT / "bin" / "python").exists():
        return False
    # What the tests need includes what the demo needs.
    return any(
        _stamp(candidate).is_file() and _stamp(candidate).read_text() == _wanted(candidate)
        for candidate in {lock_file, ROOT / "requirements-dev.lock"}
    )


def _make(lock_file: Path) -> None:
    if UNFINISHED.exists() or (ENVIRONMENT.exists() and not _runs(ENVIRONMENT)):
        shutil.rmtree(ENVIRONMENT)
    _require_room()
    is_new = not ENVIRONMENT.exists()
    for stamp in ENVIRONMENT.glob(".crossdock-requirements*"):
        stamp.unlink()
    try:
        if is_new:
            version = ".".join(str(part) for part in sys.version_info[:3])
            print(f"Setting up .venv with Python {version} ({lock_file.name}) ...", flush=True)
            ENVIRONMENT.mkdir()
            UNFINISHED.touch()
            _create()
        else:
            print(f"Bringing .venv up to date with {lock_file.name} ...", flush=True)
        _pip("install", "--require-hashes", "-r", str(lock_file))
        _pip("install", "--no-deps", "--no-build-isolation", "--editable", str(ROOT))
        _stamp(lock_file).write_text(_wanted(lock_file))
        UNFINISHED.unlink(missing_ok=True)
    except BaseException:
        if is_new:
            shutil.rmtree(ENVIRONMENT, ignore_errors=True)
        raise


def _runs(environment: Path) -> bool:
    """False for one whose Python was removed, or that was moved together with its checkout."""
    try:
        answer = subprocess.run(
            [environment / "bin" / "python", "-I", "-c", "import sys, pip; print(sys.prefix)"],
            capture_output=True,
            text=True,
            check=True,
        ).stdout.strip()
    except (OSError, subprocess.CalledProcessError):
        return False
    pip = environment / "bin" / "pip"
    return os.path.realpath(answer) == os.path.realpath(environment) and (
        not pip.exists() or str(environment) in pip.read_text(errors="replace")
    )


def _create() -> None:
    try:
        # Symlinks are what `python -m venv` makes too; copies lose the shared library's path.
        venv.EnvBuilder(with_pip=True, symlinks=True).create(ENVIRONMENT)
    except subprocess.CalledProcessError as failed:
        said = failed.output.decode(errors="replace") if failed.output else ""
        raise Problem(_advice(said) or f"venv failed:\n{said[-2000:]}") from failed


def _pip(*arguments: str) -> None:
    command = [str(ENVIRONMENT / "bin" / "python"), "-I", "-m", "pip", *arguments]
    options = ["--quiet", "--disable-pip-version-check", "--no-input"]
    done = subprocess.run(
        [*command, *options], stdout=subprocess.PIPE, stderr=subprocess.STDOUT, check=False
    )
    if done.returncode:
        said = done.stdout.decode(errors="replace").strip()
        end = "\n".join(said.splitlines()[-8:])
        raise Problem(f"{end}\n\n{_advice(said) or 'pip failed with the words above.'}")


def _advice(said: str) -> str:
    """What to do about the failures people really meet."""
    known = (
        (("No space left on device", "Errno 28"), _no_room("")),
        (
            ("DO NOT MATCH THE HASHES",),
            "A downloaded file is not the pinned one: the download was damaged or the package "
            "index is not to be trusted.\nRun the same command again; if it stays, look at your "
            "index (pip config list).",
        ),
        (
            (
                "Failed to establish a new connection",
                "Temporary failure in name resolution",
                "Name or service not known",
                "ConnectionResetError",
                "ConnectTimeout",
                "Read timed out",
                "ProxyError",
                "Network is unreachable",
                "No matching distribution found",
            ),
            "The packages could not be downloaded: is there a network, and a package index that "
            "pip may use (pip config list)?\nRun the same command again when there is.",
        ),
        (("Permission denied",), f"You may not write to {ROOT}: use a checkout of your own."),
    )
    return next((advice for words, advice in known if any(word in said for word in words)), "")


def _require_room() -> None:
    free = shutil.disk_usage(ROOT).free
    if free < ROOM_BYTES:
        raise Problem(_no_room(f"Only {free // 1024**2} MiB are free there."))


def _no_room(more: str) -> str:
    return (
        f"The disk of {ROOT} is too full: the environment needs about {ROOM_BYTES // 1024**2} MiB. "
        f"{more}\nFree some space and run the same command again.".replace(" \n", "\n")
    )


def _said_of(failed: OSError) -> str:
    if failed.errno == errno.ENOSPC:
        return _no_room("")
    if failed.errno in (errno.EACCES, errno.EPERM, errno.EROFS):
        return f"You may not write to {failed.filename}: use a checkout of your own."
    return f"Setting up failed: {failed}"


if __name__ == "__main__":
    main()
