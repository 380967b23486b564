"""Addresses of repositories: which ones git and svn may be given, and how they are named on disk and in messages."""

from __future__ import annotations

import hashlib
import re
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import PurePosixPath
from typing import NamedTuple
from urllib.parse import SplitResult, unquote, urlsplit, urlunsplit

from tailrace.domain.errors import Invalid

PROTOCOLS = ("https", "http", "ssh", "git", "file")
"""Those of git."""
SVN_PROTOCOLS = ("svn", "svn+ssh", "svn+https", "svn+http", "svn+file")
"""Those of Subversion; `svn+` tells its https, http and file from git's."""

_PORTS = {"https": 443, "http": 80, "ssh": 22, "git": 9418, "svn": 3690}
_SCHEME = re.compile(r"([A-Za-z][A-Za-z0-9+.-]*)://")
# git's short form of ssh: [user@]host:path. A second colon would name a transport helper (ext::…).
_SHORT_SSH = re.compile(r"(?:[A-Za-z0-9_][A-Za-z0-9_.+-]*@)?[A-Za-z0-9][A-Za-z0-9.-]*:(?![:-]|//).+")
_CONTROL = re.compile(r"[\x00-\x1f\x7f\ud800-\udfff]")
_UNSAFE = re.compile(r"[^A-Za-z0-9_.-]+")
# Over http a token may stand where the user's name does; over ssh the user's name is worth seeing.
_WEB_LOGIN = re.compile(r"(https?://)[^/\s]*@")
_BLOTTED = re.compile(r"://([^/@\s:]*:)?\*\*\*@")
_PASSWORD = re.compile(r"(?<=://)([^/@\s:]*):[^/\s]*(?=@)")


def check_address(repository: str) -> str:
    """The address, if git or svn may be given it: a URL of their PROTOCOLS, user@host:path, or an absolute path.

    Raises Invalid otherwise: an address can neither be taken for an option nor name a program to start.
    """
    if _CONTROL.search(repository) or not 0 < len(repository) <= 2000:
        raise Invalid(
            f"repository: expected 1 to 2000 characters, none of them a control character ({_ALLOWED})"
        )
    scheme = _SCHEME.match(repository)
    if scheme is not None:
        if _is_url(repository, scheme[1]):
            return repository
    elif repository.startswith("/") or _SHORT_SSH.fullmatch(repository):
        return repository
    raise Invalid(f"repository {without_password(repository)}: expected {_ALLOWED}")


def is_subversion(repository: str) -> bool:
    """Whether this is the address of a Subversion repository; all others are git's."""
    scheme, found, _ = repository.partition("://")
    return bool(found) and scheme in SVN_PROTOCOLS


class Host(NamedTuple):
    """The machine that has a repository: `scheme` is the protocol's, without `svn+` and `ssh` for all that go by it."""

    scheme: str
    name: str
    port: int


def host_of(repository: str) -> Host | None:
    """Which machine is asked for the repository; None for one on this machine's own disk. Of addresses that were checked."""
    scheme, found, _ = repository.partition("://")
    if not found:
        if repository.startswith("/"):
            return None
        return Host("ssh", repository.partition(":")[0].rpartition("@")[2], _PORTS["ssh"])
    scheme = scheme.removeprefix("svn+")
    url = urlsplit(repository)
    return None if scheme == "file" else Host(scheme, url.hostname or "", url.port or _PORTS[scheme])


def same_repository(repository: str, addresses: Iterable[str]) -> bool | None:
    """Whether one of these is the repository's address; None where nobody can say, as that is of no host that these name.

    Which protocol it goes by, who signs in, and a `.git` at its end do not matter.
    """
    own = _place(repository)
    others = [place for address in addresses if (place := _place(address)) is not None]
    if own is None or own.host not in [place.host for place in others]:
        return None
    return own in others


class _Place(NamedTuple):
    host: str
    path: str


