"""Ten minutes of all kinds of requests, good and bad, and the memory that the API takes meanwhile.

What is right is asked with `crossdock.client`. What comes once in a while is in it too: clients
that hang up half-way or fall silent, orders that come again, scrapes, the document. A worker works
the orders off beside it.
"""

from __future__ import annotations

import contextlib
import os
import random
import socket
import time
from collections import Counter
from collections.abc import Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from itertools import islice
from statistics import median
from typing import NamedTuple

import msgspec

from crossdock.bench import api, load, world
from crossdock.bench.load import Load
from crossdock.bench.result import BenchResult
from crossdock.client import Client
from crossdock.model.outside import OutsideOrder

SECONDS = 600.0
ROUND_SECONDS = 10.0
PER_SECOND = 200.0
ORDERS_SHARE = 0.2
CLIENT_SHARE = 0.6
CONNECTIONS, CLIENTS = 16, 16
PARTS = 5
"""The second part is compared with the last: the first one fills caches and pools."""
AIM_GROWTH = 1.05
GRANTS = ("orders:write", "orders:read", "ats:read", "events:read", "metrics:read")


class Moment(NamedTuple):
    """One round: the memory at its end, and the p99 of its requests in milliseconds."""

    mebibytes: float
    slowest: float


def run(seed: int = 1, scale: float = 1.0) -> BenchResult:
    """Rounds of a mix of requests, until time is up; then what was placed is asked for."""
    rounds = max(PARTS, round(SECONDS * scale / ROUND_SECONDS))
    each = max(40, round(PER_SECOND * ROUND_SECONDS * min(1.0, scale * 10)))
    orders = round(each * ORDERS_SHARE)
    dataset = world.make(seed, min(0.05, scale), rounds * orders, paid=True)
    chance = random.Random(seed)
    moments: list[Moment] = []
    statuses: Counter[int] = Counter()
    with world.shop(dataset) as shop:
        key = api.new_key(shop.connection, *GRANTS)
        with api.serving(shop.url) as (port, process), api.busy_worker(shop.url):
            begun = time.perf_counter()
            first: list[OutsideOrder] = []
            for _ in range(rounds):
                placed = list(islice(shop.coming, orders))
                first = first or placed
                loads = list(_round(port, key, placed, each, chance))
                for sent in loads:
                    statuses.update(sent.statuses)
                slowest = max(sent.percentile(0.99) for sent in loads)
                moments.append(Moment(_memory(process), slowest))
            spent = time.perf_counter() - begun
            _assert_known(port, key, first)
    return _result(moments, statuses, spent)


def _round(
    port: int, key: str, orders: Sequence[OutsideOrder], count: int, chance: random.Random
) -> Iterator[Load]:
    """What well-behaved programs ask with the client, and beside it what it never sends."""
    well = round(count * CLIENT_SHARE)
    seconds = _length_of(count)
    strange = odd_requests(orders[0], count - well, key, chance)
    with _rude_clients(port, key), ThreadPoolExecutor(1) as beside:
        sent = beside.submit(load.send, port, strange, CONNECTIONS, len(strange) / seconds)
        calls = calls_of(orders, well, chance)
        yield load.call(port, key, calls, CLIENTS, len(calls) / seconds)
        yield sent.result()


def _assert_known(port: int, key: str, orders: Sequence[OutsideOrder]) -> None:
    """What the worker has had all the time for is there, as it was placed."""
    with Client(f"http://127.0.0.1:{port}", key) as client:
        for order in orders:
            found = client.order(f"{order.channel}:{order.number}")
            assert len(found.lines) == len(order.lines), f"{order.number} lost lines: {found}"


def calls_of(orders: Sequence[OutsideOrder], count: int, chance: random.Random) -> list[load.Call]:
    """New orders, the first one again, and reading; in an order drawn from the seed."""
    order = orders[0]
    channel = order.channel
    placing = [load.Call("place_order", (each,)) for each in orders]
    others = [
        placing[0],
        load.Call("available", (channel, [order.lines[0].sku])),
        load.Call("order", (f"{channel}:{order.number}",)),
        load.Call("orders", (channel,)),
        load.Call("events", ()),
    ]
    rest = [*placing[1:], *others, *chance.choices(others, k=max(0, count - len(orders) - 5))]
    chance.shuffle(rest)
    return [placing[0], *rest]


