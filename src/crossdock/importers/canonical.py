"""Crossdock's own order files: JSON Lines, one OutsideOrder (or OutsideCancel) per line.

Orders are checked one by one and held on disk. Some 300 bytes per order stay in memory, by which
doubled numbers and the orders of cancels are found.
"""

from __future__ import annotations

from datetime import datetime
from hashlib import blake2b
from pathlib import Path
from typing import TypeVar

import msgspec

from crossdock.importers.arrivals import CancelArrival, OrderArrival
from crossdock.importers.dataset import Dataset
from crossdock.importers.errors import UnusableInput
from crossdock.importers.gathering import Gathering, Known
from crossdock.importers.rejects import REMEDIES, Reason, Rejects
from crossdock.importers.text import Line, Reading
from crossdock.kernel.money import is_currency
from crossdock.model.checks import Findings
from crossdock.model.outside import OutsideCancel, OutsideOrder, take_apart
from crossdock.model.problems import Problem
from crossdock.model.shape import read_json
from crossdock.model.text import unstorable
from crossdock.model.validation import validate_order

FORMAT = "canonical"
SHOWN_PROBLEMS = 5
GREATEST_PRICE_DIGITS = 13
SMALLEST_PRICE_DIGITS = 9

S = TypeVar("S", bound=msgspec.Struct)


def read_canonical(path: Path, known: Known, seed: int, rejects: Rejects) -> Dataset:
    """The orders of a JSON Lines file. Raises UnusableInput where no order is in it."""
    reading = Reading(path, rejects)
    reader = _Reader(reading, Gathering(FORMAT, seed, rejects), known)
    for line in reading.lines():
        reader.take(line)
    reader.gathering.read(reading)
    reader.gathering.report.real("orders", path.name)
    return reader.gathering.finish(path.name, known)


class _Kind(msgspec.Struct):
    kind: str = "order"
    record: str = ""


