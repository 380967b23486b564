"""Checkouts of repositories that a secret opens: real git, svn and ssh; the job itself has nothing of it."""

from __future__ import annotations

from collections.abc import Generator
from pathlib import Path

import pytest

from tailrace.domain.credentials import Credentials
from tailrace.runner.handover import put_into_pipe, split_access, split_opener, take_from_pipe, with_opener
from tests.support.folders import contents
from tests.support.git_http import ANYBODY, GitHttp, git_http
from tests.support.ssh import SshServer, needs_ssh, ssh_server
from tests.support.svn import PASSWORD, USER, SvnRepository, served
from tests.unit.runner.bench import Bench, Carried, git

TOKEN = "glpat-0aBcD1eF gH2%iJ'k\"L3"
KEY = Credentials(secret="DEPLOY")
# Everything that a step can see of its checkout.
LOOK = (
    'cat file inner/file; env; cat .git/config; git config --list; git ls-remote "$ADDRESS" && echo let in;'
    " true"
)


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """Repositories `shop` and `other`, of which shop has the other as a submodule in `inner`."""
    place = tmp_path / "served"
    for name in ("other", "shop"):
        (place / name).mkdir(parents=True)
        git(place / name, "init", "-q")
        (place / name / "file").write_text(name)
        git(place / name, "add", ".")
        git(place / name, "commit", "-q", "-m", name)
    return place


@pytest.fixture
def web(folder: Path) -> Generator[GitHttp]:
    with git_http(folder, {ANYBODY: TOKEN}) as web:
        link_submodule(folder, web.address("other"))
        yield web


def link_submodule(folder: Path, address: str) -> None:
    """Let shop name `address` for its submodule, which is the repository `other`."""
    shop = folder / "shop"
    (shop / ".gitmodules").write_text(f'[submodule "inner"]\n\tpath = inner\n\turl = {address}\n')
    commit = git(folder / "other", "rev-parse", "HEAD")
    git(shop, "update-index", "--add", "--cacheinfo", f"160000,{commit},inner")
    git(shop, "add", ".gitmodules")
    git(shop, "commit", "-q", "-m", "with a submodule")


async def carried(bench: Bench, attempt: Carried, value: str) -> Carried:
    await bench.carry(attempt, with_opener({}, value))
    return attempt


def on_disk(bench: Bench, text: str) -> list[Path]:
    return [path for path, data in contents(bench.folder).items() if text.encode() in data]


async def test_a_token_checks_out_a_repository_and_its_submodules(bench: Bench, web: GitHttp) -> None:
    """Those on the same machine. Steps, files and the log have nothing of it, and git asks again in vain."""
    address = web.address("shop")
    attempt = bench.attempt(
        LOOK,
        checkout=True,
        submodules="recursive",
        repository=address,
        job_variables={"ADDRESS": address},
        credentials=KEY,
    )
    finished = (await carried(bench, attempt, TOKEN)).finished
    assert finished is not None
    assert finished.outcome.state == "passed", attempt.whole[1].decode()
    shown = attempt.whole[1].decode()
    assert "shopother" in shown
    assert "let in" not in shown
    assert "TAILRACE_GIT" not in shown
    assert "TAILRACE_SSH" not in shown
    assert ("x-access-token", TOKEN) in web.seen
    assert on_disk(bench, TOKEN) == []


async def test_what_a_job_prints_of_it_is_masked(bench: Bench, web: GitHttp, tmp_path: Path) -> None:
    """It may have it from elsewhere, and git may say it."""
    (tmp_path / "known").write_text(TOKEN)
    attempt = bench.attempt(
        f"cat {tmp_path}/known", checkout=True, repository=web.address("shop"), credentials=KEY
    )
    await carried(bench, attempt, TOKEN)
    assert attempt.stdout == b"***"


async def test_a_runner_that_is_handed_nothing_ends(bench: Bench, web: GitHttp) -> None:
    attempt = bench.attempt("true", checkout=True, repository=web.address("shop"), credentials=KEY)
    outcome = (await bench.carry(attempt)).outcome
    assert (outcome.reason, outcome.detail) == ("setup_failed", "the agent handed over no DEPLOY")


async def test_a_refused_secret_is_named(bench: Bench, web: GitHttp) -> None:
    """With its project."""
    attempt = bench.attempt("true", checkout=True, repository=web.address("shop"), credentials=KEY)
    finished = (await carried(bench, attempt, "wrong-token")).finished
    assert finished is not None
    assert finished.outcome.reason == "source_unreachable"
    detail = finished.outcome.detail or ""
    assert "Authentication failed" in detail
    assert "secret DEPLOY, which project acme names for its repository, was shown to it" in detail
    assert "wrong-token" not in attempt.whole[1].decode()


async def test_a_fork_is_checked_out_but_not_what_it_names(bench: Bench, web: GitHttp) -> None:
    """Its submodules could be any repository that the secret opens: they are asked for without it."""
    attempt = bench.attempt(
        "cat file", checkout=True, repository=web.address("shop"), credentials=KEY, from_fork=True
    )
    await carried(bench, attempt, TOKEN)
    assert attempt.stdout == b"shop"
    web.seen.clear()
    attempt = bench.attempt(
        "cat inner/file",
        checkout=True,
        submodules="recursive",
        repository=web.address("shop"),
        credentials=KEY,
        from_fork=True,
    )
    finished = (await carried(bench, attempt, TOKEN)).finished
    assert finished is not None
    assert finished.outcome.reason == "setup_failed"
    assert "cannot check out the submodules" in (finished.outcome.detail or "")
    assert web.seen[-1] is None


