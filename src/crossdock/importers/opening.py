"""`open_dataset`: what a path holds, and the dataset made of it."""

from __future__ import annotations

import json
from pathlib import Path

from crossdock.importers.canonical import FORMAT as CANONICAL
from crossdock.importers.canonical import read_canonical
from crossdock.importers.dataset import Dataset
from crossdock.importers.errors import UnusableInput
from crossdock.importers.gathering import Known
from crossdock.importers.olist import FORMAT as OLIST
from crossdock.importers.olist import is_olist, read_olist
from crossdock.importers.online_retail import FORMAT as ONLINE_RETAIL
from crossdock.importers.online_retail import load_mapping, read_online_retail
from crossdock.importers.online_retail.rows import matches
from crossdock.importers.rejects import Rejects
from crossdock.importers.text import Reading, Row

FORMATS = (CANONICAL, ONLINE_RETAIL, OLIST)
ORDERS_FILE = "orders.jsonl"
"""The order file of a configuration folder."""


def open_dataset(
    path: Path,
    *,
    seed: int = 1,
    known: Known | None = None,
    form: str | None = None,
    mapping: Path | None = None,
    rejects: Rejects | None = None,
) -> Dataset:
    """The dataset of an order file or folder; what it lacks is filled from the seed.

    `known` is the network (and stock) given besides; `form` overrides what the content looks like;
    `mapping` is a mapping file for formats that have one. Raises UnusableInput where nothing can be
    used; single bad rows are in `rejects`.
    """
    known = known or Known()
    rejects = rejects if rejects is not None else Rejects()
    form = form or detect_format(path)
    if form not in FORMATS:
        raise UnusableInput(f"{form!r} is no format.", advice=f"Formats: {', '.join(FORMATS)}.")
    if form == ONLINE_RETAIL:
        return read_online_retail(path, known, seed, rejects, load_mapping(mapping))
    if mapping is not None:
        raise UnusableInput(
            f"{path} is of the format {form}, which has no mapping file.",
            advice=f"Leave out --mapping, or say --format {ONLINE_RETAIL} if it is that.",
        )
    if form == CANONICAL:
        return read_canonical(path / ORDERS_FILE if path.is_dir() else path, known, seed, rejects)
    return read_olist(path, known, seed, rejects)


def detect_format(path: Path) -> str:
    """The format of the content. Raises UnusableInput, naming what it looks like instead."""
    if path.is_dir():
        if is_olist(path):
            return OLIST
        if (path / ORDERS_FILE).is_file():
            return CANONICAL
        raise UnusableInput(
            f"{path} is a folder without orders.",
            advice=f"Give a file, a folder with {ORDERS_FILE}, or that of the Olist tables.",
        )
    line = next(Reading(path, None).lines(), None)
    if line is None:
        raise UnusableInput(f"{path} has no line that can be read as UTF-8 text.")
    if line.text.lstrip().startswith("{"):
        return CANONICAL
    if _is_json_array(line.text):
        raise UnusableInput(
            f"{path} is one JSON array.", advice="Write one order per line (jq -c '.[]')."
        )
    header = next(Reading(path, None).rows(), Row(0, [], ""))
    if matches(header, load_mapping().columns):
        return ONLINE_RETAIL
    raise UnusableInput(
        f"{path} is of no known format; it begins with: {line.text[:80]!r}",
        advice=f"Say which it is with --format ({', '.join(FORMATS)}).",
    )


def _is_json_array(text: str) -> bool:
    if not text.lstrip().startswith("["):
        return False
    try:
        json.loads(text)
    except ValueError:
        return text.strip() == "["
    return True
