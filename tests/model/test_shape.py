"""A document of the wrong shape is answered with every field that does not fit."""

from __future__ import annotations

from typing import Literal

import msgspec
import pytest

from crossdock.model.orders import SalesOrder
from crossdock.model.outside import OutsideOrder
from crossdock.model.problems import Problem
from crossdock.model.shape import convert, read_json
from tests.model.orders import LAMP_AND_BULBS


def problems_of(text: bytes, wanted: type[msgspec.Struct] = SalesOrder) -> list[Problem]:
    result = read_json(text, msgspec.json.Decoder(wanted))
    assert isinstance(result, list)
    return result


def test_a_fitting_document_becomes_the_object() -> None:
    text = msgspec.json.encode(LAMP_AND_BULBS)

    assert read_json(text, msgspec.json.Decoder(SalesOrder)) == LAMP_AND_BULBS


def test_every_field_that_does_not_fit_is_named() -> None:
    document = msgspec.json.decode(msgspec.json.encode(LAMP_AND_BULBS))
    document["total"] = "105.53"
    document["lines"][1]["unit_price"] = "five"
    del document["lines"][0]["sku"]
    document["groups"][0]["method"] = "fly"
    document["attributes"]["acme.gift_note"] = 7

    problems = convert(document, SalesOrder)

    assert isinstance(problems, list)
    assert [(problem.path, problem.code) for problem in problems] == [
        ("total", "wrong_type"),
        ("lines[0].sku", "missing"),
        ("lines[1].unit_price", "wrong_type"),
        ("groups[0].method", "wrong_type"),
        ("attributes.acme.gift_note", "wrong_type"),
    ]
    assert str(problems[0]) == "total: Expected `int`, got `str`. Correct the value."


class Shelf(msgspec.Struct):
    by_kind: dict[Literal["store", "dc"], int]


def test_a_name_that_does_not_fit_is_named_like_a_value() -> None:
    problems = convert({"by_kind": {"store": "two", "shop": 3}}, Shelf)

    assert isinstance(problems, list)
    assert [problem.path for problem in problems] == ["by_kind.store", "by_kind.shop"]


def test_a_field_nobody_knows_is_named_where_it_would_be_lost() -> None:
    problems = problems_of(
        b'{"channel": "web", "nubmer": "W-1", "lines": [{"qty": 1}]}', OutsideOrder
    )

    assert {problem.path for problem in problems if problem.code == "unknown_field"} == {
        "nubmer",
        "lines[0].qty",
    }


@pytest.mark.parametrize(
    ("text", "code", "said"),
    [
        (b'{"id": "x', "not_json", "truncated"),
        (b"", "not_json", "truncated"),
        (b'{"id": "caf\xe9"}', "not_utf8", "Byte 12"),
        (b"[]", "wrong_type", "Expected `object`, got `array`"),
    ],
)
def test_what_is_no_document_at_all_is_one_problem(text: bytes, code: str, said: str) -> None:
    (problem,) = problems_of(text)

    assert problem.code == code
    assert said in problem.message
