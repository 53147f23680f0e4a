"""The page for newcomers, done to the letter: from nothing to an order and its webhooks."""

from __future__ import annotations

import os
import re
import shutil
import signal
import socket
import subprocess
import sys
import tempfile
import time
import urllib.request
from collections.abc import Iterator
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]
PAGE = ROOT / "docs" / "howto" / "first-order.md"

pytestmark = pytest.mark.slow


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port: int = probe.getsockname()[1]
        return port


def until(what: str, shows: str) -> str:
    """A newcomer reads on for a moment; a machine has to be told what to wait for."""
    return f"until get {what} | grep -q '{shows}'; do sleep 0.2; done\n"


class Newcomer:
    """Somebody who copies every block of the page into a shell; only the ports are others."""

    def __init__(self, folder: Path) -> None:
        self.ports = {"8480": str(free_port()), "9000": str(free_port())}
        text = PAGE.read_text(encoding="utf-8")
        for usual, ours in self.ports.items():
            text = text.replace(f"127.0.0.1:{usual}", f"127.0.0.1:{ours}")
        text = text.replace('"127.0.0.1", 9000', f'"127.0.0.1", {self.ports["9000"]}')
        found = re.findall(r"^```(sh|python)\n(.*?)^```", text, re.MULTILINE | re.DOTALL)
        self.shell = [block for kind, block in found if kind == "sh"]
        self.python = [block for kind, block in found if kind == "python"]
        self.folder = folder
        self.output = folder / "output.txt"
        path = f"{Path(sys.executable).parent}{os.pathsep}{os.environ['PATH']}"
        own = {key: value for key, value in os.environ.items() if not key.startswith("CROSSDOCK_")}
        self.environment = {**own, "PATH": path}
        self.children: list[subprocess.Popen[bytes]] = []

    def start(self, script: str, folder: Path) -> subprocess.Popen[bytes]:
        with self.output.open("ab") as output:
            child = subprocess.Popen(
                ["bash", "-c", f"set -e\n{script}"],
                cwd=folder,
                env=self.environment,
                stdout=output,
                stderr=output,
                start_new_session=True,
            )
        self.children.append(child)
        return child

    def serve(self) -> None:
        """Step 1, but for the installation; with our port, as 8480 may be somebody else's."""
        block = self.shell[0].replace("pip install crossdock\n", "")
        port = self.ports["8480"]
        self.start(block.replace("serve --fakes", f"serve --fakes --port {port}"), self.folder)
        self.until(f"http://127.0.0.1:{port}/ready")

    def until(self, url: str) -> None:
        for _ in range(600):
            try:
                with urllib.request.urlopen(url, timeout=5) as answer:
                    if answer.status == 200:
                        return
            except OSError:
                if self.children[0].poll() is not None:
                    break
                time.sleep(0.1)
        raise AssertionError(self.output.read_text())

    def saw(self, *texts: str) -> None:
        """Waits until the terminal shows all of these."""
        for _ in range(2_000):
            shown = self.output.read_text()
            if all(text in shown for text in texts):
                return
            time.sleep(0.1)
        raise AssertionError(f"not shown: {[t for t in texts if t not in shown]}\n{shown}")

    def close(self) -> None:
        for child in self.children:
            if child.poll() is None:
                os.killpg(child.pid, signal.SIGTERM)
        for child in self.children:
            child.wait(30)


@pytest.fixture
def newcomer() -> Iterator[Newcomer]:
    # Not tmp_path: started by root, PostgreSQL runs under an account that may not enter that.
    folder = Path(tempfile.mkdtemp(prefix="crossdock-howto-"))
    folder.chmod(0o755)
    newcomer = Newcomer(folder)
    yield newcomer
    newcomer.close()
    shutil.rmtree(folder)


def test_the_first_order_is_delivered_by_the_page_alone(newcomer: Newcomer) -> None:
    keys, subscribe, ask, order, look, work, carrier, done = newcomer.shell[1:]
    newcomer.serve()
    (newcomer.folder / "shop" / "receiver.py").write_text(newcomer.python[0])
    (newcomer.folder / "shop" / "again.py").write_text(newcomer.python[1])
    told = newcomer.start(
        f"{keys}{subscribe}python receiver.py &\n{ask}{order}"
        f"{until('$NODES /work', 'submitted')}{look}{work}"
        f"{until('$SHOP /orders/web:W-1', '1Z999')}{carrier}"
        f"{until('$SHOP /orders/web:W-1', 'closed_at.:.2')}{done}"
        "python again.py\necho all done\nwait",
        newcomer.folder,
    )

    newcomer.saw("all done", "webhook: crossdock.sales_order.closed.v1 web:W-1")
    events = re.findall(
        r"webhook: crossdock\.(\S+)\.v1 web:W-1$", newcomer.output.read_text(), re.M
    )
    assert events == [
        "sales_order.placed",
        "sales_order.accepted",
        "shipment.left",
        "package.delivered",
        "sales_order.closed",
    ]
    newcomer.saw("\nclosed\n", "Order(id=", "webhook: crossdock.sales_order.closed.v1 web:W-2")
    assert told.poll() is None, "only the receiver is still there"
