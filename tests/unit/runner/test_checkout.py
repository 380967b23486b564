"""The checkout step, from real repositories."""

from __future__ import annotations

import asyncio
import os
from pathlib import Path

import pytest

from tailrace.runner.command import send_abort
from tailrace.runner.warm import WarmParent
from tests.unit.runner.bench import Bench, git


@pytest.fixture
def repository(tmp_path: Path) -> Path:
    """Two commits on main, one on a branch, one that only `refs/pull/1/head` knows."""
    place = tmp_path / "repo"
    place.mkdir()
    git(place, "init", "-q")
    for count in ("first", "second"):
        (place / "file").write_text(count)
        git(place, "add", ".")
        git(place, "commit", "-q", "-m", count)
    git(place, "checkout", "-q", "-b", "topic")
    (place / "file").write_text("topic")
    git(place, "commit", "-q", "-a", "-m", "topic")
    (place / "file").write_text("pull")
    git(place, "commit", "-q", "-a", "-m", "pull")
    git(place, "update-ref", "refs/pull/1/head", "HEAD")
    git(place, "reset", "-q", "--hard", "HEAD~1")
    git(place, "checkout", "-q", "main")
    return place


SHOW = 'cat file; echo " $TAILRACE_REVISION $(git rev-parse HEAD) $(git status --porcelain | wc -l)"'


@pytest.mark.parametrize(
    ("name", "content"),
    [("main", "second"), ("main~1", "first"), ("topic", "topic"), ("refs/pull/1/head", "pull")],
)
async def test_a_revision_is_checked_out(bench: Bench, repository: Path, name: str, content: str) -> None:
    """Any commit by its id, clean, detached; its id is in the environment; git's words are system text."""
    revision = git(repository, "rev-parse", name)
    attempt = bench.attempt(SHOW, checkout=True, repository=str(repository), revision=revision)
    finished = await bench.carry(attempt)
    assert finished.outcome.state == "passed", attempt.whole[1].decode()
    assert attempt.stdout.decode() == f"{content} {revision} {revision} 0\n"
    assert attempt.stderr == b""
    assert attempt.steps == [("checkout", "passed", 0), ("one", "passed", 0)]
    assert f"tailrace: checked out {revision} of {repository}\n" in attempt.system
    assert attempt.at(attempt.whole[1].index(content.encode() + b" ")).step == 1


async def test_the_default_branch_where_no_revision_is_named(bench: Bench, repository: Path) -> None:
    """Its tip; TAILRACE_REVISION tells which commit it was."""
    tip = git(repository, "rev-parse", "main")
    attempt = bench.attempt(SHOW, checkout=True, repository=f"file://{repository}")
    await bench.carry(attempt)
    assert attempt.stdout.decode() == f"second {tip} {tip} 0\n"


async def test_a_branch_tip_by_name(bench: Bench, repository: Path) -> None:
    """A person who starts a run may name a branch."""
    tip = git(repository, "rev-parse", "topic")
    attempt = bench.attempt(SHOW, checkout=True, repository=str(repository), revision="topic")
    await bench.carry(attempt)
    assert attempt.stdout.decode() == f"topic {tip} {tip} 0\n"


async def test_a_short_commit_id_needs_everything(bench: Bench, repository: Path) -> None:
    """What a server does not give alone is found in all that it gives."""
    tip = git(repository, "rev-parse", "main~1")
    attempt = bench.attempt(SHOW, checkout=True, repository=str(repository), revision=tip[:10])
    await bench.carry(attempt)
    assert attempt.stdout.decode() == f"first {tip} {tip} 0\n"
    assert "fetching all branches and tags" in attempt.system


async def test_a_server_that_refuses_commits_by_id(bench: Bench, repository: Path) -> None:
    """A commit outside branches and tags is found through the run's own ref."""
    revision = git(repository, "rev-parse", "refs/pull/1/head")
    attempt = bench.attempt(
        SHOW, checkout=True, repository=str(repository), revision=revision[:12], ref="refs/pull/1/head"
    )
    await bench.carry(attempt)
    assert attempt.stdout.decode().startswith(f"pull {revision} ")


