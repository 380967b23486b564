"""The checkout step, from real Subversion repositories."""

from __future__ import annotations

import asyncio
import os
from pathlib import Path

import pytest

from tailrace.domain.plan import Submodules
from tailrace.domain.plan.model import WorkspaceMode
from tailrace.runner.command import send_abort
from tailrace.runner.warm import WarmParent
from tests.support.svn import PASSWORD, SvnRepository, served, with_login
from tests.unit.runner.bench import Bench, Carried

SHOW = 'cat file; echo " $TAILRACE_REVISION $TAILRACE_REF $(svn info --show-item relative-url)"; svn status'


@pytest.fixture
def repository(tmp_path: Path) -> SvnRepository:
    """2: a file on trunk; 3: another text; 4: a branch; 5: a change on it."""
    made = SvnRepository(tmp_path / "wheels")
    made.commit("First", {"trunk/file": "first", "trunk/größe @1/x": "x"})
    made.commit("Second", {"trunk/file": "second"})
    made.copy("trunk", "branches/topic")
    made.commit("Topic", {"branches/topic/file": "topic"})
    return made


def attempt_of(
    own: Bench,
    repository: SvnRepository,
    script: str = SHOW,
    *,
    address: str | None = None,
    revision: str = "3",
    ref: str = "trunk",
    workspace: WorkspaceMode = "clean",
) -> Carried:
    return own.attempt(
        script,
        checkout=True,
        repository=address or repository.address,
        revision=revision,
        ref=ref,
        workspace=workspace,
    )


@pytest.mark.parametrize(
    ("revision", "ref", "content"),
    [("3", "trunk", "second"), ("2", "trunk", "first"), ("5", "branches/topic", "topic")],
)
async def test_a_revision_is_checked_out(
    own: Bench, repository: SvnRepository, revision: str, ref: str, content: str
) -> None:
    """A clean working copy of the branch; svn's words are system text."""
    attempt = attempt_of(own, repository, revision=revision, ref=ref)
    finished = await own.carry(attempt)
    assert finished.outcome.state == "passed", attempt.system
    assert attempt.stdout.decode() == f"{content} {revision} {ref} ^/{ref}\n"
    assert attempt.stderr == b""
    assert attempt.steps == [("checkout", "passed", 0), ("one", "passed", 0)]
    assert f"tailrace: checked out revision {revision} of {repository.address}/{ref}\n" in attempt.system


async def test_the_address_itself_at_its_newest(own: Bench, repository: SvnRepository) -> None:
    """Where neither a folder nor a revision is named, also the second time; TAILRACE_REVISION tells which it was."""
    address = f"{repository.address}/trunk"
    for revision in ("5", "6"):
        attempt = own.attempt(SHOW, checkout=True, repository=address)
        assert (await own.carry(attempt)).outcome.state == "passed", attempt.system
        assert attempt.stdout.decode() == f"{'second' if revision == '5' else 'third'} {revision}  ^/trunk\n"
        repository.commit("Third", {"trunk/file": "third"})


async def test_what_was_fetched_once_is_not_fetched_again(own: Bench, repository: SvnRepository) -> None:
    """The second checkout of a revision needs the mirror alone: the repository may be gone."""
    assert (await own.carry(attempt_of(own, repository))).outcome.state == "passed"
    repository.vanish()
    second = attempt_of(own, repository, "cat file")
    assert (await own.carry(second)).outcome.state == "passed", second.system
    assert second.stdout == b"second"


async def test_another_revision_takes_the_mirror_there(own: Bench, repository: SvnRepository) -> None:
    """Forwards and back; files that the other one has not are gone."""
    later = repository.commit("Third", {"trunk/file": "third", "trunk/new": "new", "trunk/größe @1": None})
    for revision, content in (("2", "first"), (later, "third"), ("3", "second")):
        attempt = attempt_of(own, repository, f"ls -d [a-z]*; {SHOW}", revision=revision)
        assert (await own.carry(attempt)).outcome.state == "passed", attempt.system
        names = "file\nnew\n" if revision == later else "file\ngröße @1\n"
        assert attempt.stdout.decode() == f"{names}{content} {revision} trunk ^/trunk\n"
    assert len(list((own.folder / "mirrors").glob("*.svn"))) == 1


