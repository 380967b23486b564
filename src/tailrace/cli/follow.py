"""Follows a run in the terminal: one connection for the run's state and the logs of all its jobs."""

from __future__ import annotations

import asyncio
import json
import random
import sys
from typing import Any

import websockets
from websockets.asyncio.client import ClientConnection, connect

from tailrace.cli.client import CallFailed

ENDED = {"passed", "failed", "aborted", "skipped"}
LOG_ENDED = {"closed", "sealed", "truncated", "removed"}
ABORTED_STATUS = 130


class Follower:
    """What was shown so far: it resumes from there after the connection, or the server, was away."""

    def __init__(self, run_id: int) -> None:
        self._run_id = run_id
        self._next: dict[int, int] = {}  # log -> offset of the next byte
        self._names: dict[int, str] = {}  # log -> job
        self._ended: set[int] = set()
        self._run: dict[str, Any] | None = None
        self._torn: dict[
            tuple[int, str], str
        ] = {}  # a line that has no end yet, where several jobs share a terminal

    async def follow(self, connection: ClientConnection) -> int:
        """Show what comes; the exit status once the run and its logs have ended."""
        await connection.send(json.dumps({"op": "watch", "topic": f"run/{self._run_id}"}))
        for log in self._names.keys() - self._ended:
            await self._watch(connection, log)
        async for text in connection:
            message = json.loads(text)
            topic = str(message.get("topic", ""))
            if "run" in message:
                await self._see(connection, message["run"])
            elif topic.startswith("log/"):
                self._take(int(topic.removeprefix("log/")), message)
            elif "error" in message:
                raise CallFailed(str(message["error"].get("detail")))
            if self._run and self._run["state"] in ENDED and self._names.keys() <= self._ended:
                return self._finish(self._run)
        raise ConnectionError("the connection ended")

    async def _see(self, connection: ClientConnection, run: dict[str, Any]) -> None:
        self._run = run
        for job in run["jobs"]:
            for attempt in job["attempts"]:
                log = attempt["log"]
                if log not in self._names and attempt["state"] not in ("pending", "leased"):
                    self._names[log] = job["name"]
                    await self._watch(connection, log)

    async def _watch(self, connection: ClientConnection, log: int) -> None:
        # `whole`: a terminal that is slow waits, it is never skipped.
        wish = {"op": "watch", "topic": f"log/{log}", "from": self._next.get(log, 0), "whole": True}
        await connection.send(json.dumps(wish))

    def _take(self, log: int, message: dict[str, Any]) -> None:
        if "end" in message or "error" in message:
            self._ended.add(log)
            return
        chunk = message.get("chunk")
        if chunk is None or chunk["offset"] != self._next.get(log, 0):
            return
        self._next[log] = chunk["next"]
        # Indexes count UTF-16 code units, as browsers do.
        text = chunk["text"].encode("utf-16-le", "surrogatepass")
        spans = chunk["spans"]
        for place, span in enumerate(spans):
            stop = spans[place + 1][4] * 2 if place + 1 < len(spans) else len(text)
            piece = text[span[4] * 2 : stop].decode("utf-16-le", "surrogatepass")
            self._print(log, span[2], piece)
        sys.stdout.flush()
        sys.stderr.flush()

    def _print(self, log: int, stream: str, text: str) -> None:
        out = sys.stdout if stream == "stdout" else sys.stderr
        if len(self._names) > 1:
            text = self._prefixed(log, stream, text)
        if text:
            dim = stream == "system" and out.isatty()
            out.write(f"\x1b[2m{text}\x1b[22m" if dim else text)

    def _prefixed(self, log: int, stream: str, text: str) -> str:
        lines = (self._torn.pop((log, stream), "") + text).splitlines(keepends=True)
        if lines and not lines[-1].endswith("\n"):
            self._torn[log, stream] = lines.pop()
        return "".join(f"{self._names[log]} | {line}" for line in lines)

    def _finish(self, run: dict[str, Any]) -> int:
        for (log, stream), line in self._torn.items():
            out = sys.stdout if stream == "stdout" else sys.stderr
            out.write(f"{self._names[log]} | {line}\n")
        if run["state"] == "passed":
            return 0
        print(f"run {run['id']} {run['state']}: {run['detail'] or run['reason']}", file=sys.stderr)
        if run["state"] == "aborted":
            return ABORTED_STATUS
        codes = [attempt["exit_code"] for job in run["jobs"] for attempt in job["attempts"][-1:]]
        return next((code for code in codes if code), 1)


async def follow_run(server: str, token: str, run_id: int) -> int:
    """Follow a run to its end, across restarts of the server; the exit status that stands for how it ended."""
    address = "ws" + server.removeprefix("http") + "/api/live"
    follower = Follower(run_id)
    wait = 0.1
    while True:
        try:
            async with connect(
                address,
                additional_headers={"Authorization": f"Bearer {token}"},
                compression=None,
                max_size=16 * 1024 * 1024,
            ) as connection:
                wait = 0.1
                return await follower.follow(connection)
        except websockets.InvalidStatus as error:
            raise CallFailed(f"{server} refuses: HTTP {error.response.status_code}") from None
        except (OSError, websockets.WebSocketException):
            await asyncio.sleep(wait * random.uniform(0.5, 1.5))  # noqa: S311
            wait = min(wait * 2, 5)