async def test_a_missing_revision_fails_the_setup(bench: Bench, repository: Path) -> None:
    """The detail names repository, revision and what git said; the job's own steps are skipped."""
    attempt = bench.attempt(
        "echo never", checkout=True, repository=str(repository), revision="0123456789" * 4
    )
    outcome = (await bench.carry(attempt)).outcome
    assert (outcome.state, outcome.reason) == ("failed", "setup_failed")
    assert outcome.detail is not None
    assert outcome.detail.startswith(f"cannot check out {'0123456789' * 4} of {repository}: fatal: ")
    assert [step[:2] for step in attempt.steps] == [("checkout", "failed"), ("one", "skipped")]


async def test_a_missing_repository_is_unreachable(bench: Bench, tmp_path: Path) -> None:
    """The detail names it and what git said; credentials in its address are hidden."""
    attempt = bench.attempt("echo never", checkout=True, repository=str(tmp_path / "none"), revision="main")
    outcome = (await bench.carry(attempt)).outcome
    assert (outcome.state, outcome.reason) == ("failed", "source_unreachable")
    assert outcome.detail is not None
    assert outcome.detail.startswith(f"cannot fetch main of {tmp_path}/none: fatal: ")
    attempt = bench.attempt(checkout=True, repository="http://kim:s3cret@127.0.0.1:1/repo", revision="main")
    outcome = (await bench.carry(attempt)).outcome
    assert outcome.reason == "source_unreachable"
    assert outcome.detail is not None
    assert "http://***@127.0.0.1:1/repo" in outcome.detail
    assert "s3cret" not in outcome.detail


async def test_an_empty_repository_has_no_default_branch(bench: Bench, tmp_path: Path) -> None:
    """It can be reached, so the setup failed."""
    git(tmp_path, "init", "-q", "empty")
    attempt = bench.attempt(checkout=True, repository=str(tmp_path / "empty"))
    outcome = (await bench.carry(attempt)).outcome
    assert outcome.reason == "setup_failed"
    assert outcome.detail is not None
    assert outcome.detail.startswith(f"cannot find the default branch of {tmp_path}/empty: fatal: ")


async def test_values_that_git_would_take_for_options_are_refused(bench: Bench, repository: Path) -> None:
    """A revision comes from outside."""
    attempt = bench.attempt(
        checkout=True, repository=str(repository), revision="--upload-pack=touch /tmp/pwned"
    )
    outcome = (await bench.carry(attempt)).outcome
    assert outcome.reason == "setup_failed"
    assert outcome.detail is not None
    assert "must not be empty or begin with '-'" in outcome.detail


async def test_an_abort_during_the_checkout(bench: Bench) -> None:
    """A fetch that hangs, because its server says nothing, is ended like any step."""
    asked = asyncio.Event()

    async def say_nothing(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        asked.set()
        await reader.read()
        writer.close()

    server = await asyncio.start_server(say_nothing, "127.0.0.1", 0)
    async with server:
        port = server.sockets[0].getsockname()[1]
        attempt = bench.attempt(
            "echo never", checkout=True, repository=f"git://127.0.0.1:{port}/r", revision="main", grace_s=0.2
        )
        await bench.start(attempt)
        await asked.wait()
        assert await send_abort(attempt.folder, "kim")
        outcome = (await bench.end(attempt)).outcome
    assert outcome.state == "aborted"
    assert [step[:2] for step in attempt.steps] == [("checkout", "aborted"), ("one", "skipped")]
    assert attempt.processes == []


async def test_a_machine_without_git(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The detail says what is missing, and where."""
    monkeypatch.setenv("PATH", str(tmp_path))
    warm = WarmParent(tmp_path)
    bench = Bench(tmp_path, warm)
    attempt = bench.attempt(checkout=True, revision="main")
    outcome = (await bench.carry(attempt)).outcome
    assert outcome.reason == "setup_failed"
    assert outcome.detail == f"step 'checkout' needs git, which is not installed on {os.uname().nodename}"
    await warm.close(leave=True)


@pytest.mark.skipif(os.geteuid() != 0, reason="only root can give a repository to another user")
async def test_a_repository_of_another_user(bench: Bench, repository: Path) -> None:
    """Git's guard against other people's configuration does not stop a checkout."""
    for path in (repository, *repository.rglob("*")):
        os.chown(path, 65534, 65534, follow_symlinks=False)
    attempt = bench.attempt("cat file", checkout=True, repository=str(repository), revision="main")
    finished = await bench.carry(attempt)
    assert finished.outcome.state == "passed", attempt.system
    assert attempt.stdout == b"second"
