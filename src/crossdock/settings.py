"""Every setting and every limit, with its unit and meaning, in one place.

A setting is named `section.name`. Its value comes from, strongest first: the environment
(`CROSSDOCK_SECTION_NAME`), the section of that name in crossdock.toml, the default written here.
`crossdock settings` prints them all with their source.
"""

from __future__ import annotations

import os
import tomllib
import typing
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated, Literal

import msgspec
from msgspec import Meta

from crossdock.kernel.errors import SettingRefused

_PREFIX = "CROSSDOCK_"
_FILE = "crossdock.toml"


class DatabaseSettings(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """The connection to PostgreSQL."""

    url: Annotated[
        str,
        Meta(
            description="a PostgreSQL 15+ of your own (libpq URL); empty: the embedded one",
            extra={"secret": True},
        ),
    ] = ""
    idle_in_transaction_seconds: Annotated[
        int, Meta(ge=1, description="a transaction idle for longer is ended by the server")
    ] = 30
    connect_timeout_seconds: Annotated[
        int, Meta(ge=1, description="how long one attempt to connect may take")
    ] = 10


class PostgresSettings(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """The embedded server."""

    data: Annotated[
        str, Meta(description="data folder; empty: the platform's folder for user data")
    ] = ""
    bin: Annotated[
        str, Meta(description="folder with initdb and postgres; empty: the wheel's programs")
    ] = ""
    user: Annotated[
        str, Meta(description="account it runs under when started by root; empty: chosen")
    ] = ""
    port: Annotated[
        int, Meta(ge=-1, le=65535, description="port on 127.0.0.1; 0: any free; -1: socket only")
    ] = -1


class EngineSettings(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """Limits of the engine; all are counted per worker unless they say otherwise."""

    batch_messages: Annotated[
        int, Meta(ge=1, description="messages taken from the inbox into one batch, at most")
    ] = 2_000
    batch_rounds: Annotated[
        int, Meta(ge=1, description="rounds of handlers and capabilities in one batch, at most")
    ] = 64
    batch_shards: Annotated[
        int, Meta(ge=1, description="shards one worker locks at once; the rest is for others")
    ] = 32
    early_message_hours: Annotated[
        int, Meta(ge=1, description="age at which a message kept for a later stage opens a case")
    ] = 24
    idle_poll_milliseconds: Annotated[
        int, Meta(ge=1, description="how long an idle worker waits before it looks again")
    ] = 50
    dedupe_days: Annotated[
        int, Meta(ge=1, description="how long the identity of an inbound message is kept")
    ] = 90
    dedupe_body_days: Annotated[
        int, Meta(ge=1, description="how long its content is kept to name a field that differs")
    ] = 30


class DispatcherSettings(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """Limits of the calls to outside systems."""

    threads: Annotated[int, Meta(ge=1, description="calls in flight at once, per dispatcher")] = 8
    claim_effects: Annotated[
        int, Meta(ge=1, description="effects claimed in one transaction, at most")
    ] = 500
    first_claim_effects: Annotated[
        int, Meta(ge=1, description="the same, before it is known how long a connector takes")
    ] = 32
    lease_seconds: Annotated[
        int, Meta(ge=1, description="after this long without a result a claim is another's to take")
    ] = 60
    attempts: Annotated[
        int, Meta(ge=1, description="tries of one effect before it becomes a case")
    ] = 12
    backoff_seconds: Annotated[
        float, Meta(gt=0, description="wait after the first failure; doubles with each")
    ] = 1.0
    backoff_limit_seconds: Annotated[
        float, Meta(gt=0, description="longest wait between two tries")
    ] = 900.0
    breaker_failures: Annotated[
        int, Meta(ge=1, description="failures in a row that open a connector's circuit breaker")
    ] = 10
    breaker_seconds: Annotated[
        float, Meta(gt=0, description="how long an open circuit breaker sends nothing")
    ] = 30.0


class PolicySettings(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """The policies in force. A path in crossdock.toml is taken from the folder of that file."""

    orders: Annotated[
        str, Meta(description="file of the order policy (TOML); empty: the shipped one")
    ] = ""
    sourcing: Annotated[
        str,
        Meta(
            description="sourcing policy for all brands and channels, put in force when a worker "
            "starts: a file or the name of a shipped one; empty: what is in force stays"
        ),
    ] = ""


class CheckSettings(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """The check of all invariants that a worker makes from time to time, beside its work."""

    every_minutes: Annotated[
        int, Meta(ge=0, description="between two checks, whatever the number of workers; 0: none")
    ] = 60
    statement_seconds: Annotated[
        int, Meta(ge=1, description="how long one rule may read before it is given up as a case")
    ] = 10
    rows: Annotated[
        int, Meta(ge=1, description="broken rows of one rule that are looked at, at most")
    ] = 1_000


class PayloadSettings(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """Raw inbound payloads, kept encrypted for a while to find out what a system really sent."""

    keys: Annotated[
        str,
        Meta(
            description="Fernet keys, the newest first, separated by commas; they encrypt the "
            "secrets of webhooks too; empty: no payload is kept, secrets are stored readable",
            extra={"secret": True},
        ),
    ] = ""
    days: Annotated[int, Meta(ge=1, description="how long a payload is kept")] = 30


class ApiSettings(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """The HTTP API; all are counted per API process unless they say otherwise."""

    host: Annotated[str, Meta(description="address to listen on")] = "127.0.0.1"
    port: Annotated[int, Meta(ge=1, le=65535, description="port to listen on")] = 8480
    processes: Annotated[int, Meta(ge=1, description="API processes of `crossdock serve`")] = 1
    workers: Annotated[int, Meta(ge=0, description="workers of `crossdock serve`")] = 1
    worker_niceness: Annotated[
        int, Meta(ge=0, le=19, description="how far workers stand back behind the API; 0: not")
    ] = 10
    test_mode: Annotated[
        bool, Meta(description="whether `crossdock serve` also does the work of test keys")
    ] = True
    read_connections: Annotated[
        int, Meta(ge=1, description="connections for reads, opened when needed")
    ] = 6
    write_connections: Annotated[
        int, Meta(ge=1, description="connections for writes beside the shared commits")
    ] = 4
    header_seconds: Annotated[
        int, Meta(ge=1, description="a client that sends its headers for longer is cut off")
    ] = 10
    commit_items: Annotated[
        int, Meta(ge=1, description="requests that share one commit, at most")
    ] = 500
    gather_milliseconds: Annotated[
        int, Meta(ge=0, description="under load, what a commit waits for more to share it")
    ] = 3
    waiting_items: Annotated[
        int, Meta(ge=1, description="requests that wait for a commit before others are refused")
    ] = 5_000


class AccessSettings(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """Who may call the API, and how often."""

    key_cache_seconds: Annotated[
        float, Meta(gt=0, description="how long a revoked or changed API key can go on working")
    ] = 2.0
    requests: Annotated[
        int, Meta(ge=0, description="requests of one client in each window, over all processes")
    ] = 10_000
    window_seconds: Annotated[int, Meta(ge=1, description="length of such a window")] = 10
    roles: Annotated[
        dict[str, tuple[str, ...]],
        Meta(description="roles of your own and their permissions; only in the file"),
    ] = {}


class OidcSettings(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """Access tokens (JWT) of an OAuth2 or OpenID Connect issuer."""

    issuer: Annotated[
        str, Meta(description="the `iss` of its tokens, an https address; empty: no tokens taken")
    ] = ""
    audience: Annotated[str, Meta(description="the `aud` that names this API to the issuer")] = ""
    jwks_url: Annotated[
        str, Meta(description="where its keys are; empty: what its discovery document says")
    ] = ""
    jwks_seconds: Annotated[
        int, Meta(ge=1, description="how long its keys are used before they are read again")
    ] = 300
    leeway_seconds: Annotated[
        int, Meta(ge=0, le=300, description="how far its clock and ours may differ")
    ] = 30
    mode: Annotated[
        Literal["live", "test"], Meta(description="what tokens work on: live or test")
    ] = "live"
    roles_claim: Annotated[
        str, Meta(description="claim that names roles or permissions, as in realm_access.roles")
    ] = "roles"
    nodes_claim: Annotated[
        str, Meta(description="claim that names the nodes a token is limited to; empty: none does")
    ] = ""
    brands_claim: Annotated[str, Meta(description="the same for brands")] = ""
    regions_claim: Annotated[str, Meta(description="the same for regions")] = ""
    channels_claim: Annotated[str, Meta(description="the same for channels")] = ""
    roles: Annotated[
        dict[str, tuple[str, ...]],
        Meta(description="the issuer's names and the roles they stand for; only in the file"),
    ] = {}


class LimitsSettings(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """What the API refuses to protect itself; all are counted per API process."""

    body_bytes: Annotated[int, Meta(ge=1_024, description="size of a request's body, at most")] = (
        4 << 20
    )
    bulk_body_bytes: Annotated[
        int, Meta(ge=1_024, description="the same for operations that take many items")
    ] = 32 << 20
    file_bytes: Annotated[
        int, Meta(ge=1_024, description="the same for files, which are streamed")
    ] = 8 << 30
    body_nesting: Annotated[
        int, Meta(ge=8, le=500, description="objects and arrays within each other, at most")
    ] = 32
    string_bytes: Annotated[
        int, Meta(ge=4_096, description="size of one text or name in a body, at most")
    ] = 65_536
    values: Annotated[
        int, Meta(ge=1_000, description="values in a body, whatever they are, at most")
    ] = 1_000_000
    query_characters: Annotated[
        int, Meta(ge=256, description="length of a path with its parameters, at most")
    ] = 8_192
    body_seconds: Annotated[
        float, Meta(gt=0, description="by then a body that is not streamed is there, or cut off")
    ] = 30.0
    silence_seconds: Annotated[
        float,
        Meta(gt=0, description="a client that neither sends nor reads for so long is cut off"),
    ] = 10.0
    requests_in_flight: Annotated[
        int, Meta(ge=1, description="requests under way at once; intake and ATS may use all")
    ] = 2_048
    others_in_flight: Annotated[
        int, Meta(ge=1, description="of these, at most so many that are neither intake nor ATS")
    ] = 128
    reports_in_flight: Annotated[
        int, Meta(ge=1, description="of those, at most so many of events, records and files")
    ] = 32
    oldest_waiting_seconds: Annotated[
        float, Meta(gt=0, description="age of the oldest waiting message that stops the intake")
    ] = 60.0
    retry_after_seconds: Annotated[
        int, Meta(ge=1, description="what a refused client is told to wait")
    ] = 5


class TelemetrySettings(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """Logs, metrics and traces."""

    log_format: Annotated[
        Literal["auto", "json", "text"],
        Meta(description="json, text, or auto: text on a terminal and json elsewhere"),
    ] = "auto"
    log_level: Annotated[
        Literal["debug", "info", "warning", "error"], Meta(description="the least that is logged")
    ] = "info"
    log_requests: Annotated[
        Literal["all", "failed", "none"], Meta(description="which requests the API logs")
    ] = "all"
    traces_url: Annotated[
        str, Meta(description="OTLP/HTTP collector, as http://host:4318; empty: no traces")
    ] = ""
    traces_share: Annotated[
        float, Meta(ge=0, le=1, description="share of business cases whose traces are kept")
    ] = 1.0


class WebhookSettings(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """Publishing events, and sending them to those who want them."""

    threads: Annotated[int, Meta(ge=1, description="deliveries under way at once")] = 4
    allow_networks: Annotated[
        str,
        Meta(
            description="networks that are not public and are sent to all the same, over http too,"
            " as 10.1.0.0/16, separated by commas; empty: none"
        ),
    ] = ""
    timeout_seconds: Annotated[
        float, Meta(gt=0, description="how long a receiver may take to answer")
    ] = 15.0
    backoff_seconds: Annotated[
        float, Meta(gt=0, description="wait after the first failure; doubles with each")
    ] = 5.0
    backoff_limit_seconds: Annotated[
        float, Meta(gt=0, description="longest wait between two tries")
    ] = 3600.0
    pause_hours: Annotated[
        float, Meta(gt=0, description="a webhook that fails for so long is paused, with a case")
    ] = 72.0
    event_days: Annotated[
        int,
        Meta(
            ge=1,
            description="how long published events are kept; what an active webhook has not been"
            " sent stays until it is",
        ),
    ] = 30
    stock_seconds: Annotated[
        int,
        Meta(
            ge=0,
            description="changes of a stock level within so many seconds are published as one;"
            " 0: none are",
        ),
    ] = 30


class Settings(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """All settings of one process."""

    database: DatabaseSettings = DatabaseSettings()
    postgres: PostgresSettings = PostgresSettings()
    engine: EngineSettings = EngineSettings()
    dispatcher: DispatcherSettings = DispatcherSettings()
    policies: PolicySettings = PolicySettings()
    checks: CheckSettings = CheckSettings()
    payloads: PayloadSettings = PayloadSettings()
    api: ApiSettings = ApiSettings()
    access: AccessSettings = AccessSettings()
    oidc: OidcSettings = OidcSettings()
    limits: LimitsSettings = LimitsSettings()
    telemetry: TelemetrySettings = TelemetrySettings()
    webhooks: WebhookSettings = WebhookSettings()


@dataclass(frozen=True)
class SettingInUse:
    """One row of `crossdock settings`."""

    name: str
    value: object
    source: str
    meaning: str
    is_secret: bool = False
    """Not to be shown: a password or a key is in it."""

    @property
    def variable(self) -> str:
        """The environment variable that sets it."""
        return _PREFIX + self.name.replace(".", "_").upper()


def load_settings(
    file: Path | None = None, environment: Mapping[str, str] | None = None
) -> Settings:
    """The settings in force. `file` must exist if named; else ./crossdock.toml is read if there.

    Raises SettingRefused naming the setting, where it came from and what it may be.
    """
    environment = os.environ if environment is None else environment
    path = _settings_file(file, environment)
    raw = _read(path) if path else {}
    if path:
        raw["policies"] = _beside(path, _table(raw, "policies", path))
    for name, section in _sections():
        prefix = f"{_PREFIX}{name}_".upper()
        fields = {prefix + each.name.upper(): each.name for each in msgspec.structs.fields(section)}
        for variable in sorted(v for v in environment if v.startswith(prefix)):
            _check_one(section, fields.get(variable), environment[variable], variable)
            raw[name] = {**_table(raw, name, path), fields[variable]: environment[variable]}
    try:
        return msgspec.convert(raw, Settings, strict=False)
    except msgspec.ValidationError as refused:
        raise SettingRefused(
            f"{path}: {refused}.", advice="`crossdock settings` prints every setting's meaning."
        ) from refused


def settings_in_use(
    file: Path | None = None, environment: Mapping[str, str] | None = None
) -> Iterator[SettingInUse]:
    """Each setting with its value, its source and its meaning. Raises SettingRefused."""
    environment = os.environ if environment is None else environment
    settings = load_settings(file, environment)
    path = _settings_file(file, environment)
    raw = _read(path) if path else {}
    for name, section in _sections():
        hints = typing.get_type_hints(section, include_extras=True)
        for field in msgspec.structs.fields(section):
            variable = f"{_PREFIX}{name}_{field.name}".upper()
            source = "default"
            if field.name in raw.get(name, {}):
                source = str(path)
            if variable in environment:
                source = variable
            meta: Meta = hints[field.name].__metadata__[0]
            value = getattr(getattr(settings, name), field.name)
            is_secret = bool((meta.extra or {}).get("secret"))
            yield SettingInUse(
                f"{name}.{field.name}", value, source, meta.description or "", is_secret
            )


def _sections() -> Iterator[tuple[str, type[msgspec.Struct]]]:
    yield from typing.get_type_hints(Settings).items()


def _settings_file(named: Path | None, environment: Mapping[str, str]) -> Path | None:
    chosen = named or (
        Path(environment["CROSSDOCK_CONFIG"]) if environment.get("CROSSDOCK_CONFIG") else None
    )
    if chosen is not None:
        if not chosen.is_file():
            raise SettingRefused(
                f"There is no settings file {chosen}.",
                advice="Correct --config or CROSSDOCK_CONFIG; `crossdock init DIR` writes one.",
            )
        return chosen
    return Path(_FILE) if Path(_FILE).is_file() else None


def _read(path: Path) -> dict[str, dict[str, object]]:
    try:
        return tomllib.loads(path.read_text(encoding="utf-8"))
    except (OSError, UnicodeDecodeError, tomllib.TOMLDecodeError) as failed:
        raise SettingRefused(
            f"{path} cannot be read: {failed}.", advice="It has to be TOML in UTF-8."
        ) from failed


def _beside(path: Path, policies: Mapping[str, object]) -> dict[str, object]:
    """Paths taken from the folder of the file they stand in; what is no file there stays."""
    return {
        name: str(path.parent / value)
        if isinstance(value, str) and value and (path.parent / value).is_file()
        else value
        for name, value in policies.items()
    }


def _table(raw: Mapping[str, dict[str, object]], name: str, path: Path | None) -> dict[str, object]:
    table = raw.get(name, {})
    if not isinstance(table, dict):
        raise SettingRefused(f"{path}: {name} must be a table, written as [{name}].")
    return table


def _check_one(section: type[msgspec.Struct], name: str | None, text: str, source: str) -> None:
    if name is None:  # Misspelled, it would be without effect and nobody would know.
        raise SettingRefused(
            f"{source} is no setting.",
            advice="Correct or unset it; `crossdock settings` prints all there are.",
        )
    try:
        msgspec.convert({name: text}, section, strict=False)
    except msgspec.ValidationError as refused:
        raise SettingRefused(
            f"{source} is {text!r}: {str(refused).partition(' - at')[0]}.",
            advice="`crossdock settings` prints every setting's meaning.",
        ) from refused
