"""Where deliveries may go: to the public internet, and to networks that the settings name.

A name is resolved once per connection, every address is checked, and the connection is made to the
address that was checked: whoever answers differently a moment later gains nothing by it.
"""

from __future__ import annotations

import socket
import time
from collections.abc import Callable, Iterable, Sequence
from ipaddress import (
    IPv4Address,
    IPv4Network,
    IPv6Address,
    IPv6Network,
    ip_address,
    ip_network,
)
from typing import Any
from urllib.parse import SplitResult, urlsplit

import httpcore2

from crossdock.kernel.errors import SettingRefused

Address = IPv4Address | IPv6Address
Network = IPv4Network | IPv6Network
LookUp = Callable[..., Sequence[tuple[Any, ...]]]
"""As socket.getaddrinfo."""

# Both carry an IPv4 address within: in the last 32 bits, and in those after the first 16.
_NAT64 = IPv6Network("64:ff9b::/96")
_6TO4 = IPv6Network("2002::/16")

MOST_URL_CHARACTERS = 2_000


class AddressRefused(Exception):
    """Nothing is sent there; says why."""


def networks(text: str) -> tuple[Network, ...]:
    """Networks in a setting, separated by commas. Raises SettingRefused."""
    try:
        return tuple(ip_network(one.strip()) for one in text.split(",") if one.strip())
    except ValueError as error:
        raise SettingRefused(
            f"webhooks.allow_networks: {error}.",
            advice="Write networks as 10.1.0.0/16, separated by commas.",
        ) from error


class Guard:
    """Decides about addresses; `allowed` are networks that are not public and open all the same."""

    def __init__(
        self, allowed: Sequence[Network] = (), look_up: LookUp = socket.getaddrinfo
    ) -> None:
        self.allowed = tuple(allowed)
        self.look_up = look_up

    def check_url(self, url: str) -> None:
        """Raises AddressRefused for what is no URL to send to, as things are now."""
        parts = self._parts(url)
        assert parts.hostname is not None
        addresses = self.resolve(parts.hostname, parts.port or 443)
        if parts.scheme == "http" and not all(self._is_allowed(one) for one in addresses):
            raise AddressRefused("only https is sent to, except in networks that are allowed")

    def resolve(self, host: str, port: int) -> list[Address]:
        """The addresses of a host, all of which may be sent to. Raises AddressRefused."""
        try:
            found = self.look_up(host, port, type=socket.SOCK_STREAM)
        except (OSError, UnicodeError) as error:
            raise AddressRefused(f"{host} is not known: {error}") from error
        addresses = list(dict.fromkeys(ip_address(one[4][0]) for one in found))
        for address in addresses:
            if not (_is_public(address) or self._is_allowed(address)):
                raise AddressRefused(f"{host} is {address}, which is not a public address")
        return addresses

    def _parts(self, url: str) -> SplitResult:
        try:
            parts = urlsplit(url)
            port = parts.port
        except ValueError as error:
            raise AddressRefused(f"it is no URL: {error}") from error
        if parts.scheme not in ("https", "http") or not parts.hostname or port == 0:
            raise AddressRefused("it is no https URL")
        if parts.username is not None or parts.password is not None or parts.fragment:
            raise AddressRefused("it has credentials or a fragment, which are not sent")
        if len(url) > MOST_URL_CHARACTERS or not url.isascii() or not url.isprintable():
            raise AddressRefused("it is too long, or has characters that have to be escaped")
        return parts

    def _is_allowed(self, address: Address) -> bool:
        return any(address in network for network in self.allowed)


def _is_public(address: Address) -> bool:
    if isinstance(address, IPv6Address):
        inner = address.ipv4_mapped
        if address in _NAT64:
            inner = IPv4Address(int(address) & 0xFFFF_FFFF)
        elif address in _6TO4:
            inner = address.sixtofour
        if inner is not None:
            return _is_public(inner)
    return address.is_global and not address.is_multicast and not address.is_reserved


class GuardedBackend(httpcore2.NetworkBackend):
    """Connects to checked addresses only, and lets no exchange last beyond `deadline`."""

    def __init__(self, guard: Guard) -> None:
        self.guard = guard
        self.deadline = float("inf")
        """On the monotonic clock; set by the sender for each exchange."""
        self._inner = httpcore2.SyncBackend()

    def connect_tcp(
        self,
        host: str,
        port: int,
        timeout: float | None = None,
        local_address: str | None = None,
        socket_options: Iterable[Any] | None = None,
    ) -> httpcore2.NetworkStream:
        """To the first checked address that answers."""
        refused: Exception | None = None
        for address in self.guard.resolve(host, port):
            try:
                stream = self._inner.connect_tcp(
                    str(address), port, self.left(timeout), local_address, socket_options
                )
                return _Stream(stream, self)
            except (httpcore2.ConnectError, httpcore2.ConnectTimeout) as error:
                refused = error
        raise refused or httpcore2.ConnectError(f"{host} has no address")

    def left(self, timeout: float | None) -> float:
        """Seconds that may still be waited."""
        left = self.deadline - time.monotonic()
        if left <= 0:
            raise httpcore2.ReadTimeout("the answer took too long")
        return left if timeout is None else min(timeout, left)


class _Stream(httpcore2.NetworkStream):
    """A connection whose every wait ends at the deadline, however slowly bytes drip in."""

    def __init__(self, inner: httpcore2.NetworkStream, backend: GuardedBackend) -> None:
        self._inner = inner
        self._backend = backend

    def read(self, max_bytes: int, timeout: float | None = None) -> bytes:
        return self._inner.read(max_bytes, self._backend.left(timeout))

    def write(self, buffer: bytes, timeout: float | None = None) -> None:
        self._inner.write(buffer, self._backend.left(timeout))

    def close(self) -> None:
        self._inner.close()

    def start_tls(
        self, ssl_context: Any, server_hostname: str | None = None, timeout: float | None = None
    ) -> httpcore2.NetworkStream:
        inner = self._inner.start_tls(ssl_context, server_hostname, self._backend.left(timeout))
        return _Stream(inner, self._backend)

    def get_extra_info(self, info: str) -> Any:
        return self._inner.get_extra_info(info)
