"""People answer what a plan asks; answers that are secret reach the jobs that name them, and nothing else."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.integration.test_runs import make_repository
from tests.support.folders import contents
from tests.support.house import ENDED, House

SECRET = "hush-hush-4711"
PLAN = """\
parameters:
  LEVEL: {type: choice, choices: [low, high]}
  DRY: {type: boolean, default: true}
  OTP: {type: secret}
variables: {LEVEL: plan, OTHER: plan}
jobs:
  job:
    checkout: false
    secrets: OTP
    steps: [{run: 'echo "level $LEVEL dry $DRY ${#OTP} $OTP"'}]
"""


@pytest.fixture(params=["kept in the server", "in the repository"])
def plan(request: pytest.FixtureRequest, home: House, tmp_path: Path) -> int:
    if request.param == "kept in the server":
        return home.plan(PLAN)
    make_repository(tmp_path / "repository", {".tailrace.yml": PLAN})
    project = home.project(repository=str(tmp_path / "repository"))
    return home.post("/api/plans", {"project": project, "name": "plan", "path": ".tailrace.yml"})["id"]


def test_answers_reach_scripts_and_secret_ones_are_shown_nowhere(home: House, plan: int) -> None:
    """Also not in the database; a run that is made anew has them too."""
    run = home.run(plan, parameters={"LEVEL": "high", "DRY": False, "OTP": SECRET})
    for id in (run, home.post(f"/api/runs/{run}/rerun", {})["id"]):
        shown = home.wait_state(id, "passed")
        assert shown["variables"] == {"LEVEL": "high", "DRY": "false"}
        output = home.output(home.wait_log(id)["log"], "stdout")
        assert output == f"level high dry false {len(SECRET)} ***\n".encode()
    kept = b"".join(contents(home.data).values())
    assert SECRET.encode() not in kept


def test_the_variables_of_a_run_say_whose_they_are(home: House, plan: int) -> None:
    run = home.run(plan, parameters={"LEVEL": "low", "OTP": SECRET}, variables={"MORE": "x"})
    home.wait_state(run, "passed")
    (job,) = home.get(f"/api/runs/{run}/variables")["items"]
    assert [(one["name"], one["value"], one["of"], one["over"]) for one in job["variables"]] == [
        ("DRY", "true", "parameter", []),
        ("LEVEL", "low", "parameter", ["plan"]),
        ("MORE", "x", "run", []),
        ("OTHER", "plan", "plan", []),
        ("OTP", None, "secret", []),
    ]


@pytest.mark.parametrize(
    ("answers", "why"),
    [
        ({}, "parameter LEVEL is missing, and has no default"),
        ({"LEVEL": "middle"}, "parameter LEVEL must be low or high; found 'middle'"),
        ({"LEVEL": "low", "DRY": 1}, "parameter DRY must be true or false; found '1'"),
        ({"LEVEL": "low", "X": "1"}, "the plan has no parameter X; it has LEVEL, DRY, OTP"),
    ],
)
def test_answers_that_were_not_asked_for_are_refused(
    home: House, plan: int, answers: dict[str, object], why: str
) -> None:
    """At once where the plan is here; where it is in the repository the run ends and says why."""
    answer = home.client.post("/api/runs", json={"plan": plan, "parameters": answers})
    if answer.status_code == 400:
        assert answer.json()["detail"] == why
        for fault in answer.json().get("errors", []):
            name = fault["place"].removeprefix("parameters.")
            assert why == f"parameter {name} {fault['message']}"
        return
    shown = home.wait_state(answer.json()["id"], *ENDED)
    assert (shown["state"], shown["reason"], shown["detail"]) == ("failed", "parameters_invalid", why)


def test_a_plan_tells_what_it_asks(home: House, plan: int) -> None:
    """In its order; a plan in the repository as soon as it was read once."""
    told = home.get(f"/api/plans/{plan}/parameters")
    if told["version"] is None:
        assert told["items"] == []
        home.wait_state(home.run(plan, parameters={"LEVEL": "low", "OTP": SECRET}), "passed")
        told = home.get(f"/api/plans/{plan}/parameters")
    assert told["version"] == 1
    assert [(one["name"], one["kind"], one["default"], one["choices"]) for one in told["items"]] == [
        ("LEVEL", "choice", None, ["low", "high"]),
        ("DRY", "boolean", "true", []),
        ("OTP", "secret", None, []),
    ]
