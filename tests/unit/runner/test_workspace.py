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
from tests.unit.runner.decoy import Decoy

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
                (self.place / name).parent.mkdir(exist_ok=True)
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
    return sorted((own.folder / "workspaces").glob("*/workspace"))


async def test_the_next_attempt_finds_what_the_last_one_left(own: Bench, repository: Git | Svn) -> None:
    """Files of its own stay, those of the repository are as the revision has them, under the same path."""
    first = repository.commit(file="one\n", other="x")
    second = repository.commit(file="two\n", other=None)
    attempt = keeping(own, repository, first, f"pwd; {BUILD}; echo spoiled > file")
    assert (await own.carry(attempt)).outcome.state == "passed", attempt.system
    path, *rest = attempt.stdout.decode().splitlines()
    assert rest == ["one", "other", "2"]
    assert f"workspace {Path(path).parent.name}, which is kept: new\n" in attempt.system
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


# What a job may leave; {decoy} is a folder outside, {place} the workspace, both always given in full.
SPOILED = {
    "damaged": "touch .git/stray .svn/stray; rm -rf .git/HEAD .svn/wc.db",
    "nonsense": "echo no > .git/index; echo no > .svn/wc.db",
    "locked": "touch .git/index.lock; svn propset svn:eol-style LF file; mv file elsewhere",
    "empty": "rm -rf .svn .git; mkdir .git .svn",
    "read-only": "chmod 500 .",
    "closed": "mkdir shut; touch shut/x; chmod 0 shut .",
    "file": "cd ..; rm -rf {place}; touch {place}",
    "gone": "cd ..; rm -rf {place}",
    "links": "rm -rf .git .svn; ln -s {decoy} .git; ln -s {decoy} .svn",
    "link for all": "cd ..; rm -rf {place}; ln -s {decoy} {place}",
    "link for its place": "cd ../..; rm -rf {home}; ln -s {decoy} {home}",
    "links for files": "ln -sf {decoy}/file file; ln -sf {decoy}/config .git/config; ln -sf {decoy}/file .svn/wc.db",
    "links in .git": "rm -rf .git/objects .git/refs .git/info .git/index .git/HEAD; for n in objects refs info index HEAD;"
    " do ln -s {decoy} .git/$n; done",
    "links in .svn": "rm -rf .svn/pristine .svn/tmp; ln -s {decoy} .svn/pristine; ln -s {decoy} .svn/tmp",
    "link for a folder": "rm -rf inner; ln -s {decoy}/inner inner",
    "link for a new folder": "ln -s {decoy}/inner later",
    "hard links": "rm file; ln {decoy}/file file; ln {decoy}/file inner/more",
    "links beside it": "rm -f ../inventory; ln -s {decoy}/file ../inventory",
    "a folder beside it": "rm -f ../inventory; mkdir ../inventory",
}


@pytest.mark.parametrize("spoil", SPOILED.values(), ids=SPOILED)
async def test_a_spoiled_workspace_serves_again(
    own: Bench, repository: Git | Svn, spoil: str, tmp_path: Path
) -> None:
    """Emptied where there is no other way; nothing outside of it is touched, and the next attempt finds what it should."""
    decoy = Decoy(tmp_path)
    first = repository.commit(**{"file": "one\n", "inner/file": "one\n", "inner/other": "one\n"})
    second = repository.commit(
        **{"file": "two\n", "inner/file": "two\n", "inner/other": None, "later/file": "two\n"}
    )
    look = "pwd; cat file inner/file; ls inner later 2>/dev/null || true"
    attempt = keeping(own, repository, first, look)
    assert (await own.carry(attempt)).outcome.state == "passed", attempt.system
    place, *_ = attempt.stdout.decode().splitlines()
    assert place.startswith(f"{own.folder}/workspaces/")
    script = spoil.format(decoy=decoy, place=place, home=Path(place).parent)
    spoiling = keeping(
        own, repository, first, f"set +e\n{script}\ntrue"
    )  # git's and svn's, whichever is there
    assert (await own.carry(spoiling)).outcome.state == "passed", spoiling.system
    assert decoy.untouched
    again = keeping(own, repository, second, look)
    assert (await own.carry(again)).outcome.state == "passed", again.system
    assert decoy.untouched
    assert again.stdout.decode().splitlines()[:3] == [place, "two", "two"]
    assert "other" not in again.stdout.decode().splitlines()
    own_data = ".git" if isinstance(repository, Git) else ".svn"
    for name in ("", own_data, "file", "inner", "inner/file", "later"):
        assert not (Path(place) / name).is_symlink(), name
    assert not (Path(place) / own_data / "stray").exists()


