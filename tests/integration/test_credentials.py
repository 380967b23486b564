"""A project whose repository a secret opens, through a real Tailrace: plans, polls, jobs; and nothing of it is shown or kept."""

from __future__ import annotations

import json
from collections.abc import Generator
from pathlib import Path
from typing import Any

import pytest

from tests.integration.test_commands import tailrace
from tests.integration.test_secrets import unpacked
from tests.support.folders import contents
from tests.support.git_http import ANYBODY, GitHttp, git_http
from tests.support.house import House
from tests.support.ssh import needs_ssh, ssh_server
from tests.support.svn import PASSWORD, USER, SvnRepository, served
from tests.support.waiting import wait_for
from tests.unit.sources.conftest import Repository

TOKEN = "glpat-0aBcD1eFgH2iJkL3mNoP4"
PLAN = b"jobs: {test: {steps: [{run: 'cat file; env; cat .git/config || true'}]}}\n"


@pytest.fixture
def house(tmp_path: Path) -> Generator[House]:
    """A server with its agent, which may ask what listens on loopback."""
    (tmp_path / "house").mkdir()
    with House(tmp_path / "house", TAILRACE_REPOSITORY_ALLOWED="127.0.0.1") as house:
        house.up()
        yield house


@pytest.fixture
def repository(tmp_path: Path) -> Repository:
    made = Repository(tmp_path / "repositories" / "shop")
    made.commit("One", {".tailrace.yml": PLAN, "file": b"the file\n"})
    return made


@pytest.fixture
def web(repository: Repository) -> Generator[GitHttp]:
    with git_http(repository.place.parent, {ANYBODY: TOKEN}) as web:
        yield web


def kept(house: House, text: str) -> list[Path]:
    """The files of server and agent that hold a text, as it is or packed."""
    return [path for path, data in contents(house.data).items() if text.encode() in unpacked(data)]


def test_a_token_opens_it_for_plans_polls_and_jobs(
    house: House, web: GitHttp, repository: Repository
) -> None:
    """The person who makes the project is told what is missing; nothing shows or keeps the token."""
    made = tailrace(house, "project", "add", "shop", web.address("shop"), "--credentials", "DEPLOY")
    assert made.returncode == 0, made.stderr
    assert "secret DEPLOY is not set yet: `tailrace secret set DEPLOY --project shop`" in made.stderr
    project = int(made.stdout)
    assert tailrace(house, "secret", "set", "DEPLOY", "--project", "shop", given=TOKEN).returncode == 0
    again = tailrace(house, "project", "edit", "shop", "--credentials", "DEPLOY", "--json")
    shown = f"tailrace: project shop: secret DEPLOY is shown to {web.address('shop')} from now on"
    assert again.stderr.strip() == shown
    assert json.loads(again.stdout)["credentials"] == {"secret": "DEPLOY", "user": None, "known_hosts": None}
    plan = house.post("/api/plans", {"project": project, "name": "main", "path": ".tailrace.yml"})["id"]
    run = house.run(plan)
    house.wait_state(run, "passed")
    output = house.output(house.wait_log(run)["log"], None).decode()
    assert "the file" in output
    assert TOKEN not in output
    assert "DEPLOY" not in output
    settings = {"kind": "git", "interval_s": 10}
    trigger = house.post("/api/triggers", {"plan": plan, "name": "watch", "settings": settings})["id"]
    wait_for(lambda: house.get(f"/api/triggers/{trigger}")["last_state"] == "ok", "the first look")
    repository.commit("Two", {"file": b"another\n"})
    house.post(f"/api/triggers/{trigger}/check")
    polled = wait_for(lambda: house.get("/api/runs", trigger=trigger)["items"], "the poll's run")[0]["id"]
    house.wait_state(polled, "passed")
    assert kept(house, TOKEN) == []
    assert TOKEN not in house.client.get("/api/projects").text


def test_what_refuses_or_is_missing_is_said(house: House, web: GitHttp) -> None:
    """By the run, with project and secret, and by the job where the plan is kept here."""
    body = {"name": "shop", "repository": web.address("shop"), "credentials": {"secret": "DEPLOY"}}
    project = house.post("/api/projects", body)["id"]
    plan = house.post("/api/plans", {"project": project, "name": "main", "path": ".tailrace.yml"})["id"]

    def failed(plan: int) -> dict[str, Any]:
        return house.wait_state(house.run(plan), "failed")

    named = "secret DEPLOY, which project shop names for its repository,"
    missing = failed(plan)
    assert (missing["reason"], f"{named} is not set" in missing["detail"]) == ("source_unreachable", True)
    house.post("/api/secrets", {"name": "DEPLOY", "value": "wrong-token", "project": project})
    refused = failed(plan)
    assert refused["reason"] == "source_unreachable"
    assert (
        f"Authentication failed for '{web.address('shop')}/' ({named} was shown to it)" in refused["detail"]
    )


