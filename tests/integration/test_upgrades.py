"""Agent and server are upgraded, and machines restarted, while jobs run."""

from __future__ import annotations

import json
import os
import shutil
import signal
import subprocess
from pathlib import Path
from typing import Any

import pytest

import tailrace
from tests.integration.test_restarts import assert_whole, counting_run
from tests.support.folders import remove
from tests.support.house import House
from tests.support.waiting import wait_for

CODE = Path(tailrace.__file__).parent


def install(place: Path, version: str) -> None:
    """Put this code there as a version, in place of what is there: as an installer does, the old files go first."""
    remove(place / "tailrace")
    shutil.copytree(CODE, place / "tailrace", ignore=shutil.ignore_patterns("__pycache__"))
    (place / "tailrace" / "__init__.py").write_text(f'__version__ = "{version}"\n')


def parents(place: Path) -> dict[int, str]:
    """The warm parent that greets in an agent's folder: its process id and edition."""
    from tailrace.runner.sockets import connect

    try:
        with connect(place / "warm.sock") as line, line.makefile("rb") as said:
            greeting = json.loads(said.readline())
    except OSError:
        return {}
    return {greeting["pid"]: greeting["version"]}


def test_an_upgrade_of_the_agent_interrupts_no_job(tmp_path: Path) -> None:
    """Other files in place of its own, SIGTERM, a new start: the job goes on, its log too; the next one is of the new code."""
    install(tmp_path / "code", "1.0.0")
    with House(tmp_path, PYTHONPATH=str(tmp_path / "code")) as house:
        house.server()
        agent = house.agent()
        run, gate, kept = counting_run(house, tmp_path)
        (old,) = parents(house.data / "agent").items()
        assert old[1].startswith("1.0.0+")
        install(tmp_path / "code", "1.0.1")
        agent.send(signal.SIGTERM)
        assert agent.wait() == 0
        house.agent()
        number = kept.read_bytes().count(b"\n")
        house.wait_output(run, b"line %d " % (number + 100))
        later = house.run(house.script_plan("echo later"))
        house.wait_state(later, "passed")
        (new,) = parents(house.data / "agent").items()
        assert new[1].startswith("1.0.1+")
        assert new[0] != old[0]
        assert Path(f"/proc/{old[0]}").exists(), "its runner is there"
        gate.touch()
        house.wait_state(run, "passed")
        attempt = house.wait_log(run)
        assert house.output(attempt["log"], "stdout") == kept.read_bytes()
        assert house.get("/api/agents")["items"][0]["version"] == "1.0.1"
        wait_for(
            lambda: not Path(f"/proc/{old[0]}").exists(), "the old version's parent to leave with its runner"
        )


def test_an_upgrade_under_a_running_agent_does_not_stop_its_jobs(tmp_path: Path) -> None:
    """Nobody has restarted it yet, and its warm parent dies: the one that it starts is of the new code, and serves it."""
    install(tmp_path / "code", "1.0.0")
    with House(tmp_path, PYTHONPATH=str(tmp_path / "code")) as house:
        house.server()
        house.agent()
        house.wait_agent()
        house.wait_state(house.run(house.script_plan("true")), "passed")
        install(tmp_path / "code", "1.0.1")
        (old,) = parents(house.data / "agent")
        os.kill(old, signal.SIGKILL)
        house.wait_state(house.run(house.script_plan("true")), "passed")


def test_an_upgrade_of_the_server_interrupts_no_job(tmp_path: Path) -> None:
    """The agent stays as it is; versions that speak the same protocol work together."""
    install(tmp_path / "code", "1.0.0")
    with House(tmp_path, PYTHONPATH=str(tmp_path / "code")) as house:
        server = house.server()
        house.agent()
        run, gate, kept = counting_run(house, tmp_path)
        install(tmp_path / "code", "1.0.1")
        server.send(signal.SIGTERM)
        assert server.wait() == 0
        house.server()
        house.wait_output(run, b"line %d " % (kept.read_bytes().count(b"\n") + 100))
        gate.touch()
        assert_whole(house, run, kept)


