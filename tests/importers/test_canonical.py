"""Crossdock's own order files: what is taken, what is rejected and why; nothing is lost."""

from __future__ import annotations

import gzip
import json
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from crossdock.catalog import rules
from crossdock.catalog.model import Channel, LegalEntity, Network, Node, Product, Zone
from crossdock.importers import (
    CancelArrival,
    Dataset,
    Known,
    OrderArrival,
    Rejects,
    UnusableInput,
    open_dataset,
)
from crossdock.model.outside import take_apart
from tests.importers.outside_orders import JsonObject, cancel, order, write

NETWORK = Network(
    legal_entities=(LegalEntity(code="us", name="Inc.", country="US", currency="USD"),),
    zones=(Zone(code="main", name="Main"),),
    nodes=(Node(code="dc", name="DC", country="US", time_zone="America/New_York"),),
    products=(Product(sku="MUG-BLUE", name="Blue mug", currency="USD", price=1600),),
    channels=(Channel(code="web", name="Web"),),
)


def opened(path: Path, known: Known | None = None) -> Dataset:
    dataset = open_dataset(path, known=known, rejects=Rejects())
    assert dataset.report.balanced
    return dataset


def test_an_order_arrives_with_its_recipient_and_address_apart(tmp_path: Path) -> None:
    dataset = opened(write(tmp_path / "orders.jsonl", order()))
    (arrival,) = dataset.arrivals()
    assert isinstance(arrival, OrderArrival)
    apart = take_apart(arrival.order)
    assert apart.order.total == 3795
    assert apart.order.lines[0].total == 3200
    ((party_id, party),) = apart.parties
    ((_, of_party, address),) = apart.addresses
    assert party.name == "Ada Lovelace"
    assert party_id == of_party == apart.order.customer_id == apart.order.groups[0].recipient_id
    assert address.lines == ("12 Oak St",)
    assert b"Oak" not in repr(apart.order).encode() and b"Ada" not in repr(apart.order).encode()


def test_what_the_customer_saw_and_what_the_channel_calls_a_line_arrive(tmp_path: Path) -> None:
    row = order(
        presentment_currency="EUR",
        presentment_total=3500,
        exchange_rate="1.0843",
        exchanged_at="2026-12-01T12:00:00Z",
        substitutes_allowed=True,
        lines=line(channel_sku="B00MUG", owner="us"),
    )
    dataset = opened(write(tmp_path / "orders.jsonl", row))
    (arrival,) = dataset.arrivals()
    assert isinstance(arrival, OrderArrival)
    apart = take_apart(arrival.order).order
    assert (apart.presentment_total, str(apart.exchange_rate)) == (3500, "1.0843")
    assert apart.exchanged_at is not None and apart.substitutes_allowed
    assert (apart.lines[0].channel_sku, apart.lines[0].owner) == ("B00MUG", "us")


def test_the_same_order_has_the_same_ids_wherever_it_is_read(tmp_path: Path) -> None:
    first = opened(write(tmp_path / "a.jsonl", order()))
    second = opened(write(tmp_path / "b.jsonl", order("W9"), order()))
    (one,) = first.arrivals()
    ids = {arrival.order.id for arrival in second.arrivals() if isinstance(arrival, OrderArrival)}
    assert isinstance(one, OrderArrival)
    assert one.order.id in ids and len(ids) == 2


def test_totals_that_are_left_out_are_summed_up(tmp_path: Path) -> None:
    row = order(tenders=[])
    del row["total"]
    (arrival,) = opened(write(tmp_path / "orders.jsonl", row)).arrivals()
    assert isinstance(arrival, OrderArrival)
    assert take_apart(arrival.order).order.total == 3795


def test_arrivals_come_in_the_order_of_time_and_again_the_same(tmp_path: Path) -> None:
    early = order("W2", placed_at="2026-12-01T12:00:00Z")
    dataset = opened(write(tmp_path / "orders.jsonl", order(), cancel(), early))
    numbers = [
        arrival.order.number if isinstance(arrival, OrderArrival) else arrival.at.isoformat()
        for arrival in dataset.arrivals()
    ]
    assert numbers == ["W2", "W1001", "2026-12-01T13:30:00+00:00"]
    assert list(dataset.arrivals()) == list(dataset.arrivals())


def test_a_cancel_names_the_order_it_is_about(tmp_path: Path) -> None:
    dataset = opened(write(tmp_path / "o.jsonl", order(), cancel(lines=[[1, 1]], reason="late")))
    placed, canceled = dataset.arrivals()
    assert isinstance(placed, OrderArrival) and isinstance(canceled, CancelArrival)
    assert canceled.order_id == placed.order.id
    assert [(part.line, part.quantity) for part in canceled.lines] == [(1, 1)]
    assert dataset.report.taken == {"order": 1, "cancel": 1}


