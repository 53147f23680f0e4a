"""What the data of a demo answer over HTTP: the API is opened for a moment, and the client asks.

It tells a newcomer what there is to ask. It is no part of the run: where the API does not open, or
does not answer in time, that is said and nothing else comes of it.
"""

from __future__ import annotations

import contextlib
import os
import secrets
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Iterator, Mapping
from itertools import islice
from typing import Any, NamedTuple

import msgspec

from crossdock import db
from crossdock.api.access import keys
from crossdock.api.access.permissions import Scope
from crossdock.cli.context import Database, connect, output
from crossdock.client import ApiError, Client, Unreachable
from crossdock.client.model import DecisionSeen, Order
from crossdock.events import store
from crossdock.events.publisher import publish
from crossdock.kernel.clock import SystemClock
from crossdock.kernel.errors import Fault
from crossdock.kernel.lineage import end_with_parent
from crossdock.kernel.money import text_of

OPEN_SECONDS = 30.0
"""The API is there after one or two, on a slow machine later."""
TRIES = 3
"""Another program may take a port that was free a moment ago."""
PUBLISH_SECONDS = 1.0
"""A running Crossdock publishes all the time; of a long run, only the beginning is told here."""
LOOKED_THROUGH = 50
GRANTS = ("auditor", "channel")
NEW_YORK = {"country": "US", "postal_code": "10001", "latitude": 40.7506, "longitude": -73.9972}


class NotOpened(Exception):
    """The API did not begin to listen."""


def show(database: Database) -> None:
    """Ask and print; never more than a remark when it cannot be done."""
    try:
        with db.naming_faults(), connect(database) as connection:
            told = _publish(connection)
            with _key(connection) as key, _api(database.url, key) as client:
                lines = list(_lines(client, told))
    except (NotOpened, ApiError, Unreachable, Fault) as error:
        output.print(f"The API was not shown: {error}", highlight=False)
        return
    output.print("\nThe same data over HTTP, asked with crossdock.client:", style="bold")
    for line in lines:
        output.print(f"  {line}", highlight=False, soft_wrap=True)


class Published(NamedTuple):
    """How many events there are to read, and whether those are all."""

    events: int
    whole: bool


def _lines(client: Client, told: Published) -> Iterator[str]:
    order, decision = _an_order(client)
    name, sku = f"{order.channel}:{order.number}", order.lines[0].sku
    available = client.available(order.channel, [sku])[sku]
    yield f"{order.channel} may sell {available:,} of {sku}"
    yield f"promised to New York: {_promise(client, order.channel, sku)}"
    units = sum(line.quantity for line in order.lines)
    total = text_of(order.total, order.currency)
    yield f"order {name}: {order.stage}, {units} unit{'' if units == 1 else 's'} for {total}"
    if decision is not None:
        yield f"why from there: {_why(decision, order.currency)}"
    types = [event.type.split(".", 1)[1] for event in client.events(order=order.id)]
    if types:
        first = "" if told.whole else "first "
        yield f"its {first}{len(types)} events: {types[0]} ... {types[-1]}"
    yield f"events {'in all' if told.whole else 'published so far'}: {told.events:,}"
    yield "Open it for good: crossdock serve --fakes; then docs/howto/first-order.md"


def _an_order(client: Client) -> tuple[Order, DecisionSeen | None]:
    """The first one that was shipped after a choice between plans, else the first."""
    first: Order | None = None
    for order in islice(client.orders(), LOOKED_THROUGH):
        first = first or order
        if order.shipments:
            for decision in client.decisions(order.id):
                if len(decision.decision["candidates"]) > 1:
                    return order, decision
    if first is None:
        raise NotOpened("there is no order.")
    return first, None


