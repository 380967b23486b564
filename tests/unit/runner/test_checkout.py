"""The checkout step, from real repositories."""

from __future__ import annotations

import asyncio
import os
from pathlib import Path

import pytest

from tailrace.domain.plan import Submodules
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


async def test_what_was_fetched_once_is_not_fetched_again(own: Bench, repository: Path) -> None:
    """The second checkout of a commit needs the mirror alone: the repository may be gone."""
    revision = git(repository, "rev-parse", "main")
    first = own.attempt(SHOW, checkout=True, repository=str(repository), revision=revision)
    assert (await own.carry(first)).outcome.state == "passed"
    repository.rename(repository.with_name("elsewhere"))
    second = own.attempt(SHOW, checkout=True, repository=str(repository), revision=revision)
    assert (await own.carry(second)).outcome.state == "passed", second.whole[1].decode()
    assert second.stdout.decode() == f"second {revision} {revision} 0\n"


async def test_a_workspace_is_its_own(own: Bench, repository: Path) -> None:
    """What a job commits, branches and configures reaches neither the mirror nor another job's workspace."""
    revision = git(repository, "rev-parse", "main")
    spoil = (
        "git config user.name x; git config user.email x@example.org; git checkout -q -b mine;"
        "echo spoiled > file; git commit -qam spoiled; git gc -q --prune=now"
    )
    attempt = own.attempt(spoil, checkout=True, repository=str(repository), revision=revision)
    assert (await own.carry(attempt)).outcome.state == "passed", attempt.whole[1].decode()
    (mirror,) = (own.folder / "mirrors").glob("*.git")
    assert git(mirror, "for-each-ref") == ""
    again = own.attempt(f"git branch; {SHOW}", checkout=True, repository=str(repository), revision=revision)
    assert (await own.carry(again)).outcome.state == "passed"
    assert "mine" not in again.stdout.decode()
    assert f"second {revision} {revision} 0\n" in again.stdout.decode()


async def test_checkouts_at_the_same_time_share_one_fetch(own: Bench, repository: Path) -> None:
    """All of them end with the right files, although one mirror serves them."""
    names = ("main", "main~1", "topic", "refs/pull/1/head")
    revisions = [git(repository, "rev-parse", name) for name in names]
    attempts = [
        own.attempt("cat file", checkout=True, repository=str(repository), revision=revision)
        for revision in revisions * 2
    ]
    ends = await asyncio.gather(*(own.carry(attempt) for attempt in attempts))
    assert [end.outcome.state for end in ends] == ["passed"] * 8
    assert [attempt.stdout for attempt in attempts] == [b"second", b"first", b"topic", b"pull"] * 2


async def test_the_whole_history_has_branches_and_tags(own: Bench, repository: Path) -> None:
    """`depth: all`, also after a shallow checkout of the same repository."""
    git(repository, "tag", "-m", "a release", "v1", "main~1")
    tip = git(repository, "rev-parse", "main")
    count = "git rev-list --count HEAD; git describe; git rev-parse --is-shallow-repository origin/topic"
    shallow = own.attempt("true", checkout=True, repository=f"file://{repository}", revision=tip)
    assert (await own.carry(shallow)).outcome.state == "passed"
    whole = own.attempt(count, checkout=True, depth=0, repository=f"file://{repository}", revision=tip)
    assert (await own.carry(whole)).outcome.state == "passed", whole.whole[1].decode()
    topic = git(repository, "rev-parse", "topic")
    assert whole.stdout.decode() == f"2\nv1-1-g{tip[:7]}\nfalse\n{topic}\n"


async def test_submodules_are_checked_out_where_they_are_wanted(
    own: Bench, repository: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """At the commit that the revision names; otherwise their folder is empty."""
    outer = tmp_path / "outer"
    outer.mkdir()
    git(outer, "init", "-q")
    git(outer, "-c", "protocol.file.allow=always", "submodule", "--quiet", "add", str(repository), "inner")
    git(outer, "commit", "-q", "-m", "with a submodule")
    home = tmp_path / "home"
    home.mkdir()
    (home / ".gitconfig").write_text('[protocol "file"]\n\tallow = always\n')
    monkeypatch.setenv("HOME", str(home))
    wanted: tuple[tuple[Submodules, str], ...] = (("none", ""), ("direct", "second"))
    for submodules, content in wanted:
        attempt = own.attempt(
            "cat inner/file || true", checkout=True, submodules=submodules, repository=str(outer)
        )
        assert (await own.carry(attempt)).outcome.state == "passed", attempt.whole[1].decode()
        assert attempt.stdout.decode() == content


async def test_git_that_was_killed_leaves_nothing_in_the_way(own: Bench, repository: Path) -> None:
    """A lock file of git's, with nobody behind it."""
    first = own.attempt("true", checkout=True, repository=str(repository), revision="main")
    await own.carry(first)
    (mirror,) = (own.folder / "mirrors").glob("*.git")
    (mirror / "shallow.lock").touch()
    (repository / "file").write_text("third")
    git(repository, "commit", "-q", "-a", "-m", "third")
    second = own.attempt("cat file", checkout=True, repository=str(repository), revision="main")
    assert (await own.carry(second)).outcome.state == "passed", second.whole[1].decode()
    assert second.stdout == b"third"
