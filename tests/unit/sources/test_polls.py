"""Looking, whatever a trigger looks at."""

from __future__ import annotations

from pathlib import Path

import pytest

from tailrace.domain.polls import LookFailed, Wanted
from tailrace.domain.triggers import (
    CronSettings,
    GitSettings,
    SubversionSettings,
    TriggerSettings,
    UrlSettings,
)
from tailrace.guard import Guard
from tailrace.sources.polls import Polls
from tailrace.sources.repositories import Repositories
from tests.support.lying_server import lying
from tests.support.svn import SvnRepository
from tests.unit.sources.conftest import Repository


@pytest.fixture
def polls(tmp_path: Path) -> Polls:
    guard = Guard.allowing("poll_allowed", ["127.0.0.1"])
    return Polls(Repositories(tmp_path / "mirrors"), guard)


async def test_each_kind_looks_its_own_way(polls: Polls, repository: Repository, tmp_path: Path) -> None:
    """At a repository, or at a URL."""
    revision = repository.commit("One")
    subversion = SvnRepository(tmp_path / "svn" / "wheel")
    git = await polls.look(Wanted(repository.address, GitSettings()))
    assert git.seen == {"refs": {"refs/heads/main": revision}}
    assert (await polls.look(Wanted(subversion.address, SubversionSettings()))).seen == {"revision": 1}
    async with lying() as liar:
        assert (await polls.look(Wanted("", UrlSettings(url=liar.url)))).seen["value"].startswith("sha256:")


@pytest.mark.parametrize(
    ("repository", "settings", "why"),
    [
        ("svn://127.0.0.1/wheel", GitSettings(), "is one of Subversion"),
        ("/wheel", SubversionSettings(), "is one of git"),
        ("/wheel", CronSettings(expression="0 0 * * *"), "does not look at anything"),
    ],
)
async def test_what_fits_no_repository_is_an_error(
    polls: Polls, repository: str, settings: TriggerSettings, why: str
) -> None:
    """It says which kind does."""
    with pytest.raises(LookFailed, match=why):
        await polls.look(Wanted(repository, settings))


async def test_a_look_that_takes_too_long_is_an_error(polls: Polls) -> None:
    """At a server that never answers: of a URL, and of a repository over http."""
    async with lying() as liar:
        liar.silent = True
        with pytest.raises(LookFailed, match=r"no answer within 1 s \(timeout_s\)"):
            await polls.look(Wanted("", UrlSettings(url=liar.url, timeout_s=1)))
        with pytest.raises(LookFailed, match=r"no answer within 1 s \(timeout_s\)"):
            await polls.look(Wanted(liar.url, GitSettings(timeout_s=1)))
        with pytest.raises(LookFailed, match=r"no answer within 1 s \(timeout_s\)"):
            await polls.look(Wanted(f"svn+{liar.url}", SubversionSettings(timeout_s=1)))