async def test_checkouts_at_the_same_time_share_one_mirror(own: Bench, repository: SvnRepository) -> None:
    """All of them end with the right files."""
    attempts = [attempt_of(own, repository, "cat file", revision=rev) for rev in ("2", "3", "5") * 2]
    ends = await asyncio.gather(*(own.carry(attempt) for attempt in attempts))
    assert [end.outcome.state for end in ends] == ["passed"] * 6
    assert [attempt.stdout for attempt in attempts] == [b"first", b"second", b"second"] * 2


async def test_a_workspace_is_its_own(own: Bench, repository: SvnRepository) -> None:
    """What a job changes reaches neither the mirror nor another job's workspace."""
    spoil = attempt_of(own, repository, "echo spoiled > file; rm -r gr*; svn propset x y .; touch more")
    assert (await own.carry(spoil)).outcome.state == "passed", spoil.system
    again = attempt_of(own, repository)
    assert (await own.carry(again)).outcome.state == "passed"
    assert again.stdout.decode() == "second 3 trunk ^/trunk\n"


async def test_svn_that_was_killed_leaves_nothing_in_the_way(own: Bench, repository: SvnRepository) -> None:
    """A mirror that was being changed, or cannot be used any more, is put right or made anew."""
    assert (await own.carry(attempt_of(own, repository))).outcome.state == "passed"
    (mirror,) = (own.folder / "mirrors").glob("*.svn")
    for spoil in (lambda: (mirror / "file").unlink(), lambda: (mirror / ".svn/wc.db").write_bytes(b"no")):
        spoil()
        mirror.with_suffix(".at").unlink()
        attempt = attempt_of(own, repository)
        assert (await own.carry(attempt)).outcome.state == "passed", attempt.system
        assert attempt.stdout.decode() == "second 3 trunk ^/trunk\n"
    assert "checking out anew" in attempt.system


async def test_a_login_is_nowhere_to_be_seen(own: Bench, repository: SvnRepository) -> None:
    """Not in svn's command line or environment while it runs, not in the workspace, not in the log."""
    with served(repository) as address:
        right = with_login(address)
        attempt = attempt_of(own, repository, f"{SHOW}; cat .svn/* | grep -c -a ss.w", address=right)
        assert (await own.carry(attempt)).outcome.reason == "exit_code", attempt.system
        assert attempt.stdout.decode() == "second 3 trunk ^/trunk\n0\n"
        assert not attempt.folder.svn.exists()
        wrong = attempt_of(own, repository, address=right.replace("kim:", "kim:x"), revision="2")
        outcome = (await own.carry(wrong)).outcome
    assert outcome.reason == "source_unreachable"
    assert outcome.detail is not None
    assert outcome.detail.endswith("Authentication error from server: Password incorrect")
    for seen in (attempt, wrong):
        assert PASSWORD not in seen.system
        assert "ss%20w" not in seen.system


