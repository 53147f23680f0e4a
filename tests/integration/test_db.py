"""Connections, and PostgreSQL's conditions by name."""

from __future__ import annotations

import contextlib
import re
import threading
import traceback
from datetime import UTC, datetime, timedelta, timezone
from zoneinfo import ZoneInfo

import psycopg
import pytest
from psycopg.conninfo import conninfo_to_dict, make_conninfo

from crossdock import db
from crossdock.kernel.errors import (
    AccessDenied,
    DatabaseFault,
    DatabaseReadOnly,
    DatabaseTooOld,
    DatabaseUnreachable,
    DiskFull,
    Fault,
    NoSuchDatabase,
    OutOfConnections,
    OutOfMemory,
    SettingRefused,
    StatementTimedOut,
    TransactionConflict,
)
from crossdock.settings import settings_in_use

VARIABLES = {row.variable for row in settings_in_use(environment={})}


def shown(connection: db.Connection, setting: str) -> str:
    row = connection.execute(f"SHOW {setting}".encode()).fetchone()
    assert row is not None
    return str(row[0])


def test_a_session_is_in_utc_read_committed_and_ends_idle_transactions(
    empty_database_url: str,
) -> None:
    with contextlib.closing(db.connect(empty_database_url)) as connection:
        assert shown(connection, "TimeZone") == "UTC"
        assert shown(connection, "transaction_isolation") == "read committed"
        assert shown(connection, "idle_in_transaction_session_timeout") == "30s"
        assert shown(connection, "jit") == "off"
        assert shown(connection, "application_name") == "crossdock"
        assert not connection.autocommit
        keepalives = connection.info.get_parameters()
        assert keepalives["keepalives_idle"] == "30"


def test_options_of_the_url_stay(empty_database_url: str) -> None:
    url = make_conninfo(empty_database_url, options="-c work_mem=9MB", keepalives_idle=7)
    with contextlib.closing(db.connect(url)) as connection:
        assert shown(connection, "work_mem") == "9MB"
        assert shown(connection, "TimeZone") == "UTC"
        assert connection.info.get_parameters()["keepalives_idle"] == "7"


def test_times_arrive_aware_and_in_utc(empty_database_url: str) -> None:
    moment = datetime(2026, 3, 29, 1, 59, 59, 123456, tzinfo=UTC)
    with contextlib.closing(db.connect(empty_database_url)) as connection:
        for binary in (False, True):
            row = connection.execute("SELECT %s::timestamptz", [moment], binary=binary).fetchone()
            assert row == (moment,)
            assert row is not None
            assert row[0].utcoffset() == timedelta(0)


def test_a_server_that_is_not_there_is_unreachable() -> None:
    with pytest.raises(DatabaseUnreachable) as raised:
        db.connect("postgresql://nobody@127.0.0.1:1/none")
    assert raised.value.retryable


@pytest.mark.parametrize(
    "url",
    [
        "mysql://u:secret@h/x",
        "secret",
        "postgresql://u:se%cret@h/x",
        "postgresql://u:our@secret@h/x",
        "postgresql://u:secret/ly@h/x",
        "postgresql://u:\udce9secret@h/x",
        "postgresql://u:secret@h/x?sslmood=require",
    ],
)
def test_a_url_that_is_none_is_refused_and_not_shown(url: str) -> None:
    for use in (db.connect, lambda url: db.in_schema(url, "public")):
        with pytest.raises(SettingRefused, match="CROSSDOCK_DATABASE_URL") as raised:
            use(url)
        assert "secret" not in "".join(traceback.format_exception(raised.value, chain=True))


@pytest.mark.parametrize("url", ["", "postgresql://u@a:5432,b:5433/x", "host=@socket port=5432"])
def test_a_url_may_leave_out_things_or_name_several_hosts_or_an_abstract_socket(url: str) -> None:
    assert conninfo_to_dict(db.in_schema(url, "public"))["options"] == "-c search_path=public"


def test_a_database_that_does_not_exist_is_named(server_url: str) -> None:
    with pytest.raises(NoSuchDatabase, match="crossdock_nowhere"):
        db.connect(make_conninfo(server_url, dbname="crossdock_nowhere"))


