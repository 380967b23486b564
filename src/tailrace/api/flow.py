"""An answer that is read while it is sent."""

from __future__ import annotations

from collections.abc import AsyncGenerator, Callable
from contextlib import aclosing

from starlette.responses import Response
from starlette.types import Receive, Scope, Send

from tailrace.api.hangup import Hangup

Blocks = Callable[[], AsyncGenerator[bytes]]


class Flow(Response):
    """Bytes that are read as fast as the client takes them; what cannot be read at all is a problem, not a broken answer."""

    def __init__(self, blocks: Blocks, status: int, headers: dict[str, str]) -> None:
        self._blocks = blocks
        self.status_code = status
        self.background = None
        self.raw_headers = [(name.encode(), value.encode()) for name, value in headers.items()]

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        start = {"type": "http.response.start", "status": self.status_code, "headers": self.raw_headers}
        if scope["method"] == "HEAD":
            await send(start)
        else:
            async with Hangup(receive) as hangup, aclosing(self._blocks()) as blocks:
                block = await anext(blocks, b"")
                await send(start)
                while block and not hangup.gone:
                    await send({"type": "http.response.body", "body": block, "more_body": True})
                    block = await anext(blocks, b"")
                if hangup.gone:
                    return
        await send({"type": "http.response.body", "body": b"", "more_body": False})