def _place(repository: str) -> _Place | None:
    try:
        host = host_of(check_address(repository))
    except Invalid:
        return None
    if host is None or is_subversion(repository):
        return None
    path = urlsplit(repository).path if "://" in repository else repository.partition(":")[2]
    return _Place(host.name.lower(), unquote(path).strip("/").removesuffix(".git").lower())


def folder_name(repository: str, opened_by: str = "") -> str:
    """A name for what is kept of this repository: readable, and another one for every other address, or what else opens it."""
    shown = without_password(repository)
    last = PurePosixPath(shown.rstrip("/").replace(":", "/")).name.removesuffix(".git")
    readable = _UNSAFE.sub("-", last).strip(".-")[:40] or "repository"
    whole = f"{repository}\0{opened_by}" if opened_by else repository
    return f"{readable}-{hashlib.sha256(whole.encode()).hexdigest()[:16]}"


@dataclass(frozen=True)
class Login:
    """What an http address carries beside the place: `host` is its scheme, name and port, as git's settings name it."""

    host: str
    user: str
    password: str


def split_login(repository: str) -> tuple[str, Login | None]:
    """An http address without its user and password, and these; any other address as it is."""
    try:
        url = urlsplit(repository)
    except ValueError:
        return repository, None
    login, at, place = url.netloc.rpartition("@")
    if url.scheme not in ("http", "https") or not at:
        return repository, None
    user, _, password = login.partition(":")
    bare = urlunsplit(url._replace(netloc=place))
    return bare, Login(f"{url.scheme}://{place}", unquote(user), unquote(password))


def without_password(text: str) -> str:
    """The text with passwords and tokens in addresses blotted out."""
    return _PASSWORD.sub(r"\1:***", _WEB_LOGIN.sub(r"\1***@", text))


def keep_password(wanted: str, known: str) -> str:
    """The address that is meant by one in which a password may be blotted out: the `known` one, if that is how it is shown.

    Raises Invalid for another one, as nobody knows that one's password.
    """
    if wanted == without_password(known):
        return known
    if _BLOTTED.search(wanted):
        raise Invalid(
            f"repository {wanted}: its password is blotted out, and it is not the address that there was: write the password"
        )
    return wanted


def refuse_login(url: str, where: str, instead: str) -> None:
    """Raises Invalid for an address with a user or password in it: whoever may see the settings would see it."""
    login, at, _ = url.partition("://")[2].partition("/")[0].rpartition("@")
    if at:
        raise Invalid(
            f"{where}: there must be no user and no password in the address, which everybody sees; found"
            f" {'a password' if ':' in login else 'a user'}; {instead}"
        )


_ALLOWED = (
    f"a URL that begins with {', '.join(f'{p}://' for p in PROTOCOLS)}, or user@host:path, or an absolute path;"
    f" for Subversion a URL that begins with {', '.join(f'{p}://' for p in SVN_PROTOCOLS)}"
)


def _is_url(repository: str, scheme: str) -> bool:
    try:
        url: SplitResult = urlsplit(repository)
        host, user = url.hostname or "", url.username or ""
        _ = url.port  # raises when it is no number
    except ValueError:
        return False
    if scheme not in (*PROTOCOLS, *SVN_PROTOCOLS) or " " in url.netloc:
        return False
    if scheme in ("file", "svn+file"):
        return url.netloc == "" and url.path.startswith("/")
    if scheme in SVN_PROTOCOLS and (url.query or url.fragment or not _is_login(url)):
        return False
    # ssh would take a host or a user that begins with a hyphen for an option.
    hyphen = host.startswith("-") or unquote(user).startswith("-")
    return bool(host) and not hyphen and (len(url.path) > 1 or scheme in SVN_PROTOCOLS)


def _is_login(url: SplitResult) -> bool:
    # svn reads the user's name from a line of a file, and the password from a line of its input.
    return not _CONTROL.search(unquote(url.username or "") + unquote(url.password or ""))
