"""What Crossdock publishes is complete, described, and true of what it sends and takes."""

from __future__ import annotations

import json
import re
from pathlib import Path
from typing import Any

import jsonschema
import msgspec
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from typer.testing import CliRunner

from crossdock.catalog.model import Network
from crossdock.catalog.rules import problems_of
from crossdock.cli.main import app
from crossdock.contracts.registry import published
from crossdock.kernel import messages
from crossdock.model.dictionary import dictionary
from crossdock.model.envelope import Envelope, border_types
from crossdock.model.examples import example_json, example_of
from crossdock.model.orders import SalesOrder
from crossdock.model.outside import OutsideOrder
from crossdock.model.schemas import Published, notes_of, schema_of, structs_in
from crossdock.model.text import unstorable
from crossdock.model.validation import validate, validate_order, validate_outside
from tests.model.structs import any_of

ROOT = Path(__file__).resolve().parents[2]
EVERYTHING = published()
each = pytest.mark.parametrize("one", EVERYTHING, ids=lambda one: one.name)


def test_every_message_type_of_the_source_is_published() -> None:
    declared = {
        name
        for file in (ROOT / "src").rglob("*.py")
        for name in re.findall(r'^@message_type\("([^"]+)"\)', file.read_text(), re.MULTILINE)
    }

    assert declared == {one.name for one in EVERYTHING if one.is_message}


@each
def test_a_schema_is_valid_and_its_filled_example_fits(one: Published) -> None:
    schema = schema_of(one)
    jsonschema.Draft202012Validator.check_schema(schema)
    validator = jsonschema.Draft202012Validator(
        schema, format_checker=jsonschema.Draft202012Validator.FORMAT_CHECKER
    )

    (example,) = schema["examples"]

    assert list(validator.iter_errors(example)) == []
    read = msgspec.json.decode(msgspec.json.encode(example), type=one.kind)
    # An envelope's data are raw bytes, which msgspec does not compare.
    assert read == example_of(one.kind) or one.kind is Envelope
    assert unstorable(example) == []


@each
def test_everything_published_says_what_it_is_and_whose(one: Published) -> None:
    assert re.fullmatch(r"crossdock(\.[a-z_]+)+\.v\d+", one.name)
    assert one.owner
    for part in structs_in(one.kind):
        assert part.__doc__ and "msgspec" not in part.__doc__, f"{part.__name__} says nothing"


@each
@settings(max_examples=8, deadline=None)
@given(data=st.data())
def test_whatever_is_published_survives_the_way_through_json_and_fits_its_schema(
    one: Published, data: st.DataObject
) -> None:
    thing = data.draw(any_of(one.kind))

    text = msgspec.json.encode(thing)

    assert msgspec.json.encode(msgspec.json.decode(text, type=one.kind)) == text
    jsonschema.Draft202012Validator(schema_of(one)).validate(json.loads(text))
    if isinstance(thing, messages.Message):
        assert msgspec.json.decode(text, type=one.kind) == thing
        assert messages.decode(one.name, messages.encode(thing)) == thing


def test_examples_of_what_comes_from_outside_are_let_in() -> None:
    for one in EVERYTHING:
        if one.name in border_types():
            message = example_of(one.kind)
            assert isinstance(message, messages.Message)
            assert validate(message) == [], one.name
    assert validate_order(example_of(SalesOrder)) == []
    assert validate_outside(example_of(OutsideOrder)) == []


def test_the_examples_of_master_data_are_right_by_themselves() -> None:
    fields = {field.name: field.type for field in msgspec.structs.fields(Network)}
    examples: dict[str, Any] = {
        name: (example_of(kind.__args__[0]),) for name, kind in fields.items()
    }

    # What a single example of each cannot hold is what they refer to.
    problems = problems_of(Network(**examples))

    assert {problem.code for problem in problems} <= {"unknown_reference"}


def test_a_field_is_described_by_the_text_below_it() -> None:
    note = "Sum of line totals, charges, adjustments and added taxes, in minor units."

    schema = schema_of(Published(name="crossdock.x.v1", kind=SalesOrder, owner="x"))

    assert notes_of(SalesOrder)["total"] == note
    assert schema["properties"]["total"]["description"] == note
    assert schema["properties"]["placed_at"]["format"] == "date-time"


def test_an_example_shows_every_field_also_those_that_may_be_left_out() -> None:
    shown = example_json(SalesOrder)

    assert isinstance(shown, dict)
    assert set(shown) == set(SalesOrder.__struct_fields__)


def test_the_data_dictionary_in_the_documentation_is_up_to_date() -> None:
    page = ROOT / "docs" / "reference" / "data-dictionary.md"

    assert page.read_text() == dictionary(EVERYTHING), (
        "run: crossdock schema dictionary docs/reference/data-dictionary.md"
    )


def test_export_writes_a_schema_for_everything_and_an_index(tmp_path: Path) -> None:
    result = CliRunner().invoke(app, ["schema", "export", str(tmp_path / "out")])

    assert result.exit_code == 0, result.output
    index = json.loads((tmp_path / "out" / "index.json").read_text())
    assert [entry["name"] for entry in index] == [one.name for one in EVERYTHING]
    for entry in index:
        schema = json.loads((tmp_path / "out" / entry["schema"]).read_text())
        assert schema["$id"] == f"urn:crossdock:schema:{entry['name']}"
    assert (tmp_path / "out" / "data-dictionary.md").read_text().startswith("# Data dictionary")


def test_export_to_where_nothing_can_be_written_says_so(tmp_path: Path) -> None:
    (tmp_path / "out").write_text("a file")

    result = CliRunner().invoke(app, ["schema", "export", str(tmp_path / "out")])

    assert result.exit_code == 2
    assert "cannot be written" in result.output
