"""Which machines the server may be sent to: not itself, not its neighbours, unless an admin says so.

Whoever may give the server an address to ask (a trigger, a channel) could otherwise read through it what only the server
can reach: what listens on loopback, a cloud's metadata, the private network.
"""

from __future__ import annotations

import asyncio
import socket
import ssl
from collections.abc import Iterable
from dataclasses import dataclass
from ipaddress import (
    IPv4Address,
    IPv4Network,
    IPv6Address,
    IPv6Network,
    ip_address,
    ip_network,
)
from typing import TypeAlias

import httpx2

_Address: TypeAlias = IPv4Address | IPv6Address

ALLOWED_FORMS = "names of machines, addresses, or networks such as 10.0.0.0/8"

# Metadata services, also those that lie at addresses which look like anybody's: Azure's, Alibaba's, Amazon's of IPv6.
_METADATA = frozenset(
    map(ip_address, ("169.254.169.254", "168.63.129.16", "100.100.100.200", "fd00:ec2::254"))
)
_PRIVATE = "an address of a private or reserved network"
_OWN = tuple(map(ip_network, ("10.0.0.0/8", "172.16.0.0/12", "192.168.0.0/16", "100.64.0.0/10", "fc00::/7")))
_NAT64 = (ip_network("64:ff9b::/96"), ip_network("64:ff9b:1::/96"))
_COMPATIBLE = ip_network("::/96")


class TargetRefused(Exception):
    """The server is not to be sent there; says where, why, and what an admin can do."""


class TargetUnknown(Exception):
    """No machine has that name, or nobody could say."""


@dataclass(frozen=True)
class Guard:
    """Refuses addresses of loopback, of the link, of private and reserved networks, and of metadata services.

    It asks what a name resolves to, not what it looks like, and gives those addresses to connect to: a name that is
    asked for again could say another thing. `names` (in lower case) and `networks` are allowed whatever they are;
    `setting` is what an admin changes to allow more. With `own_networks` private networks are let through: it is there that what
    is asked for usually lies.
    """

    setting: str
    names: frozenset[str] = frozenset()
    networks: tuple[IPv4Network | IPv6Network, ...] = ()
    own_networks: bool = False

    @classmethod
    def allowing(cls, setting: str, words: Iterable[str], *, own_networks: bool = False) -> Guard:
        """A guard that allows these (ALLOWED_FORMS); raises ValueError."""
        names: set[str] = set()
        networks: list[IPv4Network | IPv6Network] = []
        for word in words:
            try:
                networks.append(ip_network(word.strip("[]")))
            except ValueError as error:
                if not word or "/" in word or ":" in word or word.replace(".", "").isdigit():
                    raise ValueError(f"{word!r}: {error}; expected {ALLOWED_FORMS}") from None
                names.add(_plain(word))
        return cls(setting, frozenset(names), tuple(networks), own_networks)

    def why_not(self, host: str, address: str) -> str | None:
        """Why `host`, which is at `address`, is refused; None when it is not."""
        found = ip_address(address.partition("%")[0])
        inner = _carried(found)
        if _plain(host) in self.names or any(a in n for a in (found, inner) for n in self.networks):
            return None
        what = _what(inner)
        if what == _PRIVATE and self.own_networks and any(inner in network for network in _OWN):
            what = None
        if what is None:
            return None
        shown = host if host == address else f"{host} ({address})"
        return (
            f"{shown} is {what}: the server is not sent there unless an admin allows it"
            f" ({self.setting}: {ALLOWED_FORMS})"
        )

    async def addresses(self, host: str, port: int) -> list[str]:
        """The addresses of `host` to connect to, in order; raises TargetRefused, TargetUnknown."""
        try:
            found = await asyncio.get_running_loop().getaddrinfo(host, port, type=socket.SOCK_STREAM)
        except (OSError, UnicodeError) as error:
            raise _unknown(host, error) from None
        return self._allowed(host, found)

    def addresses_now(self, host: str, port: int) -> list[str]:
        """`addresses` for a worker thread, which waits."""
        try:
            found = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM)
        except (OSError, UnicodeError) as error:
            raise _unknown(host, error) from None
        return self._allowed(host, found)

    def _allowed(self, host: str, found: Iterable[tuple[object, ...]]) -> list[str]:
        addresses = list(dict.fromkeys(_first(entry[4]) for entry in found))
        refusals = {address: self.why_not(host, address) for address in addresses}
        allowed = [address for address, why in refusals.items() if why is None]
        if not allowed:
            why = next((why for why in refusals.values() if why), None)
            raise TargetRefused(why) if why else TargetUnknown(f"{host} has no address")
        return allowed


