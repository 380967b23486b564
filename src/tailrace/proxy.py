"""A proxy on loopback for one program: what the program asks for passes the guard, also where a redirect leads it."""

from __future__ import annotations

import asyncio
import os
from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager, suppress
from typing import NamedTuple
from urllib.parse import SplitResult, urlsplit, urlunsplit

from tailrace.guard import Guard, TargetRefused, TargetUnknown

_BLOCK = 65536  # bytes
_MINE = ("connection:", "keep-alive:", "proxy-")


class Target(NamedTuple):
    """What listens on a port."""

    host: str
    port: int


class GuardedProxy(NamedTuple):
    """`address` is HOST:PORT. The others grow as it is used: `reached` names the machines that were connected to, `refused` says
    to which nobody was let through or who was not found, and why; those that were not found are `failed` too."""

    address: str
    reached: list[str]
    refused: list[str]
    failed: list[str]


@asynccontextmanager
async def guarded_proxy(guard: Guard, only: Target | None = None) -> AsyncGenerator[GuardedProxy]:
    """A proxy for HTTP and, through tunnels, HTTPS, while the context lasts.

    It asks the guard what a name resolves to, and connects to that very address; to no machine but `only`, where one is given. It
    answers 403 with the guard's words, and 502 where no machine answers.
    """
    busy: set[asyncio.Task[None]] = set()

    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        task = asyncio.current_task()
        assert task is not None
        busy.add(task)
        try:
            await _serve(guard, only, reader, writer, proxy)
        except (OSError, asyncio.IncompleteReadError, asyncio.LimitOverrunError, ValueError):
            pass  # whoever asked sees that nothing more comes
        finally:
            busy.discard(task)
            writer.close()

    server = await asyncio.start_server(serve, "127.0.0.1", 0)
    host, port = server.sockets[0].getsockname()[:2]
    proxy = GuardedProxy(f"{host}:{port}", [], [], [])
    try:
        yield proxy
    finally:
        server.close()
        for task in busy:
            task.cancel()
        await asyncio.gather(*busy, return_exceptions=True)


class _Request(NamedTuple):
    """The head of a request to a proxy: what stands for the machine, and what is sent on to it."""

    host: str
    port: int
    tunnel: bool
    head: bytes


async def _serve(
    guard: Guard,
    only: Target | None,
    reader: asyncio.StreamReader,
    writer: asyncio.StreamWriter,
    proxy: GuardedProxy,
) -> None:
    request = _read(await reader.readuntil(b"\r\n\r\n"))
    try:
        if only is not None and (request.host.lower(), request.port) != (only.host.lower(), only.port):
            raise TargetRefused(
                f"{request.host}:{request.port} is not {only.host}:{only.port}, and the login is for that alone:"
                " write the address that the redirect leads to"
            )
        there, back = await _connect(guard, request.host, request.port)
    except TargetRefused as error:
        proxy.refused.append(str(error))
        writer.write(_answer("403 Forbidden", str(error)))
        return
    except (TargetUnknown, OSError) as error:
        # Said by us, for a program would only show the number of our answer.
        why = os.strerror(error.errno) if isinstance(error, OSError) and error.errno else str(error)
        said = f"{request.host}:{request.port} cannot be reached: {why}"
        proxy.refused.append(said)
        proxy.failed.append(said)
        writer.write(_answer("502 Bad Gateway", said))
        return
    proxy.reached.append(request.host)
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
