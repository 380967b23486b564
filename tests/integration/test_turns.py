"""Runs that take turns, supersede each other, or wait because people want it, on a real server with a real agent."""

from __future__ import annotations

import json

from tests.integration.test_commands import tailrace
from tests.support.house import House
from tests.support.waiting import wait_for

JOBS = "jobs: {a: {checkout: false, steps: [{run: %s}]}}"


def _name(house: House, run: int) -> str:
    shown = house.show(run)
    return f"{shown['project_name']}#{shown['number']}"


def _why(house: House, run: int) -> str:
    return wait_for(lambda: house.show(run)["jobs"][0]["why"], "the job to say why")


def test_a_run_supersedes_the_one_before_it(home: House) -> None:
    """Its process is ended in a moment, and the newer run goes on."""
    plan = home.plan(f"concurrency: {{group: x, cancel_superseded: true}}\n{JOBS % 'echo begun; sleep 1000'}")
    first = home.run(plan)
    home.wait_output(first, b"begun")
    second = home.run(plan)
    ended = home.wait_state(first, "aborted")
    assert (ended["reason"], ended["jobs"][0]["detail"]) == (
        "superseded_by",
        f"superseded by run {_name(home, second)}",
    )
    home.wait_output(second, b"begun")
    home.post(f"/api/runs/{second}/abort")
    home.wait_state(second, "aborted")


def test_a_run_says_for_which_it_waits(home: House) -> None:
    """And goes on by itself when that one ends."""
    plan = home.plan(f"concurrency: x\n{JOBS % 'echo begun; sleep 1000'}")
    first = home.run(plan)
    home.wait_output(first, b"begun")
    second = home.run(plan)
    assert _why(home, second).endswith(f"held by run {_name(home, first)}")
    home.post(f"/api/runs/{first}/abort")
    home.wait_output(second, b"begun")
    home.post(f"/api/runs/{second}/abort")
    home.wait_state(second, "aborted")


def test_a_paused_project_waits(home: House) -> None:
    """Its jobs say who paused it, and why."""
    project = home.project()
    plan = home.script_plan("true", project=project)
    tailrace(home, "queue", "pause", "--project", str(project), "--why", "moving house")
    run = home.run(plan)
    assert _why(home, run) == "its project is paused by admin: moving house"
    name = home.get(f"/api/projects/{project}")["name"]
    told = json.loads(tailrace(home, "queue", "list", "--json").stdout)
    assert (f"project/{project}", "admin", "moving house") in [(o["scope"], o["by"], o["why"]) for o in told]
    assert f"project {name}" in tailrace(home, "queue").stdout
    tailrace(home, "queue", "resume", "--project", str(project))
    assert name not in tailrace(home, "queue", "list").stdout
    home.wait_state(run, "passed")
