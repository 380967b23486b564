from __future__ import annotations

from pathlib import Path

import pytest

from tailrace.steps.checkout import Checkout, git_environment, without_credentials
from tailrace.steps.command import Command, Place

PLACE = Place(Path("/a/workspace"), Path("/a/tmp"))


def checkout(repository: str, revision: str | None = None, ref: str | None = None) -> Checkout:
    return Checkout(repository, revision, ref, PLACE, {})


def words(command: Command) -> tuple[str, ...]:
    """A git command without its settings."""
    argv = list(command.argv)
    while "-c" in argv:
        at = argv.index("-c")
        del argv[at : at + 2]
    return tuple(argv)


def test_only_the_revision_is_fetched() -> None:
    """One commit deep; the default branch where none is named."""
    url = "https://example.org/r.git"
    fetch = ("git", "fetch", "--no-recurse-submodules", "--depth=1", "--no-tags", "origin")
    assert words(checkout(url, "abc").fetch_revision()) == (*fetch, "abc")
    assert words(checkout(url).fetch_revision()) == (*fetch, "HEAD")
    assert checkout(url).fetch_ref() is None


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


def test_credentials_in_addresses_are_hidden() -> None:
    """In any text, for http and https."""
    assert (
        without_credentials("at 'https://kim:pw@h/r' or http://token@h")
        == "at 'https://***@h/r' or http://***@h"
    )
    assert without_credentials("ssh://git@h/r and https://h/r") == "ssh://git@h/r and https://h/r"
