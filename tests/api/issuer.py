"""A real OpenID Connect issuer for tests: the npm package oidc-provider, run by Node.

It is installed once into the user's cache folder, at the versions of tests/peers/issuer.
"""

from __future__ import annotations

import contextlib
import hashlib
import json
import os
import shutil
import subprocess
import tempfile
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import httpx2
import platformdirs
import pytest

_SOURCE = Path(__file__).resolve().parents[1] / "peers" / "issuer"
_SECRET = "only-for-tests-only-for-tests"

AUDIENCE = "https://api.example.org"


class IssuerProcess:
    """The issuer's process and the clients it knows."""

    def __init__(self, process: subprocess.Popen[str]) -> None:
        self._process = process
        self.address: str = self._told("listens")["issuer"]

    def token(self, client: str, **parameters: str) -> str:
        """A new access token by the client credentials grant."""
        answer = httpx2.post(
            f"{self.address}/token",
            data={"grant_type": "client_credentials", **parameters},
            auth=(client, _SECRET),
        )
        assert answer.status_code == 200, answer.text
        token: str = answer.json()["access_token"]
        return token

    def rotate(self) -> None:
        """Sign with a new key from now on; the old one stays published."""
        self._command("rotate")

    def forget(self) -> None:
        """Publish only the key that signs."""
        self._command("forget")

    def _command(self, command: str) -> None:
        assert self._process.stdin is not None
        self._process.stdin.write(f"{command}\n")
        self._process.stdin.flush()
        self._told(command)

    def _told(self, event: str) -> dict[str, Any]:
        """Its next own line; the package's notices stand between."""
        assert self._process.stdout is not None
        for line in self._process.stdout:
            if line.startswith("{"):
                told: dict[str, Any] = json.loads(line)
                assert told["event"] == event, told
                return told
        raise AssertionError(f"the issuer ended with {self._process.wait()}")


@contextlib.contextmanager
def running_issuer(clients: Mapping[str, Mapping[str, Any]]) -> Iterator[IssuerProcess]:
    """An issuer whose clients have those claims; skips the test where there is no Node."""
    node = shutil.which("node")
    if node is None or shutil.which("npm") is None:
        pytest.skip("Node.js absent: access tokens are not tried against oidc-provider")
    known = {name: {"secret": _SECRET, **client} for name, client in clients.items()}
    process = subprocess.Popen(
        [node, "issuer.mjs", json.dumps({"audience": AUDIENCE, "clients": known})],
        cwd=_installed(),
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        stderr=subprocess.DEVNULL,
        text=True,
    )
    with process:
        try:
            yield IssuerProcess(process)
        finally:
            process.kill()


def _installed() -> Path:
    """The folder with the package in it, named by what was locked; several may install at once."""
    files = ("package.json", "package-lock.json", "issuer.mjs")
    content = b"".join((_SOURCE / name).read_bytes() for name in files)
    cache = Path(platformdirs.user_cache_dir("crossdock-tests"))
    folder = cache / f"issuer-{hashlib.sha256(content).hexdigest()[:16]}"
    if not folder.exists():
        cache.mkdir(parents=True, exist_ok=True)
        making = Path(tempfile.mkdtemp(dir=cache))
        for name in files:
            shutil.copy(_SOURCE / name, making)
        command = ["npm", "ci", "--no-audit", "--no-fund", "--ignore-scripts"]
        done = subprocess.run(command, cwd=making, capture_output=True, text=True)
        assert done.returncode == 0, f"{' '.join(command)}:\n{done.stdout}{done.stderr}"
        with contextlib.suppress(OSError):  # Another run was first.
            os.rename(making, folder)
        shutil.rmtree(making, ignore_errors=True)
    return folder
