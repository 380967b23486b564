"""A client that costs the machine little: what is measured is the server, on the same processors."""

from __future__ import annotations

import asyncio
import json
import time
from collections.abc import Callable, Iterable
from contextlib import suppress
from types import TracebackType
from typing import Any, Self

from websockets.asyncio.client import ClientConnection, connect

from tests.support.house import ADMIN_TOKEN, ENDED, House
from tests.support.waiting import wait_for


def start(house: House) -> None:
    """`tailrace up`, with its agent connected."""
    house.up()
    wait_for(
        lambda: any(agent["state"] == "online" for agent in house.get("/api/agents")["items"]), "an agent"
    )


class Submitter:
    """Open connections, one for each run that is submitted at once."""

    def __init__(self, house: House, lines: list[tuple[asyncio.StreamReader, asyncio.StreamWriter]]) -> None:
        self._house = house
        self._lines = lines

    @classmethod
    async def connect(cls, house: House, count: int) -> Submitter:
        """Connect before the clock starts."""
        opening = (asyncio.open_connection("127.0.0.1", house.port) for _ in range(count))
        return cls(house, await asyncio.gather(*opening))

    async def submit(self, wish: dict[str, object]) -> list[int]:
        """POST the wish on every connection at once; the runs' ids."""
        body = json.dumps(wish).encode()
        head = (
            f"POST /api/runs HTTP/1.1\r\nHost: 127.0.0.1:{self._house.port}\r\n"
            f"Authorization: Bearer {ADMIN_TOKEN}\r\nContent-Type: application/json\r\n"
            f"Content-Length: {len(body)}\r\n\r\n"
        )
        request = head.encode() + body
        return list(await asyncio.gather(*(_post(*line, request) for line in self._lines)))

    def close(self) -> None:
        for _, writer in self._lines:
            writer.close()


async def _post(reader: asyncio.StreamReader, writer: asyncio.StreamWriter, request: bytes) -> int:
    writer.write(request)
    head = (await reader.readuntil(b"\r\n\r\n")).decode("latin-1").lower()
    size = int(head.partition("content-length:")[2].partition("\r\n")[0])
    answer = await reader.readexactly(size)
    if " 201 " not in head.partition("\r\n")[0]:
        raise RuntimeError(f"POST /api/runs was refused: {answer.decode(errors='replace')}")
    return json.loads(answer)["id"]


class Watch:
    """Follows the topic `runs` on one WebSocket and notes when each run was seen to have ended.

    Of single runs it can also follow the jobs, and note when the log of the first was seen to be closed.
    """

    def __init__(self, connection: ClientConnection) -> None:
        self._connection = connection
        self._ended: dict[int, tuple[float, str]] = {}
        self._closed: dict[int, float] = {}
        self._news = asyncio.Event()
        self._reading = asyncio.create_task(self._read())

    @classmethod
    async def connect(cls, house: House) -> Self:
        """Connected, and watching."""
        connection = await connect(
            f"ws://127.0.0.1:{house.port}/api/live",
            additional_headers={"Authorization": f"Bearer {ADMIN_TOKEN}"},
            compression=None,
            max_size=None,
        )
        await connection.send(json.dumps({"op": "watch", "topic": "runs"}))
        return cls(connection)

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._reading.cancel()
        with suppress(asyncio.CancelledError):
            await self._reading
        await self._connection.close()

    async def passed(self, runs: Iterable[int], within_s: float = 120) -> float:
        """When (by `time.time`) the last of these runs was seen to have passed; raises RuntimeError for another end."""
        wanted = set(runs)
        await self._until(lambda: wanted <= self._ended.keys(), within_s)
        others = {run: self._ended[run][1] for run in wanted if self._ended[run][1] != "passed"}
        if others:
            raise RuntimeError(f"these runs did not pass: {others}")
        return max(self._ended[run][0] for run in wanted)

    async def log_closed(self, run: int, within_s: float = 120) -> float:
        """When (by `time.time`) the log of the run's first job was seen to be closed."""
        await self._connection.send(json.dumps({"op": "watch", "topic": f"run/{run}"}))
        await self._until(lambda: run in self._closed, within_s)
        return self._closed[run]

    async def _until(self, condition: Callable[[], bool], within_s: float) -> None:
        async with asyncio.timeout(within_s):
            while not condition():
                self._news.clear()
                if self._reading.done():
                    await self._reading
                    raise RuntimeError("the server ended the watch")
                await self._news.wait()

    async def _read(self) -> None:
        try:
            async for text in self._connection:
                now = time.time()
                message: dict[str, Any] = json.loads(text)
                if "run" in message and _is_closed(message["run"]):
                    self._closed.setdefault(message["run"]["id"], now)
                for run in message.get("items", ()):
                    if run["state"] in ENDED and run["id"] not in self._ended:
                        self._ended[run["id"]] = (now, run["state"])
                self._news.set()
        finally:
            self._news.set()


def _is_closed(run: dict[str, Any]) -> bool:
    return any(
        attempt["log_state"] in ("closed", "sealed") for job in run["jobs"][:1] for attempt in job["attempts"]
    )
