"""Webhooks: signed pushes become runs; everything else is refused or kept with what was wrong."""

from __future__ import annotations

import hashlib
import hmac
import json
import shutil
import socket
import subprocess
import uuid
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import pytest

from tests.integration.test_runs import make_repository
from tests.support.folders import contents
from tests.support.house import House
from tests.support.waiting import wait_for

SECRET = "it's a secret of the tests"
PAYLOADS = Path(__file__).parents[1] / "payloads" / "github"
HOOK = Path(__file__).parents[1] / "support" / "post_receive.py"


def deliver(
    house: House,
    body: bytes,
    event: str = "push",
    *,
    key: str | None = None,
    secret: str = SECRET,
    project: int,
) -> Any:
    """Post a webhook as GitHub does; the answer."""
    headers = {
        "Content-Type": "application/json",
        "X-GitHub-Event": event,
        "X-GitHub-Delivery": key or str(uuid.uuid4()),
        "X-Hub-Signature-256": "sha256=" + hmac.new(secret.encode(), body, hashlib.sha256).hexdigest(),
    }
    return house.client.post(f"/hooks/github/{project}", content=body, headers=headers)


def test_a_git_push_ends_as_a_passed_run(home: House, tmp_path: Path) -> None:
    """A real push to a bare repository whose hook posts a signed payload: the plan of that commit runs."""
    work, bare = tmp_path / "work", tmp_path / "bare.git"
    make_repository(work, {".tailrace.yml": 'jobs: {job: {steps: [{run: "cat word"}]}}', "word": "pushed\n"})
    subprocess.run(["git", "clone", "-q", "--bare", str(work), str(bare)], check=True)
    shutil.copy(HOOK, bare / "hooks" / "post-receive")
    (bare / "hooks" / "post-receive").chmod(0o755)
    project = home.project(repository=str(bare), secret=SECRET)
    for name, value in (("hook-url", f"{home.url}/hooks/github/{project}"), ("hook-secret", SECRET)):
        subprocess.run(["git", "-C", str(bare), "config", f"tailrace.{name}", value], check=True)
    git = ["git", "-C", str(work), "-c", "user.name=Ada", "-c", "user.email=ada@example.org"]
    (work / "word").write_text("pushed again\n")
    subprocess.run([*git, "commit", "-qam", "A change"], check=True)
    subprocess.run([*git, "push", "-q", str(bare), "main"], check=True)
    (run,) = home.get("/api/runs", project=project)["items"]
    shown = home.wait_state(run["id"], "passed")
    assert (shown["title"], shown["branch"], shown["trigger"]["event"]) == ("A change", "main", "push")
    assert home.output(home.wait_log(run["id"])["log"], "stdout").endswith(b"pushed again\n")


def test_the_same_delivery_twice_makes_one_run(home: House) -> None:
    """The sender's id of the delivery decides."""
    project = home.project(secret=SECRET)
    home.script_plan("true", project=project)
    body = (PAYLOADS / "push_branch.json").read_bytes()
    first = deliver(home, body, key="the-same", project=project)
    again = deliver(home, body, key="the-same", project=project)
    assert (first.status_code, again.status_code) == (202, 202)
    assert first.json()["runs"] == again.json()["runs"]
    assert len(first.json()["runs"]) == 1
    assert len(home.get("/api/runs", project=project)["items"]) == 1
    assert len(home.get("/api/deliveries", project=project)["items"]) == 1


def test_deliveries_at_once_with_one_id_make_one_run(home: House) -> None:
    """Also when they arrive at the same moment."""
    from concurrent.futures import ThreadPoolExecutor

    project = home.project(secret=SECRET)
    home.script_plan("true", project=project)
    body = (PAYLOADS / "push_branch.json").read_bytes()
    with ThreadPoolExecutor(8) as pool:
        posted = [pool.submit(deliver, home, body, key="at-once", project=project) for _ in range(8)]
        answers = [one.result() for one in posted]
    assert {answer.status_code for answer in answers} == {202}
    assert len({tuple(answer.json()["runs"]) for answer in answers}) == 1
    assert len(home.get("/api/runs", project=project)["items"]) == 1