def test_a_zipped_file_gives_the_same(tmp_path: Path) -> None:
    plain = write(tmp_path / "orders.jsonl", order(), cancel())
    zipped = tmp_path / "orders.jsonl.gz"
    zipped.write_bytes(gzip.compress(plain.read_bytes()))
    assert list(opened(zipped).arrivals()) == list(opened(plain).arrivals())


def line(**changes: object) -> list[JsonObject]:
    return [{"number": 1, "sku": "MUG-BLUE", "quantity": 2, "unit_price": "16.00", **changes}]


BAD_ROWS: list[tuple[str, JsonObject | str | bytes]] = [
    ("not_json", '{"channel": "web", "numb'),
    ("not_json", "not json at all"),
    ("wrong_type", "[1, 2]"),
    ("missing", {"channel": "web"}),
    ("unknown_field", order("X", quantitty=2)),
    ("wrong_type", order("X", lines=line(quantity="two"))),
    ("wrong_type", order("X", lines=line(unit_price="a lot"))),
    ("bad_price", order("X", lines=line(unit_price="1e999999"))),
    ("bad_price", order("X", lines=line(unit_price="NaN"))),
    ("bad_price", order("X", lines=line(unit_price="-16.00", total=3200))),
    ("bad_exchange_rate", order("X", presentment_currency="EUR", exchange_rate="1e-9999")),
    ("no_presentment_currency", order("X", presentment_total=3500)),
    ("bad_key", order("X", lines=line(channel_sku=" B00MUG"))),
    ("no_lines", order("X", lines=[])),
    ("no_groups", order("X", groups=[])),
    ("unknown_currency", order("X", currency="DOLLARS")),
    ("unknown_country", order("X", groups=[{"address": {"country": "Utopia"}}])),
    ("unreadable_time", order("X", placed_at="2026-12-01T13:00:00")),
    ("wrong_type", order("X", placed_at="yesterday")),
    ("bad_time", order("X", placed_at="0001-01-01T00:00:00Z")),
    ("total_does_not_add_up", order("X", total=1)),
    ("unstorable_character", order("X", customer={"name": "A\x00da"})),
    ("not_utf8", b'{"channel": "caf\xe9"}'),
    ("cancel_of_unknown_order", cancel("NEVER-SEEN")),
    ("negative_quantity", cancel(lines=[[1, 0]])),
    ("bad_time", cancel(at="0001-01-01T00:00:00Z")),
]


@pytest.mark.parametrize(("reason", "row"), BAD_ROWS)
def test_a_bad_row_is_rejected_with_line_reason_and_remedy_and_the_rest_is_taken(
    tmp_path: Path, reason: str, row: JsonObject | str | bytes
) -> None:
    dataset = opened(write(tmp_path / "orders.jsonl", order(), row, order("W1002")))
    (reject,) = dataset.rejects.samples
    assert (reject.line, reject.reason) == (2, reason), reject.message
    assert reject.message and reject.remedy and reject.raw
    assert dataset.report.orders == 2
    assert dataset.report.rejected == 1


def test_a_quantity_below_one_is_rejected(tmp_path: Path) -> None:
    for quantity in (0, -1):
        row = order("X", lines=line(quantity=quantity))
        dataset = opened(write(tmp_path / "orders.jsonl", order(), row))
        assert dataset.rejects.lines == 1
        assert "quantity" in dataset.rejects.samples[0].message


def test_a_doubled_order_number_is_rejected_and_the_first_order_stays(tmp_path: Path) -> None:
    other = order(lines=line(quantity=7), total=11795)
    del other["tenders"]
    dataset = opened(write(tmp_path / "orders.jsonl", order(), other, order("W1002")))
    (reject,) = dataset.rejects.samples
    assert (reject.line, reject.reason) == (2, "doubled_order_number")
    assert "line 1" in reject.message
    assert dataset.report.units == 4


def test_the_same_number_on_another_channel_is_another_order(tmp_path: Path) -> None:
    dataset = opened(write(tmp_path / "orders.jsonl", order(), order(channel="app")))
    assert dataset.report.orders == 2


def test_what_the_network_does_not_know_is_rejected(tmp_path: Path) -> None:
    pickup = order("P")["groups"][0] | {"method": "pickup", "pickup_node": "store-9"}
    path = write(
        tmp_path / "orders.jsonl",
        order(),
        order("A", lines=line(sku="MUG-PINK")),
        order("B", channel="fax"),
        order("C", groups=[pickup]),
        order("D", lines=line(owner="moon")),
        order("E", lines=line(owner="us")),
    )
    dataset = opened(path, Known(network=NETWORK))
    assert dataset.rejects.by_reason == {
        "unknown_sku": 1,
        "unknown_channel": 1,
        "unknown_node": 1,
        "unknown_owner": 1,
    }
    assert "MUG-PINK" in dataset.rejects.first_of["unknown_sku"].message
    assert dataset.report.orders == 2