async def test_svn_is_told_the_login_by_its_input(
    own: Bench, repository: SvnRepository, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A program in svn's place sees neither user nor password in its arguments and its environment."""
    svn = tmp_path / "bin" / "svn"
    svn.parent.mkdir()
    svn.write_text(f'#!/bin/sh\n{{ echo "$@"; env; }} > {tmp_path}/seen\ncat > {tmp_path}/told\nexit 1\n')
    svn.chmod(0o755)
    monkeypatch.setenv("PATH", f"{svn.parent}:{os.environ['PATH']}")
    attempt = attempt_of(own, repository, address=with_login("svn+https://svn.invalid/wheels"))
    assert (await own.carry(attempt)).outcome.reason == "setup_failed"
    seen = (tmp_path / "seen").read_text()
    assert "https://svn.invalid/wheels/trunk@3" in seen
    assert "kim" not in seen
    assert "ss" + " w" not in seen
    assert "ss%20w" not in seen
    assert (tmp_path / "told").read_text() == PASSWORD


async def test_externals_come_where_they_are_wanted(own: Bench, repository: SvnRepository) -> None:
    """And not where the password in the address would be offered to whoever they name."""
    repository.svn("propset", "svn:externals", "^/branches/topic inner", "trunk", folder=repository.work)
    number = repository.commit("With an external", {"trunk/more": "more"})
    cases: tuple[tuple[Submodules, str], ...] = (("none", ""), ("direct", "topic"), ("recursive", "topic"))
    for wanted, content in cases:
        attempt = own.attempt(
            "cat inner/file || true",
            checkout=True,
            submodules=wanted,
            repository=repository.address,
            revision=number,
            ref="trunk",
        )
        assert (await own.carry(attempt)).outcome.state == "passed", attempt.system
        assert attempt.stdout.decode() == content
    address = "svn://kim:sesame@svn.invalid/wheels"
    refused = own.attempt(checkout=True, submodules="direct", repository=address, revision="1", ref="trunk")
    outcome = (await own.carry(refused)).outcome
    assert outcome.reason == "setup_failed"
    assert "svn would give the password" in (outcome.detail or "")
    assert "sesame" not in (outcome.detail or "")


@pytest.mark.parametrize(
    ("revision", "ref", "said"),
    [
        ("99", "trunk", "No such revision 99"),
        ("3", "branches/nope", "doesn't exist"),
        ("--config-dir=x", "trunk", "is not a number"),
        ("3", "../../etc", "is not the path of a folder"),
    ],
)
async def test_what_is_not_there_fails_the_setup(
    own: Bench, repository: SvnRepository, revision: str, ref: str, said: str
) -> None:
    """The detail names repository, revision and what svn said; the job's own steps are skipped."""
    attempt = attempt_of(own, repository, revision=revision, ref=ref)
    outcome = (await own.carry(attempt)).outcome
    assert (outcome.state, outcome.reason) == ("failed", "setup_failed")
    assert outcome.detail is not None
    assert outcome.detail.startswith(f"cannot check out revision {revision} of {repository.address}/{ref}: ")
    assert said in outcome.detail
    assert [step[:2] for step in attempt.steps] == [("checkout", "failed"), ("one", "skipped")]


async def test_a_repository_that_is_away_is_unreachable(own: Bench, repository: SvnRepository) -> None:
    """Also when there is a mirror of another revision, which stays."""
    assert (await own.carry(attempt_of(own, repository))).outcome.state == "passed"
    repository.vanish()
    attempt = attempt_of(own, repository, revision="2")
    outcome = (await own.carry(attempt)).outcome
    assert outcome.reason == "source_unreachable"
    assert "Unable to open repository" in (outcome.detail or "")
    (mirror,) = (own.folder / "mirrors").glob("*.svn")
    assert (mirror / "file").exists()


async def test_an_abort_during_the_checkout(own: Bench) -> None:
    """A checkout that hangs, because its server says nothing, is ended like any step."""
    asked = asyncio.Event()

    async def say_nothing(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        asked.set()
        await reader.read()
        writer.close()

    server = await asyncio.start_server(say_nothing, "127.0.0.1", 0)
    async with server:
        address = f"svn://127.0.0.1:{server.sockets[0].getsockname()[1]}/r"
        attempt = own.attempt("echo never", checkout=True, repository=address, revision="1", grace_s=0.2)
        await own.start(attempt)
        await asked.wait()
        assert await send_abort(attempt.folder, "kim")
        outcome = (await own.end(attempt)).outcome
    assert outcome.state == "aborted"
    assert [step[:2] for step in attempt.steps] == [("checkout", "aborted"), ("one", "skipped")]
    assert attempt.processes == []


async def test_a_machine_without_svn(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The detail says what is missing, and where."""
    monkeypatch.setenv("PATH", str(tmp_path))
    warm = WarmParent(tmp_path)
    bench = Bench(tmp_path, warm)
    attempt = bench.attempt(checkout=True, repository="svn://127.0.0.1/r", revision="1")
    outcome = (await bench.carry(attempt)).outcome
    assert outcome.reason == "setup_failed"
    assert outcome.detail == f"step 'checkout' needs svn, which is not installed on {os.uname().nodename}"
    await warm.close(leave=True)
