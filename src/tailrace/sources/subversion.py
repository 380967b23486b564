"""Subversion repositories, asked directly: what a revision is and what a file says there."""

from __future__ import annotations

import contextlib
import os
from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path
from typing import NamedTuple
from urllib.parse import unquote
from xml.etree import ElementTree as Xml

from tailrace.domain.address import check_address, without_password
from tailrace.domain.credentials import Remote, as_remote
from tailrace.domain.errors import Invalid, RevisionNotFound, SourceUnreachable
from tailrace.domain.subversion import (
    branch_of,
    folders_of,
    is_absent,
    is_folder_name,
    read_revision,
    server_settings,
    svn_environment,
    target,
    telling,
)
from tailrace.domain.unlock import unlock
from tailrace.guard import TargetRefused, TargetUnknown
from tailrace.process import Answer, ProgramMissing, run_program
from tailrace.sources.base import Commit
from tailrace.sources.mirror import KNOWN_HOSTS, LARGEST_FILE
from tailrace.sources.names import inner_path
from tailrace.sources.payload import first_line
from tailrace.sources.ways import UNGUARDED, Ways

_MAIN = "trunk"
_NO_TIME = datetime.fromtimestamp(0, UTC)


class _Found(NamedTuple):
    """A folder of a repository (None: the one that the address names), and a revision in which it is there."""

    folder: str | None
    number: int


