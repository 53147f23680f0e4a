"""Text that cannot be kept or passed on, found wherever it hides in a document.

PostgreSQL cannot store NUL, nothing can encode half a surrogate pair, and no XML document (an
ERP's, a carrier's) can carry what XML 1.0 section 2.2 leaves out of `Char`: C0 controls other than
tab, line feed and carriage return, surrogates, U+FFFE and U+FFFF. All are refused at the border.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from typing import cast

import msgspec

from crossdock.model.problems import Problem

_UNSTORABLE = re.compile("[\x00-\x08\x0b\x0c\x0e-\x1f\ud800-\udfff\ufffe\uffff]")
# How the same characters look once a document is JSON: an escape, or three bytes.
_SUSPECT = re.compile(rb"\\[ubf]|\xef\xbf[\xbe\xbf]")
_encode = msgspec.json.Encoder().encode


def unstorable(document: object) -> list[Problem]:
    """Every field of a struct, mapping or sequence that holds a character nobody can keep."""
    try:
        # One pass in C over the whole document; only what looks suspect is walked.
        if _SUSPECT.search(_encode(document)) is None:
            return []
    except UnicodeEncodeError:
        pass
    return list(_walk(document, ""))


def storable(text: str) -> bool:
    """Whether every character of `text` can be kept and passed on."""
    return _UNSTORABLE.search(text) is None


def _walk(value: object, path: str) -> Iterator[Problem]:
    if isinstance(value, str):
        yield from _in_text(value, path)
    elif isinstance(value, msgspec.Struct):
        names = zip(value.__struct_fields__, value.__struct_encode_fields__, strict=True)
        for name, written in names:
            yield from _walk(getattr(value, name), f"{path}.{written}" if path else written)
    elif isinstance(value, Mapping):
        for key, item in value.items():
            # A key that cannot be kept cannot be shown either: its escape stands for it.
            shown = ascii(key)[1:-1] if isinstance(key, str) and not storable(key) else str(key)
            inner = f"{path}.{shown}" if path else shown
            yield from _walk(key, inner)
            yield from _walk(item, inner)
    elif isinstance(value, list | tuple | set | frozenset):
        for index, item in enumerate(cast("list[object]", value)):
            yield from _walk(item, f"{path}[{index}]")


def _in_text(text: str, path: str) -> Iterator[Problem]:
    found = _UNSTORABLE.search(text)
    if found is not None:
        yield Problem(
            path,
            "unstorable_character",
            f"Character U+{ord(found.group()):04X} at position {found.start() + 1} cannot be kept.",
            "Remove it, or send the text in the encoding you declare.",
        )
