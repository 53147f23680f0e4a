"""API keys: what they are, how long they work, and how an API process comes to know."""

from __future__ import annotations

import asyncio
import base64
import contextlib
from collections.abc import Coroutine, Iterator
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from typer.testing import CliRunner

from crossdock import db
from crossdock.api.access import keys
from crossdock.api.access.directory import Client, Directory, Grant
from crossdock.api.access.faults import KeyFault
from crossdock.api.access.permissions import Scope
from crossdock.api.problems import ApiProblem
from crossdock.catalog import store as catalog
from crossdock.catalog.model import Brand, Channel, Node, NodeKind, Region, Zone
from crossdock.cli.main import app
from crossdock.kernel.clock import VirtualClock
from crossdock.kernel.errors import DatabaseUnreachable
from crossdock.settings import AccessSettings
from tests.api.keys import make_key

NOON = datetime(2026, 11, 27, 12, tzinfo=UTC)
HOUR = timedelta(hours=1)


class Pool(db.Pool):
    """Counts how often it is asked, and can be cut off."""

    asked = 0
    cut_off = False

    @contextlib.contextmanager
    def connection(self) -> Iterator[db.Connection]:
        self.asked += 1
        if self.cut_off:
            raise DatabaseUnreachable("cut off")
        with super().connection() as connection:
            yield connection


class Desk:
    """What one API process knows of keys, with clocks that a test moves."""

    def __init__(self, url: str, now: datetime = NOON) -> None:
        self.clock = VirtualClock(now)
        self.seconds = 0.0
        self.pool = Pool(url, size=1, application_name="key test")
        self.threads = ThreadPoolExecutor(1)
        self.directory = Directory(
            self.pool,
            self.clock,
            AccessSettings(roles={"returns_desk": ("orders:read",)}),
            self.threads,
            self._monotonic,
        )

    def _monotonic(self) -> float:
        self.seconds += 1e-6
        return self.seconds

    def find(self, secret: str) -> Client:
        return self.run(self.directory.find(secret))

    def run(self, question: Coroutine[Any, Any, Client]) -> Client:
        return asyncio.run(question)

    def refusal(self, secret: str) -> str:
        with pytest.raises(ApiProblem) as refused:
            self.find(secret)
        return refused.value.problem_type.code

    def close(self) -> None:
        self.threads.shutdown()
        self.pool.close()


@pytest.fixture
def desk(database_url: str) -> Iterator[Desk]:
    with contextlib.closing(Desk(database_url)) as desk:
        yield desk


def lamp_shop(**changes: Any) -> keys.NewKey:
    return keys.NewKey(**{"name": "Lamp shop", "grants": ("channel",), **changes})


def test_a_secret_has_256_random_bits_and_is_kept_nowhere(connection: db.Connection) -> None:
    secret = make_key(connection)
    random = secret.removeprefix("crossdock_live_")
    assert len(base64.urlsafe_b64decode(random + "=")) == 32
    assert secret != make_key(connection)
    kept = connection.execute(
        "SELECT k::text || s::text FROM api_key k JOIN api_key_secret s ON s.key_id = k.id"
    ).fetchall()
    assert not any(random in row or random.encode().hex() in row for (row,) in kept)
    hashes = connection.execute("SELECT hash FROM api_key_secret").fetchall()
    assert keys.hash_of(secret) in [bytes(hashed) for (hashed,) in hashes]


def test_a_rotated_key_leaves_no_gap(connection: db.Connection, desk: Desk) -> None:
    old = keys.create(connection, lamp_shop(), NOON, "tests")
    new = keys.rotate(connection, "Lamp shop", NOON, HOUR)
    connection.commit()
    assert desk.find(old.secret).caller == desk.find(new.secret).caller
    assert new.others_end_at == NOON + HOUR
    desk.clock.move_to(NOON + HOUR)
    assert desk.refusal(old.secret) == "credential_expired"
    assert desk.find(new.secret).caller.id == old.id


def test_rotating_never_lengthens_a_secrets_life(connection: db.Connection) -> None:
    keys.create(connection, lamp_shop(lifetime_days=1), NOON, "tests")
    keys.rotate(connection, "Lamp shop", NOON, timedelta(days=30))
    ends = connection.execute("SELECT DISTINCT expires_at FROM api_key_secret").fetchall()
    assert ends == [(NOON + timedelta(days=1),)]


def test_a_key_expires(connection: db.Connection, desk: Desk) -> None:
    made = keys.create(connection, lamp_shop(lifetime_days=2), NOON, "tests")
    connection.commit()
    desk.clock.move_to(NOON + timedelta(days=2) - timedelta(seconds=1))
    assert desk.find(made.secret).caller.name == "Lamp shop"
    desk.clock.move_to(NOON + timedelta(days=2))
    assert desk.refusal(made.secret) == "credential_expired"