class Subversion:
    """Asks repositories; keeps nothing of them.

    A commit's `revision` is its number, and its `ref` the folder below the address that is meant: `trunk`,
    `branches/x`, `tags/x` or any other; None where the address itself is meant, because it has no `trunk`.

    `folder` holds what svn is told of each address; `timeout` (seconds) bounds each command. Repositories are asked by `ways`.
    """

    def __init__(self, folder: Path, *, timeout: float = 600, ways: Ways = UNGUARDED) -> None:
        self._folder = folder.absolute()
        self._timeout = timeout
        self._ways = ways

    async def resolve(
        self, repository: str | Remote, revision: str | None = None, ref: str | None = None
    ) -> Commit:
        """The commit that is meant: by its number (`123`, `r123`), a branch, a tag, a folder, or `NAME@123`.

        Without a number it is the last one that changed the folder. Without a name it is `ref`, and without either
        `trunk`, where there is one. Raises Invalid, RevisionNotFound, SourceUnreachable.
        """
        remote = as_remote(repository)
        check_address(remote.address)
        name, number = read_revision(revision) if revision is not None else (None, None)
        if ref is not None and name is None:
            name, folders = ref, (ref,)
        else:
            folders = (_MAIN,) if name is None else folders_of(name)
        wrong = next((folder for folder in folders if not is_folder_name(folder)), None)
        if wrong is not None:
            raise Invalid(f"revision {wrong!r}: expected a number, or the name of a branch, tag or folder")
        shown = revision or name or "HEAD"
        found = await self._find(remote, folders, number, shown, or_itself=name is None)
        return await self._last_change(remote, found, number, shown)

    async def read_file(
        self, repository: str | Remote, revision: str, path: str, ref: str | None = None
    ) -> bytes | None:
        """The bytes of a file at what `resolve` found, or None when there is none.

        Raises Invalid (it is larger than 1 MiB, or no file), RevisionNotFound, SourceUnreachable.
        """
        remote = as_remote(repository)
        check_address(remote.address)
        inner = inner_path(path)
        number = read_revision(revision).number
        if number is None:
            raise Invalid(f"revision {revision!r}: expected a number")
        place = target(remote.url, f"{ref}/{inner}" if ref else inner, number)
        listed = await self._svn(remote, "list", "--xml", "--depth", "empty", place)
        if listed.status != 0 and is_absent(listed.complaint):
            return None
        size = _parse(self._good(remote, listed)).findtext(".//entry[@kind='file']/size")
        if size is None:
            raise Invalid(f"{path} at {revision} is a folder: expected a file")
        if int(size) > LARGEST_FILE:
            raise Invalid(f"{path} at {revision} has {size} bytes: at most {LARGEST_FILE} are read")
        return self._good(remote, await self._svn(remote, "cat", place)).output

    async def ask(self, repository: str | Remote, *arguments: str) -> Xml.Element:
        """What svn answers in XML; raises SourceUnreachable, also for what the repository has not got."""
        remote = as_remote(repository)
        return _parse(self._good(remote, await self._svn(remote, *arguments)))

    async def list_files(
        self, repository: str | Remote, revision: str, ref: str | None, file: str, folder: str
    ) -> tuple[str, ...]:
        """`file`, where there is one, and the paths of the files in `folder`, but not below, at what `resolve` found.

        Raises Invalid, RevisionNotFound, SourceUnreachable.
        """
        remote = as_remote(repository)
        check_address(remote.address)
        number = read_revision(revision).number
        if number is None:
            raise Invalid(f"revision {revision!r}: expected a number")
        found: list[str] = []
        for path, depth in ((inner_path(file), "empty"), (inner_path(folder), "files")):
            place = target(remote.url, f"{ref}/{path}" if ref else path, number)
            listed = await self._svn(remote, "list", "--xml", "--depth", depth, place)
            if listed.status != 0 and is_absent(listed.complaint):
                continue
            names = _parse(self._good(remote, listed)).findall(".//entry[@kind='file']/name")
            found += [path if depth == "empty" else f"{path}/{name.text}" for name in names]
        return tuple(found)

    async def _find(
        self, remote: Remote, folders: tuple[str, ...], number: int | None, shown: str, or_itself: bool
    ) -> _Found:
        """The first of these folders that there is, or what the address names."""
        url = remote.url
        places = [target(url, folder, number) for folder in (*folders, None)]
        answer = await self._svn(remote, "info", "--xml", *places)
        if answer.status != 0 and not is_absent(answer.complaint):
            raise self._away(remote, answer)
        entries = {unquote(e.findtext("relative-url") or ""): e for e in _parse(answer).findall("entry")}
        # The address itself was asked for last; what has no entry is not there.
        itself = list(entries)[-1].rstrip("/") if entries else ""
        for folder in folders:
            entry = entries.get(f"{itself}/{folder}")
            if entry is not None and entry.get("kind") == "dir":
                return _Found(folder, int(entry.get("revision") or 0))
        if or_itself and entries:
            return _Found(None, int(list(entries.values())[-1].get("revision") or 0))
        why = "it has no such branch, tag or folder" if entries else telling(answer.complaint)
        raise RevisionNotFound(remote.shown, shown, why)

    async def _last_change(self, remote: Remote, found: _Found, number: int | None, shown: str) -> Commit:
        # Not the last change that `info` tells: that may be older than the folder's own name.
        place = target(remote.url, found.folder, found.number)
        answer = await self._svn(remote, "log", "--xml", "--limit=1", f"-r{found.number}:1", place)
        entry = _parse(self._good(remote, answer)).find("logentry") if found.number else None
        if entry is None:
            raise RevisionNotFound(remote.shown, shown, "nothing was committed there yet")
        return Commit(
            revision=entry.get("revision") or str(found.number) if number is None else str(number),
            ref=found.folder,
            branch=branch_of(found.folder) if found.folder else None,
            title=first_line(entry.findtext("msg") or "") or "",
            author=first_line(entry.findtext("author") or "") or "",
            time=_time(entry.findtext("date") or ""),
            message=(entry.findtext("msg") or "").strip(),
        )

    async def _svn(self, remote: Remote, *arguments: str) -> Answer:
        """Raises SourceUnreachable also where the guard does not let svn go."""
        try:
            # svn shows a password to every server that it is redirected to and that asks for one.
            async with self._ways.to(remote.address, alone=remote.login is not None) as way:
                answer = await self._run(remote, way.proxy, *arguments)
        except (TargetRefused, TargetUnknown) as error:
            raise SourceUnreachable(remote.shown, str(error)) from None
        if answer.status != 0 and way.refused:
            raise SourceUnreachable(remote.shown, way.refused[0])
        return answer

    async def _run(self, remote: Remote, proxy: str | None, *arguments: str) -> Answer:
        login, key = remote.login, unlock(remote, self._folder / KNOWN_HOSTS)
        config = self._folder / f"{remote.place}.svnconfig"
        config.mkdir(mode=0o700, parents=True, exist_ok=True)
        _write(config / "servers", server_settings(login))
        told = None if login is None else login.password.encode()
        options = ("--non-interactive", "--no-auth-cache", f"--config-dir={config}", *_through(proxy))
        stdin = () if told is None else ("--password-from-stdin",)
        word, *rest = arguments
        try:
            return await run_program(
                *("svn", word, *options, *stdin, *rest),
                folder=self._folder,
                env={**svn_environment(os.environ), **key.env},
                seconds=self._timeout,
                told=told,
                held=key.held,
            )
        except TimeoutError:
            raise SourceUnreachable(
                remote.shown, f"svn {word} did not end within {self._timeout:g} s"
            ) from None
        except ProgramMissing as missing:
            raise SourceUnreachable(remote.shown, f"{missing}: install subversion 1.10 or newer") from None

    def _good(self, remote: Remote, answer: Answer) -> Answer:
        if answer.status != 0:
            raise self._away(remote, answer)
        return answer

    def _away(self, remote: Remote, answer: Answer) -> SourceUnreachable:
        why = telling(answer.complaint) or f"svn ended with status {answer.status} and said nothing"
        opener = None if remote.opener is None else remote.opener.words
        return SourceUnreachable(remote.shown, without_password(why), opener)


def _through(proxy: str | None) -> Iterator[str]:
    if proxy is not None:
        host, _, port = proxy.partition(":")
        for name, value in (("host", host), ("port", port), ("exceptions", "")):
            yield f"--config-option=servers:global:http-proxy-{name}={value}"


def _parse(answer: Answer) -> Xml.Element:
    try:
        return Xml.fromstring(answer.output)  # noqa: S314 - our own svn wrote it, and it has no DTD
    except Xml.ParseError:  # cut short by the error that the status tells
        return Xml.Element("nothing")


def _write(path: Path, text: str) -> None:
    with contextlib.suppress(FileNotFoundError):
        if path.read_text() == text:
            return
    fresh = path.with_name(f"{path.name}.{os.getpid()}.new")
    fresh.unlink(missing_ok=True)
    with open(os.open(fresh, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600), "w") as file:
        file.write(text)
    fresh.replace(path)


def _time(text: str) -> datetime:
    try:
        return datetime.fromisoformat(text).astimezone(UTC)
    except ValueError:  # a revision's properties may hold anything, or nothing
        return _NO_TIME
