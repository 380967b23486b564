"""Workspaces that jobs keep, with git, with Subversion and without a checkout."""

from __future__ import annotations

import asyncio
import os
import time
from pathlib import Path

import pytest

from tailrace.domain.plan.model import WorkspaceMode
from tailrace.runner.shared import remove_unused
from tests.support.svn import SvnRepository
from tests.unit.runner.bench import Bench, Carried, git, until

DAY_S = 86_400.0
PLENTY = 1 << 40
# What the repository says, what was there before, and what is added now.
BUILD = "cat file; ls -d built other 2>/dev/null || true; ls | wc -l; touch built"


class Git:
    """Revisions by the content of `file`."""

    def __init__(self, place: Path) -> None:
        place.mkdir()
        git(place, "init", "-q")
        self.place, self.address, self.ref = place, str(place), None

    def commit(self, **files: str | None) -> str:
        for name, text in files.items():
            if text is None:
                (self.place / name).unlink()
            else:
                (self.place / name).write_text(text)
        git(self.place, "add", "-A")
        git(self.place, "commit", "-q", "-m", "change")
        return git(self.place, "rev-parse", "HEAD")


class Svn:
    """The same of Subversion."""

    def __init__(self, place: Path) -> None:
        self._made = SvnRepository(place)
        self.address, self.ref = self._made.address, "trunk"

    def commit(self, **files: str | None) -> str:
        return self._made.commit("change", {f"trunk/{name}": text for name, text in files.items()})


@pytest.fixture(params=[Git, Svn])
def repository(request: pytest.FixtureRequest, tmp_path: Path) -> Git | Svn:
    return request.param(tmp_path / "wheels")


def keeping(
    own: Bench,
    repository: Git | Svn,
    revision: str,
    script: str = BUILD,
    workspace: WorkspaceMode = "keep",
) -> Carried:
    return own.attempt(
        script,
        checkout=True,
        repository=repository.address,
        revision=revision,
        ref=repository.ref,
        workspace=workspace,
    )


def kept(own: Bench) -> list[Path]:
    return sorted(path for path in (own.folder / "workspaces").iterdir() if path.is_dir())


async def test_the_next_attempt_finds_what_the_last_one_left(own: Bench, repository: Git | Svn) -> None:
    """Files of its own stay, those of the repository are as the revision has them, under the same path."""
    first = repository.commit(file="one\n", other="x")
    second = repository.commit(file="two\n", other=None)
    attempt = keeping(own, repository, first, f"pwd; {BUILD}; echo spoiled > file")
    assert (await own.carry(attempt)).outcome.state == "passed", attempt.system
    path, *rest = attempt.stdout.decode().splitlines()
    assert rest == ["one", "other", "2"]
    assert f"workspace {Path(path).name}, which is kept: new\n" in attempt.system
    again = keeping(own, repository, second, f"pwd; {BUILD}")
    assert (await own.carry(again)).outcome.state == "passed", again.system
    assert again.stdout.decode().splitlines() == [path, "two", "built", "2"]
    assert "which is kept: as the last attempt left it\n" in again.system
    back = keeping(own, repository, first)
    assert (await own.carry(back)).outcome.state == "passed", back.system
    assert back.stdout.decode().splitlines() == ["one", "built", "other", "3"]
    assert [str(place) for place in kept(own)] == [path]
    assert not list(attempt.folder.path.glob("workspace/*"))


async def test_a_clean_workspace_is_gone_afterwards(own: Bench, repository: Git | Svn) -> None:
    """The default: nothing is found, nothing is left."""
    revision = repository.commit(file="one\n")
    for _ in range(2):
        attempt = keeping(own, repository, revision, workspace="clean")
        assert (await own.carry(attempt)).outcome.state == "passed"
        assert attempt.stdout.decode().splitlines() == ["one", "1"]
        assert not attempt.folder.workspace.exists()
    assert not (own.folder / "workspaces").exists()


async def test_a_file_in_the_way_of_the_revision_gives_way(own: Bench, repository: Git | Svn) -> None:
    """What the job made where the repository now has a file, also a folder."""
    first = repository.commit(file="one\n")
    second = repository.commit(file="two\n", built="theirs\n", other="theirs\n")
    script = "touch built; mkdir -p other; touch other/x; cat file"
    attempt = keeping(own, repository, first, script)
    assert (await own.carry(attempt)).outcome.state == "passed", attempt.system
    again = keeping(own, repository, second, "cat built other")
    assert (await own.carry(again)).outcome.state == "passed", again.system
    assert again.stdout.decode() == "theirs\ntheirs\n"