async def test_what_is_up_to_date_is_not_written_again(own: Bench, repository: Git | Svn) -> None:
    """By its time a build knows a file that did not change; what a job changed is as the repository has it."""
    first = repository.commit(same="same\n", file="one\n")
    second = repository.commit(file="two\n")
    times: list[str] = []
    for revision in (first, second, first, second):
        script = "stat -c %y.%i same; cat same file; echo spoiled > file"
        attempt = keeping(own, repository, revision, script)
        assert (await own.carry(attempt)).outcome.state == "passed", attempt.system
        time_of, *rest = attempt.stdout.decode().splitlines()
        times.append(time_of)
        assert rest == ["same", "one" if revision == first else "two"]
    assert len(set(times)) == 1
    await own.carry(keeping(own, repository, second, "rm same; echo else > same"))
    last = keeping(own, repository, second, "cat same")
    await own.carry(last)
    assert last.stdout == b"same\n"


async def test_what_a_checkout_left_half_done_is_emptied(own: Bench, repository: Git | Svn) -> None:
    """Without an inventory nothing is known of it."""
    revision = repository.commit(file="one\n")
    await own.carry(keeping(own, repository, revision, "touch built"))
    (place,) = kept(own)
    (place.parent / "inventory").unlink()
    again = keeping(own, repository, revision, "ls")
    await own.carry(again)
    assert again.stdout == b"file\n"


async def test_settings_that_a_job_left_are_not_heeded(own: Bench, tmp_path: Path) -> None:
    """Neither programs that git would start, nor files outside that its index would name."""
    repository, ran = Git(tmp_path / "wheels"), tmp_path / "ran"
    first, second = repository.commit(file="one\n"), repository.commit(file="two\n")
    leave = (
        f"git config core.fsmonitor 'touch {ran}'; git config core.sshCommand 'touch {ran}';"
        f" git config filter.x.smudge 'touch {ran}; cat'; git config core.hooksPath hooks; mkdir hooks .git/hooks;"
        f" printf '#!/bin/sh\\ntouch {ran}\\n' | tee hooks/post-checkout > .git/hooks/post-checkout;"
        " chmod +x hooks/* .git/hooks/*; mkdir -p .git/info; echo '* filter=x' > .git/info/attributes"
    )
    assert (await own.carry(keeping(own, repository, first, leave))).outcome.state == "passed"
    again = keeping(own, repository, second, "cat file; git config --list --local")
    assert (await own.carry(again)).outcome.state == "passed", again.system
    assert again.stdout.startswith(b"two\n")
    assert b"filter" not in again.stdout
    assert not ran.exists()


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
    for expected in (b"1\n", b"2\n"):
        attempt = own.attempt("echo x >> count; wc -l < count", workspace="keep")
        assert (await own.carry(attempt)).outcome.state == "passed"
        assert attempt.stdout == expected


async def test_kept_workspaces_are_removed_by_age_and_size(own: Bench) -> None:
    """As mirrors are, the longest unused first; never one that a job works in."""
    gate = own.folder / "gate"
    attempt = own.attempt(f"pwd; while [ ! -e {gate} ]; do sleep 0.01; done", workspace="keep")
    await own.start(attempt)
    path = Path((await until(lambda: attempt.stdout)).decode().strip()).parent
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
    decoy = Decoy(tmp_path)
    for mode in ("clean", "keep"):
        workspace: WorkspaceMode = "keep" if mode == "keep" else "clean"
        attempt = own.attempt("true", workspace=workspace)
        place = attempt.folder.workspace if mode == "clean" else None
        await own.carry(attempt)
        place = place or kept(own)[0]
        assert place.is_relative_to(own.folder)
        attempt = own.attempt(f"cd ..; rm -rf {place}; ln -s {decoy} {place}", workspace=workspace)
        await own.carry(attempt)
        assert not attempt.folder.workspace.is_symlink()
    for mark in (own.folder / "workspaces").glob("*.used"):
        os.utime(mark, (0, 0))
    assert len(remove_unused(own.folder / "workspaces", DAY_S, PLENTY)) == 1
    assert decoy.untouched


def test_links_among_kept_workspaces_are_not_followed(own: Bench, tmp_path: Path) -> None:
    """Neither as a place, nor as a mark, when what is unused is removed."""
    decoy, places = Decoy(tmp_path), own.folder / "workspaces"
    places.mkdir()
    (places / "a-1").symlink_to(decoy.path)
    (places / "b-1.used").symlink_to(decoy.path / "file")
    (places / "c-1.used").symlink_to(decoy.path / "nothing")
    (places / "c-1").mkdir()
    (places / "d-1").mkdir()
    for name in ("a-1.used", "d-1.used"):
        (places / name).touch()
    for mark in places.glob("*.used"):
        os.utime(mark, (0, 0), follow_symlinks=False)
    assert set(remove_unused(places, DAY_S, 0)) == {places / "c-1", places / "d-1"}
    assert decoy.untouched
    assert remove_unused(places / "a-1", DAY_S, 0) == []
    assert decoy.untouched
