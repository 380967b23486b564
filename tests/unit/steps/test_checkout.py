from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest

from tailrace.domain.credentials import Credentials, Opener, Remote
from tailrace.domain.unlock import unlock
from tailrace.steps.checkout import Checkout, git_environment
from tailrace.steps.command import Command, Place

PLACE = Place(Path("/a/workspace"), Path("/a/tmp"))


def checkout(repository: str, revision: str | None = None, ref: str | None = None) -> Checkout:
    return Checkout(repository, revision, ref, PLACE, {}, Path("/m/r.git"), "ab12")


def words(command: Command) -> tuple[str, ...]:
    """A git command without its settings."""
    argv = list(command.argv)
    while "-c" in argv:
        at = argv.index("-c")
        del argv[at : at + 2]
    return tuple(argv)


def test_only_the_revision_is_fetched() -> None:
    """One commit deep, to a ref of the attempt's own; the default branch where none is named."""
    url = "https://example.org/r.git"
    fetch = ("git", "fetch", "--no-recurse-submodules", "--depth=1", "--no-tags", url)
    assert words(checkout(url, "abc").fetch_revision()) == (*fetch, "+abc:refs/tailrace/attempts/ab12")
    assert words(checkout(url).fetch_revision()) == (*fetch, "+HEAD:refs/tailrace/attempts/ab12")
    assert checkout(url).fetch_ref(False) is None


def test_only_a_whole_commit_id_can_be_looked_up_in_the_mirror() -> None:
    """A name may mean something else in the repository by now."""
    assert checkout("/r", "main").look() is None
    assert checkout("/r", "abc123").look() is None
    look = checkout("/r", "0123456789" * 4).look()
    assert look is not None
    assert words(look) == ("git", "cat-file", "-e", "0123456789" * 4)


@pytest.mark.parametrize(
    ("repository", "local"),
    [
        ("/srv/r", True),
        ("file:///srv/r", True),
        ("https://h/r", False),
        ("git@h:r", False),
        ("ssh://h/r", False),
    ],
)
def test_only_repositories_of_this_machine_are_served_specially(repository: str, local: bool) -> None:
    """A server's own upload-pack must not be replaced."""
    argv = checkout(repository, "abc").fetch_revision().argv
    assert any(argument.startswith("--upload-pack") for argument in argv) is local


def test_nothing_that_looks_like_an_option_reaches_git() -> None:
    """Repository, revision and ref come from outside."""
    assert checkout("/r", "abc", "refs/heads/x").refused() is None
    assert checkout("/r").refused() is None
    for wrong in (
        checkout("--x"),
        checkout("/r", "-x"),
        checkout("/r", "a", "-x"),
        checkout("/r", ""),
        checkout("/r", "a\0b"),
        checkout("/r", "+a"),
        checkout("/r", "a:refs/heads/main"),
    ):
        assert wrong.refused() is not None


def test_git_asks_nobody_and_sees_no_token_of_ours() -> None:
    """Its environment is the agent's without git's and Tailrace's variables."""
    inherited = {
        "PATH": "/bin",
        "GIT_DIR": "/x",
        "TAILRACE_ADMIN_TOKEN": "t",
        "SSH_ASKPASS": "x",
        "SSH_AUTH_SOCK": "s",
    }
    assert git_environment(inherited, "ab12") == {
        "PATH": "/bin", "SSH_AUTH_SOCK": "s", "GIT_TERMINAL_PROMPT": "0", "LC_ALL": "C", "TAILRACE_COOKIE": "ab12",
    }  # fmt: skip


def opened(repository: str, *, trusted: bool = True, known_hosts: str | None = None) -> Checkout:
    """With what lets git into the repository."""
    value = "hush" if repository.startswith("http") else "-----BEGIN PRIVATE KEY-----"
    credentials = Credentials(secret="KEY", known_hosts=known_hosts)
    remote = Remote(repository, Opener(credentials, "shop", "secret/1/KEY", value))
    plain = checkout(repository, "0123456789" * 4, "refs/pull/1/head")
    key = unlock(remote, Path("/m/known_hosts"))
    return replace(plain, key=key, trusted=trusted, submodules="recursive", env={"PATH": "/bin"})


def test_what_asks_the_repository_is_let_in_and_nothing_else() -> None:
    """No command line names the password."""
    wanted = opened("https://example.org/r.git")
    asking = [wanted.fetch_revision(), wanted.fetch_all(True), wanted.fetch_ref(True)]
    for command in asking:
        assert command is not None
        assert command.env["TAILRACE_GIT_PASSWORD"] == "hush"
        assert "hush" not in " ".join(command.argv)
    others = [wanted.make_mirror(), wanted.look(), wanted.settle(), wanted.forget(), wanted.repack()]
    for command in (*others, wanted.take_refs()):
        assert command is not None
        assert command.env == {"PATH": "/bin"}


def test_submodules_are_opened_for_those_who_may_push() -> None:
    """A fork would name another repository that the same secret opens, and its job could read that."""
    for repository in ("https://example.org/r.git", "git@example.org:r.git"):
        for command in (opened(repository).update_submodules(), opened(repository).detach("x")):
            assert command is not None
            assert len(command.env) > 1
        stranger = opened(repository, trusted=False)
        for command in (stranger.update_submodules(), stranger.detach("x")):
            assert command is not None
            assert (command.env, command.held) == ({"PATH": "/bin"}, ())
        assert len(stranger.fetch_revision().env) > 1


def test_a_key_goes_with_the_machines_that_are_known() -> None:
    """What may run as the job's user could note none in the agent's file of them."""
    wanted = opened("git@example.org:r.git")
    key = b"-----BEGIN PRIVATE KEY-----\n"
    assert wanted.fetch_revision().held == (key,)
    update = wanted.update_submodules(b"example.org x y\n")
    assert update is not None
    assert update.held == wanted.detach("x", b"example.org x y\n").held == (key, b"example.org x y\n")
    known = opened("git@example.org:r.git", known_hosts="example.org a b")
    assert known.fetch_revision().held == known.detach("x", b"other").held == (key, b"example.org a b\n")
