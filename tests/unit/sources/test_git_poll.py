"""Looking at real git repositories."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pytest

from tailrace.domain.credentials import Remote
from tailrace.domain.errors import SourceUnreachable
from tailrace.domain.events import EventKind
from tailrace.domain.polls import MOST_EARLIER, Found, Wanted, Whom
from tailrace.domain.triggers import GitSettings
from tailrace.sources.git_poll import GitPoll
from tailrace.sources.mirror import Mirrors
from tests.unit.sources.conftest import Repository

MAIN = "refs/heads/main"
EVERY = GitSettings(mode="every")


@pytest.fixture
def poll(mirrors: Mirrors) -> GitPoll:
    return GitPoll(mirrors)


async def _look(
    poll: GitPoll,
    repository: Repository,
    settings: GitSettings,
    seen: Any = None,
    heads: Mapping[str, str] | None = None,
) -> Found:
    return await poll.look(Wanted(repository.address, settings, seen, heads or {}), settings)


def _said(found: Found) -> list[tuple[str, str | None, str]]:
    return [(change.whom, change.event.title, change.event.ref or "") for change in found.changes]


async def test_the_first_look_takes_note_and_changes_nothing(poll: GitPoll, repository: Repository) -> None:
    """And it fetches nothing."""
    revision = repository.commit("One")
    found = await _look(poll, repository, GitSettings())
    assert (found.changes, found.noted, found.seen) == ((), {MAIN: revision}, {"refs": {MAIN: revision}})
    assert found.detail == f"first look: main is at {revision[:12]}"


async def test_what_did_not_move_is_no_change(poll: GitPoll, repository: Repository) -> None:
    """A second look says what the first said."""
    repository.commit("One")
    seen = (await _look(poll, repository, EVERY)).seen
    again = await _look(poll, repository, EVERY, seen)
    assert (again.changes, again.noted, again.gone, again.seen) == ((), {}, (), seen)


async def test_latest_is_one_change_however_many_commits_came(poll: GitPoll, repository: Repository) -> None:
    """With all that filters ask: what was before, the message, the paths."""
    before = repository.commit("One")
    seen = (await _look(poll, repository, GitSettings())).seen
    repository.commit("Two", {"a/two.txt": b"2"})
    revision = repository.commit("Three\n\nAnd why [skip ci]", {"b/drei ä.txt": b"3"})
    found = await _look(poll, repository, GitSettings(), seen)
    (change,) = found.changes
    event = change.event
    assert (change.whom, event.kind, event.ref, event.branch) == (Whom.ALL, EventKind.PUSH, MAIN, "main")
    assert (event.before, event.revision) == (before, revision)
    assert (event.title, event.author) == ("Three", "Mia Miller")
    assert event.message == "Three\n\nAnd why [skip ci]"
    assert event.changed == ("a/two.txt", "b/drei ä.txt")


async def test_every_is_a_change_for_each_commit_oldest_first(poll: GitPoll, repository: Repository) -> None:
    """Those before the newest concern this trigger alone; each names its own paths."""
    repository.commit("One")
    seen = (await _look(poll, repository, EVERY)).seen
    for word in ("Two", "Three", "Four"):
        repository.commit(word, {word: b""})
    found = await _look(poll, repository, EVERY, seen)
    assert _said(found) == [("earlier", "Two", MAIN), ("earlier", "Three", MAIN), ("all", "Four", MAIN)]
    events = [change.event for change in found.changes]
    assert [event.changed for event in events[:2]] == [("Two",), ("Three",)]
    assert events[1].before == events[0].revision


async def test_of_a_merge_every_takes_what_the_branch_was_at(poll: GitPoll, repository: Repository) -> None:
    """Not the commits of the other branch."""
    repository.commit("One")
    seen = (await _look(poll, repository, GitSettings(branches=("main",), mode="every"))).seen
    repository.git("checkout", "--quiet", "-b", "side")
    repository.commit("Side one", {"s1": b""})
    repository.commit("Side two", {"s2": b""})
    repository.git("checkout", "--quiet", "main")
    repository.commit("Two", {"two": b""})
    repository.git("merge", "--quiet", "--no-ff", "-m", "Merge side", "side")
    found = await _look(poll, repository, GitSettings(branches=("main",), mode="every"), seen)
    assert _said(found) == [("earlier", "Two", MAIN), ("all", "Merge side", MAIN)]
    assert found.changes[1].event.changed == ("s1", "s2", "two")


async def test_no_more_than_so_many_commits_of_one_look(poll: GitPoll, repository: Repository) -> None:
    """The newest of them."""
    repository.commit("First")
    seen = (await _look(poll, repository, EVERY)).seen
    for number in range(MOST_EARLIER + 5):
        repository.git("commit", "--quiet", "--allow-empty", "-m", str(number))
    said = _said(await _look(poll, repository, EVERY, seen))
    assert len(said) == MOST_EARLIER + 1
    assert (said[0][1], said[-1][1]) == ("4", str(MOST_EARLIER + 4))


async def test_what_a_webhook_told_is_not_told_again(poll: GitPoll, repository: Repository) -> None:
    """The head is there already; what lies before it may not have been told."""
    repository.commit("One")
    seen = (await _look(poll, repository, EVERY)).seen
    repository.commit("Two")
    revision = repository.commit("Three")
    assert _said(await _look(poll, repository, EVERY, seen, {MAIN: revision})) == [("earlier", "Two", MAIN)]
    assert _said(await _look(poll, repository, GitSettings(), seen, {MAIN: revision})) == []


async def test_there_and_back_are_two_changes(poll: GitPoll, repository: Repository) -> None:
    """A branch that is put back where it was."""
    first = repository.commit("One")
    seen = (await _look(poll, repository, EVERY)).seen
    repository.commit("Two")
    found = await _look(poll, repository, EVERY, seen)
    assert _said(found) == [("all", "Two", MAIN)]
    repository.git("reset", "--quiet", "--hard", first)
    assert _said(await _look(poll, repository, EVERY, found.seen)) == [("all", "One", MAIN)]


async def test_a_branch_that_was_pushed_over(poll: GitPoll, repository: Repository) -> None:
    """What is new on it since the place where it parted; also when nobody has the old commit any more."""
    first = repository.commit("One")
    repository.commit("Old two")
    seen = (await _look(poll, repository, EVERY)).seen
    repository.git("reset", "--quiet", "--hard", first)
    repository.commit("New two")
    repository.commit("New three")
    repository.git("reflog", "expire", "--expire=now", "--all")
    repository.git("gc", "--quiet", "--prune=now")
    assert _said(await _look(poll, repository, EVERY, seen)) == [("all", "New three", MAIN)]


async def test_branches_and_tags_that_come_and_go(poll: GitPoll, repository: Repository) -> None:
    """By their patterns; a tag with a message is the commit that it names."""
    settings = GitSettings(branches=("main", "release*"), tags=("v*",))
    repository.commit("One")
    seen = (await _look(poll, repository, settings)).seen
    revision = repository.git("rev-parse", "HEAD")
    repository.git("branch", "release-1")
    repository.git("branch", "other")
    repository.git("tag", "-a", "-m", "Version 1", "v1")
    repository.git("tag", "nightly")
    found = await _look(poll, repository, settings, seen)
    assert {(c.event.kind, c.event.ref, c.event.branch, c.event.revision) for c in found.changes} == {
        (EventKind.PUSH, "refs/heads/release-1", "release-1", revision),
        (EventKind.TAG, "refs/tags/v1", "v1", revision),
    }
    assert found.detail == "3 branches and tags"
    repository.git("tag", "-d", "v1")
    assert (await _look(poll, repository, settings, found.seen)).gone == ("refs/tags/v1",)


async def test_a_repository_that_is_away_is_an_error(poll: GitPoll, repository: Repository) -> None:
    """Nothing is taken for gone."""
    repository.commit("One")
    seen = (await _look(poll, repository, EVERY)).seen
    repository.vanish()
    with pytest.raises(SourceUnreachable):
        await _look(poll, repository, EVERY, seen)


async def test_an_empty_repository_has_nothing_to_look_at(poll: GitPoll, repository: Repository) -> None:
    """Its first commit is a change."""
    found = await _look(poll, repository, EVERY)
    assert (found.seen, found.detail) == ({"refs": {}}, "first look: no branch and no tag matches")
    repository.commit("One", {"one": b""})
    first = await _look(poll, repository, EVERY, found.seen)
    assert _said(first) == [("all", "One", MAIN)]
    assert first.changes[0].event.changed == ("one",)


@pytest.mark.parametrize("annotated", [False, True])
async def test_a_tag_that_names_no_commit_keeps_nobody_else_from_being_told(
    poll: GitPoll, repository: Repository, annotated: bool
) -> None:
    """As that of a public key in git's own repository; it is said which one, once."""
    settings = GitSettings(branches=("*",), tags=("*",))
    repository.commit("One", {"key": b"key"})
    seen = (await _look(poll, repository, settings)).seen
    repository.git("tag", *(["-a", "-m", "Key"] if annotated else []), "key", "HEAD:key")
    repository.commit("Two")
    found = await _look(poll, repository, settings, seen)
    assert _said(found) == [("all", "Two", MAIN)]
    assert found.detail == "2 branches and tags; tag key names a blob and no commit: it starts nothing"
    again = await _look(poll, repository, settings, found.seen)
    assert (again.changes, again.detail) == ((), "2 branches and tags")