class _Reader:
    """Checks line by line."""

    def __init__(self, reading: Reading, gathering: Gathering, known: Known) -> None:
        self.reading = reading
        self.gathering = gathering
        network = known.network
        self.skus = frozenset(product.sku for product in network.products)
        self.skus |= frozenset(listing.channel_sku for listing in network.listings)
        self.nodes = frozenset(node.code for node in network.nodes)
        self.channels = frozenset(channel.code for channel in network.channels)
        self.entities = frozenset(entity.code for entity in network.legal_entities)
        self.seen: dict[bytes, tuple[int, str]] = {}
        """Line and id of each order taken, by its identity."""
        self.kinds = msgspec.json.Decoder(_Kind)
        self.orders = msgspec.json.Decoder(OutsideOrder)
        self.cancels = msgspec.json.Decoder(OutsideCancel)

    def take(self, line: Line) -> None:
        """Take the line or say why not."""
        text = line.text.encode()
        kind = self._read(line, text, self.kinds)
        if kind is None:
            return
        if kind.record and not self.seen and line.number == 1:
            raise UnusableInput(
                f"{self.reading.path} is a network file, not an order file.",
                advice="Give it with --network.",
            )
        if kind.kind == "cancel":
            cancel = self._read(line, text, self.cancels)
            if cancel is not None:
                self._cancel(line, cancel)
            return
        order = self._read(line, text, self.orders)
        if order is not None:
            self._order(line, order)

    def _read(self, line: Line, text: bytes, decoder: msgspec.json.Decoder[S]) -> S | None:
        try:
            found = read_json(text, decoder)
        except RecursionError:
            message = "the row is nested too deeply"
            self.reading.reject(line.number, Reason.NOT_JSON, message, line.text)
            return None
        if not isinstance(found, list):
            return found
        self._reject(line, found)
        return None

    def _order(self, line: Line, order: OutsideOrder) -> None:
        identity = _identity(order.channel, order.number)
        if identity in self.seen:
            message = f"order {order.channel}/{order.number} is in line {self.seen[identity][0]}"
            self.reading.reject(line.number, Reason.DOUBLED_ORDER_NUMBER, message, line.text)
            return
        problems = _problems(order) or self._unknown(order)
        if problems:
            self._reject(line, problems)
            return
        self.seen[identity] = (line.number, order.id)
        self.gathering.add(OrderArrival(at=order.placed_at, line=line.number, order=order))
        self.gathering.took("order")

    def _unknown(self, order: OutsideOrder) -> list[Problem]:
        """What the network does not know; a network without such things knows all of them."""
        problems = []
        if self.channels and order.channel not in self.channels:
            problems.append(_problem("channel", Reason.UNKNOWN_CHANNEL, order.channel))
        if self.skus:
            problems += [
                _problem(f"lines[{index}].sku", Reason.UNKNOWN_SKU, line.sku)
                for index, line in enumerate(order.lines)
                if line.sku not in self.skus
            ]
        if self.nodes:
            problems += [
                _problem(f"groups[{index}].pickup_node", Reason.UNKNOWN_NODE, group.pickup_node)
                for index, group in enumerate(order.groups)
                if group.pickup_node is not None and group.pickup_node not in self.nodes
            ]
        if self.entities:
            problems += [
                _problem(f"lines[{index}].owner", Reason.UNKNOWN_OWNER, line.owner)
                for index, line in enumerate(order.lines)
                if line.owner and line.owner not in self.entities
            ]
        return problems

    def _cancel(self, line: Line, cancel: OutsideCancel) -> None:
        identity = _identity(cancel.channel, cancel.number)
        seen = self.seen.get(identity)
        if seen is None:
            message = f"no order {cancel.channel}/{cancel.number} was taken before this line"
            self.reading.reject(line.number, Reason.CANCEL_OF_UNKNOWN_ORDER, message, line.text)
            return
        problems = unstorable(cancel) + _wrong_time(cancel.at, "at")
        if any(part.quantity <= 0 for part in cancel.lines):
            problems.append(_problem("lines", Reason.NEGATIVE_QUANTITY, "0 or less"))
        if problems:
            self._reject(line, problems)
            return
        self.gathering.add(
            CancelArrival(
                at=cancel.at,
                line=line.number,
                order_id=seen[1],
                request_id=f"cancel-{cancel.number}-{line.number}",
                number=cancel.number,
                lines=cancel.lines,
                reason=cancel.reason,
            )
        )
        self.gathering.took("cancel")

    def _reject(self, line: Line, problems: list[Problem]) -> None:
        message = " ".join(
            f"{p.path}: {p.message}" if p.path else p.message for p in problems[:SHOWN_PROBLEMS]
        )
        if len(problems) > SHOWN_PROBLEMS:
            message += f" … and {len(problems) - SHOWN_PROBLEMS} more problems."
        first = problems[0]
        self.reading.reject(line.number, first.code, message, line.text, first.remedy)


def _problems(order: OutsideOrder) -> list[Problem]:
    """What is wrong with the order by itself, names and streets included."""
    # Before ids are made of it.
    wrong_time = _wrong_time(order.placed_at, "placed_at")
    if wrong_time:
        return wrong_time
    # Before prices are multiplied: 1e999999 would take all memory there is.
    for index, line in enumerate(order.lines):
        price = line.unit_price
        exponent = price.as_tuple().exponent
        if (
            not isinstance(exponent, int)
            or price.adjusted() > GREATEST_PRICE_DIGITS
            or exponent < -SMALLEST_PRICE_DIGITS
        ):
            return [_problem(f"lines[{index}].unit_price", Reason.BAD_PRICE, str(price)[:40])]
    unkept = unstorable(order)
    if unkept:
        return unkept
    if not is_currency(order.currency):
        return [_problem("currency", Reason.UNKNOWN_CURRENCY, order.currency)]
    return validate_order(take_apart(order).order)


def _wrong_time(at: datetime, path: str) -> list[Problem]:
    """A time without a zone, or of a year that cannot be meant."""
    if at.tzinfo is None:
        return [_problem(path, Reason.UNREADABLE_TIME, at.isoformat())]
    found = Findings([])
    found.aware(at, "", path)
    return found.problems


def _problem(path: str, reason: Reason, found: str | None) -> Problem:
    return Problem(path, reason.value, f"{found!r} cannot be taken.", REMEDIES[reason])


def _identity(channel: str, number: str) -> bytes:
    return blake2b(f"{channel}\x1f{number}".encode(errors="surrogatepass"), digest_size=16).digest()
