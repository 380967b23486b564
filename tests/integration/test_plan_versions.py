"""Plans and projects by API and by command: every version is kept, and nothing that was removed is lost."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

from tests.support.house import House

FIRST = "jobs: {job: {checkout: false, steps: [{run: echo first}]}}\n"
SECOND = FIRST.replace("first", "second")


def tailrace(home: House, *arguments: str, given: str | None = None) -> str:
    """What a command prints."""
    import os

    done = subprocess.run(
        [sys.executable, "-m", "tailrace", *arguments],
        env={**os.environ, **home.environment},
        input=given,
        capture_output=True,
        text=True,
    )
    assert done.returncode == 0, done.stderr
    return done.stdout


def test_every_edit_is_a_version_with_its_author_and_difference(home: House) -> None:
    """A run names its version; an earlier text is put in force again as a new one."""
    plan = home.plan(FIRST)
    run = home.run(plan)
    assert home.client.put(f"/api/plans/{plan}", json={"definition": SECOND}).status_code == 200
    versions = home.get(f"/api/plans/{plan}/versions")["items"]
    assert [(one["number"], one["author"]) for one in versions] == [(2, "admin"), (1, "admin")]
    found = home.get(f"/api/plans/{plan}/diff")
    assert (found["from"], found["to"]) == (1, 2)
    assert "-jobs: {job: {checkout: false, steps: [{run: echo first}]}}\n" in found["diff"]
    assert home.get(f"/api/plans/{plan}/diff", to=1)["from"] == 0
    assert home.get(f"/api/plans/{plan}/versions/1")["definition"] == FIRST
    back = home.post(f"/api/plans/{plan}/versions/1/restore")
    assert (back["version"], back["definition"]) == (3, FIRST)
    assert home.show(run)["plan_version"] == 1
    assert home.client.get(f"/api/plans/{plan}/versions/9").status_code == 404


def test_the_same_by_commands(home: House, tmp_path: Path) -> None:
    """`tailrace plan show|edit|versions|diff|remove|restore`."""
    plan = str(home.plan(FIRST, name="by-command"))
    file = tmp_path / "plan.yml"
    file.write_text(SECOND)
    tailrace(home, "plan", "edit", plan, str(file))
    assert tailrace(home, "plan", "show", plan) == SECOND
    assert tailrace(home, "plan", "show", plan, "--version", "1") == FIRST
    versions = json.loads(tailrace(home, "plan", "versions", plan, "--json"))
    assert [one["number"] for one in versions] == [2, 1]
    assert "+jobs: {job: {checkout: false, steps: [{run: echo second}]}}" in tailrace(
        home, "plan", "diff", plan
    )
    assert json.loads(tailrace(home, "plan", "diff", plan, "2", "1", "--json"))["from"] == 2
    tailrace(home, "plan", "restore", plan, "--version", "1")
    assert tailrace(home, "plan", "show", plan) == FIRST
    tailrace(home, "plan", "remove", plan)
    removed = json.loads(tailrace(home, "plan", "list", "--removed", "--json"))
    assert plan in [str(one["id"]) for one in removed]
    tailrace(home, "plan", "restore", plan)
    assert tailrace(home, "plan", "show", plan) == FIRST


def test_a_removed_project_comes_back(home: House) -> None:
    """With its plans; a new name and address by command."""
    project = str(home.project())
    plan = home.plan(FIRST, int(project))
    tailrace(home, "project", "edit", project, "--name", f"renamed-{project}")
    tailrace(home, "project", "remove", project)
    assert home.client.get(f"/api/plans/{plan}").status_code == 404
    tailrace(home, "project", "restore", f"renamed-{project}")
    assert home.get(f"/api/plans/{plan}")["project_name"] == f"renamed-{project}"


def test_a_plan_is_checked_without_being_kept(home: House) -> None:
    """Faults, and warnings of labels that no agent has; the schema needs no token."""
    text = "jobs: {job: {labels: no-such-label, steps: [{run: x}]}}"
    checked = home.post("/api/plans/check", {"definition": text})
    assert (checked["ok"], checked["jobs"], checked["errors"]) == (True, ["job"], [])
    (warning,) = checked["warnings"]
    assert warning["message"] == 'job "job" would wait: no agent has label no-such-label'
    wrong = home.post("/api/plans/check", {"definition": "jobs: {job: {}}"})
    assert (wrong["ok"], wrong["errors"][0]["line"]) == (False, 1)
    import httpx2

    answer = httpx2.get(f"{home.url}/api/plan-schema.json")
    assert answer.json()["title"] == "Tailrace plan file"
    said = json.loads(tailrace(home, "plan", "check", "-", "--json", "--agents", given=text))
    assert [one["message"] for one in said["warnings"]] == [warning["message"]]
