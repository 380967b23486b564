"""The way of git and svn to a repository: past the guard, also where a redirect leads them, or a name that says another thing."""

from __future__ import annotations

import asyncio
import os
from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager, suppress
from dataclasses import dataclass, field
from typing import NamedTuple
from urllib.parse import SplitResult, urlsplit, urlunsplit
from urllib.request import getproxies, proxy_bypass

from tailrace.domain.address import Host, host_of
from tailrace.guard import Guard, TargetRefused, TargetUnknown

_BLOCK = 65536  # bytes
_MINE = ("connection:", "keep-alive:", "proxy-")


@dataclass(frozen=True)
class Way:
    """How a program goes to one repository. `proxy` is HOST:PORT on loopback, None where it goes by itself; `follows` says whether
    it may follow redirects; `refused` says, afterwards, where it was not let through or found nobody, and why."""

    proxy: str | None = None
    follows: bool = True
    refused: list[str] = field(default_factory=list[str])

    def for_git(self) -> dict[str, str]:
        """What git's environment has to say of it."""
        settings = {} if self.follows else {"http.followRedirects": "false"}
        if self.proxy is not None:
            settings["http.proxy"] = f"http://{self.proxy}"
        said = {"GIT_CONFIG_COUNT": str(len(settings))} if settings else {}
        for number, (name, value) in enumerate(settings.items()):
            said |= {f"GIT_CONFIG_KEY_{number}": name, f"GIT_CONFIG_VALUE_{number}": value}
        # Else git would go past the proxy to the machines that these name.
        return said if self.proxy is None else {**said, "NO_PROXY": "", "no_proxy": ""}


class Ways:
    """Ways to repositories, past `guard`; None lets through everything.

    Over http and https a program gets a proxy of its own, for as long as it runs, that connects to the very addresses which the
    guard looked at. Where the environment names a proxy already, git goes by that and follows no redirect. Over ssh, git:// and
    svn:// the guard is asked before the program starts. What lies on this machine's own disk needs no way.
    """

    def __init__(self, guard: Guard | None) -> None:
        self._guard = guard

    @asynccontextmanager
    async def to(self, repository: str) -> AsyncGenerator[Way]:
        """Good while the context lasts. Raises TargetRefused, TargetUnknown."""
        host = host_of(repository)
        if host is None or self._guard is None:
            yield Way()
            return
        outer = host.scheme in ("http", "https") and _has_proxy(host)
        try:
            await self._guard.addresses(host.name, host.port)
        except TargetUnknown:
            # ssh may know it from its own settings, and a proxy by its own means.
            if host.scheme != "ssh" and not outer:
                raise
        if host.scheme not in ("http", "https") or outer:
            yield Way(follows=not outer)
            return
        async with _listening(self._guard) as way:
            yield way


UNGUARDED = Ways(None)


class _Request(NamedTuple):
    """The head of a request to a proxy: what stands for the machine, and what is sent on to it."""

    host: str
    port: int
    tunnel: bool
    head: bytes


@asynccontextmanager
async def _listening(guard: Guard) -> AsyncGenerator[Way]:
    refused: list[str] = []
    busy: set[asyncio.Task[None]] = set()

    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        task = asyncio.current_task()
        assert task is not None
        busy.add(task)
        try:
            await _serve(guard, reader, writer, refused)
        except (OSError, asyncio.IncompleteReadError, asyncio.LimitOverrunError, ValueError):
            pass  # whoever asked sees that nothing more comes
        finally:
            busy.discard(task)
            writer.close()

    server = await asyncio.start_server(serve, "127.0.0.1", 0)
    try:
        host, port = server.sockets[0].getsockname()[:2]
        yield Way(f"{host}:{port}", True, refused)
    finally:
        server.close()
        for task in busy:
            task.cancel()
        await asyncio.gather(*busy, return_exceptions=True)


async def _serve(
    guard: Guard, reader: asyncio.StreamReader, writer: asyncio.StreamWriter, refused: list[str]
) -> None:
    request = _read(await reader.readuntil(b"\r\n\r\n"))
    try:
        there, back = await _connect(guard, request.host, request.port)
    except TargetRefused as error:
        refused.append(str(error))
        writer.write(_answer("403 Forbidden", str(error)))
        return
    except (TargetUnknown, OSError) as error:
        # Said by us, for git would only show the number of our answer.
        why = os.strerror(error.errno) if isinstance(error, OSError) and error.errno else str(error)
        refused.append(f"{request.host}:{request.port} cannot be reached: {why}")
        writer.write(_answer("502 Bad Gateway", refused[-1]))
        return
    try:
        if request.tunnel:
            writer.write(b"HTTP/1.1 200 Connection established\r\n\r\n")
        back.write(request.head)
        sending = asyncio.create_task(_pour(reader, back))
        try:
            await _pour(there, writer)
        finally:
            sending.cancel()
            await asyncio.gather(sending, return_exceptions=True)
    finally:
        back.close()


async def _connect(guard: Guard, host: str, port: int) -> tuple[asyncio.StreamReader, asyncio.StreamWriter]:
    """To the first of its addresses that answers."""
    failed: OSError | None = None
    for address in await guard.addresses(host, port):
        try:
            return await asyncio.open_connection(address, port)
        except OSError as error:
            failed = error
    assert failed is not None
    raise failed


async def _pour(source: asyncio.StreamReader, sink: asyncio.StreamWriter) -> None:
    while block := await source.read(_BLOCK):
        sink.write(block)
        await sink.drain()
    with suppress(OSError, NotImplementedError):
        sink.write_eof()


def _read(head: bytes) -> _Request:
    """Raises ValueError for what no proxy is asked."""
    first, *lines = head.decode("latin-1").split("\r\n")
    method, target, _ = first.split(" ", 2)
    if method == "CONNECT":
        url = urlsplit(f"//{target}")
        return _Request(url.hostname or "", url.port or 443, True, b"")
    url = urlsplit(target)
    if url.scheme != "http" or not url.hostname:
        raise ValueError(target)
    # One request, then the end: the next may be for another machine.
    kept = [line for line in lines if line and not line.lower().startswith(_MINE)]
    inner = urlunsplit(SplitResult("", "", url.path or "/", url.query, ""))
    said = "\r\n".join([f"{method} {inner} HTTP/1.1", *kept, "Connection: close", "", ""])
    return _Request(url.hostname, url.port or 80, False, said.encode("latin-1"))


def _answer(status: str, why: str) -> bytes:
    body = f"{why}\n".encode(errors="replace")
    head = f"HTTP/1.1 {status}\r\nContent-Type: text/plain\r\nContent-Length: {len(body)}\r\nConnection: close\r\n\r\n"
    return head.encode() + body


def _has_proxy(host: Host) -> bool:
    """Whether the server's environment names a proxy for it."""
    named = getproxies()
    return (host.scheme in named or "all" in named) and not proxy_bypass(host.name)
