"""`open_network`: nodes, products, channels and stock from a folder, a file or store locations."""

from __future__ import annotations

from pathlib import Path

import msgspec

from crossdock.catalog.errors import NetworkUnreadable
from crossdock.catalog.files import load_network
from crossdock.importers.errors import UnusableInput
from crossdock.importers.gathering import Known
from crossdock.importers.locations import read_locations
from crossdock.importers.rejects import Rejects
from crossdock.importers.stock import empty, from_records, is_plain
from crossdock.importers.text import Reading

SHOWN_PROBLEMS = 10


def open_network(
    path: Path | None, *, brand: str | None = None, seed: int = 1, rejects: Rejects | None = None
) -> Known:
    """What is known about the network: nothing without a path. A CSV file is one of store
    locations, of which `brand` names the chain; anything else is a network file or folder.

    Raises UnusableInput for a network with mistakes: all of an order's promises rest on it.
    """
    is_locations = path is not None and path.name.removesuffix(".gz").endswith(".csv")
    if brand is not None and not is_locations:
        raise UnusableInput(
            f"The brand {brand!r} names a chain in a CSV file of store locations, and the network "
            f"is {path or 'not given'}.",
            advice="Leave out --brand, or give such a file with --network.",
        )
    if path is None:
        return Known()
    if is_locations:
        return Known(network=read_locations(Reading(path, rejects), brand, seed).network)
    try:
        read = load_network(path)
    except NetworkUnreadable as error:
        raise UnusableInput(error.problem, advice=error.advice) from error
    if read.problems:
        shown = "\n".join(f"  {problem}" for problem in read.problems[:SHOWN_PROBLEMS])
        more = len(read.problems) - SHOWN_PROBLEMS
        count = "one problem" if len(read.problems) == 1 else f"{len(read.problems)} problems"
        raise UnusableInput(
            f"The network {path} has {count}.",
            advice=shown + (f"\n  … and {more} more." if more > 0 else ""),
        )
    others = tuple(stock for stock in read.network.stock if not is_plain(stock))
    stock = from_records(read.network.stock) if read.network.stock else empty()
    return Known(network=msgspec.structs.replace(read.network, stock=others), stock=stock)
