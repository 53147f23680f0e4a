"""Every exception Crossdock raises on purpose.

    CrossdockError
    └── Fault                          a condition outside the code; `retryable`: waiting helps
        ├── SettingRefused             a setting or an option cannot be used
        │   ├── UnusableInput          a file of orders or of a network: nothing of it can be used
        │   └── InvariantRefused       a file of rules that hold across rows cannot be used
        ├── NoRoomToImport             too little disk space for what an import sets aside
        ├── MasterDataRefused          a rule of the database that the records break
        ├── NetworkUnreadable          a file or folder of a network cannot be read
        ├── SourcingFault              sourcing
        │   ├── PolicyRefused          a policy cannot be used; names key and remedy
        │   ├── PolicyNotFound         there is no such policy
        │   ├── NetworkRefused         the facts of a node contradict themselves
        │   └── RecordRefused          a stored decision cannot be read or made again
        ├── InventoryFault             inventory
        │   └── LedgerStillOpen        it is closed only up to yesterday, and only once
        ├── WorkerTooOld               the database holds what only a newer worker understands
        ├── KeyFault                   an API key cannot be made, rotated or revoked
        │   ├── KeyNameTaken           a key in use has that name
        │   └── NoSuchKey              no key in use has that id or name
        ├── IssuerUnreachable          the issuer of access tokens does not tell its keys
        ├── FileUnreadable             a file of a job is not what it is said to be
        ├── SolverMissing              the exact solver of a bench is not installed
        ├── PostgresFault              the embedded PostgreSQL
        │   ├── PostgresMissing        no binaries for this machine
        │   ├── PostgresNotStarted     it ended or did not answer; carries the end of its log
        │   ├── ForeignMajorVersion    the data were written by another major version
        │   ├── DataFolderInUse        another server or process holds the data folder
        │   ├── DataFolderRefused      the data folder cannot be entered or written
        │   ├── NoRoomOnDisk           too little space to start
        │   └── PortTaken              the loopback port belongs to someone else
        └── DatabaseFault              any PostgreSQL, embedded or the retailer's
            ├── DatabaseUnreachable    not there, gone, starting or shutting down       (retryable)
            ├── OutOfConnections       the server has no connection left                (retryable)
            ├── DiskFull               the server has no disk space left                (retryable)
            ├── OutOfMemory            the server has no memory left                    (retryable)
            ├── TransactionConflict    deadlock, serialization failure or lock timeout  (retryable)
            ├── StatementTimedOut      a statement ran into its time limit              (retryable)
            ├── DatabaseReadOnly       a standby or a server in read-only mode          (retryable)
            ├── DatabaseTooOld         older than PostgreSQL 15
            ├── AccessDenied           wrong user, password or rights
            ├── NoSuchDatabase         the server has no database of that name
            └── SchemaFault            the tables are not what this version needs
                ├── SchemaBehind       `crossdock db migrate` has not run
                ├── SchemaAhead        a newer Crossdock has migrated this database
                ├── MigrationChanged   a recorded migration's text is another now
                └── MigrationFailed    a migration's SQL was refused

A refusal (an order that cannot be filled, a move that is too late) is never an exception: it is a
value from a closed set, in the capability that refuses. A bug is an assertion.
"""

from __future__ import annotations

from typing import ClassVar


class CrossdockError(Exception):
    """Anything Crossdock raises on purpose."""


class Fault(CrossdockError):
    """A condition outside the code. Its message says what is wrong and what to do about it.

    `retryable` is true where the same work can succeed later without anybody changing its input.
    """

    retryable: ClassVar[bool] = False

    def __init__(self, problem: str, *, advice: str = "") -> None:
        super().__init__(f"{problem}\n{advice}" if advice else problem)
        self.problem = problem
        self.advice = advice


class SettingRefused(Fault):
    """A setting or an option cannot be used."""


class PostgresFault(Fault):
    """The embedded PostgreSQL cannot do what it should."""


class PostgresMissing(PostgresFault):
    """There are no PostgreSQL binaries for this machine."""


class PostgresNotStarted(PostgresFault):
    """PostgreSQL ended while starting, or did not answer in time."""


class ForeignMajorVersion(PostgresFault):
    """The data folder was written by another major version of PostgreSQL."""


class DataFolderInUse(PostgresFault):
    """Another server or process holds the data folder."""

    retryable = True


class DataFolderRefused(PostgresFault):
    """The data folder cannot be entered or written by those who must."""


class NoRoomOnDisk(PostgresFault):
    """There is too little disk space to create or start a server."""

    retryable = True


class PortTaken(PostgresFault):
    """The loopback port asked for belongs to another program."""

    retryable = True


class DatabaseFault(Fault):
    """The database, embedded or the retailer's own, cannot do what it should."""


class DatabaseUnreachable(DatabaseFault):
    """No connection: not there, gone, starting up or shutting down."""

    retryable = True


class OutOfConnections(DatabaseFault):
    """The server has no connection left to give."""

    retryable = True


class DiskFull(DatabaseFault):
    """The server has no disk space left."""

    retryable = True


class OutOfMemory(DatabaseFault):
    """The server has no memory left."""

    retryable = True


class TransactionConflict(DatabaseFault):
    """Deadlock, serialization failure or lock timeout: the same work again can succeed."""

    retryable = True


class StatementTimedOut(DatabaseFault):
    """A statement ran into its time limit or was canceled by an operator."""

    retryable = True


class DatabaseReadOnly(DatabaseFault):
    """A standby, or a server switched to read-only."""

    retryable = True


class DatabaseTooOld(DatabaseFault):
    """The server is older than PostgreSQL 15."""


class AccessDenied(DatabaseFault):
    """Wrong user or password, or too few rights."""


class NoSuchDatabase(DatabaseFault):
    """The server has no database of that name."""


class SchemaFault(DatabaseFault):
    """The tables are not what this version of Crossdock needs."""


class SchemaBehind(SchemaFault):
    """The database lacks migrations this version needs."""


class SchemaAhead(SchemaFault):
    """The database has migrations this version does not know."""


class MigrationChanged(SchemaFault):
    """A migration recorded in the database has another text now."""


class MigrationFailed(SchemaFault):
    """The SQL of a migration was refused by the server."""
