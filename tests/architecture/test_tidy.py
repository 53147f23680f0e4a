"""The shape of the code, kept by tests. Each rule says why it is there.

It is the long tail that makes a code base unpleasant, not the median: the limits cut the tail.
"""

from __future__ import annotations

import ast
import re
import subprocess
from collections.abc import Iterator
from functools import cache
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]
PACKAGE = ROOT / "src" / "crossdock"

FUNCTION_LINES = 70
MODULE_LINES = 500
COLUMNS = 100

_STATEMENT = re.compile(
    r"\b(SELECT\s|INSERT\s+INTO\s|UPDATE\s+[\w.]+\s+(AS\s+\w+\s+)?SET\s|DELETE\s+FROM\s"
    r"|MERGE\s+INTO\s"
    r"|CREATE\s+(TABLE|INDEX|DATABASE|TYPE)\s|ALTER\s+TABLE\s|DROP\s+TABLE\s|TRUNCATE\s|COPY\s+\w"
    r"|WITH\s+\w+(\s*\([^)]*\))?\s+AS\s)"
)
# Beside the stores: the connection's own statements, and the one COPY that stores write through.
_SQL_TOO = {"db.py", "engine/transaction.py"}
# The driver's types and errors reach no further than this.
_DRIVER_TOO = {"adapters.py", "db.py", "engine/", "postgres/"}
# A decision that reads the clock or rolls dice cannot be replayed.
_PURE = ("processes/", "sourcing/")
_IMPURE_MODULES = {"asyncio", "os", "random", "secrets", "socket", "subprocess", "time", "uuid"}
_IMPURE_CALLS = {"now", "today", "utcnow"}


def python_files(*folders: Path) -> list[Path]:
    return sorted(path for folder in folders for path in folder.rglob("*.py"))


def package_files() -> Iterator[tuple[str, Path]]:
    for path in python_files(PACKAGE):
        yield path.relative_to(PACKAGE).as_posix(), path


@cache
def tree_of(path: Path) -> ast.Module:
    return ast.parse(path.read_text(encoding="utf-8"), filename=str(path))


def where(path: Path, line: int) -> str:
    return f"{path.relative_to(ROOT)}:{line}"


ALL = python_files(PACKAGE, ROOT / "tests", ROOT / "scripts")


def test_no_function_is_longer_than_a_screen() -> None:
    """What does not fit on a screen is not read as a whole: give its steps names of their own."""
    long = [
        f"{where(path, node.lineno)} {node.name}: {lines} lines"
        for path in ALL
        for node in ast.walk(tree_of(path))
        if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef)
        and (lines := (node.end_lineno or node.lineno) - node.lineno + 1) > FUNCTION_LINES
    ]
    assert not long, f"over {FUNCTION_LINES} lines:\n" + "\n".join(long)


def test_no_module_is_longer_than_what_one_can_keep_in_mind() -> None:
    """A long module holds two subjects: part them, so that each can be found by its name."""
    long = [
        f"{path.relative_to(ROOT)}: {lines} lines"
        for path in ALL
        if (lines := len(path.read_text(encoding="utf-8").splitlines())) > MODULE_LINES
    ]
    assert not long, f"over {MODULE_LINES} lines:\n" + "\n".join(long)


def test_no_line_is_wider_than_two_windows_side_by_side() -> None:
    """Code is compared side by side; SQL and shell count as much as Python, URLs do not."""
    files = [*ALL, *sorted((ROOT / "schema").rglob("*.sql")), ROOT / "scripts" / "setup"]
    wide = [
        f"{where(path, number)}: {len(line)} columns"
        for path in files
        for number, line in enumerate(path.read_text(encoding="utf-8").splitlines(), 1)
        if len(line) > COLUMNS and "://" not in line
    ]
    assert not wide, f"over {COLUMNS} columns:\n" + "\n".join(wide)


def test_sql_stands_only_in_stores_and_sql_files() -> None:
    """One place to look for what touches the database, one typed function for each statement."""
    found = [
        f"{where(path, node.lineno)}: {text.strip()[:60]!r}"
        for name, path in package_files()
        if not (name.endswith("store.py") or "/store/" in name or name in _SQL_TOO)
        for node, text in _texts(tree_of(path))
        if _STATEMENT.search(text)
    ]
    assert not found, "SQL outside a store:\n" + "\n".join(found)


def test_the_driver_is_imported_only_where_the_database_is_spoken_to() -> None:
    """Everything else sees rows as typed values and conditions of the server as named faults."""
    found = [
        f"{where(path, node.lineno)}"
        for name, path in package_files()
        if not (name.endswith("store.py") or name.startswith(tuple(_DRIVER_TOO)))
        for node, module in _imports(tree_of(path))
        if module.partition(".")[0] in {"psycopg", "psycopg_pool"}
    ]
    assert not found, "psycopg imported:\n" + "\n".join(found)


def test_decisions_read_no_clock_and_roll_no_dice() -> None:
    """Processes and planning are replayed: the same input has to give the same answer, always."""
    found = []
    for name, path in package_files():
        if not name.startswith(_PURE):
            continue
        found += [
            f"{where(path, node.lineno)}: imports {module}"
            for node, module in _imports(tree_of(path))
            if module.partition(".")[0] in _IMPURE_MODULES
        ]
        found += [
            f"{where(path, node.lineno)}: calls {node.func.attr}()"
            for node in ast.walk(tree_of(path))
            if isinstance(node, ast.Call)
            and isinstance(node.func, ast.Attribute)
            and node.func.attr in _IMPURE_CALLS
        ]
    assert not found, "not replayable:\n" + "\n".join(found)