async def test_the_login_in_an_address_is_not_for_a_forks_submodules_either(
    bench: Bench, web: GitHttp
) -> None:
    web.logins = {"kim": "hush-hush"}
    address = web.address("shop").replace("://", "://kim:hush-hush@")
    for from_fork, reason in ((False, None), (True, "setup_failed")):
        attempt = bench.attempt(
            "true", checkout=True, submodules="recursive", repository=address, from_fork=from_fork
        )
        assert (await bench.carry(attempt)).outcome.reason == reason


async def test_a_submodule_on_another_machine_is_not_shown_the_secret(
    bench: Bench, web: GitHttp, folder: Path
) -> None:
    with git_http(folder, {}) as other:
        link_submodule(folder, other.address("other").replace("127.0.0.1", "localhost"))
        attempt = bench.attempt(
            "cat inner/file",
            checkout=True,
            submodules="recursive",
            repository=web.address("shop"),
            credentials=KEY,
        )
        await carried(bench, attempt, TOKEN)
        assert attempt.stdout == b"other"
        assert set(other.seen) == {None}


async def test_what_one_secret_opened_is_not_there_for_another(
    bench: Bench, web: GitHttp, folder: Path
) -> None:
    """Although the commit lies in a mirror of this agent."""
    revision = git(folder / "shop", "rev-parse", "HEAD")
    address = web.address("shop")
    first = bench.attempt("true", checkout=True, repository=address, revision=revision, credentials=KEY)
    await carried(bench, first, TOKEN)
    for credentials in (None, Credentials(secret="OTHER"), Credentials(secret="DEPLOY", user="kim")):
        attempt = bench.attempt(
            "true", checkout=True, repository=address, revision=revision, credentials=credentials
        )
        finished = (await carried(bench, attempt, "wrong-token")).finished
        assert finished is not None
        assert finished.outcome.reason == "source_unreachable"


async def test_subversion_has_user_and_password(bench: Bench, tmp_path: Path) -> None:
    svn = SvnRepository(tmp_path / "wheels")
    revision = svn.commit("One", {"trunk/file": "one"})
    with served(svn) as address:
        named = Credentials(secret="DEPLOY", user=USER)
        attempt = bench.attempt(
            "cat file; env",
            checkout=True,
            repository=address,
            revision=revision,
            ref="trunk",
            credentials=named,
        )
        await carried(bench, attempt, PASSWORD)
        assert attempt.stdout.startswith(b"one")
        assert PASSWORD not in attempt.whole[1].decode()
        assert on_disk(bench, PASSWORD) == []
        attempt = bench.attempt("true", checkout=True, repository=address, ref="trunk", credentials=named)
        finished = (await carried(bench, attempt, "wrong-password")).finished
        assert finished is not None
        assert "secret DEPLOY, which project acme names" in (finished.outcome.detail or "")


@pytest.fixture
def ssh() -> Generator[SshServer]:
    with ssh_server() as server:
        yield server


@needs_ssh
async def test_a_key_checks_out_a_repository_and_its_submodules(
    bench: Bench, ssh: SshServer, folder: Path
) -> None:
    """The key is in no file, and the agent remembers the machine; a key of any size will do."""
    address = f"ssh://git@127.0.0.1:{ssh.port}{folder}"
    link_submodule(folder, f"{address}/other")
    key = ssh.new_key("ssh-rsa")
    for _ in range(2):
        attempt = bench.attempt(
            LOOK,
            checkout=True,
            submodules="recursive",
            repository=f"{address}/shop",
            job_variables={"ADDRESS": f"{address}/shop"},
            credentials=KEY,
        )
        await carried(bench, attempt, key)
        shown = attempt.whole[1].decode()
        assert "shopother" in shown
        assert "let in" not in shown
        assert on_disk(bench, key.splitlines()[5]) == []
    assert (bench.folder / "mirrors" / "known_hosts").read_text()


@needs_ssh
async def test_a_key_opens_subversion_over_ssh(bench: Bench, ssh: SshServer, tmp_path: Path) -> None:
    svn = SvnRepository(tmp_path / "wheels")
    revision = svn.commit("One", {"trunk/file": "one"})
    address = f"svn+ssh://git@127.0.0.1:{ssh.port}{svn.place}"
    named = Credentials(secret="DEPLOY", known_hosts=ssh.known_host)
    attempt = bench.attempt(
        "cat file", checkout=True, repository=address, revision=revision, ref="trunk", credentials=named
    )
    await carried(bench, attempt, ssh.new_key())
    assert attempt.stdout == b"one"
    attempt = bench.attempt("cat file", checkout=True, repository=address, ref="trunk", credentials=KEY)
    finished = (await carried(bench, attempt, SshServer().new_key())).finished
    assert finished is not None
    assert (finished.outcome.reason, "Permission denied" in (finished.outcome.detail or "")) == (
        "source_unreachable",
        True,
    )


def test_it_goes_through_the_pipe_of_secrets() -> None:
    """And no secret of a job is taken for it."""
    rest, opener = split_opener(take_from_pipe(put_into_pipe(with_opener({"A": "1"}, "a\nb"))))
    assert (split_access(rest), opener) == (({"A": "1"}, None), "a\nb")
    assert split_opener({"A": "1"}) == ({"A": "1"}, None)
