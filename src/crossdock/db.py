"""Connections as Crossdock needs them, PostgreSQL's errors by name, and the migrations."""

from __future__ import annotations

import contextlib
import hashlib
import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path

import psycopg
from psycopg.conninfo import conninfo_to_dict, make_conninfo
from psycopg.pq import TransactionStatus
from psycopg.rows import TupleRow
from psycopg_pool import ConnectionPool, PoolTimeout

from crossdock import adapters
from crossdock.kernel.errors import (
    AccessDenied,
    DatabaseFault,
    DatabaseReadOnly,
    DatabaseTooOld,
    DatabaseUnreachable,
    DiskFull,
    MigrationChanged,
    MigrationFailed,
    NoSuchDatabase,
    OutOfConnections,
    OutOfMemory,
    SchemaAhead,
    SchemaBehind,
    SettingRefused,
    StatementTimedOut,
    TransactionConflict,
)
from crossdock.paths import schema_folder

Connection = psycopg.Connection[TupleRow]
Error = psycopg.Error
"""Whatever PostgreSQL or its driver says no with; `fault_of` knows which of it is a condition."""

OLDEST_SERVER = 15

# A dead host's locks come free after 30 s + 3 * 10 s of silence at the latest.
_KEEPALIVES = {
    "keepalives": 1,
    "keepalives_idle": 30,
    "keepalives_interval": 10,
    "keepalives_count": 3,
    "tcp_user_timeout": 60_000,
}

# One number for all of Crossdock, so that two migrations of one database meet. ("crossdoc")
_MIGRATION_LOCK = 0x63726F7373646F63


def connect(
    url: str,
    *,
    application_name: str = "crossdock",
    autocommit: bool = False,
    idle_in_transaction_seconds: int = 30,
    connect_timeout_seconds: int = 10,
) -> Connection:
    """A connection to a writable PostgreSQL 15+, in UTC, READ COMMITTED, uuid columns as text.

    Raises SettingRefused for a URL that is none, DatabaseUnreachable, OutOfConnections,
    AccessDenied, NoSuchDatabase, DatabaseTooOld, DatabaseReadOnly.
    """
    with naming_faults():
        connection = psycopg.connect(
            _parameters(
                url, application_name, idle_in_transaction_seconds, connect_timeout_seconds
            ),
            autocommit=autocommit,
        )
    try:
        _make_ready(connection)
    except DatabaseFault:
        connection.close()
        raise
    return connection


class Pool:
    """At most `size` connections, opened when first needed, each used by one thread at a time.

    A `read_only` pool is in autocommit: a statement is one round trip, and `one_snapshot` joins
    several. Any other leaves the commit to its user; what was not committed is rolled back.
    """

    def __init__(
        self,
        url: str,
        *,
        size: int,
        application_name: str,
        read_only: bool = False,
        wait_seconds: float = 5.0,
        idle_in_transaction_seconds: int = 30,
        connect_timeout_seconds: int = 10,
    ) -> None:
        self.read_only = read_only
        self._pool: ConnectionPool[Connection] = ConnectionPool(
            _parameters(
                url, application_name, idle_in_transaction_seconds, connect_timeout_seconds
            ),
            kwargs={"autocommit": read_only},
            configure=self._configure,
            min_size=0,
            max_size=size,
            timeout=wait_seconds,
            open=True,
        )

    @contextlib.contextmanager
    def connection(self) -> Iterator[Connection]:
        """One connection for the length of the block.

        Raises OutOfConnections where none comes free in time, else what the block raises; an error
        of the server that is a condition has its name.
        """
        try:
            connection = self._pool.getconn()
        except PoolTimeout as late:
            raise OutOfConnections(
                "No connection to the database came free in time.",
                advice="See what the database is busy with.",
            ) from late
        try:
            with naming_faults():
                yield connection
        finally:
            if connection.info.transaction_status != TransactionStatus.IDLE:
                with contextlib.suppress(psycopg.Error):
                    connection.rollback()
            self._pool.putconn(connection)

    def close(self) -> None:
        """Close what is idle; what is in use is closed when it comes back."""
        self._pool.close()

    def _configure(self, connection: Connection) -> None:
        _make_ready(connection)
        if self.read_only:
            connection.execute("SET default_transaction_read_only = on")


