"""Where this server may call: never its own machine or network, unless its settings say so."""

from __future__ import annotations

import asyncio
import ipaddress
import socket

from tailrace.notify.base import Undelivered

_TRANSLATED = ipaddress.ip_network("64:ff9b::/96")
"""IPv4 addresses inside IPv6 ones: https://www.rfc-editor.org/rfc/rfc6052"""


class Targets:
    """Looks a host up and refuses it when one of its addresses is not a public one."""

    def __init__(self, *, allow_private: bool) -> None:
        self._allow_private = allow_private

    async def admit(self, host: str, port: int) -> None:
        """Raises Undelivered for a host that is not found, or that must not be called."""
        if self._allow_private:
            return
        try:
            found = await asyncio.get_running_loop().getaddrinfo(host, port, type=socket.SOCK_STREAM)
        except (OSError, UnicodeError) as error:
            raise Undelivered(f"{host} is not found: {error}") from None
        for entry in found:
            address = str(entry[4][0])
            if not is_public(address):
                raise Undelivered(
                    f"{host} is {address}, an address of this machine or its network, which messages may not go to:"
                    " an admin allows it by the setting allow_private_targets",
                    final=True,
                )


def is_public(address: str) -> bool:
    """Whether an address is one that anybody may call."""
    ip = ipaddress.ip_address(address.partition("%")[0])
    if isinstance(ip, ipaddress.IPv6Address):
        inner = ip.ipv4_mapped or ip.sixtofour
        if inner is None and ip in _TRANSLATED:
            inner = ipaddress.IPv4Address(int(ip) & 0xFFFFFFFF)
        if inner is not None:
            return inner.is_global and not inner.is_multicast
    return ip.is_global and not ip.is_multicast
