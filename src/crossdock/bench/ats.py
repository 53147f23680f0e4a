"""What can be sold: totals of 100 SKUs for a channel, and one SKU node by node.

Levels are loaded node by node, as a network is rolled out, so that the rows of one SKU lie far
apart; then 1,000,000 updates run. The limit is the bare look-up of the same 100 SKUs' totals.
"""

from __future__ import annotations

import contextlib
import random
import statistics
import time
from collections.abc import Callable, Sequence
from datetime import UTC, datetime

from crossdock import db, postgres
from crossdock.bench import shelves, store
from crossdock.bench.result import BenchResult
from crossdock.engine.transaction import Transaction
from crossdock.inventory.ats import network_ats, node_ats
from crossdock.inventory.model import Move
from crossdock.inventory.store import apply_moves

UPDATES, PER_BATCH, ASKED, SKUS_ASKED = 1_000_000, 5_000, 200, 100
AIM_MILLISECONDS = 10.0
NOW = datetime(2026, 11, 2, 12, 0, tzinfo=UTC)


def run(seed: int = 1, scale: float = 1.0) -> BenchResult:
    """Median milliseconds of each question; the value is the slower one."""
    draw = random.Random(seed)
    with (
        postgres.serve(ephemeral=True) as server,
        contextlib.closing(db.connect(server.url)) as connection,
    ):
        db.migrate(connection)
        levels = shelves.fill(connection, seed, scale, NOW, by_node=True)
        before = store.written(connection)["stock_level"]
        updates = _update(connection, draw, round(UPDATES * scale))
        after = store.written(connection)["stock_level"]
        tx = Transaction(connection, NOW)
        asked = [shelves.some_skus(draw, scale, SKUS_ASKED) for _ in range(ASKED)]
        totals = _median(asked, lambda skus: network_ats(tx, "web", "ship", skus))
        by_node = _median(asked, lambda skus: node_ats(tx, "web", "ship", skus[:1])[skus[0]])
        bare = _median(asked, lambda skus: store.bare_totals(connection, skus))
        nodes = statistics.mean(
            len(node_ats(tx, "web", "ship", skus[:1])[skus[0]]) for skus in asked[: ASKED // 10]
        )
    value = max(totals, by_node)
    return BenchResult(
        name="ats",
        value=value,
        unit="ms",
        limit=bare,
        ratio=bare / value,
        aim=f"< {AIM_MILLISECONDS:.0f} ms each, at the median",
        met=value < AIM_MILLISECONDS,
        parts={
            "totals of 100 SKUs for one channel, ms": totals,
            "one SKU node by node, ms": by_node,
            "nodes that offer a SKU": nodes,
            "stock levels": levels,
            "updates before": updates,
            "HOT share of level updates": (after.hot_updated - before.hot_updated)
            / max(1, after.updated - before.updated),
            "dead level rows": after.dead,
        },
    )


def _update(connection: db.Connection, draw: random.Random, updates: int) -> int:
    """Sales and receipts of single units, in batches over random levels."""
    stocked = shelves.some_levels(connection, 1_000, 0)
    nodes = sorted(stocked)
    done = 0
    while done < updates:
        tx = Transaction(connection, NOW)
        apply_moves(tx, [_move(draw, nodes, stocked) for _ in range(PER_BATCH)])
        tx.flush_books()
        connection.commit()
        done += PER_BATCH
    return done


def _move(draw: random.Random, nodes: Sequence[str], stocked: dict[str, list[str]]) -> Move:
    node = nodes[int(draw.random() * len(nodes))]
    skus = stocked[node]
    sku = skus[int(draw.random() * len(skus))]
    if draw.random() < 0.5:
        return Move(sku, node, 1, "free", "customer", "sold")
    return Move(sku, node, 1, "supplier", "free", "received")


def _median(asked: Sequence[Sequence[str]], ask: Callable[[Sequence[str]], object]) -> float:
    """Milliseconds, after a tenth of the questions were asked to warm up."""
    took = []
    for skus in (*asked[: len(asked) // 10], *asked):
        started = time.perf_counter()
        ask(skus)
        took.append((time.perf_counter() - started) * 1000)
    return statistics.median(took[len(asked) // 10 :])