def in_schema(url: str, schema: str) -> str:
    """The same database with every unqualified name meaning one of that schema."""
    options = f"{parts_of(url).get('options') or ''} -c search_path={schema}".strip()
    return make_conninfo(url, options=options)


def parts_of(url: str) -> Mapping[str, object]:
    """What the URL says, by libpq's names. Raises SettingRefused, which quotes none of it."""
    with contextlib.suppress(psycopg.ProgrammingError, UnicodeError):
        parts = conninfo_to_dict(url)
        host, ports = str(parts.get("host") or ""), str(parts.get("port") or "")
        # So a password with @, : or / in it is read: its rest would be shown as host or port.
        if "@" not in host[1:] and re.fullmatch(r"[\d,]*", ports):
            return parts
    # Outside of the handler: the driver's words quote the password, and would be its context.
    raise SettingRefused(
        "CROSSDOCK_DATABASE_URL (database.url) is no URL of a PostgreSQL.",
        advice="Write postgresql://user:password@host:5432/database, with every special character "
        "of the password as %XX (@ is %40, : is %3A, / is %2F, % is %25).",
    )


def _parameters(
    url: str, application_name: str, idle_in_transaction_seconds: int, connect_timeout_seconds: int
) -> str:
    session = (
        "-c TimeZone=UTC -c default_transaction_isolation=read\\ committed -c jit=off "
        f"-c idle_in_transaction_session_timeout={idle_in_transaction_seconds}s"
    )
    parts = parts_of(url)
    return make_conninfo(
        url,
        application_name=application_name,
        options=f"{parts.get('options') or ''} {session}".strip(),
        **{
            "connect_timeout": connect_timeout_seconds,
            **{k: v for k, v in _KEEPALIVES.items() if k not in parts},
        },
    )


def _make_ready(connection: Connection) -> None:
    _check_server(connection)
    adapters.register(connection)


def _check_server(connection: Connection) -> None:
    """The server says both things in its greeting: no statement is needed."""
    version = connection.info.server_version // 10_000
    if version < OLDEST_SERVER:
        raise DatabaseTooOld(
            f"The server at {_where(connection)} is PostgreSQL {version}; Crossdock needs "
            f"{OLDEST_SERVER} or newer.",
            advice="Upgrade it, or unset CROSSDOCK_DATABASE_URL to use the embedded one.",
        )
    for said in ("in_hot_standby", "default_transaction_read_only"):
        if connection.info.parameter_status(said) == "on":
            raise DatabaseReadOnly(
                f"The server at {_where(connection)} takes no writes ({said} is on).",
                advice="Point CROSSDOCK_DATABASE_URL to the primary, or wait for the fail-over.",
            )


def _where(connection: Connection) -> str:
    return f"{connection.info.host or 'localhost'}:{connection.info.port}"


@contextlib.contextmanager
def naming_faults() -> Iterator[None]:
    """Inside the block, a PostgreSQL error that is a condition of the server gets its name.

    An error that the statement itself caused (a constraint, a wrong type) passes unchanged.
    """
    try:
        yield
    except psycopg.Error as error:
        fault = fault_of(error)
        if fault is None:
            raise
        raise fault from error


@contextlib.contextmanager
def one_snapshot(connection: Connection) -> Iterator[None]:
    """All statements of the block see the database at one moment, and change nothing.

    Inside a transaction that is open already, they see that transaction's own changes instead.
    """
    at_rest = connection.info.transaction_status == TransactionStatus.IDLE
    with connection.transaction():
        if at_rest:
            connection.execute("SET TRANSACTION ISOLATION LEVEL REPEATABLE READ READ ONLY")
        yield


