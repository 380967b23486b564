"""A full disk, on either side: everything stands still, says why, and goes on by itself when there is room."""

from __future__ import annotations

import hashlib
from pathlib import Path
from typing import Any

import httpx2

from tests.support.disk import fill, relieve, small_disk
from tests.support.house import House
from tests.support.waiting import wait_for

MIB = 1 << 20


def gated(gate: Path, lines: int) -> str:
    """A script that waits for the gate, then writes so many lines of 64 bytes."""
    return f"echo begun; while [ ! -e {gate} ]; do sleep 0.01; done; seq -f '%063.0f' {lines}"


def output(lines: int) -> bytes:
    return b"begun\n" + b"".join(b"%063d\n" % n for n in range(1, lines + 1))


def assert_whole(house: House, run: int, lines: int) -> None:
    house.wait_state(run, "passed")
    attempt = house.wait_log(run)
    assert (attempt["log_state"], attempt["stalled"], attempt["log_dropped"]) == ("closed", None, 0)
    found = house.output(attempt["log"], "stdout")
    assert hashlib.sha256(found).hexdigest() == hashlib.sha256(output(lines)).hexdigest()


def why_stalled(house: House, run: int) -> str:
    def stalled() -> str | None:
        try:
            return house.attempt(run)["stalled"]
        except httpx2.HTTPError:
            return None

    return wait_for(stalled, f"run {run} to say why it stands still")


def apart(house: House, server: Path, agent: Path) -> tuple[Any, Any]:
    """A server and an agent, each with its own place for its data."""
    house.environment["TAILRACE_DATA_DIR"] = str(server)
    running = house.server()
    house.environment["TAILRACE_DATA_DIR"] = str(agent)
    return running, house.agent()


def test_a_server_without_room_keeps_its_agents_and_loses_nothing(house: House, tmp_path: Path) -> None:
    """Appends and facts are refused; the run and /readyz say why; the job itself goes on to its end."""
    gate, done = tmp_path / "gate", tmp_path / "done"
    with small_disk(24 * MIB) as disk:
        server, agent = apart(house, disk / "data", tmp_path / "agent")
        plan = house.script_plan(gated(gate, 60_000), f"touch {done}")
        run = house.run(plan)
        house.wait_output(run, b"begun\n")
        fill(disk)
        gate.touch()
        assert "the server's disk is full" in why_stalled(house, run)
        wait_for(done.exists, "the job to end")
        ready = house.client.get("/readyz")
        assert ready.status_code == 503
        assert "the server's disk is full" in ready.json()["detail"]
        assert house.attempt(run)["log_state"] == "open"
        relieve(disk)
        assert_whole(house, run, 60_000)
        wait_for(lambda: house.client.get("/readyz").status_code == 200, "the server to be ready again")
        assert agent.messages().count("connected") == agent.messages().count("not connected") + 1 == 1
        assert server.alive
        server.kill()  # before its disk goes


def test_a_log_larger_than_the_agents_disk(house: House, tmp_path: Path) -> None:
    """What the server holds for certain makes room for what comes next."""
    gate = tmp_path / "gate"
    gate.touch()
    with small_disk(12 * MIB) as disk:
        _, agent = apart(house, tmp_path / "server", disk / "data")
        run = house.run(house.script_plan(gated(gate, 600_000)))
        assert_whole(house, run, 600_000)
        agent.kill()


def test_an_agents_disk_that_fills_while_the_server_is_away(house: House, tmp_path: Path) -> None:
    """The job waits for room; the server that comes back shows why, and the rest comes when there is some."""
    gate = tmp_path / "gate"
    with small_disk(12 * MIB) as disk:
        server, agent = apart(house, tmp_path / "server", disk / "data")
        run = house.run(house.script_plan(gated(gate, 200_000)))
        house.wait_output(run, b"begun\n")
        server.kill()
        fill(disk)
        gate.touch()
        wait_for(lambda: "stands still" in agent.messages(), "the job to stand still")
        house.environment["TAILRACE_DATA_DIR"] = str(tmp_path / "server")
        house.server()
        assert "is full: the job waits until there is room" in why_stalled(house, run)
        relieve(disk)
        assert_whole(house, run, 200_000)
        agent.kill()


def test_a_log_has_a_limit(house: House) -> None:
    """The job that writes more ends, or goes on without it; either way the run and the log say so."""
    house.up()
    script = "seq -f '%063.0f' 100000"
    failing = house.run(house.script_plan(script, log={"limit": "1MiB"}))
    shown = house.wait_state(failing, "failed")
    assert shown["reason"] == "log_limit"
    assert "1,048,576 bytes" in shown["detail"]
    attempt = house.wait_log(failing)
    assert attempt["log_state"] == "closed"
    assert b"the log's limit of 1 MiB is reached" in house.output(attempt["log"], "system")
    dropping = house.run(house.script_plan(script, log={"limit": "1MiB", "when_full": "drop"}))
    house.wait_state(dropping, "passed")
    attempt = house.wait_log(dropping)
    kept = house.output(attempt["log"], "stdout")
    assert attempt["log_dropped"] == 6_400_000 - len(kept)
    assert f"{attempt['log_dropped']:,} bytes were not kept".encode() in house.output(
        attempt["log"], "system"
    )
