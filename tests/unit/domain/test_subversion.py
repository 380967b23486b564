"""What an address gives svn, which folder is meant, and what svn's complaints say."""

from __future__ import annotations

import pytest

from tailrace.domain.subversion import (
    Named,
    branch_of,
    folders_of,
    is_absent,
    is_away,
    is_folder_name,
    read_revision,
    split_svn_login,
    svn_environment,
    target,
    telling,
)


@pytest.mark.parametrize(
    ("address", "url", "login"),
    [
        ("svn://host/a/", "svn://host/a", None),
        ("svn+https://host:8443/a", "https://host:8443/a", None),
        ("svn+file:///srv/a", "file:///srv/a", None),
        ("svn+http://kim:p%40ss@host/a", "http://host/a", ("http://host", "kim", "p@ss")),
        ("svn://token@host/a", "svn://host/a", ("svn://host", "token", "")),
        ("svn+ssh://kim@host/a", "svn+ssh://kim@host/a", None),
        ("svn+ssh://kim:x@host/a", "svn+ssh://kim@host/a", None),
    ],
)
def test_user_and_password_leave_the_address(
    address: str, url: str, login: tuple[str, str, str] | None
) -> None:
    """Over ssh the user's name stays."""
    bare, found = split_svn_login(address)
    assert bare == url
    assert (found and (found.host, found.user, found.password)) == login


def test_a_target_is_quoted_and_pegged() -> None:
    """A name with an @ is no revision."""
    assert target("svn://host/a", "branches/größe @1", 7) == "svn://host/a/branches/gr%C3%B6%C3%9Fe%20%401@7"
    assert target("svn://host/a@b", None, None) == "svn://host/a@b@HEAD"


@pytest.mark.parametrize(
    ("text", "named"),
    [
        ("12", Named(None, 12)),
        ("r12", Named(None, 12)),
        ("HEAD", Named(None, None)),
        ("topic", Named("topic", None)),
        ("topic@12", Named("topic", 12)),
        ("topic@HEAD", Named("topic", None)),
        ("a@b@r3", Named("a@b", 3)),
        ("r12x", Named("r12x", None)),
        ("@12", Named("@12", None)),
    ],
)
def test_what_people_ask_for(text: str, named: Named) -> None:
    """A number, a name, or both."""
    assert read_revision(text) == named


def test_a_name_is_a_branch_a_tag_or_a_folder() -> None:
    """In this order."""
    assert folders_of("x") == ("branches/x", "tags/x", "x")
    assert folders_of("trunk") == ("trunk",)
    assert folders_of("tags/x") == ("tags/x",)
    assert [branch_of(folder) for folder in ("trunk", "branches/a/b", "tags/x", "some/where")] == [
        "trunk",
        "a/b",
        "x",
        "some/where",
    ]


@pytest.mark.parametrize("name", ["", "/a", "a/", "a//b", ".", "a/..", "../a", "a\nb", "a\0", "a" * 1001])
def test_paths_that_lead_elsewhere_are_none(name: str) -> None:
    """A folder name stays below its repository."""
    assert not is_folder_name(name)
    assert is_folder_name("branches/größe @1")


def test_svn_is_not_told_what_is_ours() -> None:
    """Nor made to ask somebody; it reads and writes every file name."""
    given = {"TAILRACE_TOKEN": "x", "SSH_ASKPASS": "x", "LC_ALL": "C", "HOME": "/h", "https_proxy": "p"}
    env = svn_environment(given)
    assert {name: env.get(name) for name in given} == {
        "TAILRACE_TOKEN": None,
        "SSH_ASKPASS": None,
        "LC_ALL": "C.UTF-8",
        "HOME": "/h",
        "https_proxy": "p",
    }
    assert "BatchMode=yes" in env["SVN_SSH"]


@pytest.mark.parametrize(
    ("complaint", "said", "kind"),
    [
        (
            "svn: E170013: Unable to connect to a repository at URL 'svn://h/x'\n"
            "svn: E000111: Can't connect to host 'h': Connection refused\n",
            "Can't connect to host 'h': Connection refused",
            "away",
        ),
        (
            "ssh: connect to host h port 22: Connection refused\n"
            "svn: E170013: Unable to connect to a repository at URL 'svn+ssh://h/x'\n"
            "svn: E210002: Network connection closed unexpectedly\n",
            "ssh: connect to host h port 22: Connection refused",
            "away",
        ),
        (
            "svn: warning: W170000: URL 'svn://h/x' non-existent in revision 3\n\n"
            "svn: E200009: Could not display info for all targets because some targets don't exist\n",
            "URL 'svn://h/x' non-existent in revision 3",
            "absent",
        ),
        ("svn: E160006: No such revision 99\n", "No such revision 99", "absent"),
        ("svn: E230001: Server SSL certificate untrusted\n", "Server SSL certificate untrusted", "away"),
        ("svn: E155004: '/w' is locked\n", "'/w' is locked", "neither"),
        ("no words of svn's\n", "no words of svn's", "neither"),
        ("", "", "neither"),
    ],
)
def test_complaints(complaint: str, said: str, kind: str) -> None:
    """The line that tells most; whether the repository has not what was asked for, or does not answer."""
    assert telling(complaint) == said
    assert (is_absent(complaint), is_away(complaint)) == (kind == "absent", kind == "away")
