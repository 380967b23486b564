"""Run again with what is newest, and abort all runs of a branch: by command and API, on a real server with a real agent."""

from __future__ import annotations

import subprocess
from pathlib import Path

import yaml

from tests.integration.test_commands import tailrace
from tests.integration.test_runs import make_repository
from tests.support.house import House


def _git(folder: Path, *arguments: str) -> str:
    whole = ["git", "-C", str(folder), "-c", "user.name=Ada", "-c", "user.email=ada@example.org", *arguments]
    return subprocess.run(whole, check=True, capture_output=True, text=True).stdout.strip()


def _definition(text: str) -> str:
    return yaml.safe_dump({"jobs": {"job": {"steps": [{"run": f"echo {text}; cat file"}]}}})


def _began(home: House, *arguments: str) -> int:
    done = tailrace(home, "rerun", *arguments)
    assert done.returncode == 0, done.stderr
    return int(done.stdout)


def test_a_run_again_is_the_same_or_of_what_is_newest(home: House, tmp_path: Path) -> None:
    """The plan and the commit, each by itself; the newest commit is that of the run's own branch."""
    repository = tmp_path / "repository"
    make_repository(repository, {"file": "main\n"})
    _git(repository, "checkout", "-q", "-b", "topic")
    (repository / "file").write_text("one\n")
    _git(repository, "commit", "-q", "-a", "-m", "One")
    first = _git(repository, "rev-parse", "HEAD")
    plan = home.plan(_definition("old"), home.project(repository=str(repository)))
    run = home.run(plan, revision="topic")
    assert home.wait_state(run, "passed")["branch"] == "topic"
    (repository / "file").write_text("two\n")
    _git(repository, "commit", "-q", "-a", "-m", "Two")
    second = _git(repository, "rev-parse", "HEAD")
    assert home.client.put(f"/api/plans/{plan}", json={"definition": _definition("new")}).is_success
    for arguments, revision, version, output, title in (
        ((), first, 1, b"old\none\n", "One"),
        (("--plan", "newest"), first, 2, b"new\none\n", "One"),
        (("--revision", "newest"), second, 1, b"old\ntwo\n", "Two"),
        (("--plan", "newest", "--revision", "newest"), second, 2, b"new\ntwo\n", "Two"),
    ):
        shown = home.wait_state(_began(home, str(run), *arguments), "passed")
        found = (shown["revision"], shown["plan_version"], shown["branch"], shown["title"])
        assert found == (revision, version, "topic", title)
        assert home.output(home.wait_log(shown["id"])["log"], "stdout") == output
    refused = home.client.post(f"/api/runs/{run}/rerun", json={"jobs": "failed", "revision": "newest"})
    assert refused.status_code == 422
    assert "leave out" in refused.text


def test_all_runs_of_a_branch_are_aborted_and_no_others(home: House, tmp_path: Path) -> None:
    """Those that wait and those that run; what has ended, other branches and other projects stay."""
    repository = tmp_path / "repository"
    make_repository(repository, {"file": "main\n"})
    _git(repository, "branch", "topic")
    ours, theirs = home.project("branches", str(repository)), home.project(repository=str(repository))
    waiting = home.script_plan("true", name="waiting", project=ours, labels=["nowhere"], checkout=True)
    running = home.script_plan("echo begun; sleep 600", name="running", project=ours, checkout=True)
    ended = home.script_plan("true", name="ended", project=ours, checkout=True)
    foreign = home.script_plan("true", project=theirs, labels=["nowhere"], checkout=True)
    done = home.run(ended, revision="topic")
    home.wait_state(done, "passed")
    first, second = home.run(waiting, revision="topic"), home.run(running, revision="topic")
    stays, other = home.run(waiting, revision="main"), home.run(foreign, revision="topic")
    for run in (first, stays, other):
        home.wait_state(run, "pending")
    home.wait_state(second, "running")
    home.wait_output(second, b"begun")
    aborted = tailrace(home, "abort", "--project", "branches", "--branch", "topic")
    assert (aborted.returncode, aborted.stdout.split()) == (0, [str(first), str(second)]), aborted.stderr
    home.wait_state(first, "aborted")
    home.wait_state(second, "aborted")
    assert [home.show(run)["state"] for run in (done, stays, other)] == ["passed", "pending", "pending"]
    nothing = home.post("/api/runs/abort", {"project": ours, "branch": "topic"})
    assert nothing == {"runs": []}
    assert home.client.post("/api/runs/abort", json={"project": 999999, "branch": "x"}).status_code == 404
    assert tailrace(home, "abort", "--branch", "topic").returncode == 2
    for run in (stays, other):
        home.post(f"/api/runs/{run}/abort")