# The advice says what to see to; whether the work is tried again is for those who do it to say.
_FAULTS: dict[str, tuple[type[DatabaseFault], str]] = {
    "08": (
        DatabaseUnreachable,
        "See whether the server runs and whether CROSSDOCK_DATABASE_URL is right.",
    ),
    "57P": (DatabaseUnreachable, "Wait until the server is back."),
    "25P03": (DatabaseUnreachable, "See what kept the process while its transaction was open."),
    "25P04": (DatabaseUnreachable, "See whether the server's transaction_timeout is too short."),
    "53300": (
        OutOfConnections,
        "Raise max_connections of the server, or run fewer workers (CROSSDOCK_API_WORKERS).",
    ),
    "53100": (DiskFull, "Free space on the server's disk."),
    "53": (OutOfMemory, "Give the server more memory, or lower its work_mem."),
    "58030": (DiskFull, "The server could not read or write its disk; see its log."),
    "40": (TransactionConflict, "Let the other transaction end."),
    "55P03": (TransactionConflict, "Let the other transaction end."),
    "57014": (StatementTimedOut, "See what else the server is busy with."),
    "25006": (
        DatabaseReadOnly,
        "Point CROSSDOCK_DATABASE_URL to the primary, or wait for the fail-over.",
    ),
    "28": (AccessDenied, "Check the user and the password in CROSSDOCK_DATABASE_URL."),
    "42501": (AccessDenied, "Make the user of CROSSDOCK_DATABASE_URL the database's owner."),
    "3D000": (NoSuchDatabase, "Create it (createdb), or correct CROSSDOCK_DATABASE_URL."),
}

# While connecting, libpq hands on the server's words but not its code.
_WORDS = (
    ("too many connections", "53300"),
    ("too many clients", "53300"),
    ("remaining connection slots", "53300"),
    ("authentication failed", "28"),
    ("no password supplied", "28"),
    ("no pg_hba.conf entry", "28"),
    ("role .* does not exist", "28"),
    ("database .* does not exist", "3D000"),
    ("No space left on device", "53100"),
)


def fault_of(error: psycopg.Error) -> DatabaseFault | None:
    """The named fault an error stands for; None if the statement itself was wrong."""
    code = error.sqlstate or ""
    said = str(error).strip()
    if not code and isinstance(error, psycopg.OperationalError | psycopg.InterfaceError):
        code = next((code for words, code in _WORDS if re.search(words, said)), "08")
    for length in (5, 3, 2):
        found = _FAULTS.get(code[:length])
        if found is not None and len(code) >= length:
            kind, advice = found
            return kind(f"{_first_line(kind)} The server or its driver says: {said}", advice=advice)
    return None


def fault_of_any(error: BaseException) -> DatabaseFault | None:
    """The same for callers that do not know the driver; None for what is not its error."""
    return fault_of(error) if isinstance(error, psycopg.Error) else None


def _first_line(kind: type[DatabaseFault]) -> str:
    return (kind.__doc__ or "").partition("\n")[0]


@dataclass(frozen=True)
class Migration:
    """One numbered file of schema/migrations."""

    number: int
    name: str
    text: str

    @property
    def checksum(self) -> str:
        """SHA-256 over the text, alike for both kinds of line ends."""
        return hashlib.sha256(self.text.replace("\r\n", "\n").encode()).hexdigest()


@dataclass(frozen=True)
class MigrationState:
    """Where a database stands; `pending` is what `migrate` would apply."""

    applied: tuple[str, ...]
    pending: tuple[Migration, ...]


def migrations(folder: Path | None = None) -> tuple[Migration, ...]:
    """The migrations of this version, in the order of their numbers."""
    found = []
    for path in sorted((folder or schema_folder() / "migrations").glob("*.sql")):
        number, _, name = path.stem.partition("_")
        assert number.isdigit() and len(number) == 4 and name, f"{path.name}: not NNNN_name.sql"
        found.append(Migration(int(number), path.stem, path.read_text(encoding="utf-8")))
    numbers = [migration.number for migration in found]
    assert len(set(numbers)) == len(numbers), f"two migrations have one number: {numbers}"
    return tuple(found)