def odd_requests(order: OutsideOrder, count: int, key: str, chance: random.Random) -> list[bytes]:
    """What no client of ours sends: wrong, impossible, unknown, without a key; and scrapes."""
    mine = {"Authorization": f"Bearer {key}"}
    wrong = msgspec.json.encode({"channel": order.channel, "lines": [{"number": "one"}]})
    impossible = msgspec.json.encode(msgspec.structs.replace(order, currency="???"))
    others = [
        load.request_bytes("POST", "/v1/orders", wrong, mine),
        load.request_bytes("POST", "/v1/orders", impossible, mine),
        load.request_bytes("GET", "/v1/orders?changed_since=0", b"", mine),
        load.request_bytes("GET", f"/v1/nowhere/{chance.random()}", b"", mine),
        load.request_bytes("GET", "/v1/orders", b"", {"Authorization": "Bearer crossdock_live_x"}),
        load.request_bytes("GET", "/metrics", b"", mine),
        load.request_bytes("GET", "/docs/openapi.json"),
        load.request_bytes("GET", "/ready"),
    ]
    made = [*others, *chance.choices(others, k=max(0, count - len(others)))]
    chance.shuffle(made)
    return made


@contextlib.contextmanager
def _rude_clients(port: int, key: str, count: int = 5) -> Iterator[None]:
    """Clients that send half a body and then nothing, or hang up, for the length of the block."""
    mine = {"Authorization": f"Bearer {key}"}
    head = load.request_bytes("POST", "/v1/orders", b" " * 1_000, mine)[:-500]
    sockets = [socket.create_connection(("127.0.0.1", port), timeout=10) for _ in range(count)]
    for one in sockets:
        one.sendall(head)
    sockets[0].close()
    try:
        yield
    finally:
        for one in sockets:
            one.close()


def _length_of(requests: int) -> float:
    """Seconds of a round; a small one is over sooner."""
    return ROUND_SECONDS * requests / (PER_SECOND * ROUND_SECONDS)


def _memory(process: int) -> float:
    """Mebibytes resident in the processes of the API, what they share counted once."""
    total = 0
    for folder in os.listdir("/proc"):
        if folder.isdigit():
            with contextlib.suppress(OSError):
                with open(f"/proc/{folder}/stat", encoding="ascii", errors="replace") as file:
                    parent = int(file.read().rpartition(")")[2].split()[1])
                if process in (int(folder), parent):
                    total += _proportional(folder)
    return total / 1024


def _proportional(folder: str) -> int:
    with open(f"/proc/{folder}/smaps_rollup", encoding="ascii") as file:
        return next(int(line.split()[1]) for line in file if line.startswith("Pss:"))


def _result(moments: list[Moment], statuses: Counter[int], seconds: float) -> BenchResult:
    part = max(1, len(moments) // PARTS)
    parts = [
        median(moment.mebibytes for moment in moments[i * part : (i + 1) * part])
        for i in range(PARTS)
    ]
    start, end = parts[1], parts[-1]
    failed = sum(count for status, count in statuses.items() if status >= 500)
    return BenchResult(
        name="api-soak",
        value=end,
        unit="MiB",
        limit=start,
        ratio=start / end,
        aim=f"at the end <= {AIM_GROWTH:.0%} of the memory after a fifth of the time, no 5xx",
        met=end <= AIM_GROWTH * start and failed == 0,
        parts={
            "seconds": seconds,
            "requests": sum(statuses.values()),
            "MiB by part": [round(each, 1) for each in parts],
            "MiB at most": max(moment.mebibytes for moment in moments),
            "p99 ms, the worst round": max(moment.slowest for moment in moments),
            "answers by status": {str(key): count for key, count in sorted(statuses.items())},
        },
    )