def test_a_password_moves_out_of_an_address(house: House, web: GitHttp) -> None:
    """It goes on working where it is; the person is told how to move it."""
    web.logins = {"kim": "hush-hush"}
    address = web.address("shop").replace("://", "://kim:hush-hush@")
    made = tailrace(house, "project", "add", "shop", address)
    assert "a password or token stands in the address of its repository" in made.stderr
    assert "hush-hush" not in made.stderr
    plan = house.post("/api/plans", {"project": int(made.stdout), "name": "main", "path": ".tailrace.yml"})[
        "id"
    ]
    house.wait_state(house.run(plan), "passed")
    wrong = tailrace(house, "project", "edit", "shop", "--credentials", "DEPLOY")
    assert wrong.returncode != 0
    assert "stands in the address already" in wrong.stderr
    tailrace(house, "secret", "set", "DEPLOY", "--project", "shop", given="hush-hush")
    moved = tailrace(
        house,
        *("project", "edit", "shop", "--repository", web.address("shop")),
        *("--credentials", "DEPLOY", "--user", "kim"),
    )
    assert (moved.returncode, moved.stderr) == (0, "")
    house.wait_state(house.run(plan), "passed")
    gone = tailrace(house, "project", "edit", "shop", "--credentials", "", "--json")
    assert json.loads(gone.stdout)["credentials"] is None
    assert tailrace(house, "project", "edit", "shop", "--user", "kim").returncode != 0


def test_a_fork_is_run_and_gets_nothing(house: House, web: GitHttp, repository: Repository) -> None:
    """A pull request's commit lies in the same repository; the job cannot ask it again."""
    repository.git("checkout", "-q", "-b", "theirs")
    script = b"git ls-remote origin && echo let in; env; true"
    plan_file = b"jobs: {test: {steps: [{run: '" + script + b"'}]}}\n"
    repository.commit("Theirs", {".tailrace.yml": plan_file})
    repository.git("update-ref", "refs/pull/1/head", "HEAD")
    repository.git("checkout", "-q", "main")
    body = {"name": "shop", "repository": web.address("shop"), "credentials": {"secret": "DEPLOY"}}
    project = house.post("/api/projects", body)["id"]
    house.post("/api/secrets", {"name": "DEPLOY", "value": TOKEN, "project": project})
    plan = house.post("/api/plans", {"project": project, "name": "main", "path": ".tailrace.yml"})["id"]
    run = house.run(plan, revision="refs/pull/1/head")
    (approval,) = wait_for(lambda: house.get("/api/approvals", run=run)["items"], "the approval")
    house.post(f"/api/approvals/{approval['id']}", {"approve": True})
    house.wait_state(run, "passed")
    output = house.output(house.wait_log(run)["log"], None).decode()
    assert "let in" not in output
    assert "TAILRACE_JOB=test" in output
    assert "TAILRACE_GIT" not in output


def test_subversion_with_a_password(house: House, tmp_path: Path) -> None:
    svn = SvnRepository(tmp_path / "svn" / "shop")
    svn.commit("One", {"trunk/.tailrace.yml": PLAN.decode(), "trunk/file": "the file\n"})
    with served(svn) as address:
        named = {"secret": "DEPLOY", "user": USER}
        project = house.post("/api/projects", {"name": "shop", "repository": address, "credentials": named})[
            "id"
        ]
        house.post("/api/secrets", {"name": "DEPLOY", "value": PASSWORD})
        plan = house.post("/api/plans", {"project": project, "name": "main", "path": ".tailrace.yml"})["id"]
        run = house.run(plan)
        house.wait_state(run, "passed")
        output = house.output(house.wait_log(run)["log"], None).decode()
    assert "the file" in output
    assert PASSWORD not in output
    assert kept(house, PASSWORD) == []


@needs_ssh
def test_a_deploy_key(house: House, repository: Repository, tmp_path: Path) -> None:
    """With the machine's key as ssh-keyscan prints it."""
    with ssh_server() as ssh:
        key = ssh.new_key()
        (tmp_path / "hosts").write_text(ssh.known_host)
        address = f"ssh://git@127.0.0.1:{ssh.port}{repository.place}"
        tailrace(house, "secret", "set", "KEY", given=key)
        made = tailrace(
            house,
            *("project", "add", "shop", address, "--credentials", "KEY"),
            *("--known-hosts", str(tmp_path / "hosts")),
        )
        assert (made.returncode, made.stderr) == (0, "")
        body = {"project": int(made.stdout), "name": "main", "path": ".tailrace.yml"}
        run = house.run(house.post("/api/plans", body)["id"])
        house.wait_state(run, "passed")
        assert b"the file" in house.output(house.wait_log(run)["log"])
    assert kept(house, key.splitlines()[2]) == []
