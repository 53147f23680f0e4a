"""Owners of embedded servers, and what they leave."""

from __future__ import annotations

import json
from pathlib import Path

import psycopg

# Serves the folder of its first argument (none: an ephemeral one), says where, ends with its input.
OWNER = """
import sys
from pathlib import Path
from crossdock import postgres
folder = Path(sys.argv[1]) if len(sys.argv) > 1 else None
with postgres.serve(folder, ephemeral=folder is None) as server:
    print(server.url, flush=True)
    print(server.data_folder, flush=True)
    sys.stdin.read()
"""


def note_of(folder: Path) -> dict[str, int]:
    found: dict[str, int] = json.loads((folder / "server.json").read_bytes())
    return found


def write_a_row(url: str) -> None:
    with psycopg.connect(url) as connection:
        connection.execute("CREATE TABLE IF NOT EXISTS kept (row_ integer)")
        connection.execute("INSERT INTO kept VALUES (1)")
