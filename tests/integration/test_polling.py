"""Polls and ticks through a real server: git by its own daemon, Subversion by svnserve, a URL, the clock."""

from __future__ import annotations

import json
import subprocess
from collections.abc import Generator
from contextlib import contextmanager
from datetime import datetime
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from threading import Thread
from typing import Any
from uuid import uuid4

import pytest

from tests.integration.test_webhooks import PAYLOADS, SECRET, deliver
from tests.support.house import House
from tests.support.ports import free_port
from tests.support.svn import PASSWORD, USER, SvnRepository, served
from tests.support.waiting import wait_for
from tests.unit.sources.conftest import Repository


@pytest.fixture
def house(tmp_path: Path) -> Generator[House]:
    """A server alone, which may ask what listens on loopback at 127.0.0.1."""
    (tmp_path / "house").mkdir()
    allowed = {"TAILRACE_POLL_ALLOWED": "127.0.0.1", "TAILRACE_REPOSITORY_ALLOWED": "127.0.0.1"}
    with House(tmp_path / "house", **allowed) as house:
        house.server()
        yield house


@pytest.fixture
def repository(tmp_path: Path) -> Repository:
    return Repository(tmp_path / "repositories" / "wheel")


@contextmanager
def git_daemon(repository: Repository) -> Generator[str]:
    """git's own server; the address there."""
    port = free_port()
    daemon = subprocess.Popen(
        [
            *("git", "daemon", "--listen=127.0.0.1", f"--port={port}", "--export-all"),
            *(f"--base-path={repository.place.parent}", "--reuseaddr"),
        ]
    )
    address = f"git://127.0.0.1:{port}/{repository.place.name}"
    try:
        wait_for(
            lambda: subprocess.run(["git", "ls-remote", address], capture_output=True).returncode == 0,
            "git daemon",
        )
        yield address
    finally:
        daemon.terminate()
        daemon.wait()


class _Trigger:
    """A trigger of a plan without a checkout, and the runs that come of it."""

    def __init__(self, house: House, project: int, **settings: Any) -> None:
        self._house = house
        self.plan = house.script_plan("true", name=f"plan-{uuid4().hex[:6]}", project=project)
        body = {"plan": self.plan, "name": "watch", "settings": settings}
        self.id: int = house.post("/api/triggers", body)["id"]

    def show(self) -> dict[str, Any]:
        return self._house.get(f"/api/triggers/{self.id}")

    def looked(self, after: dict[str, Any] | None = None) -> dict[str, Any]:
        """The trigger when it was looked at, again."""

        def done() -> dict[str, Any] | None:
            shown = self.show()
            return shown if shown["last_at"] not in (None, after and after["last_at"]) else None

        return wait_for(done, "a look")

    def check(self) -> dict[str, Any]:
        before = self.show()
        self._house.post(f"/api/triggers/{self.id}/check")
        return self.looked(before)

    def runs(self) -> list[dict[str, Any]]:
        """Oldest first."""
        return self._house.get("/api/runs", plan=self.plan)["items"][::-1]


def _push(house: House, project: int, before: str, after: str) -> dict[str, Any]:
    body = json.loads((PAYLOADS / "push_branch.json").read_bytes())
    body |= {"ref": "refs/heads/main", "before": before, "after": after, "commits": []}
    body["head_commit"] = {**(body["head_commit"] or {}), "id": after}
    return deliver(house, json.dumps(body).encode(), project=project).json()


def test_a_poll_finds_what_the_webhook_missed_and_nothing_runs_twice(
    house: House, repository: Repository
) -> None:
    """One head for both: whoever is first makes the run."""
    first = repository.commit("One")
    with git_daemon(repository) as address:
        project = house.project(repository=address, secret=SECRET)
        trigger = _Trigger(house, project, kind="git", interval_s=3600, mode="every")
        assert trigger.looked()["last_detail"] == f"first look: main is at {first[:12]}"
        second = repository.commit("Two")
        third = repository.commit("Three", {"file": b"3"})
        assert trigger.check()["last_detail"] == f"main is at {third[:12]}; 2 runs"
        assert [(run["revision"], run["title"]) for run in trigger.runs()] == [
            (second, "Two"),
            (third, "Three"),
        ]
        late = _push(house, project, first, third)
        assert (late["state"], late["runs"]) == ("ignored", [])
        fourth = repository.commit("Four")
        assert len(_push(house, project, third, fourth)["runs"]) == 1
        assert trigger.check()["last_detail"] == f"main is at {fourth[:12]}"
        repository.git("reset", "--quiet", "--hard", third)
        trigger.check()
        assert [run["revision"] for run in trigger.runs()] == [second, third, fourth, third]
    failed = trigger.check()
    assert (failed["last_state"], failed["failures"]) == ("error", 1)
    assert "cannot be read" in failed["last_detail"]


