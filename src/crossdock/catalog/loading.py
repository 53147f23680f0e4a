"""Taking records of master data from outside: merged with what is saved, checked, saved in bulk.

What a record does not say stays as it is, as does what another system owns. A record that cannot be
taken is refused with everything wrong with it; the others are saved all the same.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Mapping, Sequence
from typing import Any, NamedTuple

import msgspec

from crossdock.catalog import records_store, store
from crossdock.catalog.errors import MasterDataRefused
from crossdock.catalog.model import Network, Node, Price, Product, ProductKind, Record
from crossdock.catalog.rules import problems_of
from crossdock.db import Connection
from crossdock.model.checks import Findings, is_key
from crossdock.model.problems import Problem
from crossdock.model.shape import convert


class Row(NamedTuple):
    """One record as it was sent, with its number there."""

    number: int
    content: Mapping[str, Any]


class Refusal(NamedTuple):
    """A record that was not taken."""

    number: int
    key: str
    problems: Sequence[Problem]


class Loaded(NamedTuple):
    """Keys of what changed, and what was refused."""

    changed: tuple[str, ...]
    refused: tuple[Refusal, ...]


class Kind(NamedTuple):
    """How one kind of record is read, checked and saved."""

    name: str
    key: str
    record: type[Record]
    saved: Callable[[Connection, Collection[str]], dict[str, str]]
    save: Callable[[Connection, Sequence[Any]], None]
    check: Callable[[Connection, Sequence[Any]], list[Problem]]
    must_exist: bool = False
    """Part of a record that something else makes."""


def load(
    connection: Connection, kind: Kind, rows: Sequence[Row], system: str, *, whole: bool = False
) -> Loaded:
    """Save the rows that can be; the caller commits.

    `whole`: a field that is not sent takes its default, as in a PUT. `system` is who sends.
    """
    refused: dict[int, Refusal] = {}
    changed: dict[str, None] = {}
    waiting = [row for row in rows if _has_key(kind, row, refused)]
    owned = _NOT_SAVED | records_store.owned_by_others(connection, kind.name, system)
    while waiting:
        # A record that is sent twice is taken twice, one after the other.
        first: dict[str, Row] = {}
        for row in waiting:
            first.setdefault(str(row.content[kind.key]), row)
        waiting = [row for row in waiting if first[str(row.content[kind.key])] is not row]
        saved = kind.saved(connection, list(first))
        records = _merge(kind, first, saved, owned, refused, whole=whole)
        for key, problems in _save(connection, kind, records).items():
            number = first[key].number
            refused[number] = Refusal(number, key, problems)
            del records[key]
        changed.update(dict.fromkeys(records))
    return Loaded(tuple(changed), tuple(refused[number] for number in sorted(refused)))


_NOT_SAVED = frozenset({"record"})
"""A field of a line of a network file, which tells its kind."""


def _has_key(kind: Kind, row: Row, refused: dict[int, Refusal]) -> bool:
    key = row.content.get(kind.key)
    if isinstance(key, str) and is_key(key):
        return True
    problem = Problem(kind.key, "bad_key", "The record names nothing.", f"Send its {kind.key}.")
    refused[row.number] = Refusal(row.number, str(key)[:200], [problem])
    return False


def _merge(
    kind: Kind,
    rows: Mapping[str, Row],
    saved: Mapping[str, str],
    owned: frozenset[str],
    refused: dict[int, Refusal],
    *,
    whole: bool,
) -> dict[str, Record]:
    """Records that would change, by key."""
    changed: dict[str, Record] = {}
    for key, row in rows.items():
        before: dict[str, Any] | None = msgspec.json.decode(saved[key]) if key in saved else None
        content = row.content
        ignored = content.keys() & (owned if before is not None else _NOT_SAVED)
        if ignored:
            content = {field: value for field, value in content.items() if field not in ignored}
        kept = before or {}
        if whole:
            kept = {field: value for field, value in kept.items() if field in owned}
        after = {**kept, **content}
        if before is not None and after == before:
            continue
        problems = _unfit(kind, before)
        record = problems or convert(after, kind.record)
        if isinstance(record, list):
            refused[row.number] = Refusal(row.number, key, record)
        else:
            changed[key] = record
    return changed


def _unfit(kind: Kind, before: object) -> list[Problem]:
    if before is None and kind.must_exist:
        unknown = f"There is no {kind.name} of that name."
        return [Problem(kind.key, f"unknown_{kind.name}", unknown, "Load it first.")]
    return []


def _save(
    connection: Connection, kind: Kind, records: Mapping[str, Record]
) -> dict[str, list[Problem]]:
    """Save what can be; returns what is wrong with the others, by key."""
    if not records:
        return {}
    wrong: dict[str, list[Problem]] = {}
    sound = dict(records)
    if kind.check(connection, list(records.values())):
        for key, record in records.items():
            found = kind.check(connection, [record])
            if found:
                at = f"{kind.name} {key}."
                wrong[key] = [
                    msgspec.structs.replace(p, path=p.path.removeprefix(at)) for p in found
                ]
                del sound[key]
    _save_sound(connection, kind, list(sound.items()), wrong)
    return wrong


def _save_sound(
    connection: Connection,
    kind: Kind,
    records: Sequence[tuple[str, Record]],
    wrong: dict[str, list[Problem]],
) -> None:
    """All together; where the database refuses that, in halves, until the bad one stands alone."""
    if not records:
        return
    try:
        with connection.transaction():
            kind.save(connection, [record for _, record in records])
    except MasterDataRefused as refusal:
        if len(records) > 1:
            middle = len(records) // 2
            _save_sound(connection, kind, records[:middle], wrong)
            _save_sound(connection, kind, records[middle:], wrong)
            return
        problem = Problem("", refusal.constraint, str(refusal), "Correct the record.")
        wrong[records[0][0]] = [problem]


def _check_products(connection: Connection, products: Sequence[Product]) -> list[Problem]:
    named = {part.sku for product in products for part in product.components}
    parts = set(named)
    named.update(sku for product in products for sku in product.substitutes)
    kinds = records_store.kinds_of(connection, named) if named else {}
    known = Network(
        legal_entities=store.load_legal_entities(connection)
        if any(product.owner for product in products)
        else (),
        node_groups=store.load_node_groups(connection)
        if any(product.node_groups for product in products)
        else (),
        products=tuple(Product(sku=sku, name="") for sku in kinds),
    )
    problems = problems_of(Network(products=tuple(products)), known)
    kits = {sku for sku in parts if kinds.get(sku) == ProductKind.KIT}
    for product in products:
        for part in product.components:
            if part.sku in kits:
                at = f"product {product.sku}.components"
                said = f"{part.sku} is a kit itself."
                problems.append(Problem(at, "kit_in_kit", said, "Name its components."))
    return problems


def _check_prices(connection: Connection, prices: Sequence[Price]) -> list[Problem]:
    problems: list[Problem] = []
    found = Findings(problems)
    for price in prices:
        at = f"product {price.sku}."
        found.amount(price.price, at, "price")
        found.amount(price.cost, at, "cost")
        found.currency(price.currency, at, "currency")
    return problems


def _check_nodes(connection: Connection, nodes: Sequence[Node]) -> list[Problem]:
    known = Network(
        legal_entities=store.load_legal_entities(connection),
        brands=store.load_brands(connection),
        regions=store.load_regions(connection),
        zones=store.load_zones(connection),
    )
    return problems_of(Network(nodes=tuple(nodes)), known)


PRODUCTS = Kind(
    "product",
    "sku",
    Product,
    records_store.product_records,
    store.save_products,
    _check_products,
)
PRICES = Kind(
    "product",
    "sku",
    Price,
    records_store.price_records,
    records_store.save_prices,
    _check_prices,
    must_exist=True,
)
NODES = Kind("node", "code", Node, records_store.node_records, store.save_nodes, _check_nodes)
