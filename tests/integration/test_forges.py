"""Webhooks of every forge, posted to a real server as the forge posts them."""

from __future__ import annotations

import hashlib
import hmac
import json
import uuid
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pytest

from tests.integration.test_commands import tailrace
from tests.support.house import House

SECRET = "it's a secret of the tests"
PAYLOADS = Path(__file__).parents[1] / "payloads"


def post(house: House, source: str, project: int, body: bytes, headers: Mapping[str, str]) -> Any:
    """Post a webhook; the answer."""
    return house.client.post(
        f"/hooks/{source}/{project}",
        content=body,
        headers={"Content-Type": "application/json", **headers},
    )


def gitlab(house: House, project: int, payload: str, **headers: str) -> Any:
    """Post a webhook as GitLab does."""
    body = (PAYLOADS / "gitlab" / f"{payload}.json").read_bytes()
    return post(house, "gitlab", project, body, {"X-Gitlab-Token": SECRET, **headers})


@pytest.mark.parametrize(
    ("payload", "runs", "words"),
    [
        ("push_branch", 1, ""),
        ("tag_push_annotated", 1, ""),
        ("push_delete_branch", 0, "was deleted"),
        ("merge_request_open", 1, ""),
        ("merge_request_update_commits", 1, ""),
        ("merge_request_update_title", 0, "that was edited"),
        ("merge_request_merge", 0, "that was merged"),
        ("issue_open", 0, '"issue" starts nothing'),
    ],
)
def test_each_event_of_gitlab_is_understood(home: House, payload: str, runs: int, words: str) -> None:
    """What starts a run starts one; what does not says why."""
    project = home.project(secret=SECRET)
    home.script_plan("true", project=project)
    answer = gitlab(home, project, payload)
    assert answer.status_code == 202
    assert len(answer.json()["runs"]) == runs
    assert words in (answer.json()["detail"] or "")


def test_gitlab_trying_again_starts_nothing_twice(home: House) -> None:
    """Its Idempotency-Key stays; and the token is in no header that is kept."""
    project = home.project(secret=SECRET)
    home.script_plan("true", project=project)
    answers = [gitlab(home, project, "push_branch", **{"Idempotency-Key": "one"}).json() for _ in range(2)]
    assert answers[0]["runs"] == answers[1]["runs"]
    assert "came before" in answers[1]["detail"]
    kept = b"".join(path.read_bytes() for path in home.data.glob("tailrace.db*"))
    assert SECRET.encode() not in kept


def test_a_wrong_token_of_gitlab_is_refused(home: House) -> None:
    """401, and nothing is kept but the headers without the token."""
    project = home.project(secret=SECRET)
    answer = gitlab(home, project, "push_branch", **{"X-Gitlab-Token": "not the secret"})
    assert answer.status_code == 401
    assert home.get("/api/deliveries", project=project)["items"] == []
    refused = home.get("/api/refusals")["items"][0]
    assert (refused["source"], "x-gitlab-token" in refused["headers"]) == ("gitlab", False)


def gitea(house: House, project: int, payload: str, event: str, **headers: str) -> Any:
    """Post a webhook as Gitea does."""
    body = (PAYLOADS / "gitea" / f"{payload}.json").read_bytes()
    signature = hmac.new(SECRET.encode(), body, hashlib.sha256).hexdigest()
    given = {"X-Gitea-Event": event, "X-Gitea-Signature": signature, "X-Gitea-Delivery": str(uuid.uuid4())}
    return post(house, "gitea", project, body, given | headers)


@pytest.mark.parametrize(
    ("payload", "event", "runs", "words"),
    [
        ("push_branch", "push", 1, ""),
        ("push_test_delivery", "push", 0, "a ping"),
        ("delete_branch", "delete", 0, "was deleted"),
        ("pull_request_opened", "pull_request", 1, ""),
        ("pull_request_synchronized", "pull_request_sync", 1, ""),
        ("pull_request_label_updated", "pull_request", 0, "that was label_updated"),
        ("issues_opened", "issues", 0, '"issues" starts nothing'),
    ],
)
def test_each_event_of_gitea_is_understood(
    home: House, payload: str, event: str, runs: int, words: str
) -> None:
    """What starts a run starts one; what does not says why."""
    project = home.project(secret=SECRET)
    home.script_plan("true", project=project)
    answer = gitea(home, project, payload, event)
    assert answer.status_code == 202
    assert len(answer.json()["runs"]) == runs
    assert words in (answer.json()["detail"] or "")
    assert gitea(home, project, payload, event, **{"X-Gitea-Signature": "0" * 64}).status_code == 401


