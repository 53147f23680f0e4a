"""Whatever is stored or sent while orders live through all their turns fits its schema."""

from __future__ import annotations

import json
from functools import cache
from typing import Any

import jsonschema
import msgspec
import pytest

from crossdock import db
from crossdock.contracts.registry import published
from crossdock.kernel import messages
from crossdock.model.effects import Document, InterceptRequest, Notice, PaymentRequest
from crossdock.model.schemas import schema_of
from tests.integration.orders.shop import Shop
from tests.replay.scenarios import SCENARIOS

PAYLOADS: dict[str, type[msgspec.Struct]] = {
    "payment": PaymentRequest,
    "carrier": InterceptRequest,
    "erp": Document,
    "notification": Notice,
}
BY_NAME = {one.name: one for one in published()}
BY_KIND = {one.kind: one.name for one in published()}

# What goes through a table is kept by the table's name, although the row itself is soon deleted.
_KEEP = """
CREATE TABLE seen (place text, type text, body bytea);
CREATE FUNCTION keep_message() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN INSERT INTO seen VALUES (TG_TABLE_NAME, NEW.type, NEW.body); RETURN NEW; END $$;
CREATE FUNCTION keep_effect() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN INSERT INTO seen VALUES ('outbox', NEW.connector, NEW.payload); RETURN NEW; END $$;
CREATE TRIGGER keep AFTER INSERT ON inbox FOR EACH ROW EXECUTE FUNCTION keep_message();
CREATE TRIGGER keep AFTER INSERT ON timer FOR EACH ROW EXECUTE FUNCTION keep_message();
CREATE TRIGGER keep AFTER INSERT ON held_message FOR EACH ROW EXECUTE FUNCTION keep_message();
CREATE TRIGGER keep AFTER INSERT ON dead_letter FOR EACH ROW EXECUTE FUNCTION keep_message();
CREATE TRIGGER keep AFTER INSERT ON outbox FOR EACH ROW EXECUTE FUNCTION keep_effect();
"""


@cache
def validator_of(name: str) -> Any:
    return jsonschema.Draft202012Validator(
        schema_of(BY_NAME[name]), format_checker=jsonschema.Draft202012Validator.FORMAT_CHECKER
    )


def assert_fits(name: str, body: bytes) -> None:
    """The body as it is stored, as JSON."""
    shown = json.loads(msgspec.json.encode(msgspec.msgpack.decode(body)))
    errors = [error.message for error in validator_of(name).iter_errors(shown)]
    assert not errors, f"{name}: {errors}"


@pytest.mark.parametrize("name", sorted(SCENARIOS))
def test_all_that_an_order_stores_and_sends_fits(name: str, connection: db.Connection) -> None:
    handled: list[messages.Message] = []
    shop = Shop(connection, lambda delivery, *_: handled.append(delivery.message))
    connection.execute(_KEEP)
    connection.commit()

    SCENARIOS[name](shop)

    seen = connection.execute("SELECT place, type, body FROM seen").fetchall()
    assert {place for place, _, _ in seen} >= {"inbox", "outbox", "timer"}
    for place, kind, body in seen:
        assert_fits(BY_KIND[PAYLOADS[kind]] if place == "outbox" else kind, body)
    for message in handled:
        assert_fits(message.message_type, messages.encode(message))
    told = connection.execute("SELECT told FROM event_log WHERE told IS NOT NULL").fetchall()
    assert told
    for (row,) in told:
        for kind, event in msgspec.msgpack.decode(row, type=list[tuple[str, msgspec.Raw]]):
            assert_fits(kind, bytes(event))