class AheadOfItself(Mirrors):
    """What is said of a repository by a forge that shows a push before it gives its commit (a named stand-in for one)."""

    def __init__(self, folder: Path, ahead: Mapping[str, str]) -> None:
        super().__init__(folder, timeout=30)
        self.ahead = dict(ahead)

    async def refs(self, repository: str | Remote) -> list[tuple[str, str]]:
        known = await super().refs(repository)
        return [(self.ahead.get(ref, hash_), ref) for hash_, ref in known]


@pytest.mark.parametrize("new", [False, True])
async def test_a_commit_that_cannot_be_had_yet_is_a_change_when_it_can(
    tmp_path: Path, repository: Repository, new: bool
) -> None:
    settings = GitSettings(branches=("*",))
    repository.commit("One")
    mirrors = AheadOfItself(tmp_path / "mirrors", {})
    poll = GitPoll(mirrors)
    if not new:
        repository.git("branch", "next")
    seen = (await _look(poll, repository, settings)).seen
    if new:
        repository.git("branch", "next")
    elsewhere = Repository(tmp_path / "elsewhere")
    elsewhere.git("pull", "--quiet", repository.address, "main")
    tip = mirrors.ahead["refs/heads/next"] = elsewhere.commit("Next")
    repository.commit("Two")
    found = await _look(poll, repository, settings, seen)
    assert _said(found) == [("all", "Two", MAIN)]
    assert found.detail.endswith(
        f"the commit {tip[:12]} of branch next cannot be had yet: it is looked for again"
    )
    repository.git("fetch", "--quiet", "--update-head-ok", elsewhere.address, "+main:next")
    assert _said(await _look(poll, repository, settings, found.seen)) == [("all", "Next", "refs/heads/next")]
