"""Follows logs in the terminal: one connection for a run's state and the logs of its jobs."""

from __future__ import annotations

import asyncio
import json
import sys
from collections.abc import AsyncIterator, Callable
from typing import Any, Protocol

import websockets
from websockets.asyncio.client import ClientConnection, connect

from tailrace.agent.backoff import Backoff
from tailrace.cli.client import AWAY, CallFailed, Client
from tailrace.cli.log_targets import Source, Target, exit_status
from tailrace.cli.remote_logs import RemoteLogs
from tailrace.cli.run_printing import RunPrinter
from tailrace.cli.stretches import Stretch, read_chunk
from tailrace.cli.texts import say

QUIET_S = 0.25
"""After so long without output, what waited is shown."""

MESSAGE_BYTES = 16 * 1024 * 1024

Start = Callable[[Source], int]
"""Where a log that there is already is followed from; it may block."""


class Sink(Protocol):
    """Takes what is followed."""

    def open(self, run: dict[str, Any] | None, source: Source) -> None:
        """This log will come; again whenever more is known of it."""

    def take(self, stretch: Stretch) -> bool:
        """Every byte once, in order; False when no more of this log is wanted."""
        ...

    @property
    def waits(self) -> bool:
        """Whether `quiet` is to be called after a moment without output."""
        ...

    def quiet(self) -> None: ...

    def end(self, log: int) -> None:
        """All of this log was taken."""


class LogFollower:
    """Follows a target to its end, across restarts and lost connections: it resumes from the offset that it wants next,
    checks that each chunk continues the last one, and fetches what is missing in between."""

    def __init__(self, client: Client, target: Target, start: Start, sink: Sink) -> None:
        self._client = client
        self._remote = RemoteLogs(client)
        self._target = target
        self._start = start
        self._sink = sink
        self._run: dict[str, Any] | None = None
        self._next: dict[int, int] = {}  # log -> offset of the next byte
        self._ended: set[int] = set()

    async def follow(self) -> dict[str, Any] | None:
        """The run as it ended; None for a log by itself. Raises CallFailed."""
        address = "ws" + self._client.server.removeprefix("http") + "/api/live"
        backoff = Backoff()
        while True:
            try:
                async with connect(
                    address,
                    additional_headers={"Authorization": f"Bearer {self._client.token}"},
                    compression=None,
                    max_size=MESSAGE_BYTES,
                ) as connection:
                    backoff.reset()
                    await self._follow(connection)
                    return self._run
            except websockets.InvalidStatus as error:
                if error.response.status_code not in AWAY:
                    raise CallFailed(f"{self._client.server} refuses: {_why(error)}") from None
            except (OSError, websockets.WebSocketException):
                pass
            await asyncio.sleep(backoff.wait_s())

    async def _follow(self, connection: ClientConnection) -> None:
        if self._target.run is not None:
            await connection.send(json.dumps({"op": "watch", "topic": f"run/{self._target.run}"}))
        else:
            assert self._target.log is not None
            await self._open(connection, Source(self._target.log, "", 0, "", {}))
        for log in self._next.keys() - self._ended:
            await self._watch(connection, log)
        async for message in self._messages(connection):
            topic = str(message.get("topic", ""))
            if "run" in message:
                await self._see(connection, message["run"])
            elif topic.startswith("log/"):
                await self._hear(int(topic.removeprefix("log/")), message)
            elif "error" in message:
                raise CallFailed(str(message["error"].get("detail")))
            if self._next.keys() <= self._ended and self._no_more_logs():
                return

    def _no_more_logs(self) -> bool:
        if self._target.run is None:
            return True
        return self._run is not None and self._target.ended(self._run)

    async def _messages(self, connection: ClientConnection) -> AsyncIterator[dict[str, Any]]:
        while True:
            try:
                async with asyncio.timeout(QUIET_S if self._sink.waits else None):
                    text = await connection.recv()
            except TimeoutError:
                self._sink.quiet()
                continue
            yield json.loads(text)

    async def _see(self, connection: ClientConnection, run: dict[str, Any]) -> None:
        first, self._run = self._run is None, run
        for source in self._target.sources(run, set(self._next)):
            await self._open(connection, source, new=not first)

    async def _open(self, connection: ClientConnection, source: Source, *, new: bool = False) -> None:
        self._sink.open(self._run, source)
        if source.log not in self._next:
            start = 0 if new else await asyncio.to_thread(self._start, source)
            self._next[source.log] = start
            await self._watch(connection, source.log)

    async def _watch(self, connection: ClientConnection, log: int) -> None:
        # `whole`: a terminal that is slow waits, it is never skipped.
        wish = {"op": "watch", "topic": f"log/{log}", "from": self._next[log], "whole": True}
        await connection.send(json.dumps(wish))

    async def _hear(self, log: int, message: dict[str, Any]) -> None:
        if log in self._ended:
            return
        if "chunk" in message:
            chunk = message["chunk"]
            await self._fill(log, chunk["offset"])
            if chunk["next"] > self._next[log]:
                stretch = read_chunk(log, chunk)
                if stretch is None:
                    await self._fill(log, chunk["next"])
                else:
                    self._take(stretch.after(self._next[log]))
        elif "gap" in message:
            await self._fill(log, message["gap"]["to"])
        elif "end" in message:
            await self._fill(log, message["end"]["size"])
            self._end(log)
        elif "error" in message:
            if message["error"]["status"] >= 500:
                raise ConnectionError(message["error"]["detail"])
            print(f"log {log}: {message['error']['detail']}", file=sys.stderr)
            self._end(log)

    async def _fill(self, log: int, stop: int) -> None:
        """Fetch what lies before `stop` and has not come."""
        while self._next[log] < stop and log not in self._ended:
            blocks = self._remote.stretches(log, self._next[log], stop)
            stretch = await asyncio.to_thread(next, blocks, None)
            if stretch is None:
                raise ConnectionError(f"log {log}: the bytes from {self._next[log]} to {stop} cannot be had")
            self._take(stretch)

    def _take(self, stretch: Stretch) -> None:
        self._next[stretch.log] = stretch.next
        if not self._sink.take(stretch):
            self._end(stretch.log)

    def _end(self, log: int) -> None:
        if log not in self._ended:
            self._ended.add(log)
            self._sink.end(log)


