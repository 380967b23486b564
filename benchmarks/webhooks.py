"""Webhooks into a real server: how long until the 202, at a hundred a second, and when a thousand come at once.

Each is a push to a branch of its own and makes a run of a plan that the server keeps. Latency counts from the moment at which the
delivery was due, so that a server that falls behind cannot hide it. The baseline checks the same signature, stores the same body
in one row of SQLite with a commit for each, and answers.
"""

from __future__ import annotations

import asyncio
import hashlib
import hmac
import json
import sys
import time
from asyncio import StreamReader, StreamWriter
from asyncio.subprocess import PIPE
from pathlib import Path

from benchmarks.crowd.handle import CHECKOUT
from benchmarks.harness import Report, Row, percentile, take_turns
from tests.support.house import House

SECRET = "the secret of the benchmark"
CONNECTIONS = 50
KEPT_S = 2.0
"""Servers close connections that are idle for longer (5 s)."""
PAYLOAD = CHECKOUT / "tests" / "payloads" / "github" / "push_branch.json"


async def measure(folder: Path, quick: bool) -> Report:
    """At a steady rate, then all at once."""
    rate, seconds, burst, rounds = (20, 1.0, 40, 1) if quick else (100, 10.0, 1000, 2)
    (folder / "house").mkdir()
    with House(folder / "house") as house:
        house.server()
        project = house.project(secret=SECRET)
        house.script_plan("true", project=project)
        ours = Sender(house.port, f"/hooks/github/{project}")
        process = await asyncio.create_subprocess_exec(
            sys.executable, "-m", "benchmarks.baselines.inbox", str(folder / "inbox.db"), SECRET,
            cwd=CHECKOUT, stdout=PIPE,
        )  # fmt: skip
        try:
            assert process.stdout is not None
            bare = Sender(int(await process.stdout.readline()), "/")
            for sender in (ours, bare):
                await sender.steadily(rate, 0.5)
            steady = await take_turns(
                rounds, lambda: ours.steadily(rate, seconds), lambda: bare.steadily(rate, seconds), 60
            )
            bursts = await take_turns(rounds, lambda: ours.at_once(burst), lambda: bare.at_once(burst), 60)
        finally:
            process.kill()
            await process.wait()
    samples = [[one for part in side for one in part] for side in steady]
    name, count = f"webhooks: {rate} a second, 202", len(steady[0])
    return Report(
        (
            Row(f"{name}, p50", percentile(samples[0], 50), percentile(samples[1], 50), "ms", count),
            Row(f"{name}, p99", percentile(samples[0], 99), percentile(samples[1], 99), "ms", count),
            Row(f"webhooks: {burst:,} at once, until the last 202", min(bursts[0]), min(bursts[1]), "s", len(bursts[0])),
        ),
        (f"webhooks: every one was answered 202; {CONNECTIONS} connections, one client in one process.",),
    )  # fmt: skip


class Sender:
    """Sends numbered pushes to one server, and accepts no answer but 202."""

    def __init__(self, port: int, path: str) -> None:
        self._port = port
        self._path = path
        self._number = 0
        self._idle: list[tuple[float, StreamReader, StreamWriter]] = []
        self._payload = json.loads(PAYLOAD.read_bytes())

    async def steadily(self, rate: int, seconds: float) -> list[float]:
        """So many a second, whether or not the ones before are answered; ms from when each was due to its answer."""
        requests = [self._request() for _ in range(int(rate * seconds))]
        began = time.perf_counter() + 0.05

        async def one(number: int) -> float:
            due = began + number / rate
            await asyncio.sleep(max(due - time.perf_counter(), 0))
            await self._send(requests[number])
            return (time.perf_counter() - due) * 1000

        return list(await asyncio.gather(*(one(number) for number in range(len(requests)))))

    async def at_once(self, count: int) -> float:
        """All of them, over as many connections as there are; seconds until the last is answered."""
        requests = [self._request() for _ in range(count)]
        room = asyncio.Semaphore(CONNECTIONS)

        async def one(request: bytes) -> None:
            async with room:
                await self._send(request)

        began = time.perf_counter()
        await asyncio.gather(*(one(request) for request in requests))
        return time.perf_counter() - began

    def _request(self) -> bytes:
        self._number += 1
        self._payload["ref"] = f"refs/heads/branch-{self._number}"
        body = json.dumps(self._payload).encode()
        signature = hmac.new(SECRET.encode(), body, hashlib.sha256).hexdigest()
        head = (
            f"POST {self._path} HTTP/1.1\r\nHost: 127.0.0.1\r\nContent-Type: application/json\r\n"
            f"X-GitHub-Event: push\r\nX-GitHub-Delivery: {self._path}-{self._number}\r\n"
            f"X-Hub-Signature-256: sha256={signature}\r\nContent-Length: {len(body)}\r\n\r\n"
        )
        return head.encode() + body

    async def _send(self, request: bytes) -> None:
        reader, writer = await self._connection()
        writer.write(request)
        head = await reader.readuntil(b"\r\n\r\n")
        if not head.startswith(b"HTTP/1.1 202 "):
            raise AssertionError(f"answered {head.splitlines()[0].decode()}")
        length = next(
            line for line in head.lower().split(b"\r\n") if line.startswith(b"content-length:")
        ).partition(b":")[2]
        await reader.readexactly(int(length))
        self._idle.append((time.monotonic(), reader, writer))

    async def _connection(self) -> tuple[StreamReader, StreamWriter]:
        while self._idle:
            since, reader, writer = self._idle.pop()
            if time.monotonic() - since < KEPT_S:
                return reader, writer
            writer.close()
        return await asyncio.open_connection("127.0.0.1", self._port)
