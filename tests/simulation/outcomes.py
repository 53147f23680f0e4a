"""A memorable outcome to draw: two nodes, three days, one of everything."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

from crossdock.simulator.outcome import (
    Activity,
    Amount,
    Checked,
    Counted,
    EffectCount,
    Explained,
    Flow,
    Histogram,
    Interval,
    NodeLoad,
    Outcome,
    ProcessMap,
    Provenance,
    Ran,
    Spent,
    Step,
    Totals,
)

START = datetime(2026, 11, 2, tzinfo=UTC)

RAN = Ran(
    title="Ten orders",
    orders_file="ten.jsonl",
    network="two nodes",
    policy="default",
    seed=7,
    tick_seconds=300,
    currency="USD",
    minor_digits=2,
    started=START,
    ended=START + timedelta(days=3),
    wall_seconds=2.0,
    peak_memory_bytes=100 * 2**20,
    ticks=40,
    batches=60,
    longest_batch_seconds=0.2,
    messages=300,
)
TOTALS = Totals(
    orders=10,
    closed=10,
    shipped_orders=9,
    split_orders=1,
    canceled_orders=1,
    promised_groups=0,
    kept_groups=0,
    lines=12,
    units=20,
    shipped_units=18,
    canceled_units=2,
    unsupplied_units=0,
    substituted_units=0,
    open_units=0,
    value_minor=100_00,
)
NODES = (
    NodeLoad(
        id="DC",
        kind="dc",
        latitude=40.0,
        longitude=-80.0,
        fulfillments=7,
        units=14,
        short_units=0,
    ),
    NodeLoad(
        id="S1",
        kind="store",
        latitude=None,
        longitude=None,
        fulfillments=2,
        units=4,
        short_units=1,
    ),
)
MAPS = (
    ProcessMap(
        process="order-to-fulfillment",
        instances=10,
        activities=(
            Activity(name="placed", count=10, position=0.0),
            Activity(name="allocated", count=11, position=0.5),
            Activity(name="closed", count=10, position=1.0),
        ),
        flows=(
            Flow(source="placed", target="allocated", count=10, median_seconds=60.0),
            Flow(source="allocated", target="allocated", count=1, median_seconds=60.0),
            Flow(source="allocated", target="closed", count=10, median_seconds=8e4),
            Flow(source="closed", target="allocated", count=3, median_seconds=8e4),
        ),
    ),
)


def an_outcome() -> Outcome:
    """Ten orders over three days; one canceled for a reason with markup in it."""
    return Outcome(
        run=RAN,
        totals=TOTALS,
        cost=(Amount(name="freight", minor=63_00), Amount(name="markdown avoided", minor=-90)),
        cancellations=(Counted(name="<b>customer</b>", count=2),),
        shortages=(Counted(name="damaged", count=1),),
        faults=(Counted(name="node declines", count=1),),
        steps=(Step(name="placed to delivered", count=9, median_seconds=9e4, p90_seconds=2e5),),
        histograms=(Histogram(name="placed to shipped", bin_seconds=3600, counts=(3, 4, 2)),),
        intervals=tuple(
            Interval(start=START + timedelta(days=d), placed=5, shipped=4, delivered=3, canceled=1)
            for d in range(3)
        ),
        nodes=NODES,
        destinations=((41.0, -81.0), (39.0, -79.0)),
        effects=(
            EffectCount(
                connector="payment", operation="capture", asked=9, done=9, calls=11, doubled=0
            ),
        ),
        maps=MAPS,
        decisions=(Explained(order="web 1", headline="DC, 7.00 USD", text="chosen: DC"),),
        invariants=(Checked(name="units", rule="Units of a line sum up.", violations=0),),
        credits=(),
        rejects=(Counted(name="unknown SKU", count=3),),
        rejects_file="rejects.jsonl",
        provenance=(Provenance(what="stock", source="seed 7", real=False),),
        stuck=(),
        cases=(),
        spent=(Spent(name="engine", seconds=1.5),),
    )
