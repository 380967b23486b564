"""Whoever is killed: no byte is lost, no outcome is lost, nothing runs twice."""

from __future__ import annotations

import hashlib
import json
import signal
from pathlib import Path

from tests.support.house import House
from tests.support.processes import ended
from tests.support.waiting import wait_for

# Numbered lines until the gate opens, then a last word; what was written is also kept beside it.
COUNTER = """
import os, sys, time
kept = open({kept!r}, "wb")
def write(text):
    kept.write(text); kept.flush(); os.write(1, text)
number = 0
while not os.path.exists({gate!r}):
    write(b"line %d \\xe6\\xb0\\xb4\\n" % number); number += 1
    time.sleep(0.002)
write(b"the end, without a newline")
"""


def counting_run(house: House, tmp_path: Path) -> tuple[int, Path, Path]:
    """A run that writes until the gate opens; its id, the gate, and the file with what it wrote."""
    gate, kept, program = tmp_path / "gate", tmp_path / "kept", tmp_path / "counter.py"
    program.write_text(COUNTER.format(kept=str(kept), gate=str(gate)))
    run = house.run(house.script_plan(f"exec python3 {program}"))
    house.wait_output(run, b"line 100 ")
    return run, gate, kept


def assert_whole(house: House, run: int, kept: Path) -> None:
    house.wait_state(run, "passed")
    attempt = house.wait_log(run)
    assert attempt["log_state"] in ("closed", "sealed")
    output = house.output(attempt["log"], "stdout")
    assert hashlib.sha256(output).hexdigest() == hashlib.sha256(kept.read_bytes()).hexdigest()
    assert house.get("/api/runs")["items"][0]["id"] == run, "nothing was run twice"
    assert attempt["number"] == 1


def test_a_killed_server_loses_nothing(house: House, tmp_path: Path) -> None:
    """kill -9 of the server in the middle of a job, twice; the log is byte for byte what was written."""
    server = house.server()
    house.agent()
    run, gate, kept = counting_run(house, tmp_path)
    for mark in (b"line 400 ", b"line 800 "):
        server.kill()
        number = int(mark.split()[1])
        wait_for(lambda number=number: kept.read_bytes().count(b"\n") > number, "output while no server runs")
        server = house.server()
        house.wait_output(run, mark)
    gate.touch()
    assert_whole(house, run, kept)


def test_a_job_that_ends_while_no_server_runs_ends_well(house: House, tmp_path: Path) -> None:
    """The outcome waits on the agent's disk."""
    server = house.server()
    house.agent()
    run, gate, kept = counting_run(house, tmp_path)
    server.kill()
    gate.touch()
    wait_for(lambda: b"the end" in kept.read_bytes(), "the job's last word")
    house.server()
    assert_whole(house, run, kept)


def test_a_killed_agent_leaves_its_runner_to_the_next(house: House, tmp_path: Path) -> None:
    """kill -9 of the agent: its job goes on, and a restarted agent takes it up."""
    house.server()
    agent = house.agent()
    run, gate, kept = counting_run(house, tmp_path)
    agent.kill()
    number = kept.read_bytes().count(b"\n")
    wait_for(lambda: kept.read_bytes().count(b"\n") > number + 100, "the job to go on without its agent")
    house.agent()
    house.wait_output(run, b"line %d " % (number + 100))
    gate.touch()
    assert_whole(house, run, kept)


def test_a_job_that_ends_while_no_agent_runs_ends_well(house: House, tmp_path: Path) -> None:
    """The runner records how it ended by itself."""
    house.server()
    agent = house.agent()
    run, gate, kept = counting_run(house, tmp_path)
    agent.kill()
    gate.touch()
    wait_for(lambda: b"the end" in kept.read_bytes(), "the job's last word")
    house.agent()
    assert_whole(house, run, kept)


def test_a_killed_up_is_taken_up_by_the_next(house: House, tmp_path: Path) -> None:
    """kill -9 of `tailrace up`, which is the server: its agent detaches, the next `up` adopts the runner."""
    up = house.up()
    run, gate, kept = counting_run(house, tmp_path)
    up.kill()
    house.up()
    gate.touch()
    assert_whole(house, run, kept)


def test_sigterm_lets_jobs_go_on(house: House, tmp_path: Path) -> None:
    """SIGTERM to `tailrace up` ends it cleanly and at once; the job goes on into the next `up`."""
    up = house.up()
    run, gate, kept = counting_run(house, tmp_path)
    up.send(signal.SIGTERM)
    assert up.wait() == 0
    house.up()
    gate.touch()
    assert_whole(house, run, kept)


