"""The tree of errors drawn in kernel/errors.py is the real one."""

from __future__ import annotations

import importlib
import inspect
import pkgutil
import re

import crossdock
from crossdock.kernel import errors

_DRAWN = re.compile(r"^ {4}([│ ]*)[├└]── (\w+)")


def drawn() -> dict[str, str]:
    """By name of an error, that of what it is a kind of, as the page's head has it."""
    found: dict[str, str] = {}
    path = ["CrossdockError"]
    for line in (inspect.getdoc(errors) or "").splitlines():
        match = _DRAWN.match(line)
        if match:
            depth = len(match[1]) // 4 + 1
            path[depth:] = [match[2]]
            found[match[2]] = path[depth - 1]
    return found


def real() -> dict[str, str]:
    """The same of every class in every module."""
    for module in pkgutil.walk_packages(crossdock.__path__, "crossdock."):
        if not module.name.endswith("__main__"):
            importlib.import_module(module.name)
    found: dict[str, str] = {}
    waiting: list[type[Exception]] = [errors.CrossdockError]
    while waiting:
        kind = waiting.pop()
        for under in kind.__subclasses__():
            if under.__module__.startswith("crossdock."):
                found[under.__name__] = kind.__name__
                waiting.append(under)
    return found


def test_the_tree_of_errors_is_drawn_whole() -> None:
    assert drawn() == real()


def test_every_error_says_in_a_sentence_what_it_stands_for() -> None:
    real()
    waiting: list[type[Exception]] = [errors.CrossdockError]
    while waiting:
        kind = waiting.pop()
        assert (kind.__doc__ or "").strip(), kind.__name__
        waiting += kind.__subclasses__()
