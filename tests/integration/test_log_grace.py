"""The rest of a log is waited for, while its agent is away, as long as the setting says."""

from __future__ import annotations

import asyncio
import time

from websockets.asyncio.client import ClientConnection, connect

from tailrace.agent.credential import register
from tailrace.domain.facts import Finished, Started
from tailrace.domain.outcome import Outcome
from tailrace.domain.spans import Span, Stream
from tailrace.domain.states import AttemptState
from tailrace.domain.wire import (
    SERVER_MESSAGE,
    Ack,
    Hello,
    Leased,
    Noted,
    Ready,
    Said,
    ServerMessage,
    pack_chunk,
)
from tests.support.house import House
from tests.support.waiting import wait_for


async def _heard(socket: ClientConnection, *kinds: type[ServerMessage]) -> ServerMessage:
    while True:
        said = SERVER_MESSAGE.validate_json(await socket.recv())
        if isinstance(said, kinds):
            return said


async def _work_and_vanish(house: House, token: str) -> int:
    """An agent that says how its job ended, sends the beginning of its log, and is never heard of again; the log."""
    credential = (await register(house.url, token, "short", (), 1)).credential
    url = house.url.replace("http", "ws") + "/agent/v1"
    async with connect(url, additional_headers={"Authorization": f"Bearer {credential}"}) as socket:
        await socket.send(Hello(version="0.1", labels=(), capacity=1).model_dump_json())
        await socket.send(Ready(free=1).model_dump_json())
        leased = await _heard(socket, Leased)
        assert isinstance(leased, Leased)
        attempt, log, now = leased.lease.attempt, leased.lease.log, time.time_ns() // 1_000_000
        await socket.send(pack_chunk(log, 0, [Span(0, now, Stream.STDOUT, 0)], b"what came"))
        await _heard(socket, Ack)
        ended = Outcome(state=AttemptState.PASSED, exit_code=0)
        facts = (Started(time=now), Finished(time=now, outcome=ended, size=1000, crc32=1))
        for index, fact in enumerate(facts):
            await socket.send(Said(attempt=attempt, index=index, fact=fact).model_dump_json())
            await _heard(socket, Noted)
    return log


def test_a_log_whose_agent_stays_away_ends_after_the_time_that_is_set(house: House) -> None:
    """The outcome stands at once; what came of the log stays, and its watchers get an end."""
    house.environment["TAILRACE_LOG_GRACE_S"] = "1"
    house.server()
    run = house.run(house.script_plan("true"))
    log = asyncio.run(_work_and_vanish(house, house.post("/api/agent-tokens")["token"]))
    house.let_leases_run_out()
    assert house.show(run)["state"] == "passed"
    wait_for(lambda: house.attempt(run)["log_state"] == "truncated", "the log to end")
    assert house.output(log) == b"what came"
    with house.client.stream("GET", f"/api/logs/{log}/stream") as stream:
        assert "event: end" in "\n".join(stream.iter_lines())