def migrate(connection: Connection, folder: Path | None = None) -> list[str]:
    """Brings the database to this version's schema; returns the names of what was applied.

    Each migration is a transaction of its own, recorded in it, under an advisory lock: two
    processes at once apply each one once. Raises SchemaAhead, MigrationChanged, MigrationFailed.
    """
    status = connection.info.transaction_status
    assert status == TransactionStatus.IDLE, "migrate commits: give it a connection at rest"
    known = migrations(folder)
    done: list[str] = []
    with naming_faults():
        while True:
            with connection.transaction():
                connection.execute("SELECT pg_advisory_xact_lock(%s)", [_MIGRATION_LOCK])
                _create_record(connection)
                state = _state(connection, known)
                if not state.pending:
                    return done
                _apply(connection, state.pending[0])
                done.append(state.pending[0].name)


def migration_state(connection: Connection, folder: Path | None = None) -> MigrationState:
    """What is applied and what is pending. Raises SchemaAhead, MigrationChanged."""
    with naming_faults(), connection.transaction():
        return _state(connection, migrations(folder))


@dataclass(frozen=True)
class ServerFacts:
    """What `crossdock db status` shows of a server."""

    version: str
    size_bytes: int


def server_facts(connection: Connection) -> ServerFacts:
    """The server's version and the size of this database."""
    with naming_faults(), connection.transaction():
        row = connection.execute(
            "SELECT current_setting('server_version'), pg_database_size(current_database())"
        ).fetchone()
    assert row is not None, "a SELECT without FROM has a row"
    return ServerFacts(*row)


def require_current_schema(connection: Connection) -> None:
    """Raises SchemaBehind, SchemaAhead or MigrationChanged unless the tables are as needed."""
    pending = migration_state(connection).pending
    if pending:
        raise SchemaBehind(
            f"The database lacks {len(pending)} migration(s), the first being {pending[0].name}.",
            advice="Run `crossdock db migrate`.",
        )


def _create_record(connection: Connection) -> None:
    connection.execute(
        """
        CREATE TABLE IF NOT EXISTS schema_migration (
            number integer PRIMARY KEY,
            name text NOT NULL,
            checksum text NOT NULL,
            applied_at timestamptz NOT NULL
        )
        """
    )


def _state(connection: Connection, known: tuple[Migration, ...]) -> MigrationState:
    exists = connection.execute("SELECT to_regclass('schema_migration') IS NOT NULL").fetchone()
    if exists is None or not exists[0]:
        return MigrationState((), known)
    recorded = connection.execute(
        "SELECT number, name, checksum FROM schema_migration ORDER BY number"
    ).fetchall()
    by_number = {migration.number: migration for migration in known}
    for number, name, checksum in recorded:
        migration = by_number.get(number)
        if migration is None:
            raise SchemaAhead(
                f"The database has migration {name}, which this version does not know.",
                advice="Use the version of Crossdock that made it, or a newer one.",
            )
        if migration.checksum != checksum:
            raise MigrationChanged(
                f"Migration {name} was changed after it was applied to this database.",
                advice="Put its old text back and write the change as a new migration.",
            )
    applied = {number for number, _, _ in recorded}
    return MigrationState(
        tuple(name for _, name, _ in recorded),
        tuple(migration for migration in known if migration.number not in applied),
    )


def _apply(connection: Connection, migration: Migration) -> None:
    try:
        connection.execute(migration.text.encode(), prepare=False)
    except psycopg.Error as error:
        if fault_of(error) is not None:
            raise
        raise MigrationFailed(
            f"Migration {migration.name} was refused: {str(error).strip()}",
            advice="Nothing of it was kept. Mend the file or the data it trips over, then again.",
        ) from error
    connection.execute(
        "INSERT INTO schema_migration (number, name, checksum, applied_at) VALUES (%s, %s, %s, %s)",
        [migration.number, migration.name, migration.checksum, datetime.now(UTC)],
    )
