"""Filters of paths, from a real push through a real webhook to the run: the plan in the repository, and in the server."""

from __future__ import annotations

import json
import shutil
import subprocess
from pathlib import Path
from typing import Any

import pytest

from tests.integration.test_runs import make_repository
from tests.integration.test_webhooks import HOOK, SECRET, deliver
from tests.support.house import House
from tests.support.waiting import wait_for

PATHS = 'on: {push: {branches: main, paths: ["src/**", "!**/*.md"]}}\n'
HERE = PATHS + "jobs: {here: {steps: [{run: cat src/word}]}}\n"
THERE = PATHS + "jobs: {there: {steps: [{run: cat src/word}]}}\n"
NOT_ASKED = 'it touches docs/page: "on.push.paths" of the plan has src/**, !**/*.md'


class Forge:
    """A bare repository and somebody's clone of it; `project` has its plan in the repository, and one in the server."""

    def __init__(self, house: House, folder: Path) -> None:
        self.house = house
        self.work, self.bare = folder / "work", folder / "bare.git"
        make_repository(self.work, {".tailrace.yml": THERE, "src/word": "first\n"})
        subprocess.run(["git", "clone", "-q", "--bare", str(self.work), str(self.bare)], check=True)
        self.project = house.project(repository=str(self.bare), secret=SECRET)
        house.post("/api/plans", {"project": self.project, "name": "there", "path": ".tailrace.yml"})
        house.plan(HERE, self.project, "here")

    def hook(self) -> None:
        """What is pushed is told by the repository's own hook, as GitHub tells it."""
        hook = self.bare / "hooks" / "post-receive"
        shutil.copy(HOOK, hook)
        hook.chmod(0o755)
        url = f"{self.house.url}/hooks/github/{self.project}"
        for name, value in (("hook-url", url), ("hook-secret", SECRET)):
            subprocess.run(["git", "-C", str(self.bare), "config", f"tailrace.{name}", value], check=True)

    def push(self, files: dict[str, str]) -> tuple[str, str]:
        """Commit these files and push them to main; what it was, and is."""
        git = ["git", "-C", str(self.work), "-c", "user.name=Ada", "-c", "user.email=ada@example.org"]
        before = self._git(*git, "rev-parse", "HEAD")
        for name, text in files.items():
            path = self.work / name
            path.parent.mkdir(exist_ok=True)
            path.write_text(text)
        self._git(*git, "add", "-A")
        self._git(*git, "commit", "-q", "-m", "A change")
        self._git(*git, "push", "-q", str(self.bare), "HEAD:refs/heads/main")
        return before, self._git(*git, "rev-parse", "HEAD")

    def tell(self, before: str, after: str) -> dict[str, Any]:
        """A push as a sender tells it who names no paths: its list of commits was cut; the answer."""
        commits = [{"id": after, "message": "A change", "author": {"name": "Ada"}}]
        body = {
            "ref": "refs/heads/main",
            "before": before,
            "after": after,
            "commits": commits,
            "head_commit": commits[0],
            "repository": {"name": "bare", "full_name": "ada/bare", "default_branch": "main"},
            "pusher": {"name": "Ada"},
            "sender": {"login": "ada"},
        }
        answer = deliver(self.house, json.dumps(body).encode(), project=self.project)
        assert answer.status_code == 202, answer.text
        return answer.json()

    def outcomes(self) -> dict[str, dict[str, Any]]:
        """What each plan made of the newest delivery."""
        newest = self.house.get("/api/deliveries", project=self.project)["items"][0]
        shown = self.house.get(f"/api/deliveries/{newest['id']}")
        return {one["plan_name"]: one for one in shown["delivery"]["outcomes"]}

    def runs(self, after: int = 0) -> dict[str, dict[str, Any]]:
        """The runs that came since, by their plans, once they have ended."""

        def ended() -> dict[str, dict[str, Any]] | None:
            found = [
                one for one in self.house.get("/api/runs", project=self.project)["items"] if one["id"] > after
            ]
            if any(one["state"] not in ("passed", "failed", "aborted", "skipped") for one in found):
                return None
            return {one["plan_name"]: one for one in found}

        return wait_for(ended, "the runs to end")

    def _git(self, *command: str) -> str:
        return subprocess.run(command, check=True, capture_output=True, text=True).stdout.strip()


@pytest.fixture
def forge(home: House, tmp_path: Path) -> Forge:
    return Forge(home, tmp_path)


def test_the_paths_that_a_hook_tells_decide(forge: Forge) -> None:
    """Each commit of the push counts; a plan in the repository makes a run that is skipped, one in the server makes none."""
    forge.hook()
    forge.push({"docs/page": "a"})
    runs = forge.runs()
    assert set(runs) == {"there"}
    assert (runs["there"]["state"], runs["there"]["reason"], runs["there"]["detail"]) == (
        "skipped",
        "filtered",
        NOT_ASKED,
    )
    outcome = forge.outcomes()["here"]
    assert (outcome["run"], outcome["why_not"]) == (None, NOT_ASKED)
    last = runs["there"]["id"]
    forge.push({"src/word": "second\n", "docs/page": "b"})
    runs = forge.runs(last)
    assert {name: run["state"] for name, run in runs.items()} == {"here": "passed", "there": "passed"}
    assert all(one["run"] == runs[name]["id"] for name, one in forge.outcomes().items())
    log = forge.house.wait_log(runs["here"]["id"])["log"]
    assert forge.house.output(log, "stdout").endswith(b"second\n")


def test_what_is_left_out_starts_nothing(forge: Forge) -> None:
    """A path that a pattern takes, and another takes away again."""
    forge.hook()
    forge.push({"src/notes.md": "x"})
    assert {name: run["state"] for name, run in forge.runs().items()} == {"there": "skipped"}
    assert "it touches src/notes.md" in forge.outcomes()["here"]["why_not"]


def test_git_is_asked_where_the_sender_names_no_paths(forge: Forge) -> None:
    """Then the plan in the server makes a run too, that is skipped when git has answered."""
    forge.tell(*forge.push({"docs/page": "a"}))
    runs = forge.runs()
    assert {(name, run["state"], run["detail"]) for name, run in runs.items()} == {
        ("here", "skipped", NOT_ASKED),
        ("there", "skipped", NOT_ASKED),
    }
    forge.tell(*forge.push({"src/word": "second\n"}))
    runs = forge.runs(max(run["id"] for run in runs.values()))
    assert {name: run["state"] for name, run in runs.items()} == {"here": "passed", "there": "passed"}


def test_a_change_of_which_nobody_knows_the_paths_is_not_missed(forge: Forge) -> None:
    """What the branch was before is gone: it was rewritten, and nobody can tell what has changed."""
    _, after = forge.push({"docs/page": "a"})
    forge.tell("1" * 40, after)
    assert {name: run["state"] for name, run in forge.runs().items()} == {"here": "passed", "there": "passed"}


def test_a_filter_that_comes_with_the_push_counts(forge: Forge) -> None:
    """The plan in the repository is read at the commit that was pushed."""
    forge.hook()
    wider = THERE.replace("src/**", "docs/**")
    (forge.work / ".tailrace.yml").write_text(wider)
    forge.push({"docs/page": "a"})
    assert {name: run["state"] for name, run in forge.runs().items()} == {"there": "passed"}
