"""Subversion: what an address gives svn, which folder of a repository is meant, and what svn's complaints say."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from typing import NamedTuple
from urllib.parse import quote, unquote, urlsplit, urlunsplit

from tailrace.domain.address import Login

_MARK = "svn+"  # before the schemes that git has too
_REVISION = re.compile(r"(?:(?P<name>.+)@)?(?:r?(?P<number>[0-9]{1,10})|HEAD)")
_UNFIT = re.compile(r"[\x00-\x1f\x7f\ud800-\udfff]")
_SPACES = ("branches/", "tags/")
_LINE = re.compile(r"svn: (?:warning: )?([EW][0-9]{6}): (.*)")
# Whatever cannot be found in a repository that answers: folders, files, revisions.
_ABSENT = {"W170000", "E170000", "W160013", "E160013", "E160005", "E160006", "E195012", "E160017"}
# Its access layers (ra), http (serf), svn's own protocol, certificates, names, and the system's network errors.
_AWAY = re.compile(r"E(?:12|17|18|21|23|67)[0-9]{4}|E0001[0-9]{2}")
_UNWANTED = ("SSH_ASKPASS", "TAILRACE_", "SVN_EDITOR", "LC_", "LANGUAGE")
_IDLE = {"E200009", "E170013"}  # said beside what tells more
_LONGEST = 500


class Named(NamedTuple):
    """What a person asks for: a folder's name, or None for the main one; a revision's number, or None for the newest."""

    name: str | None
    number: int | None


def split_svn_login(repository: str) -> tuple[str, Login | None]:
    """What svn is given as the URL, without user and password, and these.

    Over ssh a user's name stays where it is: ssh takes it from there, and takes no password.
    """
    url = urlsplit(repository)
    login, at, place = url.netloc.rpartition("@")
    user, _, password = login.partition(":")
    if url.scheme == "svn+ssh":
        netloc = f"{user}@{place}" if user else place
        return urlunsplit(url._replace(netloc=netloc)).rstrip("/"), None
    scheme = url.scheme.removeprefix(_MARK)
    bare = urlunsplit(url._replace(scheme=scheme, netloc=place)).rstrip("/")
    if not at:
        return bare, None
    return bare, Login(f"{scheme}://{place}", unquote(user), unquote(password))


def server_settings(login: Login | None) -> str:
    """What svn's file `servers` says: the user's name, which would be seen on a command line."""
    return f"[global]\nusername = {login.user}\n" if login is not None else "[global]\n"


def svn_environment(inherited: Mapping[str, str]) -> dict[str, str]:
    """The environment of svn: the machine's own (proxies, SSH agent), without what makes ssh ask somebody."""
    kept = {name: value for name, value in inherited.items() if not name.startswith(_UNWANTED)}
    # A shared connection would outlive the command and hold its output open.
    ssh = {"SVN_SSH": "ssh -oBatchMode=yes -oControlMaster=no", **kept}
    return {**ssh, "LC_ALL": "C.UTF-8"}  # without UTF-8, svn refuses to name files that need it


def target(url: str, folder: str | None, number: int | str | None) -> str:
    """What svn takes for a folder or file as it was in a revision, under the name that it had then."""
    path = f"/{quote(folder, errors='replace')}" if folder else ""
    return f"{url}{path}@{'HEAD' if number is None else number}"


def read_revision(text: str) -> Named:
    """`123` and `r123`, `HEAD`, `branches/x`, `x`, `x@123`."""
    found = _REVISION.fullmatch(text)
    if found is None:
        return Named(text, None)
    return Named(found["name"], int(found["number"]) if found["number"] else None)


def is_folder_name(text: str) -> bool:
    """Whether this can be a path inside a repository, which leads nowhere else."""
    parts = text.split("/")
    return 0 < len(text) <= 1000 and not _UNFIT.search(text) and not any(p in ("", ".", "..") for p in parts)


def folders_of(name: str) -> tuple[str, ...]:
    """Where the branch, tag or folder of that name may be, in the order in which they count."""
    if name == "trunk" or name.startswith(_SPACES):
        return (name,)
    return (*(f"{space}{name}" for space in _SPACES), name)


def branch_of(folder: str) -> str:
    """`branches/x` is called x."""
    return next((folder.removeprefix(space) for space in _SPACES if folder.startswith(space)), folder)


def codes(complaint: str) -> list[str]:
    """The numbers of svn's errors and warnings, as `E170013`."""
    return [found[1] for found in map(_LINE.match, complaint.splitlines()) if found]


def is_absent(complaint: str) -> bool:
    """Whether the repository answered, and has not what it was asked for."""
    return not _ABSENT.isdisjoint(codes(complaint))


def is_away(complaint: str) -> bool:
    """Whether the repository did not answer, or let nobody in."""
    return not is_absent(complaint) and any(map(_AWAY.fullmatch, codes(complaint)))


def telling(complaint: str) -> str:
    """What svn's complaint says, in one line; empty where it says nothing."""
    lines = [line.strip() for line in complaint.splitlines() if line.strip()]
    said = [found for found in map(_LINE.match, lines) if found]
    most = [found for found in said if found[1] not in _IDLE] or said
    words = list(_distinct(found[2] for found in most))
    other = [line for line in lines if not line.startswith("svn: ")]
    if other and any(found[1].startswith("E21000") for found in said):
        words = other[-1:]  # what ssh said stands before svn's general lament
    return "; ".join(words or other[-1:])[:_LONGEST]


def _distinct(words: Iterable[str]) -> Iterable[str]:
    return dict.fromkeys(words)
