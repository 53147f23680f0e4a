"""Exports in the form of UCI Online Retail: each row has one fate, the real file adds up."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable
from datetime import UTC, datetime
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from crossdock.catalog import rules
from crossdock.importers import (
    CreditArrival,
    Dataset,
    EntryArrival,
    OrderArrival,
    Rejects,
    StockArrival,
    UnusableInput,
    open_dataset,
)
from crossdock.model.outside import OutsideOrder, take_apart
from crossdock.model.validation import validate_order

HEADER = "InvoiceNo,StockCode,Description,Quantity,InvoiceDate,UnitPrice,CustomerID,Country"
MONDAY, TUESDAY = "2010-12-06 09:00:00", "2010-12-07 09:00:00"


def row(
    invoice: str,
    code: str = "22423",
    quantity: int | str = 1,
    price: str = "12.75",
    *,
    customer: str = "17850",
    at: str = MONDAY,
    country: str = "United Kingdom",
    description: str = "REGENCY CAKESTAND 3 TIER",
) -> str:
    """A cake stand for customer 17850, on a Monday in December 2010."""
    return f"{invoice},{code},{description},{quantity},{at},{price},{customer},{country}"


ORDER = row("536365", quantity=3)


def opened(tmp_path: Path, *rows: str, mapping: str = "") -> Dataset:
    path = tmp_path / "export.csv"
    path.write_text("\n".join([HEADER, *rows]) + "\n", encoding="utf-8")
    own = None
    if mapping:
        own = tmp_path / "mapping.toml"
        own.write_text(mapping, encoding="utf-8")
    dataset = open_dataset(path, mapping=own, rejects=Rejects())
    assert dataset.report.format == "online-retail"
    assert dataset.report.balanced
    assert dataset.report.lines_read == len(rows)
    return dataset


def orders_of(dataset: Dataset) -> dict[str, OutsideOrder]:
    return {
        arrival.order.number: arrival.order
        for arrival in dataset.arrivals()
        if isinstance(arrival, OrderArrival)
    }


def credits_of(dataset: Dataset) -> list[CreditArrival]:
    return [arrival for arrival in dataset.arrivals() if isinstance(arrival, CreditArrival)]


def test_an_invoice_is_an_order_in_local_time_with_a_place_filled_in(tmp_path: Path) -> None:
    dataset = opened(tmp_path, ORDER, row("536365", "85123a", 6, "2.55", description="HEART"))
    (order,) = orders_of(dataset).values()
    assert order.placed_at == datetime(2010, 12, 6, 9, 0, tzinfo=UTC)
    assert [(line.sku, line.quantity, line.total) for line in order.lines] == [
        ("22423", 3, 3825),
        ("85123A", 6, 1530),
    ]
    assert order.total == 5355
    assert order.customer is not None and order.customer.number == "17850"
    address = order.groups[0].address
    assert address.country == "GB" and address.postal_code and address.latitude
    names = {product.sku: product.name for product in dataset.network.products}
    assert names == {"22423": "REGENCY CAKESTAND 3 TIER", "85123A": "HEART"}


def test_summer_time_counts(tmp_path: Path) -> None:
    dataset = opened(tmp_path, row("540000", at="2011-07-01 09:00:00"))
    assert orders_of(dataset)["540000"].placed_at == datetime(2011, 7, 1, 8, 0, tzinfo=UTC)


def test_a_customer_lives_in_one_place(tmp_path: Path) -> None:
    orders = orders_of(opened(tmp_path, ORDER, row("536400"), row("536401", customer="12345")))
    assert orders["536365"].groups == orders["536400"].groups
    assert orders["536365"].groups != orders["536401"].groups


def test_codes_that_are_no_products_become_charges_gift_cards_and_adjustments(
    tmp_path: Path,
) -> None:
    dataset = opened(
        tmp_path,
        ORDER,
        row("536365", "POST", 2, "18.00", description="POSTAGE"),
        row("536365", "gift_0001_20", 1, "16.67"),
        row("536365", "D", 1, "5.00", description="Discount"),
    )
    (order,) = orders_of(dataset).values()
    assert [(charge.kind, charge.amount) for charge in order.charges] == [
        ("shipping", 3600),
        ("gift_card", 1667),
    ]
    assert [(a.source, a.amount) for a in order.adjustments] == [("discount", -500)]
    assert order.total == 3825 + 3600 + 1667 - 500
    assert dataset.report.taken == {"order line": 1, "charge": 1, "gift card": 1, "adjustment": 1}


def test_money_without_goods_is_an_entry(tmp_path: Path) -> None:
    dataset = opened(
        tmp_path,
        ORDER,
        row("536366", "POST", 1, "8.62"),
        row("536367", "BANK CHARGES", 1, "15.00"),
        row("A536368", "B", 1, "-11062.06", customer=""),
        row("C536369", "AMAZONFEE", -1, "13541.33", customer=""),
        row("C536370", "D", -1, "27.50"),
    )
    entries = [arrival for arrival in dataset.arrivals() if isinstance(arrival, EntryArrival)]
    assert [(entry.kind, entry.amount_minor) for entry in entries] == [
        ("shipping", 862),
        ("bank_charges", 1500),
        ("bad_debt", -1106206),
        ("marketplace_fee", -1354133),
        ("discount", -2750),
    ]
    assert dataset.report.orders == 1


def test_a_whole_invoice_without_customer_and_price_corrects_stock(tmp_path: Path) -> None:
    dataset = opened(
        tmp_path,
        ORDER,
        row("536366", quantity=-10, price="0", customer="", description="wet damaged"),
        row("536367", quantity=56, price="0", customer="", description="found"),
        row("536368", quantity=-1, price="0", customer="", description=""),
        row("536369", "POST", 1000, "0", customer="", description=""),
    )
    moves = [arrival for arrival in dataset.arrivals() if isinstance(arrival, StockArrival)]
    assert [(move.quantity, move.reason) for move in moves] == [
        (-10, "damaged"),
        (56, "found"),
        (-1, "unexplained"),
    ]
    assert dataset.report.otherwise["stock remark on a code without stock"] == 1


def test_a_free_line_for_a_customer_or_beside_a_priced_one_is_ordered(tmp_path: Path) -> None:
    dataset = opened(
        tmp_path,
        row("536365", price="0"),
        row("536366", customer=""),
        row("536366", "22139", price="0", customer=""),
    )
    assert dataset.report.taken == {"order line": 3}
    assert orders_of(dataset)["536365"].tenders == ()


def test_a_credit_is_matched_to_the_latest_earlier_purchase(tmp_path: Path) -> None:
    dataset = opened(
        tmp_path,
        row("536365", quantity=3),
        row("536500", quantity=2, at=TUESDAY),
        row("C536600", quantity=-4, at="2010-12-08 09:00:00"),
    )
    found = [(credit.number, credit.lines[0].quantity) for credit in credits_of(dataset)]
    assert sorted(found) == [("536365", 2), ("536500", 2)]
    orders = orders_of(dataset)
    assert {credit.order_id for credit in credits_of(dataset)} == {o.id for o in orders.values()}
    assert sum(credit.amount_minor for credit in credits_of(dataset)) == 4 * 1275
    assert dataset.report.taken["credit"] == 1


@pytest.mark.parametrize(
    ("credit", "reason"),
    [
        (row("C1", quantity=-1, at=TUESDAY, customer="12345"), "credit_without_purchase"),
        (row("C1", quantity=-1, at=TUESDAY, price="12.76"), "credit_without_purchase"),
        (row("C1", "22424", quantity=-1, at=TUESDAY), "credit_without_purchase"),
        (row("C1", quantity=-1, at="2010-12-06 08:59:00"), "credit_without_purchase"),
        (row("C1", quantity=-1, at=TUESDAY, customer=""), "credit_without_customer"),
    ],
)
def test_a_credit_that_fits_no_purchase_is_rejected(
    tmp_path: Path, credit: str, reason: str
) -> None:
    dataset = opened(tmp_path, ORDER, credit)
    assert dataset.rejects.by_reason == {reason: 1}
    assert credits_of(dataset) == []


def test_a_credit_above_what_was_bought_is_taken_as_far_as_it_goes(tmp_path: Path) -> None:
    dataset = opened(tmp_path, ORDER, row("C1", quantity=-5, at=TUESDAY))
    (credit,) = credits_of(dataset)
    assert credit.lines[0].quantity == 3
    assert dataset.report.taken["credit, matched in part"] == 1
    assert dataset.rejects.by_reason == {"credit_exceeds_purchases": 1}
    assert (dataset.rejects.lines, dataset.rejects.parts) == (0, 1)


def test_no_unit_is_credited_twice(tmp_path: Path) -> None:
    dataset = opened(
        tmp_path,
        ORDER,
        row("C1", quantity=-2, at=TUESDAY),
        row("C2", quantity=-2, at="2010-12-08 09:00:00"),
    )
    assert [credit.lines[0].quantity for credit in credits_of(dataset)] == [2, 1]


def test_a_price_is_the_same_however_its_zeros_are_written(tmp_path: Path) -> None:
    dataset = opened(
        tmp_path, row("536365", price="4.5"), row("C1", quantity=-1, price="4.50", at=TUESDAY)
    )
    assert len(credits_of(dataset)) == 1


def test_rows_of_an_invoice_may_be_scattered_over_the_file(tmp_path: Path) -> None:
    dataset = opened(tmp_path, ORDER, row("536366"), row("536365", "22139", 1, "4.25"))
    assert {number: len(order.lines) for number, order in orders_of(dataset).items()} == {
        "536365": 2,
        "536366": 1,
    }


def test_exact_doubles_are_kept_and_counted_unless_the_mapping_says_drop(tmp_path: Path) -> None:
    kept = opened(tmp_path, ORDER, ORDER)
    assert kept.report.units == 6
    assert kept.report.remarks["exact doubles of a row, kept"] == 1
    dropped = opened(tmp_path, ORDER, ORDER, mapping='[file]\ndoubled_rows = "drop"\n')
    assert dropped.report.units == 3
    assert dropped.rejects.by_reason == {"doubled_row": 1}


@pytest.mark.parametrize(
    ("bad", "reason"),
    [
        (row("536400", quantity="some"), "unreadable_number"),
        (row("536400", price="cheap"), "unreadable_number"),
        (row("536400", price="NaN"), "unreadable_number"),
        (row("536400", at="last week"), "unreadable_time"),
        (row(""), "empty_field"),
        (row("536400", ""), "empty_field"),
        (row("536400", quantity=0), "zero_quantity"),
        (row("536400", quantity=-1), "negative_quantity"),
        (row("536400", price="-1.00"), "negative_price"),
        (row("536400", "XYZZY"), "unknown_code"),
        (row("Z536400"), "unknown_code"),
        (row("536400", country="Atlantis"), "unknown_country"),
        (row("536365", customer="12345"), "mixed_invoice"),
        (row("C536400", quantity=1), "order_refused"),
        ("536400,22423,too few fields", "wrong_column_count"),
    ],
)
def test_a_bad_row_is_rejected_and_the_rest_is_taken(tmp_path: Path, bad: str, reason: str) -> None:
    dataset = opened(tmp_path, ORDER, bad, row("536401"))
    (reject,) = dataset.rejects.samples
    assert (reject.line, reject.reason) == (3, reason), reject.message
    assert dataset.report.orders == 2


def test_a_mapping_of_ones_own_says_what_a_code_is(tmp_path: Path) -> None:
    dataset = opened(
        tmp_path,
        row("536365", "CAKE-STAND"),
        row("536365", "FREIGHT"),
        row("536365", "POST"),
        mapping="""
            [products]
            product = '[A-Z]+-[A-Z]+'
            [codes]
            FREIGHT = { use = "charge", kind = "shipping" }
            POST = { use = "item", kind = "poster" }
        """,
    )
    (order,) = orders_of(dataset).values()
    assert [line.sku for line in order.lines] == ["CAKE-STAND", "POST"]
    assert [charge.kind for charge in order.charges] == ["shipping"]


@pytest.mark.parametrize(
    "mapping",
    [
        "[file",
        '[file]\ncurrency = "COWRIES"',
        '[file]\ncolour = "red"',
        "[products]\nproduct = '('",
        '[countries]\nAtlantis = ["QQ"]',
        '[codes]\nPOST = { use = "ignore", kind = "x" }',
    ],
)
def test_a_mapping_with_a_mistake_is_refused(tmp_path: Path, mapping: str) -> None:
    with pytest.raises(UnusableInput, match="mapping"):
        opened(tmp_path, ORDER, mapping=mapping)


def test_an_export_without_a_needed_column_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "export.csv"
    path.write_text("InvoiceNo,StockCode\n1,2\n")
    with pytest.raises(UnusableInput, match="Description"):
        open_dataset(path, form="online-retail")


FIELDS = st.sampled_from(
    (
        *("", "0", "-1", "3", "x", "536365", "C536365", "A1", "22423", "POST", "D", "gift_0001_9"),
        *("4.25", "-4.25", "1e9", "NaN", MONDAY, "United Kingdom", "Atlantis", '"', '"a', "ä"),
    )
)


@given(rows=st.lists(st.lists(FIELDS, min_size=7, max_size=9), max_size=25))
@settings(max_examples=200, deadline=None)
def test_any_mixture_of_rows_is_accounted_for_row_by_row(
    tmp_path_factory: pytest.TempPathFactory, rows: list[list[str]]
) -> None:
    path = tmp_path_factory.getbasetemp() / "soup.csv"
    path.write_text("\n".join([HEADER, row("1"), *(",".join(fields) for fields in rows)]))
    dataset = open_dataset(path, rejects=Rejects())
    assert dataset.report.balanced
    dataset.close()


@given(
    st.lists(
        st.tuples(st.booleans(), st.integers(1, 5), st.integers(0, 27)), min_size=1, max_size=20
    )
)
@settings(max_examples=100, deadline=None)
def test_credits_never_exceed_what_was_bought_before_them(
    tmp_path_factory: pytest.TempPathFactory, events: list[tuple[bool, int, int]]
) -> None:
    path = tmp_path_factory.getbasetemp() / "credits.csv"
    rows = [HEADER, row("1", at="2010-11-01 00:00:00")]
    for number, (is_credit, quantity, day) in enumerate(events, start=2):
        invoice = f"C{number}" if is_credit else str(number)
        at = f"2010-12-{day + 1:02d} 09:00:00"
        rows.append(row(invoice, quantity=-quantity if is_credit else quantity, at=at))
    path.write_text("\n".join(rows))
    dataset = open_dataset(path, rejects=Rejects())
    left: Counter[str] = Counter()
    for arrival in dataset.arrivals():
        if isinstance(arrival, OrderArrival):
            left[arrival.order.id] += arrival.order.lines[0].quantity
        elif isinstance(arrival, CreditArrival):
            left[arrival.order_id] -= sum(part.quantity for part in arrival.lines)
            assert left[arrival.order_id] >= 0
    dataset.close()


@pytest.mark.slow
def test_the_whole_real_file_is_accounted_for(
    shared_data: Callable[[str], Path], tmp_path: Path
) -> None:
    path = shared_data("online_retail/online_retail.csv.gz")
    with Rejects(tmp_path / "rejects.jsonl") as rejects:
        dataset = open_dataset(path, rejects=rejects)
    report = dataset.report
    assert report.balanced
    assert report.lines_read == 541_909
    assert report.taken == {
        "order line": 528_157,
        "charge": 2_125,
        "gift card": 31,
        "credit": 7_119,
        "credit, matched in part": 52,
    }
    assert report.otherwise == {
        "stock correction": 2_098,
        "stock remark on a code without stock": 10,
        "entry: manual": 346,
        "entry: shipping": 208,
        "entry: discount": 77,
        "entry: samples": 63,
        "entry: bank_charges": 37,
        "entry: marketplace_fee": 34,
        "entry: charity_commission": 16,
        "entry: bad_debt": 3,
    }
    assert rejects.by_reason == {
        "credit_without_purchase": 1_368,
        "credit_without_customer": 165,
        "credit_exceeds_purchases": 52,
    }
    assert (report.orders, report.units) == (19_785, 5_592_248)
    assert report.remarks["exact doubles of a row, kept"] == 5_268
    assert len((tmp_path / "rejects.jsonl").read_text().splitlines()) == 1_368 + 165 + 52
    assert rules.problems_of(dataset.network) == []
    _check_real_orders(dataset)
    dataset.close()


def _check_real_orders(dataset: Dataset) -> None:
    """Every order can come in, every credit is about units of an order before it."""
    bought: dict[str, dict[int, int]] = {}
    skus = {product.sku for product in dataset.network.products}
    longest = 0
    for arrival in dataset.arrivals():
        if isinstance(arrival, OrderArrival):
            order = take_apart(arrival.order).order
            assert validate_order(order) == []
            assert {line.sku for line in order.lines} <= skus
            longest = max(longest, len(order.lines))
            bought[order.id] = {line.number: line.quantity for line in order.lines}
        elif isinstance(arrival, CreditArrival):
            for part in arrival.lines:
                bought[arrival.order_id][part.line] -= part.quantity
                assert bought[arrival.order_id][part.line] >= 0
    assert longest > 1_000