def test_without_a_network_everything_is_filled_and_said_to_be(tmp_path: Path) -> None:
    dataset = opened(write(tmp_path / "orders.jsonl", order()))
    assert rules.problems_of(dataset.network) == []
    assert [product.sku for product in dataset.network.products] == ["MUG-BLUE"]
    assert dataset.network.products[0].price == 1600
    assert dataset.stock.units >= 2
    filled = {one.what for one in dataset.report.provided if not one.real}
    assert {"opening stock", "nodes, hours, capacity, cost rates"} <= filled


def test_the_same_seed_fills_the_same_and_another_seed_another(tmp_path: Path) -> None:
    path = write(tmp_path / "orders.jsonl", order())
    first, again, other = (open_dataset(path, seed=seed) for seed in (1, 1, 2))
    assert first.network == again.network
    assert list(first.stock.rows()) == list(again.stock.rows())
    assert first.network != other.network


def test_a_network_that_is_given_is_used_as_it_is(tmp_path: Path) -> None:
    dataset = opened(write(tmp_path / "orders.jsonl", order()), Known(network=NETWORK))
    assert dataset.network == NETWORK
    assert {row.node for row in dataset.stock.rows()} == {"dc"}


@pytest.mark.parametrize(
    ("content", "said"),
    [
        ("\n\n", "no line"),
        ('{"channel": "web"}', "no order"),
        ("[", "JSON array"),
        ("name;color\nMug;blue\n", "no known format"),
        ('{"record": "brand", "code": "a", "name": "A"}', "network file"),
    ],
)
def test_a_file_without_a_single_order_is_refused_and_says_what_it_looks_like(
    tmp_path: Path, content: str, said: str
) -> None:
    path = tmp_path / "orders.jsonl"
    path.write_text(content)
    with pytest.raises(UnusableInput, match=said):
        open_dataset(path)


def test_an_unknown_format_is_refused(tmp_path: Path) -> None:
    with pytest.raises(UnusableInput, match="no format"):
        open_dataset(write(tmp_path / "orders.jsonl", order()), form="excel")


def test_a_mapping_file_is_refused_where_the_format_has_none(tmp_path: Path) -> None:
    orders = write(tmp_path / "orders.jsonl", order())
    with pytest.raises(UnusableInput, match="mapping") as refused:
        open_dataset(orders, mapping=tmp_path / "mapping.toml")
    assert "--mapping" in refused.value.advice


DAMAGES = st.one_of(
    st.binary(max_size=60),
    st.text(max_size=60).map(str.encode),
    st.sampled_from([json.dumps(row).encode() for _, row in BAD_ROWS if isinstance(row, dict)]),
    st.recursive(
        st.none() | st.booleans() | st.integers() | st.text(max_size=5),
        lambda inner: (
            st.lists(inner, max_size=3)
            | st.dictionaries(st.sampled_from(["channel", "lines", "groups", "kind"]), inner)
        ),
        max_leaves=8,
    ).map(lambda value: json.dumps(value).encode()),
)


@given(damages=st.lists(DAMAGES, max_size=8), data=st.data())
@settings(max_examples=150, deadline=None)
def test_whatever_stands_between_good_orders_they_are_taken_and_every_row_is_accounted_for(
    tmp_path_factory: pytest.TempPathFactory, damages: list[bytes], data: st.DataObject
) -> None:
    rows = [json.dumps(order(f"W{number}")).encode() for number in range(3)]
    for damage in damages:
        rows.insert(data.draw(st.integers(1, len(rows))), damage.replace(b"\n", b" "))
    path = tmp_path_factory.getbasetemp() / "soup.jsonl"
    path.write_bytes(b"\n".join(rows) + b"\n")
    dataset = open_dataset(path, form="canonical", known=Known(network=NETWORK))
    assert dataset.report.balanced
    assert dataset.report.orders == 3
    assert dataset.report.lines_read == len(rows)
    assert dataset.report.rejected == dataset.rejects.lines
    dataset.close()


@given(edits=st.lists(st.tuples(st.integers(0, 2000), st.integers(0, 255)), max_size=5))
@settings(max_examples=150, deadline=None)
def test_an_order_with_flipped_bytes_is_taken_or_rejected_but_never_breaks_the_import(
    tmp_path_factory: pytest.TempPathFactory, edits: list[tuple[int, int]]
) -> None:
    row = bytearray(json.dumps(order("FLIPPED")).encode())
    for place, value in edits:
        row[place % len(row)] = value
    path = tmp_path_factory.getbasetemp() / "flipped.jsonl"
    path.write_bytes(json.dumps(order()).encode() + b"\n" + bytes(row))
    dataset = open_dataset(path, form="canonical", known=Known(network=NETWORK))
    assert dataset.report.balanced
    for arrival in dataset.arrivals():
        if isinstance(arrival, OrderArrival):
            take_apart(arrival.order)
    dataset.close()