def test_a_wrong_signature_is_refused_and_no_body_is_kept(home: House) -> None:
    """401; nothing of what a stranger sent is in the inbox or in the data directory."""
    project = home.project(secret=SECRET)
    body = json.dumps({"stranger": "k" * 50 + "needle-in-the-body"}).encode()
    answer = deliver(home, body, secret="not the secret", project=project)
    assert answer.status_code == 401
    assert answer.headers["content-type"] == "application/problem+json"
    assert home.get("/api/deliveries", project=project)["items"] == []
    refused = home.get("/api/refusals")["items"][0]
    assert refused["project"] == str(project)
    assert refused["headers"]["x-github-event"] == "push"
    assert "does not match this body" in refused["why"]
    kept = b"".join(contents(home.data).values())
    assert b"needle-in-the-body" not in kept


def test_no_header_that_is_kept_holds_the_secret(home: House) -> None:
    """Whatever the sender called it, and also of a webhook that was refused."""
    project = home.project(secret=SECRET)
    headers = {
        "X-Hook-Value": f"is {SECRET} so",
        "X-Hook-Key": "s3cr3t-of-another",
        "Referer": "http://u:hunter2@example.org/hook",
        "Idempotency-Key": "kept-as-it-is",
    }
    refused = home.client.post(f"/hooks/generic/{project}", content=b"{}", headers=headers)
    assert refused.status_code == 401
    taken = home.client.post(
        f"/hooks/generic/{project}", content=b"{}", headers={**headers, "Authorization": f"Bearer {SECRET}"}
    )
    assert taken.status_code == 202, taken.text
    shown = home.get(f"/api/deliveries/{taken.json()['delivery']}")["headers"]
    for kept in (home.get("/api/refusals")["items"][0]["headers"], shown):
        assert kept["referer"] == "http://***@example.org/hook"
        assert kept["idempotency-key"] == "kept-as-it-is"
        assert not {"x-hook-value", "x-hook-key", "authorization"} & kept.keys()
    kept = b"".join(path.read_bytes() for path in home.data.rglob("tailrace.db*"))
    assert SECRET.encode() not in kept


def test_a_source_that_there_is_not_is_told_with_those_that_there_are(home: House) -> None:
    """404, not 405."""
    answer = home.client.post(f"/hooks/bitbucket/{home.project(secret=SECRET)}", content=b"{}")
    assert answer.status_code == 404
    assert answer.json()["detail"].startswith("there is no source 'bitbucket' of webhooks; allowed are ")
    assert all(name in answer.json()["detail"] for name in ("github", "gitlab", "gitea", "generic"))


def test_a_project_without_a_secret_refuses(home: House) -> None:
    """Also a body that is signed with an empty secret."""
    answer = deliver(home, b"{}", secret="", project=home.project())
    assert answer.status_code == 401
    assert "no webhook secret" in home.get("/api/refusals")["items"][0]["why"]
    unknown = home.client.post("/hooks/github/no-such-project", content=b"{}")
    assert (unknown.status_code, unknown.json()) == (401, answer.json()), "strangers learn no names"


@pytest.mark.parametrize(
    ("body", "words"),
    [(b'{"ref": ', "JSON"), (b'{"ref": 3}', "ref"), (b"[]", "object")],
)
def test_what_is_signed_but_wrong_is_kept_and_explained(home: House, body: bytes, words: str) -> None:
    """400 with what is wrong, kept as an invalid delivery; nothing runs."""
    project = home.project(secret=SECRET)
    answer = deliver(home, body, project=project)
    assert answer.status_code == 400
    assert words in answer.json()["detail"]
    (delivery,) = home.get("/api/deliveries", project=project)["items"]
    assert delivery["state"] == "invalid"
    assert words in delivery["detail"]
    assert home.get("/api/runs", project=project)["items"] == []


@pytest.mark.parametrize(
    ("payload", "event", "runs"),
    [
        ("push_branch", "push", 1),
        ("push_tag", "push", 1),
        ("push_delete_branch", "push", 0),
        ("pull_request_opened", "pull_request", 1),
        ("pull_request_closed", "pull_request", 0),
        ("pull_request_from_fork", "pull_request", 1),
        ("ping", "ping", 0),
    ],
)
def test_each_event_is_understood(home: House, payload: str, event: str, runs: int) -> None:
    """What starts a run starts one; what does not says why."""
    project = home.project(secret=SECRET)
    home.script_plan("true", project=project)
    answer = deliver(home, (PAYLOADS / f"{payload}.json").read_bytes(), event, project=project)
    assert answer.status_code == 202
    assert len(answer.json()["runs"]) == runs
    (delivery,) = home.get("/api/deliveries", project=project)["items"]
    assert delivery["state"] == ("accepted" if runs else "ignored")
    assert bool(delivery["detail"]) == (not runs)


