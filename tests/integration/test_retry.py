"""Another attempt at what failed, by API and command, on a real server with a real agent."""

from __future__ import annotations

from pathlib import Path

from tests.integration.test_commands import tailrace
from tests.support.house import House

PLAN = """
jobs:
  good: {{checkout: false, steps: [{{run: echo once >> {0}/good}}]}}
  bad: {{checkout: false, steps: [{{run: 'echo try; test -e {0}/gate'}}]}}
  after: {{checkout: false, needs: [good, bad], steps: [{{run: 'true'}}]}}
"""


def _failed(home: House, folder: Path) -> int:
    run = home.run(home.plan(PLAN.format(folder)))
    home.wait_state(run, "failed")
    return run


def _attempts(home: House, run: int) -> dict[str, list[str]]:
    return {job["name"]: [one["state"] for one in job["attempts"]] for job in home.show(run)["jobs"]}


def test_a_job_is_tried_again_in_its_run(home: House, tmp_path: Path) -> None:
    """What passed is not done again; what waited for it follows; both logs are there."""
    run = _failed(home, tmp_path)
    (tmp_path / "gate").touch()
    done = tailrace(home, "retry", f"{run}/bad")
    assert done.returncode == 0, done.stderr
    home.wait_state(run, "passed")
    assert _attempts(home, run) == {"good": ["passed"], "bad": ["failed", "passed"], "after": ["passed"]}
    assert (tmp_path / "good").read_text() == "once\n"
    for attempt in home.show(run)["jobs"][1]["attempts"]:
        assert home.output(attempt["log"], "stdout") == b"try\n"
    again = tailrace(home, "retry", f"{run}/bad")
    assert again.returncode == 2
    assert "is passed: it cannot be tried again" in again.stderr
    assert tailrace(home, "retry", str(run)).returncode == 2
    assert home.client.post("/api/jobs/999999999/retry").status_code == 404


def test_all_that_failed_is_tried_again(home: House, tmp_path: Path) -> None:
    """Without a new run; and, without the flag, all of it in a new run."""
    run = _failed(home, tmp_path)
    (tmp_path / "gate").touch()
    same = home.client.post(f"/api/runs/{run}/rerun", json={"jobs": "failed"})
    assert (same.status_code, same.json()["id"]) == (200, run)
    home.wait_state(run, "passed")
    refused = home.client.post(f"/api/runs/{run}/rerun", json={"jobs": "failed"})
    assert refused.status_code == 409
    assert tailrace(home, "rerun", str(run), "--failed").returncode == 2
    new = tailrace(home, "rerun", str(run))
    assert int(new.stdout) != run
    home.wait_state(int(new.stdout), "passed")
    assert (tmp_path / "good").read_text() == "once\nonce\n"
    assert home.client.post(f"/api/runs/{run}/rerun", json={"jobs": "some"}).status_code == 422


def test_an_aborted_run_goes_on(home: House, tmp_path: Path) -> None:
    """Its process was ended; the next attempt is another one."""
    gate = tmp_path / "gate"
    run = home.run(home.script_plan(f"echo begun; until test -e {gate}; do sleep 0.01; done"))
    home.wait_output(run, b"begun")
    home.post(f"/api/runs/{run}/abort")
    home.wait_state(run, "aborted")
    gate.touch()
    done = tailrace(home, "rerun", str(run), "--failed")
    assert (done.returncode, done.stdout) == (0, f"{run}\n")
    home.wait_state(run, "passed")
    assert _attempts(home, run) == {"job": ["aborted", "passed"]}