class GuardedTransport(httpx2.AsyncBaseTransport):
    """HTTP by way of a guard, for `httpx2.AsyncClient(transport=…)`: every request, those of redirects too.

    It connects to the very address that the guard looked at, and keeps no connection for later. Raises TargetRefused;
    a name that is not found is an httpx2.ConnectError. Proxies that the environment names are not used: what
    they resolve cannot be looked at.
    """

    def __init__(self, guard: Guard, trusted: ssl.SSLContext | None = None) -> None:
        """`trusted` says which certificates are good; who makes many transports makes it once: it takes 50 ms."""
        self._guard = guard
        # One connection for two names at one address would show the second the certificate of the first.
        self._inner = httpx2.AsyncHTTPTransport(
            verify=True if trusted is None else trusted, limits=httpx2.Limits(max_keepalive_connections=0)
        )

    async def handle_async_request(self, request: httpx2.Request) -> httpx2.Response:
        """Send it; the first address that answers is taken."""
        url = request.url
        port = url.port or (443 if url.scheme == "https" else 80)
        try:
            addresses = await self._guard.addresses(url.host, port)
        except TargetUnknown as unknown:
            raise httpx2.ConnectError(str(unknown), request=request) from None
        refused: httpx2.ConnectError | httpx2.ConnectTimeout | None = None
        for address in addresses:
            try:
                return await self._inner.handle_async_request(_sent_to(request, address))
            except (httpx2.ConnectError, httpx2.ConnectTimeout) as error:
                refused = error
        assert refused is not None
        raise refused

    async def aclose(self) -> None:
        """Close what is open."""
        await self._inner.aclose()


def _sent_to(request: httpx2.Request, address: str) -> httpx2.Request:
    return httpx2.Request(
        request.method,
        request.url.copy_with(host=address),
        headers=request.headers,  # Host is among them already
        stream=request.stream,
        extensions={**request.extensions, "sni_hostname": request.url.host},
    )


def _carried(address: _Address) -> _Address:
    """The address of the older kind that one of IPv6 stands for, or itself."""
    if isinstance(address, IPv4Address):
        return address
    for carried in (address.ipv4_mapped, address.sixtofour, address.teredo[1] if address.teredo else None):
        if carried is not None:
            return carried
    if any(address in network for network in _NAT64):
        return IPv4Address(int(address) & 0xFFFFFFFF)
    if address in _COMPATIBLE and int(address) > 0xFFFF:
        return IPv4Address(int(address))
    return address


def _what(address: _Address) -> str | None:
    if address in _METADATA:
        return "the address of a cloud's metadata"
    if address.is_loopback or address.is_unspecified:
        return "a loopback address"
    if address.is_link_local:
        return "a link-local address"
    if address.is_multicast:
        return "a multicast address"
    if not address.is_global or address.is_reserved:
        return _PRIVATE
    return None


def _plain(host: str) -> str:
    return host.lower().rstrip(".")


def _first(place: object) -> str:
    assert isinstance(place, tuple)
    return str(place[0])  # pyright: ignore[reportUnknownArgumentType]


def _unknown(host: str, error: Exception) -> TargetUnknown:
    why = error.strerror if isinstance(error, OSError) and error.strerror else str(error)
    return TargetUnknown(f"the name {host[:200]} cannot be resolved: {why}")
