"""Paid orders from durable in the inbox to released to their nodes."""

from __future__ import annotations

from crossdock.bench import limit, pipeline, store, world
from crossdock.bench.result import BenchResult

ORDERS = 20_000
AIM_PER_SECOND = 1_000.0
AIM_RATIO = 0.30


def run(seed: int = 1, scale: float = 1.0) -> BenchResult:
    """Validated, screened, sourced, reserved, work opened at the node, effects queued."""
    orders = max(200, round(ORDERS * scale))
    with world.shop(world.make(seed, scale, orders, paid=True)) as shop:
        connection = shop.connection
        taken = shop.take_in()
        before = {name: store.row_count(connection, name) for name in store.tables(connection)}
        connection.commit()
        before["inbox"] = 0
        measured = pipeline.run_workers(shop.url, shop.now)
        released = store.released_orders(connection)
        lines = store.row_count(connection, "order_line")
        inserted = limit.dump_rows(connection, before)
        rows = inserted | limit.dump_versions(connection, measured.written)
        batches = max(1, taken // pipeline.BATCH)
        seconds = limit.copy_again(connection, rows, batches)
        without = limit.copy_again(connection, inserted, batches)
    value, ceiling = pipeline.rate(measured, taken), taken / seconds
    return BenchResult(
        name="orders",
        value=value,
        unit="orders/s",
        limit=ceiling,
        ratio=value / ceiling,
        aim=f">= {AIM_PER_SECOND:,.0f} orders/s and >= {AIM_RATIO:.0%} of the same rows by COPY",
        met=value >= AIM_PER_SECOND and value / ceiling >= AIM_RATIO,
        parts={
            "orders": taken,
            "orders released": released,
            "lines per order": lines / taken,
            "stock levels": shop.levels,
            "workers": len(measured.turns),
            "batches": sum(turn.batches for turn in measured.turns),
            "dead letters": sum(turn.dead for turn in measured.turns),
            "limit of inserted rows alone": taken / without,
            "ratio to inserted rows alone": value * without / taken,
            "rows inserted per order": measured.rows("inserted") / taken,
            "rows updated per order": measured.rows("updated") / taken,
            "rows deleted per order": measured.rows("deleted") / taken,
            "rows copied per order": sum(len(found) for found in rows.values()) / taken,
            "bytes copied per order": sum(len(b"".join(found)) for found in rows.values()) / taken,
            "WAL bytes per order": measured.wal_bytes / taken,
            "peak MiB of a worker": max(turn.peak_mib for turn in measured.turns),
        },
    )
