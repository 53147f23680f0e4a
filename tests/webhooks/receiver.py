"""A receiver of webhooks on this machine, that answers as it is told to."""

from __future__ import annotations

import json
import threading
import time
from collections.abc import Callable
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any, NamedTuple


class Received(NamedTuple):
    """One request."""

    headers: dict[str, str]
    body: bytes

    @property
    def event(self) -> dict[str, Any]:
        found: dict[str, Any] = json.loads(self.body)
        return found


class Answer(NamedTuple):
    """What the receiver does with a request."""

    status: int = 204
    headers: tuple[tuple[str, str], ...] = ()
    drips_seconds: float = 0.0
    """A body byte every twentieth of a second, for so long."""


class Receiver:
    """`answer` decides for each request; `received` has all of them, also those it refused."""

    def __init__(self) -> None:
        self.received: list[Received] = []
        self.answer: Callable[[Received], Answer] = lambda received: Answer()
        receiver = self

        class Handler(BaseHTTPRequestHandler):
            protocol_version = "HTTP/1.1"

            def do_POST(self) -> None:
                body = self.rfile.read(int(self.headers["content-length"]))
                names = {name.lower(): value for name, value in self.headers.items()}
                received = Received(names, body)
                receiver.received.append(received)
                answer = receiver.answer(received)
                self.send_response(answer.status)
                for name, value in answer.headers:
                    self.send_header(name, value)
                length = int(answer.drips_seconds * 20)
                if answer.status != 204:
                    self.send_header("content-length", str(length))
                self.end_headers()
                try:
                    for _ in range(length):
                        time.sleep(0.05)
                        self.wfile.write(b".")
                        self.wfile.flush()
                except OSError:
                    self.close_connection = True

            def log_message(self, format: str, *args: Any) -> None:
                pass

        self._server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self._server.daemon_threads = True
        self.url = f"http://127.0.0.1:{self._server.server_port}/hook"
        self._thread = threading.Thread(target=self._server.serve_forever, args=(0.02,))
        self._thread.start()

    def sequences(self) -> list[int]:
        """Of the events it took, in the order they came."""
        return [int(one.event["sequence"]) for one in self.received]

    def close(self) -> None:
        self._server.shutdown()
        self._server.server_close()
        self._thread.join()
