"""The server is let into repositories by the secret that a project names: real git, svn and ssh, asked as polls and plans do."""

from __future__ import annotations

from collections.abc import Generator
from dataclasses import replace
from pathlib import Path

import pytest

from tailrace.domain.credentials import Credentials, Opener, Remote
from tailrace.domain.errors import SourceUnreachable
from tailrace.domain.polls import Wanted
from tailrace.domain.triggers import GitSettings
from tailrace.guard import Guard
from tailrace.sources.git_poll import GitPoll
from tailrace.sources.mirror import Mirrors
from tailrace.sources.repositories import Repositories
from tailrace.sources.ways import Ways
from tests.support.folders import contents
from tests.support.git_http import ANYBODY, GitHttp, git_http
from tests.support.ssh import SshServer, listening, needs_ssh, ssh_server
from tests.support.svn import PASSWORD, USER, SvnRepository, served
from tests.unit.sources.conftest import Repository

TOKEN = "glpat-0aBcD1eF gH2%iJ'k\"L3"
ROW = "secret/7/DEPLOY"


def opened(address: str, value: str = TOKEN, row: str = ROW, **said: str) -> Remote:
    credentials = Credentials.model_validate({"secret": "DEPLOY", **said})
    return Remote(address, Opener(credentials, "shop", row, value))


@pytest.fixture
def web(repository: Repository) -> Generator[GitHttp]:
    """The repository over http, for whoever has TOKEN."""
    repository.commit("One", {".tailrace.yml": b"jobs: {}\n"})
    with git_http(repository.place.parent, {ANYBODY: TOKEN}) as web:
        yield web


@pytest.mark.parametrize("guarded", [False, True])
async def test_a_token_opens_a_repository_over_http(
    web: GitHttp, repository: Repository, tmp_path: Path, guarded: bool
) -> None:
    """Also by way of the guard's proxy. Any user's name goes with a token; no file has the token."""
    ways = Ways(Guard.allowing("x", ["127.0.0.1"]) if guarded else None)
    mirrors = Mirrors(tmp_path / "mirrors", timeout=30, ways=ways)
    remote = opened(web.address("wheel"))
    commit = await mirrors.resolve(remote)
    assert commit.revision == repository.git("rev-parse", "HEAD")
    assert await mirrors.read_file(remote, commit.revision, ".tailrace.yml") == b"jobs: {}\n"
    assert ("x-access-token", TOKEN) in web.seen
    assert not [path for path, data in contents(tmp_path / "mirrors").items() if TOKEN.encode() in data]


async def test_the_user_is_the_one_that_the_project_names(web: GitHttp, mirrors: Mirrors) -> None:
    web.logins = {"kim": TOKEN}
    assert (await mirrors.refs(opened(web.address("wheel"), user="kim")))[0][1] == "refs/heads/main"
    with pytest.raises(SourceUnreachable):
        await mirrors.refs(opened(web.address("wheel"), user="lee"))


async def test_a_refused_secret_is_named(web: GitHttp, mirrors: Mirrors) -> None:
    """With its project, and never with its value; without any the repository only says that it wants one."""
    with pytest.raises(SourceUnreachable) as refused:
        await mirrors.resolve(opened(web.address("wheel"), "another-token"))
    assert "Authentication failed" in str(refused.value)
    assert "secret DEPLOY, which project shop names for its repository, was shown to it" in str(refused.value)
    assert "another-token" not in str(refused.value)
    with pytest.raises(SourceUnreachable, match="could not read Username"):
        await mirrors.resolve(web.address("wheel"))


async def test_what_one_secret_opened_is_not_there_for_another(
    web: GitHttp, mirrors: Mirrors, repository: Repository
) -> None:
    """Nor without one, although the commit lies on the server's disk already."""
    revision = repository.git("rev-parse", "HEAD")
    await mirrors.resolve(opened(web.address("wheel")), revision)
    for other in (
        web.address("wheel"),
        opened(web.address("wheel"), "wrong", row="secret/8/DEPLOY"),
        opened(web.address("wheel"), "wrong", user="lee"),
    ):
        with pytest.raises(SourceUnreachable):
            await mirrors.resolve(other, revision)


async def test_a_replaced_value_counts_at_once(
    web: GitHttp, mirrors: Mirrors, repository: Repository
) -> None:
    """The mirror is the same one."""
    await mirrors.resolve(opened(web.address("wheel")))
    web.logins = {ANYBODY: "new-token"}
    later = repository.commit("Two")
    with pytest.raises(SourceUnreachable):
        await mirrors.resolve(opened(web.address("wheel")), later)
    fresh = opened(web.address("wheel"), "new-token")
    assert fresh.place == opened(web.address("wheel")).place
    assert (await mirrors.resolve(fresh, later)).title == "Two"


async def test_a_password_in_an_address_goes_on_working(
    web: GitHttp, mirrors: Mirrors, tmp_path: Path
) -> None:
    """And is in no file of the server any more."""
    web.logins = {"kim": "p@ss w:rd/1"}
    address = web.address("wheel").replace("://", "://kim:p%40ss%20w%3Ard%2F1@")
    assert (await mirrors.resolve(address)).title == "One"
    kept = contents(tmp_path / "mirrors")
    assert not [path for path, data in kept.items() if b"p@ss" in data or b"p%40ss" in data]


