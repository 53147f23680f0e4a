"""Puts the figures of a finished run together."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping, Sequence
from datetime import datetime, timedelta

import msgspec

from crossdock import db, invariants
from crossdock.allocation.records import Record
from crossdock.importers.rejects import Reason
from crossdock.simulator import audit_store, figures_store
from crossdock.simulator.outcome import (
    Amount,
    Checked,
    Counted,
    Histogram,
    ProcessMap,
    Step,
    Stuck,
)

COST_PARTS = {
    "freight": "freight",
    "handling": "handling",
    "split": "extra parcels",
    "markdown": "markdown avoided",
    "stockout": "stock-out risk",
    "failed_pick": "failed picks",
    "lateness": "lateness",
    "load": "load of the node",
}
PROCESSES = {"order-to-fulfillment": ("DocumentPosted", "CustomerNotified"), "fulfillment": ()}
"""With what is left out of each map: answers that come whenever they come, and lead nowhere."""
MOST_ACTIVITIES = 18
HISTOGRAMS = ("placed to shipped", "placed to delivered")
HISTOGRAM_BINS = 36
MOST_DESTINATIONS = 3_000
MOST_STUCK = 1_000
MOST_ROWS_PER_RULE = 1_000
WIDTHS = tuple(
    timedelta(hours=hours) for hours in (1, 2, 3, 6, 12, 24, 48, 24 * 7, 24 * 14, 24 * 28)
)
MOST_INTERVALS = 110


def counted(*counts: Mapping[str, int]) -> tuple[Counted, ...]:
    """Counts of several actors as one list, most frequent first."""
    sums: dict[str, int] = {}
    for one in counts:
        for name, count in one.items():
            sums[name] = sums.get(name, 0) + count
    return in_order(Counted(name=name, count=count) for name, count in sums.items() if count)


def in_order(counts: Iterable[Counted]) -> tuple[Counted, ...]:
    """Most frequent first."""
    return tuple(sorted(counts, key=lambda one: (-one.count, one.name)))


def histograms(connection: db.Connection, steps: Sequence[Step]) -> tuple[Histogram, ...]:
    """The whole ways over common bins, wide enough that nine of ten fit well within."""
    longest = max((s.p90_seconds for s in steps if s.name in HISTOGRAMS), default=0.0)
    hours = next(
        (h for h in (1, 2, 3, 4, 6, 12, 24, 48, 96) if h * 3600 * HISTOGRAM_BINS >= longest * 1.35),
        168,
    )
    names = {step.name for step in steps}
    return tuple(
        Histogram(
            name=name,
            bin_seconds=hours * 3600.0,
            counts=figures_store.spread(connection, name, hours * 3600.0, HISTOGRAM_BINS),
        )
        for name in HISTOGRAMS
        if name in names
    )


def interval_width(start: datetime, end: datetime) -> timedelta:
    """The narrowest of the round widths with which the span fits a chart."""
    return next((w for w in WIDTHS if (end - start) / w <= MOST_INTERVALS), WIDTHS[-1])


def process_maps(connection: db.Connection) -> tuple[ProcessMap, ...]:
    """The map of each process that ran."""
    maps = []
    for process, left_out in PROCESSES.items():
        frequent = figures_store.frequent_activities(connection, process, MOST_ACTIVITIES, left_out)
        activities = figures_store.activities(connection, process, frequent)
        if activities:
            flows = figures_store.flows(connection, process, frequent)
            maps.append(
                ProcessMap(
                    process=process,
                    instances=figures_store.instances(connection, process),
                    activities=tuple(
                        msgspec.structs.replace(one, name=spoken(one.name)) for one in activities
                    ),
                    flows=tuple(
                        msgspec.structs.replace(
                            one, source=spoken(one.source), target=spoken(one.target)
                        )
                        for one in flows
                    ),
                )
            )
    return tuple(maps)


def spoken(activity: str) -> str:
    """OrderPlaced as `order placed`."""
    return re.sub(r"(?<=[a-z])(?=[A-Z])", " ", activity).lower()


def checks(connection: db.Connection) -> tuple[Checked, ...]:
    """Every invariant, then what must hold of a finished run."""
    broken: dict[str, int] = {}
    for violation in invariants.check(connection, rows_per_rule=MOST_ROWS_PER_RULE):
        broken[violation.invariant] = broken.get(violation.invariant, 0) + 1
    always = [
        Checked(name=rule.name, rule=rule.rule, violations=broken.get(rule.name, 0))
        for rule in invariants.load_invariants()
    ]
    at_the_end = [
        Checked(name=rule.name, rule=rule.rule, violations=audit_store.broken(connection, rule))
        for rule in audit_store.AT_THE_END
    ]
    return (*always, *at_the_end)


def stuck_orders(connection: db.Connection) -> tuple[Stuck, ...]:
    """Orders that did not close, and what they seem to wait for."""
    found = []
    for row in figures_store.unfinished(connection, MOST_STUCK):
        channel, number, stage, units, work, holds, effects, held, dead = row
        reasons = [f"stage {stage}"]
        reasons += [f"{units}"] if units else []
        reasons += [f"work: {work}"] if work else []
        reasons += [f"hold: {holds}"] if holds else []
        reasons += [f"{effects} effects unsent"] if effects else []
        reasons += [f"{held} messages early"] if held else []
        reasons += [f"{dead} dead letters"] if dead else []
        found.append(Stuck(order=f"{channel} {number}", reason="; ".join(reasons)))
    return tuple(found)


def costs(connection: db.Connection) -> tuple[Amount, ...]:
    """What the sourcing decisions reckoned with, for the work that shipped, by part."""
    decode = msgspec.msgpack.Decoder(Record).decode
    sums = dict.fromkeys(COST_PARTS, 0)
    for body, nodes in figures_store.shipped_decisions(connection):
        for decision in decode(body).decisions:
            for planned in decision.chosen.nodes:
                if planned.node in nodes:
                    for part in COST_PARTS:
                        sums[part] += getattr(planned.cost, part)
    return tuple(
        Amount(name=COST_PARTS[part], minor=minor) for part, minor in sums.items() if minor
    )


def unmatched_credits(rejected: Mapping[str, int]) -> tuple[Counted, ...]:
    """Rows of credit notes that name no purchase, or more units than were bought."""
    in_part = rejected.get(Reason.CREDIT_EXCEEDS_PURCHASES, 0)
    without = sum(
        rejected.get(reason, 0)
        for reason in (Reason.CREDIT_WITHOUT_PURCHASE, Reason.CREDIT_WITHOUT_CUSTOMER)
    )
    return (
        Counted(name="rows of no known purchase: rejected", count=without),
        Counted(name="rows bought in part: their other units rejected", count=in_part),
    )


def cancellations(connection: db.Connection) -> tuple[Counted, ...]:
    """Canceled units by reason."""
    asked = figures_store.cancellation_reasons(connection)
    return in_order(Counted(name=one.name.replace("_", " "), count=one.count) for one in asked)
