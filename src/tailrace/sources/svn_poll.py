"""Looking at a folder of a Subversion repository: `svn log`, from the newest revision that changed it."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import NamedTuple
from urllib.parse import quote, unquote, urlsplit, urlunsplit
from xml.etree import ElementTree as Xml

from tailrace.domain.address import check_address
from tailrace.domain.credentials import Remote
from tailrace.domain.events import Event, EventKind
from tailrace.domain.polls import MOST_EARLIER, Change, Found, LookFailed, Wanted, Whom
from tailrace.domain.subversion import branch_of, is_folder_name, target
from tailrace.domain.triggers import SubversionSettings
from tailrace.sources.payload import first_line
from tailrace.sources.subversion import Subversion


class _Entry(NamedTuple):
    """`paths` are from the root of the repository, and begin with a slash; `removed` are those of them that are gone."""

    number: int
    author: str
    message: str
    paths: tuple[str, ...]
    removed: frozenset[str]


class SubversionPoll:
    """Remembers the last revision that changed the folder: `{"revision": 123}`."""

    def __init__(self, subversion: Subversion) -> None:
        self._subversion = subversion

    async def look(self, wanted: Wanted, settings: SubversionSettings) -> Found:
        """Raises SourceUnreachable, Invalid, LookFailed."""
        repository = _with_login(wanted, settings)
        check_address(repository.address)
        if settings.path and not is_folder_name(settings.path):
            raise LookFailed(f"path {settings.path!r}: expected the path of a folder, such as trunk/docs")
        place = target(repository.url, settings.path or None, "HEAD")
        newest = await self._log(repository, place, "HEAD:1", 1)
        number = newest[0].number if newest else 0
        detail = f"revision {number}" if newest else "nothing was committed there yet"
        if wanted.seen is None:
            return Found({"revision": number}, f"first look: {detail}")
        before = int(wanted.seen["revision"])
        if number <= before:
            return Found({"revision": number}, detail)
        several = branch_folder(settings.path) is None
        entries = newest
        if settings.mode == "every" or several:
            entries = await self._log(repository, place, f"{number}:{before + 1}", MOST_EARLIER + 1)
        if several and len(entries) > MOST_EARLIER:
            detail += f"; more than {MOST_EARLIER} commits came: branches that only earlier ones touched are not told of"
        base = await self._base(repository)
        if several:
            told = _of_branches(entries, base, settings.path, settings.mode == "every")
        else:
            told = _Told(
                [_of_path(entry, base, settings.path, entry.number == number) for entry in reversed(entries)]
            )
        # Of what the head has already, a webhook told.
        changes = [one for one in told.changes if wanted.heads.get(one.event.ref or "") != one.event.revision]
        return Found({"revision": number}, detail, tuple(changes), gone=tuple(told.gone))

    async def _log(self, repository: Remote, place: str, revisions: str, most: int) -> list[_Entry]:
        """Newest first."""
        answer = await self._subversion.ask(
            repository, "log", "--xml", "--verbose", f"--limit={most}", f"-r{revisions}", place
        )
        return [_entry(found) for found in answer.findall("logentry")]

    async def _base(self, repository: Remote) -> str:
        """Where the project's address lies below the root of its repository, such as `/wheel` or nothing."""
        answer = await self._subversion.ask(repository, "info", "--xml", target(repository.url, None, "HEAD"))
        return unquote(answer.findtext(".//entry/relative-url") or "").removeprefix("^").rstrip("/")


def branch_folder(path: str) -> str | None:
    """The branch, tag or trunk that a path below a project's address lies in, or None."""
    first, _, rest = path.partition("/")
    name = rest.partition("/")[0]
    if first == "trunk":
        return first
    return f"{first}/{name}" if first in ("branches", "tags") and name else None


class _Told(NamedTuple):
    """What commits say: changes, oldest first, and branches and tags that are gone."""

    changes: Sequence[Change]
    gone: Sequence[str] = ()


def _of_path(entry: _Entry, base: str, path: str, is_newest: bool) -> Change:
    """A commit to a branch, or to a part of one."""
    ref = branch_folder(path)
    event = _event(entry, ref, _below(entry.paths, base))
    if path != ref:
        return Change(event, Whom.OWN)  # webhooks tell of branches, not of folders in them
    return Change(event, Whom.ALL if is_newest else Whom.EARLIER)


def _of_branches(entries: Sequence[_Entry], base: str, path: str, every: bool) -> _Told:
    """Commits, newest first, to the folder `path` that branches and tags lie in: each of these that one touches has changed.

    What touched none of them, as in a repository that has none, is a change that only this trigger is asked about.
    """
    newest: dict[str, int] = {}
    gone: set[str] = set()
    changes: list[Change] = []
    for entry in entries:
        paths = _below(entry.paths, base)
        inside = [one for one in paths if f"{one}/".startswith(f"{path}/") or not path]
        refs = {branch_folder(one) for one in inside} - {None}
        removed = {one for one in _below(entry.removed, base) if one in refs}
        gone |= removed - newest.keys()  # unless it came again since
        for ref in sorted((str(ref) for ref in refs), reverse=True):
            if newest.setdefault(ref, entry.number) == entry.number:
                whom = Whom.ALL
            elif every:
                whom = Whom.EARLIER
            else:
                continue
            if ref not in gone and ref not in removed:
                changes.append(
                    Change(_event(entry, ref, tuple(p for p in paths if branch_folder(p) == ref)), whom)
                )
        if not refs and (every or entry is entries[0]):
            changes.append(Change(_event(entry, None, paths), Whom.OWN))
    return _Told(changes[::-1], sorted(gone))


def _event(entry: _Entry, ref: str | None, changed: tuple[str, ...]) -> Event:
    return Event(
        kind=EventKind.TAG if (ref or "").startswith("tags/") else EventKind.PUSH,
        ref=ref,
        branch=None if ref is None else branch_of(ref),
        revision=str(entry.number),
        title=first_line(entry.message),
        message=entry.message,
        author=entry.author,
        changed=changed,
    )


def _below(paths: Iterable[str], base: str) -> tuple[str, ...]:
    """From the project's address, those that lie there."""
    return tuple(path.removeprefix(f"{base}/") for path in paths if path.startswith(f"{base}/"))


def _entry(found: Xml.Element) -> _Entry:
    paths = [(path.text or "", path.get("action")) for path in found.findall("paths/path")]
    return _Entry(
        int(found.get("revision") or 0),
        first_line(found.findtext("author") or "") or "",
        (found.findtext("msg") or "").strip(),
        tuple(sorted(path for path, _ in paths)),
        frozenset(path for path, action in paths if action == "D"),
    )


def _with_login(wanted: Wanted, settings: SubversionSettings) -> Remote:
    """The project's repository; with this trigger's own user, where it has one."""
    if settings.user is None:
        return wanted.remote
    url = urlsplit(wanted.repository)
    password = "" if settings.password is None else f":{quote(wanted.secrets[settings.password], safe='')}"
    place = url.netloc.rpartition("@")[2]
    return Remote(urlunsplit(url._replace(netloc=f"{quote(settings.user, safe='')}{password}@{place}")))