def test_a_wrong_password_is_access_denied(server_url: str) -> None:
    with pytest.raises(AccessDenied):
        db.connect(make_conninfo(server_url, user="crossdock_stranger", password="wrong"))


def test_a_server_without_a_free_connection_is_said_to_be_so(
    empty_database_url: str, server_url: str
) -> None:
    # Superusers are exempt from a database's limit, so the one who is refused is an ordinary role.
    name = conninfo_to_dict(empty_database_url)["dbname"]
    role = f"{name}_role"
    with contextlib.closing(db.connect(server_url, autocommit=True)) as administrator:
        if shown(administrator, "is_superuser") != "on":
            pytest.skip("making a role takes a superuser of the test server")
        administrator.execute(f"CREATE ROLE {role} LOGIN PASSWORD 'known'".encode())
        administrator.execute(f"ALTER DATABASE {name} CONNECTION LIMIT 0".encode())
        try:
            with pytest.raises(OutOfConnections, match="max_connections") as raised:
                db.connect(make_conninfo(empty_database_url, user=role, password="known"))
            assert raised.value.retryable
        finally:
            administrator.execute(f"DROP ROLE {role}".encode())


def test_a_read_only_server_is_refused_at_once(empty_database_url: str) -> None:
    name = conninfo_to_dict(empty_database_url)["dbname"]
    with contextlib.closing(db.connect(empty_database_url, autocommit=True)) as connection:
        connection.execute(f"ALTER DATABASE {name} SET default_transaction_read_only = on".encode())
    with pytest.raises(DatabaseReadOnly):
        db.connect(empty_database_url)


