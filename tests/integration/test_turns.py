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
    assert home.client.post("/api/queue/pause", json={"project": 999_999}).status_code == 404
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


def test_a_job_waits_for_the_same_job_of_another_run(home: House) -> None:
    """The rest of its run does not."""
    job = "{checkout: false, %s, steps: [{run: %s}]}"
    deploy = job % ("concurrency: prod", "echo begun; sleep 1000")
    plan = home.plan(f"jobs: {{deploy: {deploy}, lint: {{checkout: false, steps: [{{run: 'true'}}]}}}}")
    first = home.run(plan)
    home.wait_output(first, b"begun")
    second = home.run(plan)
    assert _why(home, second).endswith(f"held by job deploy of run {_name(home, first)}")
    wait_for(lambda: home.show(second)["jobs"][1]["state"] == "passed", "the other job to pass")
    home.post(f"/api/runs/{first}/abort")
    home.wait_output(second, b"begun")
    home.post(f"/api/runs/{second}/abort")
    home.wait_state(second, "aborted")


def test_a_failure_ends_the_other_jobs_of_its_matrix(home: House) -> None:
    """The process of the one that runs is ended in a moment; what comes last in it comes all the same."""
    script = 'if [ $TAILRACE_MATRIX_X = a ]; then echo begun; sleep 1000; fi; until test -e "$GO"; do sleep 0.1; done; exit 3'
    go = home.folder / "go"
    plan = home.plan(
        f"""
jobs:
  test:
    matrix: {{x: [a, b, c]}}
    max_parallel: 2
    fail_fast: true
    checkout: false
    variables: {{GO: "{go}"}}
    steps: [{{run: '{script}'}}]
    finally: [{{run: echo cleaned}}]
"""
    )
    run = home.run(plan)
    home.wait_output(run, b"begun")
    waits = wait_for(lambda: home.show(run)["jobs"][2]["why"], "the third to say why it waits")
    assert waits == "max_parallel: 2 of the jobs of matrix test are under way"
    go.touch()
    ended = home.wait_state(run, "failed")
    assert [(job["state"], job["reason"]) for job in ended["jobs"]] == [
        ("aborted", "matrix_failed"),
        ("failed", "exit_code"),
        ("aborted", "matrix_failed"),
    ]
    assert ended["jobs"][0]["detail"] == "aborted by job test (b), which failed"
    assert home.output(home.wait_log(run)["log"]).endswith(b"cleaned\n")
