"""Looking at real Subversion repositories, also those of a server that asks who is there."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pytest

from tailrace.domain.errors import SourceUnreachable
from tailrace.domain.events import EventKind
from tailrace.domain.polls import Found, Wanted, Whom
from tailrace.domain.triggers import SubversionSettings
from tailrace.sources.subversion import Subversion
from tailrace.sources.svn_poll import SubversionPoll, branch_folder
from tests.support.svn import PASSWORD, USER, SvnRepository, served

TRUNK = SubversionSettings(path="trunk")


@pytest.fixture
def repository(tmp_path: Path) -> SvnRepository:
    return SvnRepository(tmp_path / "repositories" / "wheel")


@pytest.fixture
def poll(tmp_path: Path) -> SubversionPoll:
    return SubversionPoll(Subversion(tmp_path / "mirrors", timeout=30))


async def _look(
    poll: SubversionPoll,
    address: str,
    settings: SubversionSettings,
    seen: Any = None,
    heads: Mapping[str, str] | None = None,
    secrets: Mapping[str, str] | None = None,
) -> Found:
    return await poll.look(Wanted(address, settings, seen, heads or {}, secrets or {}), settings)


def _said(found: Found) -> list[tuple[str, str | None, str | None]]:
    return [(change.whom, change.event.title, change.event.ref) for change in found.changes]


async def test_a_commit_is_a_change_with_what_filters_ask(
    poll: SubversionPoll, repository: SvnRepository
) -> None:
    """The first look takes note."""
    repository.commit("One", {"trunk/one": "1"})
    first = await _look(poll, repository.address, TRUNK)
    assert (first.changes, first.seen, first.detail) == ((), {"revision": 2}, "first look: revision 2")
    repository.commit("Two\n\nwhy", {"trunk/docs/zwei ä": "2"})
    found = await _look(poll, repository.address, TRUNK, first.seen)
    (change,) = found.changes
    event = change.event
    assert (change.whom, event.kind, event.ref, event.branch) == (Whom.ALL, EventKind.PUSH, "trunk", "trunk")
    assert (event.revision, event.title, event.author, event.message) == ("3", "Two", "mia", "Two\n\nwhy")
    assert event.changed == ("trunk/docs", "trunk/docs/zwei ä")
    assert (await _look(poll, repository.address, TRUNK, found.seen)).changes == ()


async def test_only_the_folder_counts(poll: SubversionPoll, repository: SvnRepository) -> None:
    """A commit beside it is none; one of a part of a branch is this trigger's own business."""
    docs = SubversionSettings(path="trunk/docs")
    repository.commit("Docs", {"trunk/docs/one": "1"})
    seen = (await _look(poll, repository.address, docs)).seen
    repository.commit("Code", {"trunk/code": "1"})
    assert (await _look(poll, repository.address, docs, seen)).changes == ()
    repository.commit("More docs", {"trunk/docs/one": "2"})
    found = await _look(poll, repository.address, docs, seen)
    assert _said(found) == [("own", "More docs", "trunk")]


async def test_every_is_each_revision_and_latest_the_newest(
    poll: SubversionPoll, repository: SvnRepository
) -> None:
    """Oldest first."""
    every = SubversionSettings(path="trunk", mode="every")
    repository.commit("One", {"trunk/one": "1"})
    seen = (await _look(poll, repository.address, every)).seen
    for word in ("Two", "Three", "Four"):
        repository.commit(word, {"trunk/one": word})
    assert _said(await _look(poll, repository.address, every, seen)) == [
        ("earlier", "Two", "trunk"),
        ("earlier", "Three", "trunk"),
        ("all", "Four", "trunk"),
    ]
    assert _said(await _look(poll, repository.address, TRUNK, seen)) == [("all", "Four", "trunk")]
    told = await _look(poll, repository.address, every, seen, {"trunk": repository.head})
    assert [change.event.title for change in told.changes] == ["Two", "Three"]


async def test_the_whole_repository_names_the_branches_that_were_changed(
    poll: SubversionPoll, repository: SvnRepository
) -> None:
    """A commit to two of them is a change of each, with its own files; the newest of each moves its head."""
    whole = SubversionSettings(mode="every")
    repository.commit("One", {"trunk/one": "1"})
    seen = (await _look(poll, repository.address, whole)).seen
    repository.copy("trunk", "branches/b")
    repository.commit("On b", {"branches/b/one": "2"})
    repository.commit("Both", {"branches/b/one": "3", "trunk/one": "3"})
    repository.copy("trunk", "tags/v1")
    found = await _look(poll, repository.address, whole, seen)
    assert _said(found) == [
        ("earlier", "Make branches/b", "branches/b"),
        ("earlier", "On b", "branches/b"),
        ("all", "Both", "branches/b"),
        ("all", "Both", "trunk"),
        ("all", "Make tags/v1", "tags/v1"),
    ]
    assert found.changes[-1].event.kind is EventKind.TAG


