"""What the tests of the embedded server, and of commands that start one, share."""

from __future__ import annotations

import shutil
import tempfile
from collections.abc import Iterator
from pathlib import Path

import pytest


@pytest.fixture
def place() -> Iterator[Path]:
    """A folder that every account may enter; pytest's own are closed to the server's."""
    folder = Path(tempfile.mkdtemp(prefix="crossdock-test-", dir="/var/tmp"))
    folder.chmod(0o711)
    yield folder
    shutil.rmtree(folder)