async def test_a_poll_asks_with_it_throughout(web: GitHttp, mirrors: Mirrors, repository: Repository) -> None:
    """For what has changed, for what a commit says, and for what is no commit."""
    remote = opened(web.address("wheel"))
    poll, settings = GitPoll(mirrors), GitSettings(tags=("*",))
    seen = (await poll.look(Wanted(remote.address, settings, opener=remote.opener), settings)).seen
    repository.commit("Two", {"file": b"two"})
    repository.git("tag", "tree", "HEAD^{tree}")
    found = await poll.look(Wanted(remote.address, settings, seen, opener=remote.opener), settings)
    assert [(change.event.title, change.event.changed) for change in found.changes] == [("Two", ("file",))]
    assert "tag tree names a tree and no commit" in found.detail


async def test_subversion_has_user_and_password(tmp_path: Path) -> None:
    svn = SvnRepository(tmp_path / "repositories" / "wheel")
    svn.commit("One", {"trunk/file": "one"})
    repositories = Repositories(tmp_path / "mirrors")
    with served(svn) as address:
        remote = opened(address, PASSWORD, user=USER)
        commit = await repositories.resolve(remote, None, None)
        assert (commit.revision, commit.branch) == (svn.head, "trunk")
        assert await repositories.read_file(remote, commit.revision, "file", commit.ref) == b"one"
        assert not [p for p, data in contents(tmp_path / "mirrors").items() if PASSWORD.encode() in data]
        with pytest.raises(SourceUnreachable, match="secret DEPLOY, which project shop names"):
            await repositories.resolve(opened(address, "wrong", user=USER), None, None)


@pytest.fixture
def ssh() -> Generator[SshServer]:
    with ssh_server() as server:
        yield server


@needs_ssh
@pytest.mark.parametrize("kind", ["ssh-ed25519", "ssh-rsa", "ecdsa-sha2-nistp256"])
async def test_a_key_opens_a_repository_over_ssh(
    ssh: SshServer, repository: Repository, mirrors: Mirrors, tmp_path: Path, kind: str
) -> None:
    """It is in no file; the machine is believed the first time, and then must stay the same."""
    key = ssh.new_key(kind)
    repository.commit("One", {"file": b"one"})
    remote = opened(f"ssh://git@127.0.0.1:{ssh.port}{repository.place}", key.rstrip("\n"))
    assert (await mirrors.resolve(remote)).title == "One"
    middle = key.splitlines()[2].encode()
    kept = contents(tmp_path / "mirrors")
    assert not [path for path, data in kept.items() if middle in data]
    assert kept[tmp_path / "mirrors" / "known_hosts"]


@needs_ssh
async def test_another_machine_than_the_first_time_is_refused(
    repository: Repository, mirrors: Mirrors
) -> None:
    repository.commit("One")
    with ssh_server() as ssh:
        remote = opened(f"ssh://git@127.0.0.1:{ssh.port}{repository.place}", ssh.new_key())
        await mirrors.refs(remote)
    ssh.change_itself()
    with listening(ssh), pytest.raises(SourceUnreachable, match="Host key verification failed"):
        await mirrors.refs(remote)


@needs_ssh
async def test_a_machine_that_the_project_knows_must_be_that_one(
    ssh: SshServer, repository: Repository, mirrors: Mirrors
) -> None:
    """Also the first time."""
    repository.commit("One")
    address, key = f"ssh://git@127.0.0.1:{ssh.port}{repository.place}", ssh.new_key()
    with ssh_server() as other:
        wrong = other.known_host.replace(str(other.port), str(ssh.port))
    with pytest.raises(SourceUnreachable, match="Host key verification failed"):
        await mirrors.refs(opened(address, key, known_hosts=wrong))
    assert await mirrors.refs(opened(address, key, known_hosts=ssh.known_host))


@needs_ssh
async def test_a_refused_key_is_named(ssh: SshServer, repository: Repository, mirrors: Mirrors) -> None:
    key = ssh.new_key()
    ssh.keys.clear()
    with pytest.raises(SourceUnreachable) as refused:
        await mirrors.refs(opened(f"ssh://git@127.0.0.1:{ssh.port}{repository.place}", key))
    assert "Permission denied" in str(refused.value)
    assert "secret DEPLOY, which project shop names" in str(refused.value)


@needs_ssh
async def test_a_key_opens_subversion_over_ssh(ssh: SshServer, tmp_path: Path) -> None:
    svn = SvnRepository(tmp_path / "repositories" / "wheel")
    svn.commit("One", {"trunk/file": "one"})
    repositories = Repositories(tmp_path / "mirrors")
    remote = opened(f"svn+ssh://git@127.0.0.1:{ssh.port}{svn.place}", ssh.new_key())
    commit = await repositories.resolve(remote, None, None)
    assert await repositories.read_file(remote, commit.revision, "file", commit.ref) == b"one"
    assert remote.opener is not None
    lost = replace(remote, opener=replace(remote.opener, value=SshServer().new_key()))
    with pytest.raises(SourceUnreachable, match="Permission denied"):
        await repositories.resolve(lost, None, None)