def test_ctrl_c_aborts_what_runs_and_ends_everything(house: House, tmp_path: Path) -> None:
    """SIGINT to `tailrace up`: the job is aborted, its outcome is stored, no process is left."""
    up = house.up()
    run, _gate, kept = counting_run(house, tmp_path)
    up.send(signal.SIGINT)
    assert up.wait() == 0
    lines = kept.read_bytes()
    house.up()
    shown = house.wait_state(run, "aborted")
    assert shown["reason"] == "aborted_by"
    assert kept.read_bytes() == lines, "the job's process is gone"
    assert house.wait_log(run)["log_state"] in ("closed", "sealed")


def test_ctrl_c_does_not_wait_for_a_job_that_will_not_end(house: House, tmp_path: Path) -> None:
    """A job that ignores SIGTERM is killed before `tailrace up` has gone, and its end is stored."""
    up = house.up()
    pid = tmp_path / "pid"
    run = house.run(
        house.script_plan(f"trap '' TERM; echo $$ > {pid}; echo begun; while :; do sleep 0.1; done")
    )
    house.wait_output(run, b"begun")
    up.send(signal.SIGINT)
    assert up.wait() == 0
    assert ended(int(pid.read_text()))
    house.server()
    assert house.wait_state(run, "aborted")["reason"] == "aborted_by"


def test_an_agent_that_never_comes_back_ends_its_job_as_lost(house: House, tmp_path: Path) -> None:
    """The lease runs out; the log that arrived stays readable and says that it is cut."""
    house.server()
    agent = house.agent()
    run, gate, _kept = counting_run(house, tmp_path)
    agent.kill()
    house.let_leases_run_out()
    shown = house.wait_state(run, "failed")
    assert shown["reason"] == "agent_lost"
    attempt = house.wait_log(run)
    assert attempt["log_state"] == "truncated"
    assert house.output(attempt["log"], "stdout").startswith(b"line 0 ")
    gate.touch()


def test_how_long_a_job_may_take_to_end_is_the_servers_to_say(tmp_path: Path) -> None:
    """The agent is told with the lease; what does not heed SIGTERM is killed when that is over."""
    with House(tmp_path, TAILRACE_ABORT_GRACE_S="0.5") as house:
        house.server()
        house.agent()
        run = house.run(house.script_plan("trap '' TERM; echo begun; while :; do sleep 0.1; done"))
        house.wait_output(run, b"begun")
        (lease,) = (house.data / "agent" / "attempts").glob("*/lease.json")
        assert json.loads(lease.read_text())["grace_s"] == 0.5
        house.post(f"/api/runs/{run}/abort")
        house.wait_state(run, "aborted")


def test_a_run_aborted_while_its_agent_is_away_ends_on_the_machine_too(house: House, tmp_path: Path) -> None:
    """The agent that comes back has lost the attempt: what still runs is ended."""
    pid = tmp_path / "pid"
    house.server()
    agent = house.agent()
    house.wait_agent()
    run = house.run(house.script_plan(f"echo $$ > {pid}; echo begun; exec sleep 1000"))
    house.wait_output(run, b"begun")
    agent.kill()
    house.post(f"/api/runs/{run}/abort")
    house.let_leases_run_out()
    house.wait_state(run, "aborted")
    house.agent()
    wait_for(lambda: not Path(f"/proc/{pid.read_text().strip()}").exists(), "the aborted job to end")


def test_a_run_that_waits_for_its_plan_outlives_the_server(house: House, tmp_path: Path) -> None:
    """A server that is told to end gives its claims back: the next one plans the run at once."""
    from tests.integration.test_runs import make_repository

    repository = tmp_path / "repository"
    make_repository(repository, {".tailrace.yml": "jobs: {job: {steps: [{run: 'true'}]}}"})
    server = house.server()
    house.agent()
    project = house.project(repository=str(repository))
    plan = house.post("/api/plans", {"project": project, "name": "main", "path": ".tailrace.yml"})["id"]
    run = house.run(plan)
    server.send(signal.SIGTERM)
    assert server.wait() == 0
    house.server()
    house.wait_state(run, "passed")


def test_one_data_directory_has_one_server(house: House) -> None:
    """A second one is refused with the folder's name; after the first is killed, the next may start."""
    server = house.server()
    second = house.start("server", "--listen", "127.0.0.1:0")
    assert second.wait() == 2
    assert str(house.data) in second.messages()
    server.kill()
    house.server()