def test_a_revoked_key_stops_within_the_cache_time(connection: db.Connection, desk: Desk) -> None:
    made = keys.create(connection, lamp_shop(), NOON, "tests")
    connection.commit()
    desk.find(made.secret)
    keys.revoke(connection, "Lamp shop", NOON, "tests")
    connection.commit()
    desk.seconds += AccessSettings().key_cache_seconds + 0.01
    assert desk.refusal(made.secret) == "credential_refused"


def test_a_new_key_works_at_once(connection: db.Connection, desk: Desk) -> None:
    for _ in range(3):
        assert desk.find(make_key(connection, now=NOON)).caller.mode == "live"


def test_looking_up_a_key_asks_the_database_nothing(connection: db.Connection, desk: Desk) -> None:
    secret = make_key(connection, now=NOON)
    desk.find(secret)
    before = desk.pool.asked

    async def many() -> Client:
        for _ in range(1_000):
            client = await desk.directory.find(secret)
        return client

    desk.run(many())
    assert desk.pool.asked == before


def test_guessing_keys_hardly_asks_the_database(desk: Desk) -> None:
    async def guess(number: int) -> bool:
        try:
            await desk.directory.find(f"crossdock_live_{number}")
        except ApiProblem:
            return True
        return False

    async def guess_many() -> list[bool]:
        return await asyncio.gather(*(guess(number) for number in range(2_000)))

    assert all(asyncio.run(guess_many()))
    assert desk.pool.asked < 10


def test_without_the_database_keys_stop_after_the_cache_time(
    connection: db.Connection, desk: Desk
) -> None:
    """A key that was revoked meanwhile must not work for as long as the outage lasts."""
    secret = make_key(connection, now=NOON)
    desk.find(secret)
    desk.pool.cut_off = True
    assert desk.find(secret).caller.mode == "live"
    desk.seconds += AccessSettings().key_cache_seconds + 0.01
    with pytest.raises(DatabaseUnreachable):
        desk.find(secret)
    desk.pool.cut_off = False
    assert desk.find(secret).caller.mode == "live"


def test_roles_of_ones_own_and_single_permissions_add_up(
    connection: db.Connection, desk: Desk
) -> None:
    secret = make_key(connection, "payments", "ats:read", mode="test", now=NOON)
    caller = desk.find(secret).caller
    assert caller.permissions == {"orders:read", "payments:write", "ats:read"}
    assert caller.mode == "test" and secret.startswith("crossdock_test_")
    made = keys.create(
        connection, lamp_shop(grants=("returns_desk",)), NOON, "tests", {"returns_desk": ()}
    )
    connection.commit()
    assert desk.find(made.secret).caller.permissions == {"orders:read"}


def save_places(connection: db.Connection) -> None:
    """Two brands, two regions; the warehouse is in the south and serves both brands."""
    catalog.save_brands(connection, [Brand(code="lux", name="Lux"), Brand(code="eco", name="Eco")])
    catalog.save_regions(
        connection, [Region(code="north", name="North"), Region(code="south", name="South")]
    )
    catalog.save_zones(connection, [Zone(code="main", name="Main")])
    catalog.save_nodes(
        connection,
        [
            node("n-lux", "north", "lux"),
            node("n-eco", "north", "eco"),
            node("s-lux", "south", "lux"),
            node("dc", "south"),
        ],
    )
    catalog.save_channels(
        connection,
        [
            Channel(code="lux-web", name="Lux", brand="lux"),
            Channel(code="eco-web", name="Eco", brand="eco"),
            Channel(code="bazaar", name="Bazaar"),
        ],
    )
    connection.commit()


def node(code: str, region: str, *brands: str) -> Node:
    return Node(
        code=code,
        kind=NodeKind.STORE,
        name=code,
        allocation_zone="main",
        region=region,
        brands=brands,
        country="US",
        time_zone="America/New_York",
    )


@pytest.mark.parametrize(
    ("limits", "nodes", "channels"),
    [
        ({}, None, None),
        ({"nodes": ["dc", "planned"]}, {"dc", "planned"}, None),
        ({"regions": ["north"]}, {"n-lux", "n-eco"}, None),
        ({"brands": ["lux"]}, {"n-lux", "s-lux", "dc"}, {"lux-web"}),
        ({"brands": ["lux"], "regions": ["south"]}, {"s-lux", "dc"}, {"lux-web"}),
        ({"brands": ["lux"], "nodes": ["n-eco", "n-lux"]}, {"n-lux"}, {"lux-web"}),
        ({"channels": ["bazaar"]}, None, {"bazaar"}),
        ({"channels": ["*"], "nodes": ["dc"]}, {"dc"}, None),
        ({"regions": ["east"]}, set(), None),
    ],
)
def test_brands_and_regions_come_down_to_nodes_and_channels(
    connection: db.Connection,
    desk: Desk,
    limits: dict[str, Any],
    nodes: set[str] | None,
    channels: set[str] | None,
) -> None:
    save_places(connection)
    caller = desk.find(make_key(connection, "master:read", now=NOON, **limits)).caller
    assert (caller.nodes, caller.channels) == (nodes, channels)