def _promise(client: Client, channel: str, sku: str) -> str:
    found = client.promises(channel, {sku: 1}, NEW_YORK)
    if not found.options:
        return ", ".join(str(way.get("obstacle")) for way in found.closed) or "no way is open"
    soonest = found.options[0]
    cost = text_of(soonest.cost, soonest.currency)
    way = " ".join(word for word in (soonest.method, soonest.service) if word)
    return f"{way}, there by {soonest.arrive_by:%a %d %b %H:%M}, costs us {cost}"


def _why(seen: DecisionSeen, currency: str) -> str:
    decision = seen.decision
    chosen, other = decision["candidates"][:2]
    more = text_of(_total(other) - _total(chosen), currency)
    out = sum(map(len, decision["eliminated"].values()))
    others = f", {out} more nodes were out" if out else ""
    return (
        f"{' + '.join(chosen['nodes'])} for {text_of(_total(chosen), currency)};"
        f" {' + '.join(other['nodes'])} would be {more} dearer{others}"
    )


def _total(candidate: Mapping[str, Any]) -> int:
    return int(candidate["total_minor"])


def _publish(connection: db.Connection) -> Published:
    """Publish for a moment what a running Crossdock publishes all the time."""
    deadline = time.monotonic() + PUBLISH_SECONDS
    while looked_at := publish(connection):
        if time.monotonic() > deadline:
            break
    last = store.lock_publisher(connection) or 0
    connection.rollback()
    return Published(last, whole=not looked_at)


@contextlib.contextmanager
def _key(connection: db.Connection) -> Iterator[str]:
    """A key for the length of the block."""
    name = f"demo {secrets.token_hex(4)}"
    new = keys.NewKey(name=name, grants=GRANTS, scope=Scope(), requests=0, lifetime_days=1)
    issued = keys.create(connection, new, SystemClock().now(), "crossdock demo")
    connection.commit()
    try:
        yield issued.secret
    finally:
        keys.revoke(connection, name, SystemClock().now(), "crossdock demo")
        connection.commit()


@contextlib.contextmanager
def _api(database_url: str, key: str) -> Iterator[Client]:
    """`crossdock api` on a free port of this machine, and a client of it, for the block."""
    with contextlib.ExitStack() as stack:
        for _ in range(TRIES):
            port = free_port()
            url = f"http://127.0.0.1:{port}"
            process = stack.enter_context(_process(database_url, port))
            if _answers(process, port, Client(url, key, timeout_seconds=1, tries=1)):
                yield stack.enter_context(Client(url, key, timeout_seconds=10, tries=2))
                return
        raise NotOpened(f"it did not answer at {url}.")


def free_port() -> int:
    """A port nobody listens on; another may take it before we do."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


@contextlib.contextmanager
def _process(url: str, port: int) -> Iterator[subprocess.Popen[bytes]]:
    environment = {"CROSSDOCK_DATABASE_URL": url, "CROSSDOCK_API_PROCESSES": "1"}
    process = subprocess.Popen(
        [sys.executable, "-m", "crossdock", "api", "--host", "127.0.0.1", "--port", str(port)],
        env={**os.environ, **environment},
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
        preexec_fn=end_with_parent,
        start_new_session=True,  # Ctrl-C reaches the demo alone, which ends it in order.
    )
    try:
        yield process
    finally:
        if process.poll() is None:
            process.send_signal(signal.SIGTERM)
        try:
            process.wait(10)
        except subprocess.TimeoutExpired:
            process.kill()
            process.wait()


def _answers(process: subprocess.Popen[bytes], port: int, probe: Client) -> bool:
    """Whether it is ours that answers: where another listens, the process ends and says so."""
    deadline = time.monotonic() + OPEN_SECONDS
    with probe:
        while time.monotonic() < deadline and process.poll() is None:
            with contextlib.suppress(OSError, ApiError, Unreachable, msgspec.MsgspecError):
                socket.create_connection(("127.0.0.1", port), timeout=1).close()
                probe.read_events(limit=1)  # The key is of this database alone.
                return True
            time.sleep(0.05)
    return False