def test_a_late_agent_has_lost_its_attempt_and_the_next_carries_on(house: House, tmp_path: Path) -> None:
    """It stayed away for longer than its lease: another agent has the next attempt, its own runner is ended when it comes
    back, its `finally` does not begin beside the next one, and not a byte of it is taken."""
    begin = f"echo $$ > {tmp_path}/$TAILRACE_ATTEMPT; echo begun $TAILRACE_ATTEMPT"
    wait = f"{begin}; until [ -e {tmp_path}/gate ]; do sleep 0.05; done"
    house.server()
    first = house.agent()
    house.wait_agent()
    job: dict[str, Any] = {
        "retry": {"max": 1, "on": ["agent_lost"]},
        "finally": [{"run": f"echo $TAILRACE_ATTEMPT >> {tmp_path}/last"}],
    }
    run = house.run(house.script_plan(wait, **job))
    house.wait_output(run, b"begun 1\n")
    first.kill()
    house.let_leases_run_out()
    token = house.post("/api/agent-tokens")["token"]
    house.start("agent", "--data-dir", str(tmp_path / "other"), "--name", "other", "--token", token)
    house.wait_output(run, b"begun 2\n")
    lost, _ = house.show(run)["jobs"][0]["attempts"]
    assert (lost["state"], lost["reason"], lost["log_state"]) == ("failed", "agent_lost", "truncated")
    pid = int((tmp_path / "1").read_text())
    assert Path(f"/proc/{pid}").exists(), "nobody has told its runner"
    house.agent()
    wait_for(lambda: not Path(f"/proc/{pid}").exists(), "the late agent's runner to end")
    wait_for(lambda: not list((house.data / "agent" / "attempts").iterdir()), "its folder to be gone")
    (tmp_path / "gate").touch()
    shown = house.wait_state(run, "passed")["jobs"][0]["attempts"]
    assert [(one["number"], one["state"]) for one in shown] == [(1, "failed"), (2, "passed")]
    assert (tmp_path / "last").read_text() == "2\n"
    assert shown[0]["log_size"] == lost["log_size"], "nothing was added"
    assert house.wait_log(run)["log_state"] in ("closed", "sealed")


CONTAINER = ("unshare", "--fork", "--pid", "--mount-proc", "--kill-child")
"""What is started below has a process 1 of its own: its end is the end of all, as when a machine loses its power."""


def test_the_attempts_of_a_machine_that_was_restarted_end_as_agent_lost(house: House, tmp_path: Path) -> None:
    """Soon, because its agent says so itself; with the log up to then, whole; and the next attempt begins."""
    if subprocess.run((*CONTAINER, "true"), check=False).returncode != 0:
        pytest.skip("this user may not make a process namespace")
    house.server()
    token = house.post("/api/agent-tokens")["token"]
    machine = house.start("agent", "--token", token, under=CONTAINER)
    house.wait_agent()
    script = f"echo attempt $TAILRACE_ATTEMPT; (setsid sleep 1000 &); until [ -e {tmp_path}/gate ]; do sleep 0.05; done"
    run = house.run(house.script_plan(script, retry={"max": 1, "on": ["agent_lost"]}))
    house.wait_output(run, b"attempt 1\n")
    machine.kill()
    house.start("agent", under=CONTAINER)
    house.wait_output(run, b"attempt 2\n")
    lost, _ = house.show(run)["jobs"][0]["attempts"]
    assert (lost["state"], lost["reason"]) == ("failed", "agent_lost")
    assert lost["detail"] == "its machine was restarted before the attempt had ended"
    wait_for(
        lambda: house.show(run)["jobs"][0]["attempts"][0]["log_state"] in ("closed", "sealed"), "its log"
    )
    assert house.output(lost["log"], "stdout") == b"attempt 1\n"
    attempts = house.data / "agent" / "attempts"
    wait_for(lambda: len(list(attempts.iterdir())) == 1, "the folder of the first attempt to be gone")
    (tmp_path / "gate").touch()
    house.wait_state(run, "passed")
    wait_for(lambda: not list(attempts.iterdir()), "the folders to be gone")
    house.processes[-1].kill()  # of what is started under CONTAINER no signal but this one reaches the agent