@pytest.mark.parametrize(
    "spoil",
    [
        "rm -rf .git/HEAD .svn/wc.db",
        "echo no > .git/index; echo no > .svn/wc.db",
        "touch .git/index.lock; svn propset svn:eol-style LF file; mv file elsewhere",
        "rm -rf .svn .git; mkdir .git .svn",
        'rm -rf .git .svn; ln -s "$HOME" .git; ln -s "$HOME" .svn',
        'cd ..; rm -rf "$TAILRACE_WORKSPACE"; touch "$TAILRACE_WORKSPACE"',
        'cd ..; rm -rf "$TAILRACE_WORKSPACE"; ln -s "$HOME" "$TAILRACE_WORKSPACE"',
        "chmod 500 .",
    ],
)
async def test_a_spoiled_workspace_serves_again(
    own: Bench, repository: Git | Svn, spoil: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Emptied where there is no other way; nothing outside of it is touched."""
    home = tmp_path / "home"
    home.mkdir()
    (home / "dear").touch()
    monkeypatch.setenv("HOME", str(home))
    first, second = repository.commit(file="one\n"), repository.commit(file="two\n")
    await own.carry(keeping(own, repository, first, f"{spoil} || true"))
    again = keeping(own, repository, second, "cat file")
    assert (await own.carry(again)).outcome.state == "passed", again.system
    assert again.stdout == b"two\n"
    assert (home / "dear").exists()
    assert not (home / "file").exists()


async def test_attempts_at_the_same_time_have_one_each(
    own: Bench, repository: Git | Svn, tmp_path: Path
) -> None:
    """And the next one takes the first that is free."""
    revision, gate = repository.commit(file="one\n"), tmp_path / "gate"
    script = f"pwd; while [ ! -e {gate} ]; do sleep 0.01; done"
    attempts = [keeping(own, repository, revision, script) for _ in range(2)]
    for attempt in attempts:
        await own.start(attempt)
        await until(lambda attempt=attempt: attempt.stdout)
    gate.touch()
    await asyncio.gather(*(own.end(attempt) for attempt in attempts))
    paths = [attempt.stdout.decode().strip() for attempt in attempts]
    assert paths == [str(place) for place in kept(own)]
    assert len(paths) == 2
    third = keeping(own, repository, revision, "pwd")
    await own.carry(third)
    assert third.stdout.decode().strip() == paths[0]


async def test_a_job_that_checks_nothing_out_keeps_its_files_too(own: Bench) -> None:
    """As it left them."""
    for _ in range(2):
        attempt = own.attempt("echo x >> count; wc -l < count", workspace="keep")
        assert (await own.carry(attempt)).outcome.state == "passed"
    assert attempt.stdout == b"2\n"


async def test_kept_workspaces_are_removed_by_age_and_size(own: Bench) -> None:
    """As mirrors are, the longest unused first; never one that a job works in."""
    gate = own.folder / "gate"
    attempt = own.attempt(f"pwd; while [ ! -e {gate} ]; do sleep 0.01; done", workspace="keep")
    await own.start(attempt)
    path = Path((await until(lambda: attempt.stdout)).decode().strip())
    mark = path.with_name(f"{path.name}.used")
    os.utime(mark, (0, 0))
    assert remove_unused(path.parent, DAY_S, 0) == []
    gate.touch()
    await own.end(attempt)
    assert time.time() - mark.stat().st_mtime < DAY_S, "its last use is its attempt's end"
    assert remove_unused(path.parent, DAY_S, PLENTY) == []
    os.utime(mark, (0, 0))
    assert remove_unused(path.parent, DAY_S, PLENTY) == [path]
    assert not path.exists()


async def test_a_workspace_that_became_a_link_is_not_followed(own: Bench, tmp_path: Path) -> None:
    """What a job put in its place, kept or not, is removed; what it points at is not."""
    dear = tmp_path / "dear"
    dear.mkdir(mode=0o755)
    (dear / "file").touch()
    swap = f'cd /; rm -rf "$TAILRACE_WORKSPACE"; ln -s {dear} "$TAILRACE_WORKSPACE"'
    for mode in ("clean", "keep"):
        workspace: WorkspaceMode = "keep" if mode == "keep" else "clean"
        attempt = own.attempt(swap, workspace=workspace)
        assert (await own.carry(attempt)).outcome.state == "passed"
        assert not attempt.folder.workspace.is_symlink()
    for mark in (own.folder / "workspaces").glob("*.used"):
        os.utime(mark, (0, 0))
    remove_unused(own.folder / "workspaces", DAY_S, PLENTY)
    assert (dear / "file").exists()
    assert dear.stat().st_mode & 0o777 == 0o755
