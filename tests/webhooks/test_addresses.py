"""Nothing is sent into private networks, whatever a name says and whenever it says it."""

from __future__ import annotations

import socket
from typing import Any

import pytest

from crossdock import db
from crossdock.kernel.errors import SettingRefused
from crossdock.webhooks import store
from crossdock.webhooks.addresses import AddressRefused, Guard, networks
from tests.webhooks.conftest import ADA, Post
from tests.webhooks.receiver import Receiver

PUBLIC = "93.184.215.14"


class Names:
    """A resolver that answers as told, the last answer again and again."""

    def __init__(self, *answers: str) -> None:
        self.answers = list(answers)

    def __call__(self, host: str, port: int, **_: Any) -> list[tuple[Any, ...]]:
        answer = self.answers.pop(0) if len(self.answers) > 1 else self.answers[0]
        family = socket.AF_INET6 if ":" in answer else socket.AF_INET
        return [(family, socket.SOCK_STREAM, 6, "", (one, port)) for one in answer.split(",")]


@pytest.mark.parametrize(
    "address",
    [
        "127.0.0.1",
        "10.1.2.3",
        "172.16.0.1",
        "192.168.1.1",
        "169.254.169.254",
        "100.64.0.1",
        "0.0.0.0",
        "224.0.0.1",
        "255.255.255.255",
        "::1",
        "::",
        "fe80::1",
        "fd00::1",
        "ff02::1",
        "::ffff:127.0.0.1",
        "::ffff:10.0.0.1",
        "64:ff9b::7f00:1",
        "2002:a00:1::",
        f"{PUBLIC},10.0.0.1",
    ],
)
def test_an_address_that_is_not_public_is_refused(address: str) -> None:
    with pytest.raises(AddressRefused, match="not a public address"):
        Guard(look_up=Names(address)).check_url("https://shop.example/hook")


@pytest.mark.parametrize("address", [PUBLIC, "2606:2800:21f:cb07:6820:80da:af6b:8b2c"])
def test_a_public_address_is_sent_to(address: str) -> None:
    Guard(look_up=Names(address)).check_url("https://shop.example:8443/hook?key=1")


@pytest.mark.parametrize(
    "host", ["127.0.0.1", "[::1]", "2130706433", "0x7f000001", "127.1", "localhost", "017700000001"]
)
def test_loopback_is_refused_in_every_spelling(host: str) -> None:
    with pytest.raises(AddressRefused):
        Guard().check_url(f"https://{host}/hook")


@pytest.mark.parametrize(
    "url",
    [
        "ftp://shop.example/hook",
        "https:///hook",
        "https://user:secret@shop.example/hook",
        "https://shop.example/hook#part",
        "https://shop.example:99999/hook",
        "https://shop.example/\nhook",
        "https://shop.example/" + "x" * 3_000,
        "shop.example/hook",
        "http://shop.example/hook",
    ],
)
def test_what_is_no_https_url_is_refused(url: str) -> None:
    with pytest.raises(AddressRefused):
        Guard(look_up=Names(PUBLIC)).check_url(url)


def test_networks_that_the_settings_name_are_sent_to_over_http_too() -> None:
    guard = Guard(networks("10.1.0.0/16, ::1/128"), Names("10.1.2.3"))

    guard.check_url("http://warehouse.internal/hook")
    with pytest.raises(AddressRefused):
        Guard(guard.allowed, Names("10.2.0.1")).check_url("http://warehouse.internal/hook")
    with pytest.raises(SettingRefused, match="allow_networks"):
        networks("10.1.0.0/99")


def test_a_name_that_answers_otherwise_later_reaches_nobody(
    connection: db.Connection, receiver: Receiver
) -> None:
    names = Names(PUBLIC, "127.0.0.1")
    post = Post(connection, receiver, Guard(look_up=names))
    port = receiver.url.split(":")[2].split("/")[0]
    url = f"https://shop.example:{port}/hook"
    post.sender._backend.guard.check_url(url)
    webhook = post.subscribe(url=url)
    post.publish(ADA)

    post.work()
    post.sender.close()

    assert receiver.received == []
    [(_, error)] = store.open_deliveries(connection, [webhook]).values()
    assert error == "not sent: shop.example is 127.0.0.1, which is not a public address"


def test_the_connection_goes_to_the_very_address_that_was_checked(
    connection: db.Connection, receiver: Receiver
) -> None:
    """The name exists nowhere: only the look-up of the guard can have led there."""
    guard = Guard(networks("127.0.0.0/8"), Names("127.0.0.1", "10.0.0.1"))
    post = Post(connection, receiver, guard)
    post.subscribe(url=receiver.url.replace("127.0.0.1", "nowhere.invalid"))
    post.publish(ADA)

    post.work()
    post.sender.close()

    assert receiver.sequences() == [1]
    assert receiver.received[0].headers["host"].startswith("nowhere.invalid:")