@pytest.mark.parametrize(
    ("path", "header"),
    [
        ("github/nobody", "X-Hub-Signature-256: sha256=" + "0" * 64),
        ("github/{project}", "X-GitHub-Event: push"),
        ("gitlab/{project}", "X-Gitlab-Token: wrong"),
        ("generic/{project}", "X-Hub-Signature-256: malformed"),
    ],
)
def test_who_shows_no_proof_is_refused_before_the_body_has_come(home: House, path: str, header: str) -> None:
    """What a stranger sends fills no memory; and the refusal is kept."""
    project = home.project(secret=SECRET)
    url = urlsplit(home.url)
    head = f"POST /hooks/{path.format(project=project)} HTTP/1.1\r\nHost: x\r\nContent-Length: 25000000\r\n{header}\r\n\r\n"
    with socket.create_connection((url.hostname or "", url.port or 0), timeout=30) as connection:
        connection.sendall(head.encode() + b"{")
        assert connection.recv(100).startswith(b"HTTP/1.1 401")
    assert home.get("/api/refusals")["items"][0]["source"] == path.partition("/")[0]


def test_a_body_that_is_too_large_is_refused(home: House) -> None:
    """413, before it is read to its end."""
    project = home.project(secret=SECRET)
    assert deliver(home, b" " * (25 * 1024 * 1024 + 1), project=project).status_code == 413


def test_a_large_body_is_kept_whole(home: House) -> None:
    """In the store, where every server finds it."""
    import secrets

    project = home.project(secret=SECRET)
    payload = json.loads((PAYLOADS / "ping.json").read_bytes())
    payload["noise"] = secrets.token_hex(200_000)
    body = json.dumps(payload).encode()
    delivery = deliver(home, body, "ping", project=project).json()["delivery"]
    assert home.client.get(f"/api/deliveries/{delivery}/body").content == body
    assert home.get(f"/api/deliveries/{delivery}")["size"] == len(body)


def test_a_repository_that_cannot_be_reached_is_asked_again_and_a_person_hears_at_once(home: House) -> None:
    """`source_unreachable`, and the detail names the repository."""
    project = home.project(repository="/there/is/nothing.git", secret=SECRET)
    answer = deliver(home, (PAYLOADS / "push_branch.json").read_bytes(), project=project)
    waiting = answer.json()["runs"][0]

    def said() -> str:
        return home.get(f"/api/runs/{waiting}")["detail"] or ""

    wait_for(lambda: "tried again at" in said(), "the run says that its repository is asked again")
    (plan,) = home.get("/api/plans", project=project)["items"]
    shown = home.wait_state(home.run(plan["id"]), "failed")
    assert shown["reason"] == "source_unreachable"
    assert "/there/is/nothing.git" in shown["detail"]
    assert home.get(f"/api/runs/{waiting}")["state"] == "planning"
    home.post(f"/api/runs/{waiting}/abort")
    home.wait_state(waiting, "aborted")


def test_a_wrong_plan_file_ends_the_run_with_every_fault(home: House, tmp_path: Path) -> None:
    """`plan_invalid`, with file, line and column; and a repository without one is skipped."""
    repository = tmp_path / "repository"
    make_repository(repository, {".tailrace.yml": "jobs:\n  job:\n    stepz: []\n"})
    project = home.project(repository=str(repository))
    wrong = home.post("/api/plans", {"project": project, "name": "wrong", "path": ".tailrace.yml"})["id"]
    shown = home.wait_state(home.run(wrong), "failed")
    assert shown["reason"] == "plan_invalid"
    assert ".tailrace.yml:3:5: " in shown["detail"]
    missing = home.post("/api/plans", {"project": project, "name": "missing", "path": "other.yml"})["id"]
    shown = home.wait_state(home.run(missing), "skipped")
    assert shown["reason"] == "plan_missing"
    shown = home.wait_state(home.run(wrong, revision="topik"), "failed")
    assert shown["reason"] == "revision_missing", "the plan is wrong too, but nobody has seen it"
    assert "no revision, branch or tag 'topik'" in shown["detail"]


def test_a_project_without_plans_follows_its_repository(home: House, tmp_path: Path) -> None:
    """The first push makes the plan `default`."""
    project = home.project(repository=str(tmp_path / "nothing"), secret=SECRET)
    deliver(home, (PAYLOADS / "push_branch.json").read_bytes(), project=project)
    plans = wait_for(lambda: home.get("/api/plans", project=project)["items"], "the plan")
    assert [(plan["name"], plan["path"]) for plan in plans] == [("default", ".tailrace.yml")]