def test_a_poll_of_subversion_signs_in_with_a_secret(house: House, tmp_path: Path) -> None:
    """And nothing tells the password."""
    repository = SvnRepository(tmp_path / "wheels")
    repository.commit("One", {"trunk/one": "1"})
    with served(repository) as address:
        project = house.project(repository=address)
        house.post("/api/secrets", {"name": "SVN", "project": project, "value": PASSWORD})
        settings = {"path": "trunk", "user": USER, "password": "SVN", "interval_s": 3600}
        trigger = _Trigger(house, project, kind="subversion", **settings)
        assert trigger.looked()["last_detail"] == "first look: revision 2"
        repository.commit("Two", {"trunk/one": "2"})
        trigger.check()
        (run,) = trigger.runs()
        assert (run["revision"], run["branch"], run["title"]) == ("3", "trunk", "Two")
        assert PASSWORD not in json.dumps(trigger.show())
        docs = _Trigger(house, project, kind="subversion", **{**settings, "path": "trunk/docs"})
        assert "trunk/docs" in docs.looked()["last_detail"]
        repository.commit("Docs", {"trunk/docs/one": "1"})
        docs.check()
        repository.commit("More docs", {"trunk/docs/one": "2"})
        assert docs.check()["last_detail"] == "revision 5; 1 run"
        repository.commit("Code", {"trunk/one": "3"})
        assert docs.check()["last_detail"] == "revision 5"


@pytest.mark.parametrize("kind", ["git", "subversion"])
def test_repositories_on_loopback_are_asked_where_an_admin_allows_it(
    tmp_path: Path, repository: Repository, kind: str
) -> None:
    """Else neither the poll nor the planning of a run asks them; both say why, and what to set."""
    repository.commit("One", {".tailrace.yml": b"jobs: {a: {steps: [{run: x}]}}"})
    with git_daemon(repository) as address, House(tmp_path / "closed") as house:
        house.folder.mkdir()
        house.server()
        repository_address = address if kind == "git" else "svn://127.0.0.1:1/wheels"
        project = house.project(repository=repository_address)
        trigger = _Trigger(house, project, kind=kind, interval_s=3600)
        for said in (trigger.looked()["last_detail"], _planned(house, project)["detail"]):
            assert "127.0.0.1 is a loopback address" in said
            assert "TAILRACE_REPOSITORY_ALLOWED" in said


def _planned(house: House, project: int) -> dict[str, Any]:
    """A run whose plan is in the repository, when it has ended."""
    plan = house.post("/api/plans", {"project": project, "name": "there", "path": ".tailrace.yml"})["id"]
    ended = house.wait_state(house.run(plan), "failed")
    assert ended["reason"] == "source_unreachable"
    return ended


def test_a_poll_of_a_url_heeds_the_guard(house: House) -> None:
    """127.0.0.1 is allowed to it; where that leads is not."""
    answers: dict[str, tuple[int, str, bytes]] = {"/version": (200, "", b"1.0")}

    class Handler(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            status, location, body = answers[self.path]
            self.send_response(status)
            if location:
                self.send_header("Location", location)
            self.send_header("Content-Length", str(len(body)))
            self.end_headers()
            self.wfile.write(body)

        def log_message(self, format: str, *args: Any) -> None:
            """Nobody reads it."""

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    Thread(target=server.serve_forever, daemon=True).start()
    try:
        url = f"http://127.0.0.1:{server.server_port}/version"
        trigger = _Trigger(house, house.project(), kind="url", url=url, interval_s=3600)
        trigger.looked()
        answers["/version"] = (200, "", b"1.1")
        assert trigger.check()["last_detail"].endswith("; 1 run")
        (run,) = trigger.runs()
        assert house.show(run["id"])["trigger"]["kind"] == "url"
        answers["/version"] = (302, f"http://127.0.0.2:{server.server_port}/version", b"")
        refused = trigger.check()
        assert refused["last_state"] == "error"
        assert "127.0.0.2 is a loopback address" in refused["last_detail"]
        assert "TAILRACE_POLL_ALLOWED" in refused["last_detail"]
    finally:
        server.shutdown()
        server.server_close()


def test_ticks_start_runs_and_a_restart_loses_none(house: House) -> None:
    """Every second, with the server killed in between: each tick once."""
    trigger = _Trigger(house, house.project(), kind="cron", expression="* * * * * *")
    wait_for(lambda: len(trigger.runs()) >= 2, "ticks")
    house.processes[-1].kill()
    house.server()
    count = len(trigger.runs())
    wait_for(lambda: len(trigger.runs()) >= count + 2, "ticks after the restart")
    house.post(f"/api/triggers/{trigger.id}/disable", {"why": "enough"})
    ticks = [house.show(run["id"])["variables"]["TICK"] for run in trigger.runs()]
    seconds = [int(datetime.fromisoformat(tick).timestamp()) for tick in ticks]
    assert seconds == list(range(seconds[0], seconds[0] + len(ticks)))


def test_the_next_ticks_are_shown(house: House) -> None:
    """In their zone; what is wrong is named, also when a trigger is made."""
    shown = house.get("/api/cron", expression="30 2 * * *", zone="Europe/Berlin", count=3)
    assert (shown["expression"], shown["zone"], shown["fixed"]) == ("30 2 * * *", "Europe/Berlin", True)
    assert len(shown["ticks"]) == 3
    assert all("T02:30:00+0" in tick["local"] for tick in shown["ticks"] if "-03-" not in tick["local"])
    wrong = house.client.get("/api/cron", params={"expression": "61 * * * *"})
    assert wrong.status_code == 400
    assert "minute '61': expected 0 to 59" in wrong.json()["detail"]
    plan = house.script_plan("true")
    body = {
        "plan": plan,
        "name": "cron",
        "settings": {"kind": "cron", "expression": "0 0 * * *", "zone": "Mars"},
    }
    answer = house.client.post("/api/triggers", json=body)
    assert answer.status_code == 400
    assert "time zone 'Mars'" in answer.json()["detail"]
    body["settings"] = {"kind": "url", "url": "https://example.org/", "look": "json", "path": "a..b"}
    assert "a..b" in house.client.post("/api/triggers", json=body).json()["detail"]
