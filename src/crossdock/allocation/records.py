"""Decisions as they are stored, and made again: the inputs of a planning run give the same plan."""

from __future__ import annotations

import tomllib
import zlib
from collections.abc import Iterator, Mapping, Sequence
from datetime import datetime
from typing import NamedTuple

import msgspec

from crossdock.allocation import store
from crossdock.allocation.demand import substitutes_in
from crossdock.allocation.facts import decode_nodes, nodes_in
from crossdock.allocation.policies import PolicyShelf
from crossdock.allocation.store import StoredBatch
from crossdock.db import Connection
from crossdock.model.messages import LineSubstitute
from crossdock.sourcing.errors import RecordRefused
from crossdock.sourcing.explain import Examination, examine
from crossdock.sourcing.model import Decision, OrderDemand, SkuFacts, Stock
from crossdock.sourcing.network import Network
from crossdock.sourcing.planner import plan
from crossdock.sourcing.policy import SourcingPolicy


class RunInputs(msgspec.Struct, frozen=True, array_like=True):
    """Everything a planning run saw beside its policy and its network, which have their hashes."""

    orders: tuple[OrderDemand, ...]
    stock: Stock
    products: tuple[SkuFacts, ...]


class Record(msgspec.Struct, frozen=True, array_like=True):
    """What is stored of one AllocateOrder: the decision for each of its groups, and its run."""

    runs: tuple[str, ...]
    decisions: tuple[Decision, ...]
    refused: tuple[int, ...] = ()
    """Positions of decisions that nodes refused to the end: nothing is reserved under them."""


_encode = msgspec.msgpack.Encoder().encode
_decode_record = msgspec.msgpack.Decoder(Record).decode
_decode_inputs = msgspec.msgpack.Decoder(RunInputs).decode


def encode_inputs(
    orders: Sequence[OrderDemand], stock: Stock, products: Mapping[str, SkuFacts]
) -> bytes:
    """Inputs with the facts of the SKUs they name; repetitive, so lightly compressed."""
    named = {line.sku for order in orders for line in order.lines} | stock.columns.keys()
    if any(order.substitutes_allowed for order in orders):
        named |= {other for sku in named if sku in products for other in products[sku].substitutes}
    facts = [products[sku] for sku in sorted(named) if sku in products]
    kits = {part for fact in facts for part, _ in fact.components} - named
    facts += [products[sku] for sku in sorted(kits) if sku in products]
    return zlib.compress(_encode(RunInputs(tuple(orders), stock, tuple(facts))), 1)


def decode_inputs(body: bytes) -> RunInputs:
    """The inverse of `encode_inputs`."""
    return _decode_inputs(zlib.decompress(body))


def encode_record(record: Record) -> bytes:
    """A decision row's body."""
    return _encode(record)


class Explained(msgspec.Struct, frozen=True, kw_only=True):
    """One stored choice, as it is told."""

    decision_id: str
    attempt: int
    zone: str
    decided_at: datetime
    run_id: str
    demand: OrderDemand | None
    decision: Decision
    was_refused: bool = False
    """Facts took its units each time it was planned: its chosen plan was not carried out."""
    substitutes: tuple[LineSubstitute, ...] = ()
    """What was chosen in place of what lines name."""


def explained(connection: Connection, order_id: str) -> list[Explained]:
    """Every stored choice for an order, in the order in which they were made."""
    found = []
    for stored in store.decisions_of(connection, order_id):
        record = _decode_record(stored.body)
        choices = zip(record.runs, record.decisions, strict=True)
        for position, (run_id, decision) in enumerate(choices):
            inputs = decode_inputs(_batch(connection, run_id, stored.decided_at).inputs)
            demand = next((o for o in inputs.orders if o.sequence == decision.sequence), None)
            products = {facts.sku: facts for facts in inputs.products}
            sent = substitutes_in(demand, decision, products) if demand is not None else {}
            found.append(
                Explained(
                    decision_id=stored.id,
                    attempt=stored.attempt,
                    zone=stored.zone,
                    decided_at=stored.decided_at,
                    run_id=run_id,
                    demand=demand,
                    decision=decision,
                    was_refused=position in record.refused,
                    substitutes=tuple(LineSubstitute(*each) for each in sent.items()),
                )
            )
    return found


class Background(NamedTuple):
    """What a person needs to know beside a choice to read it."""

    choose: str
    """What its policy puts first."""
    time_zones: dict[str, str]
    """Of the nodes it could choose from."""


def background(connection: Connection, choice: Explained) -> Background:
    """From what is stored with the choice's planning run. Raises RecordRefused when that is gone.

    The policy's text is enough: one that a later version refuses still explains what it chose.
    """
    batch = _batch(connection, choice.run_id, choice.decided_at)
    policy = tomllib.loads(store.policy_text(connection, batch.policy_version) or "")
    nodes = nodes_in(_nodes(connection, batch))
    return Background(policy.get("choose", "cost"), {node.code: node.time_zone for node in nodes})


class Replayed(msgspec.Struct, frozen=True, kw_only=True):
    """A stored decision beside what its planning run gives when it is made again."""

    stored: Decision
    again: Decision

    @property
    def is_identical(self) -> bool:
        """Whether nothing at all differs."""
        return self.stored == self.again


def replay_decision(connection: Connection, order_id: str) -> list[Replayed]:
    """Make every stored choice for an order again, from its batch's stored inputs alone."""
    found = []
    for decision, batch in _batches(connection, order_id):
        again = plan(
            batch.orders, batch.stock, batch.network, batch.products, batch.policy, batch.at,
            batch.run_id,
        )  # fmt: skip
        by_sequence = {each.sequence: each for each in again}
        found.append(Replayed(stored=decision, again=by_sequence[decision.sequence]))
    return found


def examined(connection: Connection, order_id: str) -> list[Examination]:
    """What every node had to do with every stored choice for an order, in the order made."""
    return [
        examine(
            batch.orders, batch.stock, batch.network, batch.products, batch.policy, batch.at,
            decision.sequence, batch.run_id,
        )
        for decision, batch in _batches(connection, order_id)
    ]  # fmt: skip


class _Batch(NamedTuple):
    """A planning run's inputs, ready to be planned again."""

    orders: tuple[OrderDemand, ...]
    stock: Stock
    network: Network
    products: dict[str, SkuFacts]
    policy: SourcingPolicy
    at: datetime
    run_id: str


def _batches(connection: Connection, order_id: str) -> Iterator[tuple[Decision, _Batch]]:
    shelf = PolicyShelf()
    for stored in store.decisions_of(connection, order_id):
        record = _decode_record(stored.body)
        for run_id, decision in zip(record.runs, record.decisions, strict=True):
            batch = _batch(connection, run_id, stored.decided_at)
            inputs = decode_inputs(batch.inputs)
            yield (
                decision,
                _Batch(
                    inputs.orders,
                    inputs.stock,
                    decode_nodes(_nodes(connection, batch)),
                    {facts.sku: facts for facts in inputs.products},
                    shelf.version(connection, batch.policy_version),
                    batch.decided_at,
                    run_id,
                ),
            )


def _batch(connection: Connection, run_id: str, decided_at: datetime) -> StoredBatch:
    batch = store.planning_batch(connection, run_id, decided_at)
    if batch is None:
        raise RecordRefused(f"the inputs of planning run {run_id} are not stored")
    return batch


def _nodes(connection: Connection, batch: StoredBatch) -> bytes:
    nodes = store.planning_facts(connection, batch.network)
    if nodes is None:
        raise RecordRefused(f"the nodes of the planning run of {batch.decided_at} are not stored")
    return nodes
