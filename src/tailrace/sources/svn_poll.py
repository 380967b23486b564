"""Looking at a folder of a Subversion repository: `svn log`, from the newest revision that changed it."""

from __future__ import annotations

from collections.abc import Iterable
from typing import NamedTuple
from urllib.parse import quote, unquote, urlsplit, urlunsplit
from xml.etree import ElementTree as Xml

from tailrace.domain.address import check_address
from tailrace.domain.events import Event, EventKind
from tailrace.domain.polls import MOST_EARLIER, Change, Found, LookFailed, Wanted, Whom
from tailrace.domain.subversion import branch_of, is_folder_name, split_svn_login, target
from tailrace.domain.triggers import SubversionSettings
from tailrace.sources.payload import first_line
from tailrace.sources.subversion import Subversion


class _Entry(NamedTuple):
    """`paths` are from the root of the repository, and begin with a slash."""

    number: int
    author: str
    message: str
    paths: tuple[str, ...]


class SubversionPoll:
    """Remembers the last revision that changed the folder: `{"revision": 123}`."""

    def __init__(self, subversion: Subversion) -> None:
        self._subversion = subversion

    async def look(self, wanted: Wanted, settings: SubversionSettings) -> Found:
        """Raises SourceUnreachable, Invalid, LookFailed."""
        repository = _with_login(wanted, settings)
        check_address(repository)
        if settings.path and not is_folder_name(settings.path):
            raise LookFailed(f"path {settings.path!r}: expected the path of a folder, such as trunk/docs")
        place = target(split_svn_login(repository)[0], settings.path or None, "HEAD")
        newest = await self._log(repository, place, "HEAD:1", 1)
        number = newest[0].number if newest else 0
        detail = f"revision {number}" if newest else "nothing was committed there yet"
        if wanted.seen is None:
            return Found({"revision": number}, f"first look: {detail}")
        before = int(wanted.seen["revision"])
        if number <= before:
            return Found({"revision": number}, detail)
        entries = newest
        if settings.mode == "every":
            entries = await self._log(repository, place, f"{number}:{before + 1}", MOST_EARLIER + 1)
        base = await self._base(repository)
        changes: list[Change] = []
        for entry in reversed(entries):
            change = _change(entry, base, settings.path, is_newest=entry.number == number)
            if wanted.heads.get(change.event.ref or "") != change.event.revision:  # else a webhook told of it
                changes.append(change)
        return Found({"revision": number}, detail, tuple(changes))

    async def _log(self, repository: str, place: str, revisions: str, most: int) -> list[_Entry]:
        """Newest first."""
        answer = await self._subversion.ask(
            repository, "log", "--xml", "--verbose", f"--limit={most}", f"-r{revisions}", place
        )
        return [_entry(found) for found in answer.findall("logentry")]

    async def _base(self, repository: str) -> str:
        """Where the project's address lies below the root of its repository, such as `/wheel` or nothing."""
        answer = await self._subversion.ask(
            repository, "info", "--xml", target(split_svn_login(repository)[0], None, "HEAD")
        )
        return unquote(answer.findtext(".//entry/relative-url") or "").removeprefix("^").rstrip("/")


def branch_folder(path: str) -> str | None:
    """The branch, tag or trunk that a path below a project's address lies in, or None."""
    first, _, rest = path.partition("/")
    name = rest.partition("/")[0]
    if first == "trunk":
        return first
    return f"{first}/{name}" if first in ("branches", "tags") and name else None


def _change(entry: _Entry, base: str, path: str, *, is_newest: bool) -> Change:
    changed = tuple(p.removeprefix(f"{base}/") for p in entry.paths if p.startswith(f"{base}/"))
    ref = branch_folder(path) if path else _common(changed)
    event = Event(
        kind=EventKind.TAG if (ref or "").startswith("tags/") else EventKind.PUSH,
        ref=ref,
        branch=None if ref is None else branch_of(ref),
        revision=str(entry.number),
        title=first_line(entry.message),
        message=entry.message,
        author=entry.author,
        changed=changed,
    )
    if ref is None or path not in ("", ref):
        return Change(event, Whom.OWN)  # webhooks tell of branches, not of folders in them
    return Change(event, Whom.ALL if is_newest else Whom.EARLIER)


def _common(paths: Iterable[str]) -> str | None:
    """The branch that all of these lie in."""
    folders = {branch_folder(path) for path in paths}
    return folders.pop() if len(folders) == 1 else None


def _entry(found: Xml.Element) -> _Entry:
    return _Entry(
        int(found.get("revision") or 0),
        first_line(found.findtext("author") or "") or "",
        (found.findtext("msg") or "").strip(),
        tuple(sorted(path.text or "" for path in found.findall("paths/path"))),
    )


def _with_login(wanted: Wanted, settings: SubversionSettings) -> str:
    """The project's address with this trigger's own user, where it has one."""
    if settings.user is None:
        return wanted.repository
    url = urlsplit(wanted.repository)
    password = "" if settings.password is None else f":{quote(wanted.secrets[settings.password], safe='')}"
    place = url.netloc.rpartition("@")[2]
    return urlunsplit(url._replace(netloc=f"{quote(settings.user, safe='')}{password}@{place}"))
