"""The guard: by address, by name, and in real requests, also those of redirects."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager

import httpx2
import pytest

from tailrace.guard import Guard, GuardedTransport, TargetRefused, TargetUnknown

CLOSED = Guard("allowed_targets")


@pytest.mark.parametrize(
    ("address", "what"),
    [
        ("127.0.0.1", "loopback"),
        ("127.8.8.8", "loopback"),
        ("0.0.0.0", "loopback"),
        ("::1", "loopback"),
        ("::", "loopback"),
        ("::ffff:127.0.0.1", "loopback"),
        ("::7f00:1", "loopback"),
        ("64:ff9b::7f00:1", "loopback"),
        ("2002:7f00:1::", "loopback"),
        ("169.254.0.5", "link-local"),
        ("fe80::1%eth0", "link-local"),
        ("169.254.169.254", "metadata"),
        ("::ffff:169.254.169.254", "metadata"),
        ("fd00:ec2::254", "metadata"),
        ("168.63.129.16", "metadata"),
        ("100.100.100.200", "metadata"),
        ("100.64.0.1", "private"),
        ("10.1.2.3", "private"),
        ("172.16.0.1", "private"),
        ("192.168.0.1", "private"),
        ("64:ff9b::a01:203", "private"),
        ("fc00::1", "private"),
        ("240.0.0.1", "private"),
        ("255.255.255.255", "private"),
        ("224.0.0.1", "multicast"),
        ("ff02::1", "multicast"),
    ],
)
def test_addresses_that_lead_inside_are_refused(address: str, what: str) -> None:
    """In whatever form; the sentence names the machine, the address, why, and the setting."""
    why = CLOSED.why_not("ci.example.org", address)
    assert why is not None
    assert f"ci.example.org ({address}) is" in why
    assert what in why
    assert "allowed_targets" in why


@pytest.mark.parametrize(
    ("address", "refused"),
    [
        ("10.1.2.3", False),
        ("172.31.0.1", False),
        ("192.168.0.1", False),
        ("100.64.0.1", False),
        ("fc00::1", False),
        ("::ffff:10.1.2.3", False),
        ("127.0.0.1", True),
        ("::ffff:127.0.0.1", True),
        ("169.254.1.1", True),
        ("100.100.100.200", True),
        ("fd00:ec2::254", True),
        ("240.0.0.1", True),
        ("0.1.2.3", True),
    ],
)
def test_networks_of_ones_own_can_be_let_through_and_nothing_else_with_them(
    address: str, refused: bool
) -> None:
    """Metadata services have addresses there too."""
    guard = Guard.allowing("x", [], own_networks=True)
    assert (guard.why_not("git.example.org", address) is not None) == refused


@pytest.mark.parametrize(
    "address", ["93.184.216.34", "2606:2800:220:1::1", "::ffff:93.184.216.34", "172.32.0.1"]
)
def test_addresses_of_the_world_are_not(address: str) -> None:
    """Anybody may be sent there."""
    assert CLOSED.why_not("example.org", address) is None


def test_an_admin_allows_names_addresses_and_networks() -> None:
    """Each for itself."""
    guard = Guard.allowing("allowed_targets", ["Git.LAN", "ci2", "127.0.0.1", "10.0.0.0/8", "fc00::/7"])
    assert guard.why_not("git.lan.", "192.168.0.1") is None
    assert guard.why_not("ci2", "192.168.0.2") is None
    assert guard.why_not("localhost", "127.0.0.1") is None
    assert guard.why_not("localhost", "::ffff:127.0.0.1") is None
    assert guard.why_not("anything", "10.200.0.1") is None
    assert guard.why_not("anything", "fd12::1") is None
    assert guard.why_not("other.lan", "192.168.0.1") is not None
    assert guard.why_not("localhost", "127.0.0.2") is not None


@pytest.mark.parametrize("word", ["", "10.0.0.1/8", "10.0.0.0/99", "host:80", "1.2.3"])
def test_what_is_no_name_and_no_network_is_refused(word: str) -> None:
    """An allowance that would allow nothing, or another thing than was meant."""
    with pytest.raises(ValueError, match="expected names of machines"):
        Guard.allowing("allowed_targets", [word])


@pytest.mark.parametrize("host", ["localhost", "127.0.0.1", "2130706433", "0x7f.1", "0", "::1"])
async def test_a_name_is_what_it_resolves_to(host: str) -> None:
    """However it is written, in a loop and in a thread."""
    with pytest.raises(TargetRefused, match="loopback"):
        await CLOSED.addresses(host, 80)
    with pytest.raises(TargetRefused, match="loopback"):
        CLOSED.addresses_now(host, 80)


@pytest.mark.parametrize("host", ["no-such-host.invalid", "a" * 300, ".", "x..y"])
async def test_a_name_that_is_not_found_is_said_to_be_unknown(host: str) -> None:
    """Not refused, and no crash."""
    with pytest.raises(TargetUnknown, match="cannot be resolved"):
        await CLOSED.addresses(host, 80)
    with pytest.raises(TargetUnknown):
        CLOSED.addresses_now(host, 80)


# Real requests.


@asynccontextmanager
async def answering(answer: bytes, host: str = "127.0.0.1") -> AsyncGenerator[tuple[int, list[bytes]]]:
    """A server that gives this answer to everybody; its port, and what it was asked."""
    asked: list[bytes] = []

    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        asked.append(await reader.readuntil(b"\r\n\r\n"))
        writer.write(answer)
        await writer.drain()
        writer.close()

    server = await asyncio.start_server(serve, host, 0)
    try:
        yield server.sockets[0].getsockname()[1], asked
    finally:
        server.close()
        await server.wait_closed()


OK = b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nhi"


async def test_a_request_that_is_refused_never_leaves() -> None:
    """The server is not even connected to."""
    async with (
        answering(OK) as (port, asked),
        httpx2.AsyncClient(transport=GuardedTransport(CLOSED)) as client,
    ):
        with pytest.raises(TargetRefused, match="localhost"):
            await client.get(f"http://localhost:{port}/")
        assert asked == []


async def test_an_allowed_request_keeps_its_name() -> None:
    """It goes to the address that was looked at, and asks for the name that was given."""
    guard = Guard.allowing("allowed_targets", ["localhost"])
    async with (
        answering(OK) as (port, asked),
        httpx2.AsyncClient(transport=GuardedTransport(guard)) as client,
    ):
        answer = await client.get(f"http://localhost:{port}/path?q=1")
        assert (answer.status_code, answer.text) == (200, "hi")
        assert str(answer.url) == f"http://localhost:{port}/path?q=1"
        assert asked[0].startswith(b"GET /path?q=1 ")
        assert f"host: localhost:{port}".encode() in asked[0].lower()


async def test_a_redirect_is_looked_at_again() -> None:
    """From an allowed machine to one that is not."""
    guard = Guard.allowing("allowed_targets", ["127.0.0.1"])
    async with answering(OK, "127.0.0.2") as (inner, asked):
        moved = f"HTTP/1.1 302 Found\r\nLocation: http://127.0.0.2:{inner}/\r\nContent-Length: 0\r\n\r\n"
        async with (
            answering(moved.encode()) as (port, _),
            httpx2.AsyncClient(transport=GuardedTransport(guard), follow_redirects=True) as client,
        ):
            with pytest.raises(TargetRefused, match=r"127\.0\.0\.2 is a loopback address"):
                await client.get(f"http://127.0.0.1:{port}/")
        assert asked == []


async def test_an_unknown_name_is_an_error_of_the_request() -> None:
    """As any other name that cannot be resolved."""
    async with httpx2.AsyncClient(transport=GuardedTransport(CLOSED)) as client:
        with pytest.raises(httpx2.ConnectError, match="cannot be resolved"):
            await client.get("http://no-such-host.invalid/")


async def test_the_next_address_is_tried_when_one_does_not_answer(monkeypatch: pytest.MonkeyPatch) -> None:
    """A name with two addresses, the first of which nobody listens on."""
    guard = Guard.allowing("allowed_targets", ["127.0.0.0/8"])

    async def two(_self: Guard, _host: str, _port: int) -> list[str]:
        return ["127.0.0.3", "127.0.0.1"]

    monkeypatch.setattr(Guard, "addresses", two)
    async with answering(OK) as (port, _), httpx2.AsyncClient(transport=GuardedTransport(guard)) as client:
        assert (await client.get(f"http://two.example:{port}/")).text == "hi"
