"""What was promised is kept: no release is broken, old versions are read, the pages are true."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import jsonschema
import msgspec
import pytest
from typer.testing import CliRunner

from crossdock import db
from crossdock.cli.contracts import pages
from crossdock.cli.main import app
from crossdock.contracts import files
from crossdock.contracts.asyncapi import document
from crossdock.contracts.compare import breaks
from crossdock.contracts.registry import Direction
from crossdock.contracts.statuses import VOCABULARIES
from crossdock.kernel import messages
from crossdock.model.envelope import Received, decode
from crossdock.model.fulfillment import Acknowledgement, WorkStatus
from crossdock.model.messages import FulfillmentDeclined
from crossdock.model.schemas import Published, schema_of
from crossdock.model.stock import ReservationState

ROOT = Path(__file__).resolve().parents[2]
FOLDER = ROOT / "contracts"

IN, OUT, BOTH, INTERNAL = Direction


def schema(*fields: Any, **options: Any) -> dict[str, Any]:
    """The schema of a struct of those fields, as the registry has it."""
    kind = msgspec.defstruct("Lamp", fields, kw_only=not options, **options)
    kind.__doc__ = "A lamp."
    made = schema_of(Published(name="crossdock.lamp.v1", kind=kind, owner="tests"))
    plain: dict[str, Any] = json.loads(json.dumps(made))
    return plain


class Shade(msgspec.Struct, array_like=True):
    """A part written as a list."""

    color: str


class WiderShade(msgspec.Struct, array_like=True):
    """The same with a place more."""

    color: str
    width: int


OLD = schema(("sku", str), ("watts", int), ("color", str, "brass"), ("shades", list[Shade], []))
CHANGES: list[tuple[str, dict[str, Any], dict[Direction, str]]] = [
    (
        "a field is gone",
        schema(("sku", str), ("watts", int), ("shades", list[Shade], [])),
        {IN: "color", OUT: "color"},
    ),
    (
        "a required field more",
        schema(("sku", str), ("watts", int), ("color", str, "brass"), ("shades", list[Shade], []),
               ("base", str)),
        {IN: "base"},
    ),
    (
        "an optional field more",
        schema(("sku", str), ("watts", int), ("color", str, "brass"), ("shades", list[Shade], []),
               ("base", str, "oak")),
        {},
    ),
    (
        "a field becomes optional",
        schema(("sku", str), ("watts", int, 40), ("color", str, "brass"),
               ("shades", list[Shade], [])),
        {OUT: "watts"},
    ),
    (
        "a field may be null",
        schema(("sku", str), ("watts", int | None), ("color", str, "brass"),
               ("shades", list[Shade], [])),
        {OUT: "watts"},
    ),
    (
        "another type",
        schema(("sku", str), ("watts", str), ("color", str, "brass"), ("shades", list[Shade], [])),
        {IN: "watts", OUT: "watts"},
    ),
    (
        "left out, it means something else",
        schema(("sku", str), ("watts", int), ("color", str, "chrome"), ("shades", list[Shade], [])),
        {IN: "color", OUT: "color"},
    ),
    (
        "a place more in a part written as a list",
        schema(("sku", str), ("watts", int), ("color", str, "brass"),
               ("shades", list[WiderShade], [])),
        {IN: "shades[]"},
    ),
]  # fmt: skip


@pytest.mark.parametrize("direction", [IN, OUT, BOTH, INTERNAL])
@pytest.mark.parametrize(
    ("new", "expected"), [change[1:] for change in CHANGES], ids=[change[0] for change in CHANGES]
)
def test_a_change_is_breaking_for_whoever_cannot_follow_it(
    new: dict[str, Any], expected: dict[Direction, str], direction: Direction
) -> None:
    wanted = {
        IN: [IN],
        INTERNAL: [IN],
        OUT: [OUT],
        BOTH: [IN, OUT],
    }[direction]

    found = {broken.path for broken in breaks(OLD, new, direction)}

    assert found == {expected[one] for one in wanted if one in expected}


def test_an_enum_value_more_breaks_readers_and_one_less_breaks_writers() -> None:
    old = {"type": "object", "properties": {"kind": {"enum": ["store", "dc"]}}}
    more = {"type": "object", "properties": {"kind": {"enum": ["store", "dc", "vendor"]}}}

    assert not breaks(old, more, IN)
    assert [one.path for one in breaks(old, more, OUT)] == ["kind"]
    assert [one.path for one in breaks(more, old, IN)] == ["kind"]


def test_nothing_breaks_what_the_last_release_promised() -> None:
    assert files.check(FOLDER) == [], "see `crossdock contracts check`"


def test_the_check_names_the_type_the_field_and_what_to_do(tmp_path: Path) -> None:
    files.write(tmp_path)
    files.release(tmp_path, "9.9")
    released = json.loads((tmp_path / files.RELEASED).read_text())
    picked = released["contracts"]["crossdock.fulfillment_order.picked.v1"]["schema"]
    picked["properties"]["robot"] = {"type": "string"}
    released["contracts"]["crossdock.lamp.lit.v1"] = {"direction": "internal", "schema": {}}
    (tmp_path / files.RELEASED).write_text(json.dumps(released))

    result = CliRunner().invoke(app, ["contracts", "check", "--folder", str(tmp_path)])

    assert result.exit_code == 1
    assert "crossdock.fulfillment_order.picked.v1: robot: the field is gone" in result.output
    assert "crossdock.lamp.lit.v1: is gone since release 9.9" in result.output
    assert "upcaster" in result.output


def test_a_file_that_nobody_reads_is_found(tmp_path: Path) -> None:
    files.write(tmp_path)
    files.release(tmp_path, "9.9")
    (tmp_path / "messages" / "crossdock.lamp.lit.v1.json").write_text("{}")
    (tmp_path / "events" / "crossdock.package.lost.v1.json").unlink()

    assert [finding.name for finding in files.check(tmp_path)] == [
        "crossdock.package.lost.v1",
        "crossdock.lamp.lit.v1",
    ]


@pytest.fixture
def declined_v0() -> Iterator[str]:
    """A former version in which a node gave its reason as a number."""
    name, current = "crossdock.fulfillment.declined.v0", FulfillmentDeclined.message_type

    @messages.upcaster(name, current)
    def name_reason(data: dict[str, Any]) -> dict[str, Any]:
        return {**data, "reason": {1: "no_staff"}[data["reason"]]}

    yield name
    del messages._upcasters[name]


def test_a_stored_body_of_a_former_version_is_read_as_the_current_one(declined_v0: str) -> None:
    body = msgspec.msgpack.encode({"order_id": "o-1", "fulfillment_id": "f-1", "reason": 1})

    assert messages.decode(declined_v0, body) == FulfillmentDeclined(
        order_id="o-1", fulfillment_id="f-1", reason="no_staff"
    )
    with pytest.raises(messages.UnknownMessageType):
        messages.decode("crossdock.fulfillment.declined.v9", body)


def test_others_may_go_on_sending_a_former_version(declined_v0: str) -> None:
    envelope = {
        "specversion": "1.0",
        "id": "m-1",
        "source": "/nodes/S014",
        "type": declined_v0,
        "data": {"order_id": "o-1", "fulfillment_id": "f-1", "reason": 1},
    }

    received = decode(json.dumps(envelope).encode())
    envelope["data"] = {"order_id": "o-1", "fulfillment_id": "f-1", "reason": 7}
    refused = decode(json.dumps(envelope).encode())

    assert isinstance(received, Received)
    assert received.message == FulfillmentDeclined(
        order_id="o-1", fulfillment_id="f-1", reason="no_staff"
    )
    assert isinstance(refused, list) and refused[0].path == "data"


def test_every_version_on_file_is_read_by_this_build() -> None:
    for file in sorted(FOLDER.glob("messages/*.json")) + sorted(FOLDER.glob("events/*.json")):
        (example,) = json.loads(file.read_text())["schema"]["examples"]
        current, data = messages.upcast(file.stem, example)
        msgspec.convert(data, messages.registered()[current])


def test_the_generated_pages_are_up_to_date() -> None:
    for name, text in pages().items():
        written = (ROOT / "docs" / "reference" / name).read_text(encoding="utf-8")
        assert written == text, f"{name}: run `crossdock contracts write`"


def test_the_asyncapi_document_holds_whatever_crosses_the_border() -> None:
    contracts = files.contracts()
    whole = document(contracts)
    crossing = {
        one.name for one in contracts if one.kind != "object" and one.direction in (IN, OUT)
    }

    assert set(whole["components"]["messages"]) == crossing
    assert len(whole["operations"]["sendEvents"]["messages"]) > 20
    for reference in re.findall(r'"\$ref": "#/([^"]+)"', json.dumps(whole)):
        part: Any = whole
        for step in reference.split("/"):
            part = part[step]
    for name in crossing:
        schema = whole["components"]["schemas"][name]
        validator = jsonschema.Draft202012Validator({**schema, "components": whole["components"]})
        assert list(validator.iter_errors(schema["examples"][0])) == []


CONSTRAINTS = {
    ("SalesOrder", "stage"): "sales_order_stage",
    ("FulfillmentOrder", "work"): "fulfillment_order_work",
    ("FulfillmentOrder", "acknowledgement"): "fulfillment_order_acknowledgement",
    ("Tender", "status"): "tender_status",
    ("PaymentEntry", "status"): "payment_entry_status",
    ("ReceivedPayment", "status"): "received_payment_status",
    ("Task", "status"): "task_status",
    ("Case", "status"): "case_status",
    ("ReturnClaim", "status"): "return_claim_status",
    ("Webhook", "status"): "webhook_status",
    ("Checkout", "status"): "checkout_status",
    ("FileJob", "status"): "file_job_status",
    ("Supply", "status"): "supply_status",
}


def test_the_vocabulary_has_exactly_the_values_that_the_database_allows(
    connection: db.Connection,
) -> None:
    rows = connection.execute(
        "SELECT conname, pg_get_constraintdef(c.oid) FROM pg_constraint c"
        " JOIN pg_attribute a ON a.attrelid = c.conrelid AND c.conkey = ARRAY[a.attnum]"
        " WHERE c.contype = 'c' AND a.attname IN ('status', 'stage', 'work', 'acknowledgement')"
    ).fetchall()
    allowed = {name: set(re.findall(r"'(\w+)'", definition)) for name, definition in rows}

    said = {(v.object, v.field): {one.value for one in v.statuses} for v in VOCABULARIES}

    assert {name: said[where] for where, name in CONSTRAINTS.items()} == allowed


def test_the_vocabulary_has_exactly_the_values_of_the_types() -> None:
    values = {(v.object, v.field): [one.value for one in v.statuses] for v in VOCABULARIES}
    units = {"open", "soft", "backordered", "allocated", "released", "picked", "packed"}
    units |= {"shipped", "canceled", "delivered", "lost", "returned"}

    assert values["FulfillmentOrder", "work"] == [one.value for one in WorkStatus]
    assert values["FulfillmentOrder", "acknowledgement"] == [one.value for one in Acknowledgement]
    assert values["Reservation", "state"] == [one.value for one in ReservationState]
    assert set(values["OrderLine", "units"]) == units
