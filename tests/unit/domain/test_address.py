"""Which addresses git and svn may be given."""

from __future__ import annotations

import pytest

from tailrace.domain.address import (
    check_address,
    folder_name,
    host_of,
    is_subversion,
    same_repository,
    without_password,
)
from tailrace.domain.errors import Invalid


@pytest.mark.parametrize(
    "address",
    [
        "https://github.com/millwright/waterwheel.git",
        "http://127.0.0.1:3000/a/b",
        "https://user:password@example.com/a",
        "ssh://git@example.com:2222/a/b.git",
        "git://example.com/a",
        "git@github.com:millwright/waterwheel.git",
        "host-alias:waterwheel.git",
        "me@host:/srv/git/wheel.git",
        "file:///srv/git/wheel.git",
        "/srv/git/a wheel.git",
        "svn://example.com",
        "svn://kim:sesame@example.com:3691/wheels/a b",
        "svn+ssh://kim@example.com/srv/svn/wheels",
        "svn+https://example.com/svn/wheels/trunk",
        "svn+http://example.com/svn",
        "svn+file:///srv/svn/wheels",
    ],
)
def test_ordinary_addresses_pass(address: str) -> None:
    assert check_address(address) == address


@pytest.mark.parametrize(
    "address",
    [
        "",
        "--upload-pack=touch /tmp/x",
        "-x:y",
        "ext::sh -c touch% /tmp/x",
        "fd::7",
        "http::https://example.com/a",
        "ftp://example.com/a",
        "HTTPS://example.com/a",
        "ssh://-oProxyCommand=touch/a",
        "ssh://-oProxyCommand=touch@host/a",
        "-oProxyCommand=touch:a",
        "host:-a",
        "host://a",
        "https:///a",
        "https://example.com",
        "https://example.com:port/a",
        "https://exam ple.com/a",
        "https://[example.com/a",
        "file://host/a",
        "SVN://example.com/a",
        "svn:///a",
        "svn+file://host/a",
        "svn+rsh://example.com/a",
        "svn+ssh://-oProxyCommand=touch/a",
        "svn+ssh://-oProxyCommand=touch@host/a",
        "svn+ssh://%2DoProxyCommand=touch@host/a",
        "svn://kim%0Astore-passwords=yes:x@host/a",
        "svn://kim:a%0Ab@host/a",
        "svn+https://example.com/a?b",
        "relative/path",
        "./relative",
        "../relative",
        "~/home",
        "/a\nb",
        "/a\0b",
        "/" + "a" * 2000,
    ],
)
def test_options_programs_and_the_like_are_refused_and_say_what_is_allowed(address: str) -> None:
    with pytest.raises(Invalid, match=r"a URL that begins with https://, .* or an absolute path"):
        check_address(address)


def test_a_refusal_shows_no_password() -> None:
    with pytest.raises(Invalid) as refused:
        check_address("ftp://user:sesame@example.com/a")
    assert "sesame" not in str(refused.value)


def test_every_address_has_a_folder_of_its_own() -> None:
    addresses = [
        "https://example.com/a/wheel.git",
        "https://example.com/b/wheel.git",
        "https://user:x@example.com/a/wheel.git",
        "/srv/wheel",
        "/srv/..",
        "git@example.com:wheel",
        "/" + "x" * 300,
    ]
    names = [folder_name(address) for address in addresses]
    assert len(set(names)) == len(names)
    assert all("/" not in name and not name.startswith(".") and len(name) < 80 for name in names)
    assert names[0].startswith("wheel-")
    assert names[5].startswith("wheel-")


def test_the_address_tells_subversion_from_git() -> None:
    """By its scheme alone."""
    assert is_subversion("svn://example.com/a")
    assert is_subversion("svn+https://example.com/a")
    for address in ("https://svn.example.com/svn/a", "svn", "svn:a", "svn@example.com:a", "/svn+file://a"):
        assert not is_subversion(address)


def test_no_folder_is_named_after_a_password() -> None:
    """Not even where the address has no path."""
    assert "sesame" not in folder_name("svn://kim:sesame@example.com")


def test_passwords_and_tokens_are_blotted_out() -> None:
    assert without_password("svn+https://token@host/a b") == "svn+https://***@host/a b"
    assert without_password("svn://kim:sesame@host/a") == "svn://kim:***@host/a"
    assert without_password("at https://token@host/a b") == "at https://***@host/a b"
    assert without_password("https://u:p@ss@host/a") == "https://***@host/a"
    assert without_password("ssh://git:sesame@host/a") == "ssh://git:***@host/a"
    assert without_password("git@host:a") == "git@host:a"


@pytest.mark.parametrize(
    ("address", "host"),
    [
        ("https://github.com/millwright/waterwheel.git", ("https", "github.com", 443)),
        ("http://user:password@127.0.0.1:3000/a/b", ("http", "127.0.0.1", 3000)),
        ("ssh://git@example.com:2222/a/b.git", ("ssh", "example.com", 2222)),
        ("git://[::1]/a", ("git", "::1", 9418)),
        ("git@github.com:millwright/waterwheel.git", ("ssh", "github.com", 22)),
        ("host-alias:waterwheel.git", ("ssh", "host-alias", 22)),
        ("svn://kim:sesame@example.com/wheels", ("svn", "example.com", 3690)),
        ("svn+ssh://kim@example.com/srv/svn/wheels", ("ssh", "example.com", 22)),
        ("svn+https://example.com/svn/wheels/trunk", ("https", "example.com", 443)),
        ("svn+file:///srv/svn/wheels", None),
        ("file:///srv/git/wheel.git", None),
        ("/srv/git/a wheel.git", None),
        ("/srv/git/a:wheel.git", None),
    ],
)
def test_which_machine_is_asked(address: str, host: tuple[str, str, int] | None) -> None:
    assert host_of(address) == host


@pytest.mark.parametrize(
    ("repository", "same"),
    [
        ("https://github.com/mill/wheel", True),
        ("https://kim:secret@GitHub.com/Mill/Wheel.git/", True),
        ("git@github.com:mill/wheel.git", True),
        ("ssh://git@github.com:22/mill/wheel", True),
        ("https://github.com/mill/wheels", False),
        ("git@github.com:other/wheel.git", False),
        ("https://mirror.example.org/mill/wheel", None),
        ("/srv/wheel.git", None),
        ("file:///srv/wheel.git", None),
        ("svn://github.com/mill/wheel", None),
    ],
)
def test_a_repository_is_known_by_any_of_its_addresses(repository: str, same: bool | None) -> None:
    """Whatever the protocol and who signs in; of another host nobody can say."""
    for address in ("https://github.com/Mill/wheel.git", "git@github.com:mill/wheel"):
        assert same_repository(repository, (address, "no address")) is same
    assert same_repository(repository, ()) is None