def test_nothing_is_swallowed() -> None:
    """A bare `except` or an empty handler of Exception hides the bug of next year."""
    found = [
        where(path, node.lineno)
        for _, path in package_files()
        for node in ast.walk(tree_of(path))
        if isinstance(node, ast.ExceptHandler)
        and (node.type is None or (_names_everything(node.type) and _is_empty(node.body)))
    ]
    assert not found, "swallowed:\n" + "\n".join(found)


def test_no_command_reads_markup_in_what_it_prints() -> None:
    """A name such as [/b] is people's data: it ended the command, or parts of it were not shown.

    cli/context.py has the two terminals that show text as it is. A style takes a rich Text.
    """
    found = [
        where(path, node.lineno)
        for name, path in package_files()
        if name.startswith("cli/") and name != "cli/context.py"
        for node in ast.walk(tree_of(path))
        if (isinstance(node, ast.Call) and _name_of(node.func) in {"Console", "from_markup"})
        or (
            isinstance(node, ast.keyword)
            and node.arg == "markup"
            and not (isinstance(node.value, ast.Constant) and node.value.value is False)
        )
    ]
    assert not found, "reads markup:\n" + "\n".join(found)


def test_a_command_connects_only_through_the_connector() -> None:
    """One that opens a connection of its own forgets the timeouts of [database]."""
    found = [
        where(path, node.lineno)
        for name, path in package_files()
        if name.startswith("cli/") and name != "cli/context.py"
        for node in ast.walk(tree_of(path))
        if isinstance(node, ast.Attribute)
        and node.attr in {"connect", "Pool"}
        and isinstance(node.value, ast.Name)
        and node.value.id == "db"
    ]
    assert not found, "db.connect:\n" + "\n".join(found)


def test_every_module_of_the_package_says_what_it_is_for() -> None:
    """The first line of a module is what a reader decides by whether to read on."""
    mute = [
        str(path.relative_to(ROOT))
        for _, path in package_files()
        if tree_of(path).body and not ast.get_docstring(tree_of(path))
    ]
    assert not mute, "no docstring:\n" + "\n".join(mute)


@pytest.mark.parametrize("name", ["requirements.lock", "requirements-dev.lock"])
def test_a_lock_file_pins_by_hash_and_names_no_address(name: str) -> None:
    """What was tested is what is installed, from whichever index a machine may use."""
    text = (ROOT / name).read_text(encoding="utf-8")
    assert "://" not in text
    assert "--index-url" not in text
    assert "--find-links" not in text
    pinned = re.split(r"\n(?=\S)", re.sub(r"(?m)^\s*#.*\n", "", text).strip())
    loose = [
        entry.splitlines()[0] for entry in pinned if "==" not in entry or "sha256" not in entry
    ]
    assert not loose


def test_shell_scripts_are_executable_and_parse() -> None:
    """A script that lost its bit or its quote is found here, not on a newcomer's machine."""
    for path in (ROOT / ".ci" / "run", ROOT / "scripts" / "setup", ROOT / "scripts" / "lock"):
        assert path.stat().st_mode & 0o111, f"{path.name} is not executable"
        shell = path.read_text(encoding="utf-8").splitlines()[0].rpartition("/")[2].split()[-1]
        subprocess.run([shell, "-n", path], check=True)


def _texts(tree: ast.Module) -> Iterator[tuple[ast.expr, str]]:
    """Every text of the module that is not a docstring; an f-string counts as a whole."""
    skipped: set[int] = set()
    for node in ast.walk(tree):
        if isinstance(node, ast.Expr) and isinstance(node.value, ast.Constant):
            skipped.add(id(node.value))
        if isinstance(node, ast.JoinedStr):
            skipped |= {id(part) for part in node.values}
            yield (
                node,
                "".join(
                    str(part.value) if isinstance(part, ast.Constant) else "x"
                    for part in node.values
                ),
            )
        elif isinstance(node, ast.Constant) and id(node) not in skipped:
            if isinstance(node.value, bytes):
                yield node, node.value.decode("utf-8", "replace")
            elif isinstance(node.value, str):
                yield node, node.value


def _imports(tree: ast.Module) -> Iterator[tuple[ast.stmt, str]]:
    for node in ast.walk(tree):
        if isinstance(node, ast.Import):
            for alias in node.names:
                yield node, alias.name
        elif isinstance(node, ast.ImportFrom) and node.module:
            yield node, node.module


def _name_of(function: ast.expr) -> str:
    return function.attr if isinstance(function, ast.Attribute) else getattr(function, "id", "")


def _names_everything(kind: ast.expr) -> bool:
    return isinstance(kind, ast.Name) and kind.id in {"Exception", "BaseException"}


def _is_empty(body: list[ast.stmt]) -> bool:
    return all(
        isinstance(node, ast.Pass)
        or (isinstance(node, ast.Expr) and isinstance(node.value, ast.Constant))
        for node in body
    )
