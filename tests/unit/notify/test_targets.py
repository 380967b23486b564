"""Messages go to the world, not to this machine or its network."""

from __future__ import annotations

import pytest

from tailrace.notify.base import Undelivered
from tailrace.notify.targets import Targets, is_public


@pytest.mark.parametrize(
    "address",
    [
        "127.0.0.1",
        "10.0.0.1",
        "172.16.0.1",
        "192.168.1.1",
        "169.254.169.254",
        "100.64.0.1",
        "0.0.0.0",
        "224.0.0.1",
        "::1",
        "::",
        "fe80::1%eth0",
        "fd00::1",
        "::ffff:127.0.0.1",
        "64:ff9b::7f00:1",
        "2002:7f00:1::",
    ],
)
def test_addresses_that_are_not_everybodys(address: str) -> None:
    assert not is_public(address)


@pytest.mark.parametrize("address", ["1.1.1.1", "2606:4700::1111", "::ffff:1.1.1.1"])
def test_addresses_that_are(address: str) -> None:
    assert is_public(address)


async def test_a_name_is_looked_up() -> None:
    """A name of this machine is refused as its address is."""
    with pytest.raises(Undelivered, match="allow_private_targets"):
        await Targets(allow_private=False).admit("localhost", 443)
    await Targets(allow_private=True).admit("localhost", 443)