@pytest.mark.parametrize("mode", ["every", "latest"])
async def test_branches_and_tags_that_are_removed_are_gone_and_start_nothing(
    poll: SubversionPoll, repository: SvnRepository, mode: Any
) -> None:
    """Nor does what was committed to them before; one that came again is there."""
    whole = SubversionSettings(mode=mode)
    for name in ("branches/old", "branches/again", "tags/1.0"):
        repository.copy("trunk", name)
    seen = (await _look(poll, repository.address, whole)).seen
    repository.commit("On old", {"branches/old/one": "1"})
    for name in ("branches/old", "branches/again"):
        repository.svn("remove", "-m", f"Remove {name}", f"{repository.url}/{name}")
    repository.copy("trunk", "branches/again")
    repository.svn("move", "-m", "Rename", f"{repository.url}/tags/1.0", f"{repository.url}/tags/1.1")
    found = await _look(poll, repository.address, whole, seen)
    assert _said(found) == [("all", "Make branches/again", "branches/again"), ("all", "Rename", "tags/1.1")]
    assert found.gone == ("branches/old", "tags/1.0")
    assert found.changes[-1].event.kind is EventKind.TAG


async def test_latest_is_the_newest_commit_of_each_branch(
    poll: SubversionPoll, repository: SvnRepository
) -> None:
    whole = SubversionSettings(mode="latest")
    repository.copy("trunk", "branches/b")
    seen = (await _look(poll, repository.address, whole)).seen
    repository.commit("One", {"trunk/one": "1", "branches/b/one": "1"})
    repository.commit("Two", {"trunk/one": "2"})
    found = await _look(poll, repository.address, whole, seen)
    assert _said(found) == [("all", "One", "branches/b"), ("all", "Two", "trunk")]
    assert [change.event.changed for change in found.changes] == [("branches/b/one",), ("trunk/one",)]
    branches = SubversionSettings(path="branches")
    assert _said(await _look(poll, repository.address, branches, seen)) == [("all", "One", "branches/b")]


async def test_a_project_may_lie_below_the_root(poll: SubversionPoll, repository: SvnRepository) -> None:
    """Paths are told from the project's address on."""
    repository.commit("One", {"trunk/lib/one": "1"})
    address = f"{repository.address}/trunk"
    seen = (await _look(poll, address, SubversionSettings())).seen
    repository.commit("Two", {"trunk/lib/one": "2"})
    (change,) = (await _look(poll, address, SubversionSettings(), seen)).changes
    assert (change.whom, change.event.ref, change.event.changed) == (Whom.OWN, None, ("lib/one",))


async def test_a_server_that_asks_who_is_there(poll: SubversionPoll, repository: SvnRepository) -> None:
    """The trigger's own user, whose password is a secret; a wrong one is an error that does not tell it."""
    repository.commit("One", {"trunk/one": "1"})
    settings = SubversionSettings(path="trunk", user=USER, password="SVN")
    with served(repository) as address:
        found = await _look(poll, address, settings, secrets={"SVN": PASSWORD})
        assert found.seen == {"revision": 2}
        with pytest.raises(SourceUnreachable) as refused:
            await _look(poll, address, settings, secrets={"SVN": "wrong-password"})
        assert "wrong-password" not in str(refused.value)


async def test_what_cannot_be_read_is_an_error(poll: SubversionPoll, repository: SvnRepository) -> None:
    """A folder that is not there, a repository that is not there."""
    with pytest.raises(SourceUnreachable, match="nowhere"):
        await _look(poll, repository.address, SubversionSettings(path="nowhere"))
    repository.vanish()
    with pytest.raises(SourceUnreachable):
        await _look(poll, repository.address, TRUNK)


@pytest.mark.parametrize(
    ("path", "folder"),
    [
        ("trunk", "trunk"),
        ("trunk/a/b", "trunk"),
        ("branches/x/a", "branches/x"),
        ("tags/v1", "tags/v1"),
        ("branches", None),
        ("", None),
        ("trunks/a", None),
    ],
)
def test_the_branch_of_a_path(path: str, folder: str | None) -> None:
    """By the layout that Subversion's users keep."""
    assert branch_folder(path) == folder
