"""Crowds of watchers and a server that comes and goes: all are told when to come back, and none misses a byte."""

from __future__ import annotations

import asyncio
import json
import random
import signal
from contextlib import suppress
from pathlib import Path

from tests.integration.test_restarts import counting_run
from tests.support.house import ADMIN_TOKEN, House
from tests.support.waiting import wait_for

CROWD = 80


class Watcher:
    """An EventSource, as far as it goes: it comes back by itself, from the last id."""

    def __init__(self, port: int, log: int) -> None:
        self._port = port
        self.log = log
        self.place = 0
        self.text: list[bytes] = []
        self.hints = 0
        self.connections = 0
        self.ended = False

    async def follow(self) -> None:
        while not self.ended:
            try:
                reader, writer = await asyncio.open_connection("127.0.0.1", self._port, limit=2**22)
            except OSError:
                await asyncio.sleep(random.uniform(0.01, 0.1))
                continue
            writer.write(
                f"GET /api/logs/{self.log}/stream HTTP/1.1\r\nHost: x\r\n"
                f"Authorization: Bearer {ADMIN_TOKEN}\r\nLast-Event-ID: {self.place}\r\n\r\n".encode()
            )
            try:
                head = await reader.readuntil(b"\r\n\r\n")
                self.connections += 1
                if head.startswith(b"HTTP/1.1 204"):
                    self.ended = True
                while True:
                    self._take(await reader.readuntil(b"\n\n"))
            except (asyncio.IncompleteReadError, OSError):
                pass  # what came of an unfinished event does not count
            finally:
                writer.transport.abort()

    def _take(self, event: bytes) -> None:
        fields = dict(line.split(b": ", 1) for line in event.splitlines() if b": " in line)
        if b"retry" in fields:
            self.hints += 1
        if b"event" not in fields:
            return
        data = json.loads(fields[b"data"])
        if fields[b"event"] == b"chunk":
            assert data["offset"] == self.place
            if data["stream"] == "stdout":
                self.text.append(data["text"].encode())
        self.place = int(fields[b"id"])
        self.ended = fields[b"event"] == b"end"


async def watch_all(watchers: list[Watcher]) -> None:
    await asyncio.wait_for(asyncio.gather(*(watcher.follow() for watcher in watchers)), 90)


def crowd(house: House, log: int) -> list[Watcher]:
    return [Watcher(house.port, log) for _ in range(CROWD)]


def test_a_crowd_survives_restarts_of_the_server(house: House, tmp_path: Path) -> None:
    """Killed once, stopped once, with all watchers connected: each has the whole output, in one piece."""
    server = house.server()
    house.agent()
    run, gate, kept = counting_run(house, tmp_path)
    watchers = crowd(house, house.attempt(run)["log"])

    def disturb() -> None:
        nonlocal server
        for sign in (signal.SIGKILL, signal.SIGTERM):
            _wait_connected(house, watchers)
            before = [watcher.connections for watcher in watchers]
            server.send(sign)
            server.wait()
            server = house.server()
            wait_for(
                lambda before=before: all(
                    watcher.connections > count for watcher, count in zip(watchers, before, strict=True)
                ),
                "all to come back",
            )
        gate.touch()

    async def both() -> None:
        await asyncio.gather(watch_all(watchers), asyncio.to_thread(disturb))

    asyncio.run(both())
    whole = kept.read_bytes()
    assert all(b"".join(watcher.text) == whole for watcher in watchers)
    assert all(watcher.hints for watcher in watchers), "the stopped one said when to come back"


def _wait_connected(house: House, watchers: list[Watcher]) -> None:
    """Until all have had a byte that was not there before."""
    size = int(house.client.head(f"/api/logs/{watchers[0].log}").headers["x-log-size"])
    wait_for(lambda: all(watcher.place > size for watcher in watchers), "the next byte to reach all")


def test_watchers_that_break_off_leave_the_server_well(house: House, tmp_path: Path) -> None:
    """In any state of their connection; those that stay miss nothing."""
    house.server()
    house.agent()
    run, gate, kept = counting_run(house, tmp_path)
    log = house.attempt(run)["log"]
    stays = Watcher(house.port, log)

    async def break_off() -> None:
        pick = random.Random(5)
        request = (
            f"GET /api/logs/{log}/stream HTTP/1.1\r\nHost: x\r\nAuthorization: Bearer {ADMIN_TOKEN}\r\n\r\n"
        ).encode()
        for _ in range(300):
            reader, writer = await asyncio.open_connection("127.0.0.1", house.port)
            writer.write(request[: pick.choice([0, 20, len(request), len(request)])])
            await writer.drain()
            if pick.random() < 0.5:
                with suppress(TimeoutError):
                    await asyncio.wait_for(reader.read(pick.choice([1, 300])), 0.05)
            (writer.transport.abort if pick.random() < 0.5 else writer.close)()
        gate.touch()

    async def both() -> None:
        await asyncio.gather(watch_all([stays]), break_off())

    asyncio.run(both())
    assert b"".join(stays.text) == kept.read_bytes()
    assert stays.connections == 1
    messages = house.processes[0].messages()
    assert "Traceback" not in messages
    assert house.client.get("/readyz").status_code == 200


def test_a_client_can_be_limited(tmp_path: Path) -> None:
    """By a setting; a stream that finds no room is an empty 200 with a hint."""
    with House(tmp_path, TAILRACE_MAX_WATCHERS_PER_CLIENT="1") as house:
        house.up()
        run = house.run(house.script_plan("sleep 60"))
        house.wait_state(run, "running")
        address = f"/api/logs/{house.attempt(run)['log']}/stream"
        with house.client.stream("GET", address) as first:
            lines = first.iter_lines()
            assert next(lines)
            second = house.client.get(address)
            assert second.status_code == 200
            assert second.text.startswith("retry: ")
        house.post(f"/api/runs/{run}/abort")
