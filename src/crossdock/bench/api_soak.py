"""Ten minutes of all kinds of requests, good and bad, and the memory that the API takes meanwhile.

What comes once in a while is in it too: clients that hang up half-way or fall silent, orders that
come again, scrapes, the document. A worker works the orders off beside it.
"""

from __future__ import annotations

import contextlib
import os
import random
import socket
import time
from collections import Counter
from collections.abc import Iterator, Sequence
from itertools import islice
from statistics import median
from typing import NamedTuple

import msgspec

from crossdock.bench import api, load, world
from crossdock.bench.result import BenchResult
from crossdock.model.outside import OutsideOrder

SECONDS = 600.0
ROUND_SECONDS = 10.0
PER_SECOND = 200.0
ORDERS_SHARE = 0.2
CONNECTIONS = 32
PARTS = 5
"""The second part is compared with the last: the first one fills caches and pools."""
AIM_GROWTH = 1.05
GRANTS = ("orders:write", "orders:read", "ats:read", "events:read", "metrics:read")


class Moment(NamedTuple):
    """One round: the memory at its end, and the p99 of its requests in milliseconds."""

    mebibytes: float
    slowest: float


def run(seed: int = 1, scale: float = 1.0) -> BenchResult:
    """Rounds of a mix of requests, until time is up."""
    rounds = max(PARTS, round(SECONDS * scale / ROUND_SECONDS))
    each = max(40, round(PER_SECOND * ROUND_SECONDS * min(1.0, scale * 10)))
    orders = round(each * ORDERS_SHARE)
    dataset = world.make(seed, min(0.05, scale), rounds * orders, paid=True)
    chance = random.Random(seed)
    moments: list[Moment] = []
    statuses: Counter[int] = Counter()
    with world.shop(dataset) as shop:
        key = {"Authorization": f"Bearer {api.new_key(shop.connection, *GRANTS)}"}
        with api.serving(shop.url) as (port, process), api.busy_worker(shop.url):
            begun = time.perf_counter()
            for _ in range(rounds):
                placed = list(islice(shop.coming, orders))
                requests = mix(placed, each, key, chance)
                with _rude_clients(port, key):
                    sent = load.send(port, requests, CONNECTIONS, each / _length_of(each))
                statuses.update(sent.statuses)
                moments.append(Moment(_memory(process), sent.percentile(0.99)))
            spent = time.perf_counter() - begun
    return _result(moments, statuses, spent)


def mix(
    orders: Sequence[OutsideOrder], count: int, key: dict[str, str], chance: random.Random
) -> list[bytes]:
    """New orders, the same ones again, and everything else; in an order drawn from the seed."""
    bodies = [msgspec.json.encode(order) for order in orders]
    order, sku = orders[0], orders[0].lines[0].sku
    channel = order.channel
    wrong = msgspec.json.encode({"channel": channel, "lines": [{"number": "one"}]})
    impossible = msgspec.json.encode(msgspec.structs.replace(order, currency="???"))
    made = [load.request_bytes("POST", "/v1/orders", body, key) for body in bodies]
    others = [
        load.request_bytes("POST", "/v1/orders", bodies[0], key),
        load.request_bytes("POST", "/v1/orders", wrong, key),
        load.request_bytes("POST", "/v1/orders", impossible, key),
        load.request_bytes("GET", f"/v1/ats?channel={channel}&sku={sku}", b"", key),
        load.request_bytes("GET", f"/v1/orders/{channel}:{order.number}", b"", key),
        load.request_bytes("GET", "/v1/orders?limit=20", b"", key),
        load.request_bytes("GET", "/v1/events?limit=20", b"", key),
        load.request_bytes("GET", "/v1/orders?changed_since=0", b"", key),
        load.request_bytes("GET", f"/v1/nowhere/{chance.random()}", b"", key),
        load.request_bytes("GET", "/v1/orders", b"", {"Authorization": "Bearer crossdock_live_x"}),
        load.request_bytes("GET", "/metrics", b"", key),
        load.request_bytes("GET", "/docs/openapi.json"),
        load.request_bytes("GET", "/ready"),
    ]
    made += [*others, *chance.choices(others, k=max(0, count - len(made) - len(others)))]
    rest = made[1:]
    chance.shuffle(rest)
    return [made[0], *rest]


@contextlib.contextmanager
def _rude_clients(port: int, key: dict[str, str], count: int = 5) -> Iterator[None]:
    """Clients that send half a body and then nothing, or hang up, for the length of the block."""
    head = load.request_bytes("POST", "/v1/orders", b" " * 1_000, key)[:-500]
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
