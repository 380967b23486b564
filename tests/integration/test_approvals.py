"""Approvals by API and commands, on a real server with a real agent."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

from websockets.sync.client import connect

from tests.integration.test_commands import tailrace
from tests.integration.test_webhooks import PAYLOADS, SECRET, deliver
from tests.support.house import ADMIN_TOKEN, House
from tests.support.waiting import wait_for

DEPLOY = """
jobs:
  build: {checkout: false, steps: [{run: "true"}]}
  deploy: {needs: build, environment: production, checkout: false, steps: [{run: echo deployed}]}
"""


def _asked(house: House, run: int) -> dict[str, Any]:
    def one() -> dict[str, Any] | None:
        return next(iter(house.get("/api/approvals", state="open", run=run)["items"]), None)

    return wait_for(one, "an approval to be asked for")


def test_a_job_waits_for_a_person_and_says_so(home: House) -> None:
    """By the commands: who is asked sees what for, and the decision lets it go on at once."""
    project = home.project("deploying")
    done = tailrace(home, "environment", "set", "deploying", "production", "--approver", "admin")
    assert done.returncode == 0, done.stderr
    run = home.run(home.plan(DEPLOY, project))
    asked = _asked(home, run)
    (_, job) = home.show(run)["jobs"]
    assert (job["state"], job["approval"], job["environment"]) == ("waiting", asked["id"], "production")
    assert job["why"] == f"waits for approval {asked['id']} to use environment production"
    listed = json.loads(tailrace(home, "approvals", "list", "--json").stdout)
    (found,) = [one for one in listed if one["run"] == run]
    assert (found["job_name"], found["approvers"], found["project_name"]) == (
        "deploy",
        ["admin"],
        "deploying",
    )
    assert tailrace(home, "approvals", "approve", str(asked["id"]), "--why", "go").returncode == 0
    home.wait_state(run, "passed")
    again = tailrace(home, "approvals", "reject", str(asked["id"]))
    assert again.returncode == 2
    assert "was approved by admin" in again.stderr
    shown = home.get(f"/api/approvals/{asked['id']}")
    assert (shown["state"], shown["by"], shown["why"]) == ("approved", "admin", "go")


def test_what_waits_is_told_live(house: House) -> None:
    """When it is asked, when it is decided, and when its project is removed; nothing else of runs is told."""
    house.up()
    project = house.project("told")
    house.post("/api/environments", {"project": project, "name": "production", "approval": True})
    url = house.url.replace("http", "ws") + "/api/live"
    headers = {"Authorization": f"Bearer {ADMIN_TOKEN}"}
    with connect(url, additional_headers=headers, compression=None, proxy=None) as socket:

        def heard() -> tuple[int, list[int]]:
            while "topic" not in (frame := json.loads(socket.recv(timeout=60))):
                pass  # a beat
            return frame["open"], [one["run"] for one in frame["items"]]

        socket.send(json.dumps({"op": "watch", "topic": "approvals"}))
        assert heard() == (0, [])
        house.wait_state(house.run(house.script_plan("true", project=project, name="other")), "passed")
        first, second = (house.run(house.plan(DEPLOY, project, f"deploy-{number}")) for number in (1, 2))
        told = [heard()]
        while told[-1][0] < 2:
            told.append(heard())
        assert sorted(told[-1][1], reverse=True) == sorted((first, second), reverse=True)
        assert all(open == len(runs) > 0 for open, runs in told)
        house.post(f"/api/approvals/{_asked(house, first)['id']}", {"approve": False})
        assert heard() == (1, [second])
        assert house.client.delete(f"/api/projects/{project}").status_code == 204
        assert heard() == (0, [])
        house.post(f"/api/projects/{project}/restore")
        third = house.run(house.plan(DEPLOY, project, "deploy-3"))
        assert heard() == (1, [third])
        house.post(f"/api/runs/{third}/abort")
        assert heard() == (0, [])


def test_nobody_is_named_who_could_not_decide(home: House) -> None:
    """An environment that nobody could approve is refused, with the names that there are."""
    project = home.project("unapproved")
    refused = tailrace(home, "environment", "set", "unapproved", "production", "--approver", "Bob")
    assert refused.returncode == 2
    assert "found 'Bob'; allowed are admin" in refused.stderr
    wrong: tuple[dict[str, object], ...] = (
        {"approvers": []},
        {"approvers": [" "]},
        {"approvers": ["admin", "admin"]},
        {"approvers": ["admin"], "approval": False},
    )
    for terms in wrong:
        body = {"project": project, "name": "production", **terms}
        answer = home.client.post("/api/environments", json=body)
        assert (answer.status_code, "approvers" in answer.json()["detail"]) == (400, True), answer.text


def test_what_is_rejected_ends_and_what_is_wrong_is_told(home: House) -> None:
    """404, 400 and 422 for what is wrong."""
    project = home.project("rejecting")
    assert tailrace(home, "environment", "set", "rejecting", "production").returncode == 0
    run = home.run(home.plan(DEPLOY, project))
    id = _asked(home, run)["id"]
    assert home.client.post("/api/approvals/999999", json={"approve": True}).status_code == 404
    assert home.client.post(f"/api/approvals/{id}", json={}).status_code == 422
    assert home.client.get("/api/approvals", params={"state": "maybe"}).status_code == 400
    assert tailrace(home, "approvals", "reject", str(id), "--why", "not now").returncode == 0
    shown = home.wait_state(run, "aborted")
    assert (shown["reason"], shown["detail"]) == ("rejected", "job deploy: rejected by admin: not now")


def test_environments_are_set_listed_and_removed(home: House) -> None:
    """What is set again takes the place of what was before."""
    project = home.project("environments")
    for arguments in (("--branch", "main", "--no-approval"), ("--branch", "release/*", "--branch", "main")):
        assert tailrace(home, "environment", "set", "environments", "staging", *arguments).returncode == 0
    (found,) = home.get("/api/environments", project=project)["items"]
    assert (found["name"], found["approval"], found["branches"]) == ("staging", True, ["release/*", "main"])
    assert "staging" in tailrace(home, "environment", "list").stdout
    body = {"project": project, "name": "staging"}
    assert home.client.post("/api/environments", json=body).status_code == 409
    assert home.client.post("/api/environments", json={**body, "project": 999999}).status_code == 404
    assert home.client.post("/api/environments", json={**body, "name": "a b"}).status_code == 422
    assert tailrace(home, "environment", "remove", "environments", "staging").returncode == 0
    assert home.get("/api/environments", project=project)["items"] == []
    assert tailrace(home, "environment", "remove", "environments", "staging").returncode == 2


def test_a_pull_request_from_a_fork_waits_and_gets_no_secrets(home: House, tmp_path: Path) -> None:
    """Its jobs begin when it is approved; one that wants a secret fails, and says why."""
    project = home.project(secret=SECRET)
    plan = f"""
