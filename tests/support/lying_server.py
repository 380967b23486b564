"""A real HTTP server that answers what a test tells it to, also what no honest server would."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncGenerator, Callable
from contextlib import asynccontextmanager, suppress
from dataclasses import dataclass, field


@dataclass
class LyingServer:
    """`answer` gives the raw answer to the raw request; `endless` goes on sending after it, `silent` never sends it."""

    answer: Callable[[str], bytes] = lambda _request: ok(b"one")
    endless: bool = False
    silent: bool = False
    asked: list[str] = field(default_factory=list[str])
    port: int = 0

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.port}/releases"

    async def serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        with suppress(ConnectionError, asyncio.IncompleteReadError):
            self.asked.append((await reader.readuntil(b"\r\n\r\n")).decode())
            if self.silent:
                await reader.read()  # until whoever asked gives up
            else:
                writer.write(self.answer(self.asked[-1]))
                while self.endless:
                    writer.write(b"x" * 65536)
                    await writer.drain()
                await writer.drain()
        writer.close()


def ok(body: bytes, **headers: str) -> bytes:
    """An answer; `last_modified` is the header Last-Modified."""
    lines = [f"{name.replace('_', '-')}: {value}" for name, value in headers.items()]
    head = "\r\n".join(["HTTP/1.1 200 OK", f"Content-Length: {len(body)}", *lines])
    return f"{head}\r\n\r\n".encode() + body


def moved(to: str, status: str = "302 Found") -> bytes:
    return f"HTTP/1.1 {status}\r\nLocation: {to}\r\nContent-Length: 0\r\n\r\n".encode()


@asynccontextmanager
async def lying(host: str = "127.0.0.1") -> AsyncGenerator[LyingServer]:
    liar = LyingServer()
    server = await asyncio.start_server(liar.serve, host, 0)
    liar.port = server.sockets[0].getsockname()[1]
    try:
        yield liar
    finally:
        server.close()
        await server.wait_closed()
