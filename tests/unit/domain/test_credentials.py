"""What a project says of its repository's login, and what comes of it."""

from __future__ import annotations

import base64

import pytest
from pydantic import ValidationError

from tailrace.domain.credentials import By, Credentials, Opener, Remote, asked_by, check_credentials
from tailrace.domain.errors import Invalid

WEB, SSH, SVN = "https://example.org/acme/shop.git", "git@example.org:acme/shop.git", "svn://example.org/shop"


def opened(address: str, value: str = "hush-hush", row: str = "secret/1/KEY", **said: str) -> Remote:
    credentials = Credentials.model_validate({"secret": "KEY", **said})
    return Remote(address, Opener(credentials, "shop", row, value))


@pytest.mark.parametrize(
    ("address", "by"),
    [
        (WEB, By.PASSWORD),
        ("http://example.org/r", By.PASSWORD),
        (SSH, By.KEY),
        ("ssh://git@example.org:2222/r", By.KEY),
        (SVN, By.PASSWORD),
        ("svn+https://example.org/r", By.PASSWORD),
        ("svn+ssh://kim@example.org/r", By.KEY),
        ("git://example.org/r", None),
        ("/srv/r", None),
        ("file:///srv/r", None),
        ("svn+file:///srv/r", None),
    ],
)
def test_the_address_tells_what_opens_it(address: str, by: By | None) -> None:
    assert asked_by(address) is by


@pytest.mark.parametrize(
    ("address", "said", "fault"),
    [
        ("/srv/r", {}, "nobody is asked for any at /srv/r"),
        ("git://example.org/r", {}, "nobody is asked for any"),
        (SSH, {"user": "kim"}, "no user beside a key of ssh"),
        (
            "https://kim:hush@example.org/r",
            {},
            r"stands in the address already \(https://\*\*\*@example.org/r\)",
        ),
        ("https://kim@example.org/r", {"user": "kim"}, "stands in the address already"),
        ("svn://kim@example.org/r", {"user": "kim"}, "stands in the address already"),
        (WEB, {"known_hosts": "example.org ssh-ed25519 AAAA"}, "known_hosts are for addresses of ssh"),
        (SVN, {}, "Subversion wants a user"),
    ],
)
def test_credentials_that_do_not_go_with_the_address(address: str, said: dict[str, str], fault: str) -> None:
    """Each is said when the project is saved, and names what is expected."""
    with pytest.raises(Invalid, match=fault):
        check_credentials(address, Credentials.model_validate({"secret": "KEY", **said}))


def test_credentials_that_do() -> None:
    check_credentials(WEB, Credentials(secret="KEY"))
    check_credentials(WEB, Credentials(secret="KEY", user="kim"))
    check_credentials(SVN, Credentials(secret="KEY", user="kim"))
    known = Credentials(secret="KEY", known_hosts="# of us\r\n\n  example.org ssh-ed25519 AAAA  \n")
    check_credentials(SSH, known)
    assert known.known_hosts == "example.org ssh-ed25519 AAAA\n"


@pytest.mark.parametrize(
    "said",
    [
        {"secret": "no-name"},
        {"secret": "TAILRACE_X"},
        {"secret": "KEY", "user": "a:b"},
        {"secret": "KEY", "user": "a\nb"},
        {"secret": "KEY", "user": ""},
        {"secret": "KEY", "known_hosts": "\n# nobody\n"},
        {"secret": "KEY", "known_hosts": "example.org"},
        {"secret": "KEY", "known_hosts": "a ssh-rsa AAAA" + " " * 40_000},
        {"secret": "KEY", "password": "hush"},
    ],
)
def test_words_that_are_no_credentials(said: dict[str, str]) -> None:
    with pytest.raises(ValidationError):
        Credentials.model_validate(said)


def test_a_token_goes_with_any_user_a_password_with_its_own() -> None:
    login = opened(WEB).login
    assert login is not None
    assert (login.host, login.user, login.password) == ("https://example.org", "x-access-token", "hush-hush")
    login = opened("svn+https://example.org:8443/r", user="kim").login
    assert login is not None
    assert (login.host, login.user) == ("https://example.org:8443", "kim")
    assert opened(SSH, "-----BEGIN PRIVATE KEY-----").login is None
    assert Remote(WEB).login is None


def test_the_login_in_an_address_stays_one() -> None:
    remote = Remote("https://kim:hush@example.org/r")
    assert remote.login is not None
    assert (remote.url, remote.login.user, remote.shown) == (
        "https://example.org/r",
        "kim",
        "https://***@example.org/r",
    )


def test_what_is_kept_is_anothers_by_another_secret_or_user() -> None:
    """And the same when the value is replaced: a mirror need not be made anew."""
    places = [
        remote.place
        for remote in (
            Remote(WEB),
            opened(WEB),
            opened(WEB, row="secret/all/KEY"),
            opened(WEB, user="kim"),
            opened(SSH),
        )
    ]
    assert len(set(places)) == len(places)
    assert opened(WEB, "another").place == opened(WEB).place


def openssh(cipher: bytes) -> str:
    body = base64.b64encode(
        b"openssh-key-v1\0" + len(cipher).to_bytes(4, "big") + cipher + b"\0" * 40
    ).decode()
    return f"-----BEGIN OPENSSH PRIVATE KEY-----\n{body[:30]}\n{body[30:]}\n-----END OPENSSH PRIVATE KEY-----"


@pytest.mark.parametrize(
    ("address", "value", "fault"),
    [
        (SSH, "hush-hush", "is no private key"),
        (SSH, "ssh-ed25519 AAAA me@here", "is no private key"),
        (SSH, openssh(b"aes256-ctr"), "locked by a passphrase"),
        (SSH, "-----BEGIN RSA PRIVATE KEY-----\nProc-Type: 4,ENCRYPTED\n", "locked by a passphrase"),
        (SSH, "-----BEGIN OPENSSH PRIVATE KEY-----\n%%\n-----END OPENSSH PRIVATE KEY-----", "was damaged"),
        (WEB, openssh(b"none"), "several lines"),
        (WEB, "hush\nusername=root", "several lines"),
    ],
)
def test_a_secret_that_opens_nothing_there_is_named(address: str, value: str, fault: str) -> None:
    """With its project; what it holds is not told."""
    with pytest.raises(Invalid, match=f"secret KEY, which project shop names .*{fault}") as refused:
        opened(address, value).check()
    assert "hush" not in str(refused.value)


def test_a_key_is_given_as_its_file_reads() -> None:
    """Whatever line ends it came with, and without its last one."""
    key = openssh(b"none")
    for written in (key, key + "\n", key.replace("\n", "\r\n"), f"\n  {key}\n\n"):
        remote = opened(SSH, written)
        remote.check()
        assert remote.key == key + "\n"


def test_the_value_is_in_no_representation() -> None:
    assert "hush" not in repr(opened(WEB))