def _why(error: websockets.InvalidStatus) -> str:
    """What the server says to it."""
    try:
        return str(json.loads(error.response.body or b"")["detail"])
    except (ValueError, KeyError, TypeError):
        return f"HTTP {error.response.status_code}"


class _RunSink:
    """`tailrace run --follow`: as if the run were here."""

    waits = False

    def __init__(self) -> None:
        self._printer: RunPrinter | None = None

    def open(self, run: dict[str, Any] | None, source: Source) -> None:
        if self._printer is None:
            self._printer = RunPrinter(tuple(job["name"] for job in run["jobs"]) if run else ())
        self._printer.begin(source)

    def take(self, stretch: Stretch) -> bool:
        assert self._printer is not None
        self._printer.take(stretch)
        return True

    def quiet(self) -> None:
        return

    def end(self, log: int) -> None:
        assert self._printer is not None
        self._printer.end(log)


async def follow_run(client: Client, run_id: int) -> int:
    """Follow a run to its end, across restarts of the server; the exit status that stands for how it ended."""
    run = await LogFollower(client, Target(run_id), lambda _: 0, _RunSink()).follow()
    assert run is not None
    if run["state"] != "passed":
        say(f"run {run['id']} {run['state']}: {run['detail'] or run['reason']}", to=sys.stderr)
    return exit_of_run(run)


def exit_of_run(run: dict[str, Any]) -> int:
    """0 when it passed, 130 when it was aborted, else the exit code of the job that failed, or 1."""
    if run["state"] == "passed":
        return 0
    return 130 if run["state"] == "aborted" else exit_status(run["jobs"]) or 1