def test_a_store_that_opens_in_a_region_is_seen_by_its_keys(
    connection: db.Connection, desk: Desk
) -> None:
    save_places(connection)
    secret = make_key(connection, "node", regions=["north"], now=NOON)
    assert not desk.find(secret).caller.sees_node("n-new")
    catalog.save_nodes(connection, [node("n-new", "north")])
    connection.commit()
    desk.seconds += AccessSettings().key_cache_seconds + 0.01
    assert desk.find(secret).caller.sees_node("n-new")


def test_what_limits_do_not_speak_of_is_left_out_however_it_was_granted(desk: Desk) -> None:
    """An issuer's token is not checked when it is made."""
    grant = Grant(
        id="oidc:soho",
        name="soho",
        mode="live",
        permissions=frozenset({"work:read", "orders:read", "records:read", "master:read"}),
        scope=Scope(nodes=frozenset({"S1"})),
        expires_at=NOON,
    )
    caller = desk.directory.client_of(grant).caller
    assert caller.permissions == {"work:read", "master:read"}


@pytest.mark.parametrize(
    ("new", "said"),
    [
        (lamp_shop(grants=("cashier",)), "No role and no permission: cashier"),
        (lamp_shop(grants=()), "at least one role"),
        (lamp_shop(name=" "), "needs a name"),
        (lamp_shop(lifetime_days=0), "a day or longer"),
        (
            lamp_shop(grants=("node", "records:read"), scope=Scope(nodes=frozenset({"dc"}))),
            "cannot have records:read",
        ),
        (
            lamp_shop(grants=("node", "orders:read"), scope=Scope(nodes=frozenset({"dc"}))),
            "not in channels, and orders:read",
        ),
        (
            lamp_shop(grants=("work:read",), scope=Scope(channels=frozenset({"web"}))),
            "not in nodes, and work:read",
        ),
    ],
)
def test_a_key_that_would_open_more_than_is_meant_is_not_made(
    connection: db.Connection, new: keys.NewKey, said: str
) -> None:
    with pytest.raises(KeyFault, match=said):
        keys.create(connection, new, NOON, "tests")
    assert connection.execute("SELECT count(*) FROM api_key").fetchone() == (0,)


def test_saying_all_on_purpose_is_enough(connection: db.Connection) -> None:
    scope = Scope(nodes=frozenset({"dc"}), channels=frozenset({"*"}))
    keys.create(connection, lamp_shop(grants=("node", "orders:read"), scope=scope), NOON, "tests")


def test_a_name_is_of_one_key_in_use(connection: db.Connection) -> None:
    keys.create(connection, lamp_shop(), NOON, "tests")
    with pytest.raises(KeyFault, match="named Lamp shop already"):
        keys.create(connection, lamp_shop(), NOON, "tests")
    keys.revoke(connection, "Lamp shop", NOON, "tests")
    keys.create(connection, lamp_shop(), NOON, "tests")
    with pytest.raises(KeyFault, match="No key in use"):
        keys.revoke(connection, "Lamp store", NOON, "tests")


def run(*words: str) -> tuple[int, str, str]:
    done = CliRunner().invoke(app, ["keys", *words], env={"COLUMNS": "200"})
    return done.exit_code, done.stdout.strip(), done.stderr


def test_keys_are_made_listed_rotated_and_revoked_at_the_command_line(
    database_url: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("CROSSDOCK_DATABASE_URL", database_url)
    with contextlib.closing(Desk(database_url, datetime.now(UTC))) as desk:
        assert "keys create" in run("list")[1]
        code, first, told = run("create", "Soho", "--grant", "node", "--node", "S1")
        assert code == 0 and "Not in the master data (yet): S1" in told
        caller = desk.find(first).caller
        assert (caller.name, caller.nodes) == ("Soho", frozenset({"S1"}))
        assert "nodes S1" in run("list")[1]
        code, second, told = run("rotate", "Soho", "--overlap-hours", "2")
        assert code == 0 and "older secrets work until" in told
        assert desk.find(second).caller == desk.find(first).caller == caller
        code, _, told = run("revoke", caller.id)
        assert code == 0 and "within 2 s" in told
        assert run("revoke", "Soho")[0] == 2
        assert run("list")[1] != run("list", "--revoked")[1]
        assert run("create", "Soho", "--grant", "cashier")[0] == 2
