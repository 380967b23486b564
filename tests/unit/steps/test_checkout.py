from __future__ import annotations

from pathlib import Path

import pytest

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


def test_a_password_is_in_the_environment_alone() -> None:
    """Git gets it from a helper, for that host only; no command line and no file names it."""
    repository = "https://kim:s%C3%A9same@example.org:8443/r.git"
    env = git_environment({}, "ab12", repository)
    assert (env["TAILRACE_GIT_USER"], env["TAILRACE_GIT_PASSWORD"]) == ("kim", "sésame")
    assert env["GIT_CONFIG_KEY_0"] == "credential.https://example.org:8443.helper"
    wanted = checkout(repository, "abc", "refs/pull/1/head")
    assert wanted.url == "https://example.org:8443/r.git"
    commands = [wanted.make_mirror(), wanted.fetch_revision(), wanted.fetch_all(True), wanted.fetch_ref(True)]
    assert not [command for command in commands if command and "kim" in " ".join(command.argv)]