def test_a_server_older_than_the_oldest_is_refused_with_both_versions(
    empty_database_url: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(db, "OLDEST_SERVER", 99)
    with pytest.raises(DatabaseTooOld, match=r"is PostgreSQL \d+; Crossdock needs 99"):
        db.connect(empty_database_url)


@pytest.mark.parametrize(
    ("code", "kind"),
    [
        ("53100", DiskFull),
        ("53200", OutOfMemory),
        ("53300", OutOfConnections),
        ("40001", TransactionConflict),
        ("40P01", TransactionConflict),
        ("55P03", TransactionConflict),
        ("57014", StatementTimedOut),
        ("57P01", DatabaseUnreachable),
        ("08006", DatabaseUnreachable),
        ("25006", DatabaseReadOnly),
        ("42501", AccessDenied),
    ],
)
def test_a_condition_of_the_server_gets_its_name(
    empty_database_url: str, code: str, kind: type[DatabaseFault]
) -> None:
    with contextlib.closing(db.connect(empty_database_url)) as connection:
        with pytest.raises(kind) as raised, db.naming_faults():
            connection.execute(
                f"DO $$ BEGIN RAISE 'made up' USING ERRCODE = '{code}'; END $$".encode()
            )
    assert "made up" in str(raised.value)
    assert raised.value.advice
    for variable in re.findall(r"CROSSDOCK_\w+", raised.value.advice):
        assert variable in VARIABLES, "the advice names a setting that there is not"


def test_what_the_statement_itself_caused_keeps_its_own_error(empty_database_url: str) -> None:
    with contextlib.closing(db.connect(empty_database_url)) as connection:
        with pytest.raises(psycopg.errors.CheckViolation), db.naming_faults():
            connection.execute("CREATE TABLE t (n integer CONSTRAINT n_is_small CHECK (n < 10))")
            connection.execute("INSERT INTO t VALUES (11)")


def test_a_connection_that_the_server_ended_is_unreachable_and_retryable(
    empty_database_url: str,
) -> None:
    with contextlib.ExitStack() as stack:
        victim = stack.enter_context(contextlib.closing(db.connect(empty_database_url)))
        other = stack.enter_context(
            contextlib.closing(db.connect(empty_database_url, autocommit=True))
        )
        other.execute("SELECT pg_terminate_backend(%s, 5000)", [victim.info.backend_pid])
        for _ in range(2):
            with pytest.raises(DatabaseUnreachable) as raised, db.naming_faults():
                victim.execute("SELECT 1")
            assert raised.value.retryable


def test_a_real_deadlock_is_a_conflict_for_one_of_the_two(empty_database_url: str) -> None:
    with contextlib.ExitStack() as stack:
        first, second = (
            stack.enter_context(contextlib.closing(db.connect(empty_database_url)))
            for _ in range(2)
        )
        first.execute("CREATE TABLE t AS SELECT generate_series(1, 2) AS n")
        first.commit()
        first.execute("UPDATE t SET n = n WHERE n = 1")
        second.execute("UPDATE t SET n = n WHERE n = 2")
        conflicts: list[Fault] = []

        def cross(connection: db.Connection, number: int) -> None:
            try:
                with db.naming_faults():
                    connection.execute("UPDATE t SET n = n WHERE n = %s", [number])
                connection.commit()
            except Fault as fault:
                connection.rollback()
                conflicts.append(fault)

        threads = [threading.Thread(target=cross, args=pair) for pair in ((first, 2), (second, 1))]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
    assert [type(fault) for fault in conflicts] == [TransactionConflict]


def test_one_snapshot_does_not_see_what_others_commit_meanwhile(empty_database_url: str) -> None:
    with contextlib.ExitStack() as stack:
        reader, writer = (
            stack.enter_context(contextlib.closing(db.connect(empty_database_url)))
            for _ in range(2)
        )
        writer.execute("CREATE TABLE t (n integer)")
        writer.commit()
        with db.one_snapshot(reader):
            before = reader.execute("SELECT count(*) FROM t").fetchone()
            writer.execute("INSERT INTO t VALUES (1)")
            writer.commit()
            assert reader.execute("SELECT count(*) FROM t").fetchone() == before == (0,)
            with pytest.raises(DatabaseReadOnly), db.naming_faults(), reader.transaction():
                reader.execute("DELETE FROM t")


@pytest.mark.parametrize(
    ("values", "kind"),
    [
        (["plain", "two words", "ü"], "text"),
        (['a "quoted" one', "back\\slash", "{braces}", "a,b", "", "NULL", "line\nbreak"], "text"),
        ([None, "after nothing", None], "text"),
        ([None, None], "text"),
        ([], "text"),
        ([3, None, -(10**12)], "bigint"),
        ([True, False, None], "bool"),
        ([[1, 2], [3, 4]], "int"),
        ([0.5, 2.0], "float8"),
        ([datetime(2026, 11, 2, tzinfo=UTC), None], "timestamptz"),
        ([datetime(2026, 11, 2, 1, 30, 0, 5, tzinfo=ZoneInfo("America/New_York"))], "timestamptz"),
        ([datetime(321, 2, 12, tzinfo=timezone(timedelta(hours=19, minutes=3)))], "timestamptz"),
        ([datetime.min.replace(tzinfo=UTC), datetime.max.replace(tzinfo=UTC)], "timestamptz"),
    ],
)
def test_a_list_comes_back_as_it_was_given(
    connection: db.Connection, values: list[object], kind: str
) -> None:
    row = connection.execute(f"SELECT %s::{kind}[]", [values]).fetchone()
    assert row == (values,)


def test_times_go_out_by_copy_as_they_are(connection: db.Connection) -> None:
    """Also one moment as different zones write it, and both passes of a repeated hour."""
    eastern = ZoneInfo("America/New_York")
    noon = datetime(2026, 7, 1, 12, 0, 0, 123_456, tzinfo=UTC)
    repeated = datetime(2026, 11, 1, 1, 30, tzinfo=eastern)
    moments = [noon, noon.astimezone(eastern), repeated, repeated.replace(fold=1), noon]
    connection.execute("CREATE TEMPORARY TABLE t (n int, at timestamptz, again timestamptz)")
    with connection.cursor() as cursor, cursor.copy("COPY t FROM STDIN") as copy:
        for number, moment in enumerate(moments):
            copy.write_row((number, moment, None if number else moment))
    rows = connection.execute("SELECT at, again FROM t ORDER BY n").fetchall()
    assert [at for at, _ in rows] == [moment.astimezone(UTC) for moment in moments]
    assert rows[0][1] == noon and rows[1][1] is None


def test_a_time_just_outside_of_the_calendar_is_its_edge(connection: db.Connection) -> None:
    early = datetime.min.replace(tzinfo=timezone(timedelta(hours=9)))
    assert connection.execute("SELECT %s", [early]).fetchone() == (
        datetime.min.replace(tzinfo=UTC),
    )