jobs:
  test: {{checkout: false, steps: [{{run: "touch {tmp_path / "begun"}"}}]}}
  publish: {{needs: test, checkout: false, secrets: [TOKEN], steps: [{{run: echo}}]}}
"""
    home.plan(plan, project)
    home.post("/api/secrets", {"project": project, "name": "TOKEN", "value": "hidden-from-strangers"})
    told = json.loads((PAYLOADS / "pull_request_from_fork.json").read_bytes())
    told["pull_request"]["title"] = "[/b] please approve"
    (run,) = deliver(home, json.dumps(told).encode(), "pull_request", project=project).json()["runs"]
    asked = _asked(home, run)
    for command in ("approvals", "runs"):
        assert "[/b] please approve" in tailrace(home, command).stdout
    shown = home.show(run)
    assert (shown["state"], shown["from_fork"], shown["approval"]) == ("pending", True, asked["id"])
    assert shown["jobs"][0]["why"] == f"its commit comes from a fork: it waits for approval {asked['id']}"
    assert (asked["job"], asked["author"]) == (None, "passer-by")
    assert not (tmp_path / "begun").exists()
    home.post(f"/api/approvals/{asked['id']}", {"approve": True})
    shown = home.wait_state(run, "failed")
    assert (tmp_path / "begun").exists()
    assert [job["state"] for job in shown["jobs"]] == ["passed", "failed"]
    assert shown["reason"] == "setup_failed"
    assert "a run from a fork gets none" in shown["detail"]