def test_a_generic_webhook_is_read_as_the_project_says(home: House) -> None:
    """Its values are variables of the run; what it does not want starts nothing; try says so before."""
    project = home.project(secret=SECRET)
    home.script_plan('echo "image $IMAGE of $TAILRACE_BRANCH"', project=project)
    wish = {
        "picks": {"branch": "'main'", "revision": "source.commit"},
        "values": {"IMAGE": "target.repository"},
        "only": {"event": ["pushed"]},
    }
    path = f"/api/projects/{project}/hook"
    assert home.client.put(path, json=wish).status_code == 200
    assert home.get(path)["values"] == {"IMAGE": "target.repository"}
    body = json.dumps(
        {"event": "pushed", "target": {"repository": "mill/wheel"}, "source": {"commit": "3f1c9a0d" * 5}}
    ).encode()
    tried = home.post(f"{path}/try", {"body": body.decode()})
    assert (tried["event"]["branch"], tried["event"]["values"]) == ("main", {"IMAGE": "mill/wheel"})
    answer = post(home, "generic", project, body, {"X-Tailrace-Token": SECRET})
    (run,) = answer.json()["runs"]
    assert home.get(f"/api/runs/{run}")["branch"] == "main"
    other = body.replace(b'"pushed"', b'"deleted"')
    answer = post(home, "generic", project, other, {"X-Tailrace-Token": SECRET})
    assert (answer.json()["state"], answer.json()["runs"]) == ("ignored", [])
    wrong = post(home, "generic", project, b"{}", {"X-Tailrace-Token": "another"})
    assert wrong.status_code == 401
    assert SECRET.encode() not in b"".join(kept.read_bytes() for kept in home.data.glob("tailrace.db*"))
    assert home.client.delete(path).status_code == 204
    assert home.get(path)["picks"]["branch"] is None


@pytest.mark.parametrize(
    "wish", [{"picks": {"branch": "a..b"}}, {"values": {"TAILRACE_X": "a"}}, {"frobnicate": 1}, []]
)
def test_a_hook_that_cannot_be_is_refused(home: House, wish: Any) -> None:
    """422, and what the project had stays."""
    path = f"/api/projects/{home.project(secret=SECRET)}/hook"
    answer = home.client.put(path, json=wish)
    assert answer.status_code == 422
    assert home.get(path)["picks"]["branch"] is None


def test_a_hook_is_tried_kept_and_removed_by_command(home: House, tmp_path: Path) -> None:
    """Trying keeps nothing; what is wrong is said."""
    project = home.project(secret=SECRET)
    (tmp_path / "hook.json").write_text('{"picks": {"branch": "b"}}')
    (tmp_path / "body.json").write_text('{"b": "main"}')
    command = ("project", "hook", str(project))
    tried = tailrace(home, *command, str(tmp_path / "hook.json"), "--try", str(tmp_path / "body.json"))
    assert json.loads(tried.stdout)["event"]["ref"] == "refs/heads/main", tried.stderr
    assert json.loads(tailrace(home, *command).stdout)["picks"]["branch"] is None
    assert tailrace(home, *command, str(tmp_path / "hook.json")).returncode == 0
    assert json.loads(tailrace(home, *command).stdout)["picks"]["branch"] == "b"
    wrong = tailrace(home, *command, "--try", "-", given="{}")
    assert (wrong.returncode, "branch: its path b finds nothing" in wrong.stderr) == (2, True), wrong.stderr
    assert tailrace(home, *command, "-", given="[]").returncode == 2
    assert tailrace(home, *command, "--remove").returncode == 0
    assert json.loads(tailrace(home, *command).stdout)["picks"]["branch"] is None


@pytest.mark.parametrize("source", ["github", "gitlab", "gitea", "generic"])
def test_bodies_that_mean_harm_are_a_clear_400(home: House, source: str) -> None:
    """Never a 5xx; each is kept as invalid with what is wrong, and the server goes on."""
    project = home.project(secret=SECRET)
    commits = {"ref": "refs/heads/main", "before": "1" * 40, "after": "2" * 40, "object_kind": "push"}
    bodies = [
        b"",
        b"[" * 1_000_000,
        b'{"a": ' + b"9" * 100_000 + b"}",
        b"\xff\xfe",
        json.dumps(commits | {"commits": [0] * 1_000_000, "ref": [[]]}).encode(),
        b'{"payload": "' + b"x" * (6 * 1024 * 1024),
    ]
    for number, body in enumerate(bodies):
        signature = hmac.new(SECRET.encode(), body, hashlib.sha256).hexdigest()
        headers = {
            "X-Hub-Signature-256": f"sha256={signature}",
            "X-Gitea-Signature": signature,
            "X-Gitlab-Token": SECRET,
            "X-GitHub-Event": "push",
            "X-Gitea-Event": "push",
        }
        answer = post(home, source, project, body, headers)
        if source == "generic" and not body:
            assert answer.status_code == 202, "the newest commit is meant"
            continue
        assert answer.status_code == 400, f"body {number}: {answer.text[:300]}"
        assert 10 < len(answer.json()["detail"]) < 1000
    states = {kept["state"] for kept in home.get("/api/deliveries", project=project)["items"]}
    assert "invalid" in states
    assert home.get("/healthz")["status"] == "ok"


def test_a_generic_delivery_is_replayed_as_the_project_says_now(home: House) -> None:
    """Its values are variables of the job."""
    project = home.project(secret=SECRET)
    home.script_plan('echo "image ${IMAGE-none}"', project=project)
    (run,) = post(home, "generic", project, b'{"image": "wheel"}', {"X-Tailrace-Token": SECRET}).json()[
        "runs"
    ]
    home.wait_state(run, "passed")
    wish = {"values": {"IMAGE": "image"}}
    assert home.client.put(f"/api/projects/{project}/hook", json=wish).status_code == 200
    (delivery,) = home.get("/api/deliveries", project=project)["items"]
    (again,) = home.post(f"/api/deliveries/{delivery['id']}/replay", {})["runs"]
    assert home.output(home.wait_log(again)["log"], "stdout").endswith(b"image wheel\n")
