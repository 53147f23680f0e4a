"""Raw inbound payloads: encrypted, readable with a key, gone after their time."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import pytest
from typer.testing import CliRunner

from crossdock import db
from crossdock.cli.main import app
from crossdock.kernel.errors import SettingRefused
from crossdock.ordering import payloads
from crossdock.ordering.payloads import PayloadKeeper, RawPayload

NOW = datetime(2026, 11, 2, 9, tzinfo=UTC)
ADA = RawPayload("web", "order/W1001", b'{"customer": {"name": "Ada Lovelace"}}')


def keeper(*keys: str, days: int = 30) -> PayloadKeeper:
    found = PayloadKeeper.of(",".join(keys), days)
    assert found is not None
    return found


def bodies(connection: db.Connection, reader: PayloadKeeper) -> list[bytes | None]:
    return [kept.body for kept in reader.read(connection, ADA.source, ADA.source_id)]


def test_without_a_key_nothing_is_kept_and_with_nonsense_nothing_starts() -> None:
    assert PayloadKeeper.of("", 30) is None
    assert PayloadKeeper.of(" , ", 30) is None
    with pytest.raises(SettingRefused, match="no Fernet key"):
        PayloadKeeper.of("secret", 30)


def test_a_payload_is_read_as_it_came_and_the_table_does_not_tell_who_it_names(
    connection: db.Connection,
) -> None:
    keys = keeper(payloads.new_key())
    keys.keep(connection, [ADA], NOW)

    [kept] = keys.read(connection, ADA.source, ADA.source_id)
    assert (kept.body, kept.received_at) == (ADA.body, NOW)
    [row] = connection.execute("SELECT body, raw_payload::text FROM raw_payload").fetchall()
    assert b"Ada" not in bytes(row[0])
    assert "Ada" not in row[1] and ADA.body.hex() not in row[1]


def test_the_same_payload_is_kept_once_and_another_of_that_identity_besides(
    connection: db.Connection,
) -> None:
    keys = keeper(payloads.new_key())
    changed = ADA._replace(body=b"{}")
    keys.keep(connection, [ADA, ADA], NOW)
    keys.keep(connection, [ADA, changed], NOW + timedelta(minutes=1))
    assert bodies(connection, keys) == [ADA.body, b"{}"]


def test_after_a_change_of_keys_the_old_ones_still_read_and_a_lost_one_is_told(
    connection: db.Connection,
) -> None:
    old, new = payloads.new_key(), payloads.new_key()
    keeper(old).keep(connection, [ADA], NOW)
    both = keeper(new, old)
    both.keep(connection, [ADA._replace(body=b"later")], NOW + timedelta(hours=1))

    assert bodies(connection, both) == [ADA.body, b"later"]
    assert bodies(connection, keeper(new)) == [None, b"later"]


def test_payloads_expire_and_can_be_forgotten_before(connection: db.Connection) -> None:
    keys = keeper(payloads.new_key(), days=7)
    ben = RawPayload("web", "order/W1002", b"Ben")
    keys.keep(connection, [ADA, ben], NOW)

    payloads.expire(connection, NOW + timedelta(days=7) - timedelta(seconds=1))
    assert bodies(connection, keys) == [ADA.body]
    assert payloads.forget(connection, "web", ["order/W1002"]) == 1
    assert keys.read(connection, "web", "order/W1002") == []
    payloads.expire(connection, NOW + timedelta(days=7))
    assert bodies(connection, keys) == []


def test_support_reads_a_payload_with_the_configured_key(
    connection: db.Connection, database_url: str
) -> None:
    made = CliRunner().invoke(app, ["payloads", "new-key"]).output.strip()
    keeper(made).keep(connection, [ADA], NOW)
    connection.commit()
    asked = ["payloads", "show", ADA.source, ADA.source_id]
    url = {"CROSSDOCK_DATABASE_URL": database_url}

    shown = CliRunner().invoke(app, asked, env={**url, "CROSSDOCK_PAYLOADS_KEYS": made})
    keyless = CliRunner().invoke(app, asked, env=url)

    assert (shown.exit_code, "Ada Lovelace" in shown.output) == (0, True)
    assert keyless.exit_code == 2
    assert "Ada" not in keyless.output
