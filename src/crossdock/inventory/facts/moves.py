"""Moves a source reports: taken once each, booked as facts.

A message whose `sequence` is not 0 and that has several moves is one chunk: it is taken as a whole
or not at all, by (source, address, sequence). Otherwise each move is taken by (source, move id).
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from hashlib import blake2b
from typing import NamedTuple

import msgspec

from crossdock.engine.capability import Delivery
from crossdock.engine.transaction import Transaction
from crossdock.inventory import rules
from crossdock.inventory.facts import store as facts_store
from crossdock.inventory.facts.cases import Complaint
from crossdock.inventory.facts.lots import Dated, book_facts, note_dates
from crossdock.inventory.facts.store import SourceTerms
from crossdock.inventory.model import Move
from crossdock.inventory.rules import Level
from crossdock.model.messages import InventoryMoved, StockMove

_encode = msgspec.msgpack.Encoder().encode

Terms = Mapping[tuple[str, str, str], SourceTerms]


class Sighting(NamedTuple):
    """Something to be taken once: a chunk, or one move of it."""

    hash: str
    fingerprint: int
    delivery: Delivery
    source: str
    moves: Sequence[StockMove]


def take_moves(
    tx: Transaction, deliveries: Sequence[Delivery], terms: Terms, complaints: list[Complaint]
) -> list[Level]:
    """Book all moves not booked before; returns the levels that changed."""
    seen = [sighting for delivery in deliveries for sighting in _sightings(delivery)]
    fresh = _first_of_their_kind(tx, seen, complaints)
    repeating = {key[0] for key, said in terms.items() if said.repeats_our_shipments}
    moves: list[Move] = []
    dates: list[Dated] = []
    for sighting in fresh:
        source = sighting.source
        for move in sighting.moves:
            refusal = rules.refusal_of(move)
            if refusal is not None:
                complaints.append(_refused(sighting, move, refusal))
            elif not (source in repeating and _repeats_us(terms, source, move)):
                moves.append(_to_book(move, source))
                if move.expires_on is not None and move.lot:
                    told = (move.sku, move.lot, move.expires_on, move.occurred_at)
                    dates.append(Dated(*told, source, sighting.delivery))
    note_dates(tx, dates, complaints)
    return book_facts(tx, moves).levels if moves else []


def _sightings(delivery: Delivery) -> Iterator[Sighting]:
    message = delivery.message
    assert isinstance(message, InventoryMoved)
    source, moves = message.source, message.moves
    if message.sequence and len(moves) > 1:
        name = f"{source}\x1f{delivery.to.instance}\x1f#{message.sequence}"
        content = [_content(move) for move in moves]
        yield Sighting(_hash(name), _fingerprint(content), delivery, source, moves)
        return
    for move in moves:
        yield Sighting(
            _hash(f"{source}\x1f{move.move_id}"),
            _fingerprint(_content(move)),
            delivery,
            source,
            (move,),
        )


def _content(move: StockMove) -> object:
    """What tells it from another. A move without a lot is the same as before there were lots."""
    return move if move.lot else msgspec.structs.astuple(move)[:8]


def _hash(name: str) -> str:
    return blake2b(name.encode(), digest_size=16).hexdigest()


def _fingerprint(content: object) -> int:
    digest = blake2b(_encode(content), digest_size=8).digest()
    return int.from_bytes(digest, "big", signed=True)


def _first_of_their_kind(
    tx: Transaction, seen: Sequence[Sighting], complaints: list[Complaint]
) -> list[Sighting]:
    """Those not booked before. Same id with other content is refused, in sight of someone."""
    first: dict[str, Sighting] = {}
    for sighting in seen:
        known = first.setdefault(sighting.hash, sighting)
        if known.fingerprint != sighting.fingerprint:
            complaints.append(_differs(sighting, known.moves[0]))
    if not first:
        return []
    new = facts_store.book_sightings(
        tx, list(first), [sighting.fingerprint for sighting in first.values()]
    )
    if len(new) == len(first):
        return list(first.values())
    new = {name.replace("-", "") for name in new}
    again = [sighting for name, sighting in first.items() if name not in new]
    booked = facts_store.fingerprints_of(tx, [sighting.hash for sighting in again])
    booked = {name.replace("-", ""): mark for name, mark in booked.items()}
    for sighting in again:
        if booked[sighting.hash] != sighting.fingerprint:
            complaints.append(_differs(sighting, _as_booked(tx, sighting)))
    return [sighting for name, sighting in first.items() if name in new]


def _as_booked(tx: Transaction, sighting: Sighting) -> StockMove | None:
    """The move booked under this id, as far as the ledger still has it."""
    move = sighting.moves[0]
    row = facts_store.booked_move(tx, sighting.source, move.move_id)
    if row is None or len(sighting.moves) > 1:
        return None
    sku, node, quantity, from_bucket, to_bucket, reason, occurred_at = row
    return StockMove(move.move_id, sku, node, quantity, from_bucket, to_bucket, reason, occurred_at)


def _differs(sighting: Sighting, known: StockMove | None) -> Complaint:
    move = sighting.moves[0]
    if len(sighting.moves) > 1:
        what = f"chunk {sighting.delivery.message.sequence}"  # type: ignore[attr-defined]
        how = "its content"
    else:
        what, how = f"move {move.move_id}", _different_fields(move, known)
    return Complaint(
        sighting.delivery,
        "inventory move refused",
        f"{sighting.source} {what}",
        f"{sighting.source} sent {what} again with another {how}; the first one stays booked",
    )


def _different_fields(move: StockMove, known: StockMove | None) -> str:
    if known is None:
        return "content"
    different = [
        name
        for name in ("sku", "node", "quantity", "from_bucket", "to_bucket", "reason", "occurred_at")
        if rules.bucket_of(str(getattr(move, name))) != rules.bucket_of(str(getattr(known, name)))
    ]
    return ", ".join(different) or "content"


def _refused(sighting: Sighting, move: StockMove, why: str) -> Complaint:
    return Complaint(
        sighting.delivery,
        "inventory move refused",
        f"{sighting.source} move {move.move_id}",
        f"{move.sku} at {move.node}: {why}",
    )


def _repeats_us(terms: Terms, source: str, move: StockMove) -> bool:
    """The source tells what our own nodes told us already."""
    if move.reason != rules.REPEATED:
        return False
    return terms_of(terms, source, move.node, rules.SELLABLE).repeats_our_shipments


def terms_of(terms: Terms, source: str, node: str, bucket: str) -> SourceTerms:
    """What the source said of that node and bucket, else of every node, else nothing special."""
    found = terms.get((source, node, bucket)) or terms.get((source, "", bucket))
    return found or SourceTerms()


def _to_book(move: StockMove, source: str) -> Move:
    return Move(
        move.sku,
        move.node,
        move.quantity,
        rules.bucket_of(move.from_bucket),
        rules.bucket_of(move.to_bucket),
        move.reason,
        None,
        None,
        None,
        move.occurred_at,
        source,
        move.move_id,
        "",
        move.lot,
    )
