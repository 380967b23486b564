"""Bringing a folder's files into another one that a job has changed: what differs is made anew, and nothing through a link."""

from __future__ import annotations

import os
import stat
from collections.abc import Callable, Iterable, Iterator
from contextlib import suppress
from pathlib import Path

from tailrace.runner.trees import Undeletable, entered, opened, remove_at

_STRETCH = 1 << 24  # bytes that are copied before anybody who wants it to stop is heard
_BITS = 0o777


class _Stopped(Exception):
    """Somebody wants no more of it."""


def bring(source: Path, to: Path, before: Iterable[str], stopped: Callable[[], bool]) -> list[str] | None:
    """Let `to` have all that `source` has, as it is there, and not what only `before` names; all else stays.

    A file that has the same size and time (ns) is taken for the same, as svn does. Returns what `source` has, for the next time's
    `before`: paths below it, those of folders with a slash at the end; None when it was `stopped`. Raises Undeletable, OSError.
    """
    with opened(source) as theirs, opened(to) as ours:
        try:
            now = list(_Bringing(stopped).folder(theirs, ours, ""))
        except _Stopped:
            return None
        for path in sorted(set(before) - set(now), reverse=True):  # what is in a folder before the folder
            _forget(ours, path)
    return now


class _Bringing:
    def __init__(self, stopped: Callable[[], bool]) -> None:
        self._stopped = stopped

    def folder(self, theirs: int, ours: int, path: str) -> Iterator[str]:
        """Bring what is in a folder; the paths of it all, `path` before each."""
        with os.scandir(theirs) as entries:
            found = list(entries)
        for entry in found:
            self._heed()
            name = entry.name
            if entry.is_dir(follow_symlinks=False):
                yield f"{path}{name}/"
                _own(ours, name)
                with opened(name, theirs) as inner, entered(ours, name) as to:
                    yield from self.folder(inner, to, f"{path}{name}/")
                continue
            yield f"{path}{name}"
            wanted = os.stat(name, dir_fd=theirs, follow_symlinks=False)
            if stat.S_ISLNK(wanted.st_mode):
                _make_room(ours, name)
                os.symlink(os.readlink(name, dir_fd=theirs), name, dir_fd=ours)
            elif not _is_same(ours, name, wanted):
                _make_room(ours, name)
                self._copy(theirs, ours, name)

    def _copy(self, theirs: int, ours: int, name: str) -> None:
        source = os.open(name, os.O_RDONLY | os.O_NOFOLLOW | os.O_CLOEXEC, dir_fd=theirs)
        try:
            flags = os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_NOFOLLOW | os.O_CLOEXEC
            to = os.open(name, flags, 0o600, dir_fd=ours)
            try:
                while os.sendfile(to, source, None, _STRETCH):
                    self._heed()
                of = os.fstat(source)
                os.fchmod(to, of.st_mode & _BITS)
                os.utime(to, ns=(of.st_mtime_ns, of.st_mtime_ns))
            finally:
                os.close(to)
        finally:
            os.close(source)

    def _heed(self) -> None:
        if self._stopped():
            raise _Stopped


def _own(parent: int, name: str) -> None:
    """See to it that there is a folder, and not a link to one."""
    with suppress(FileExistsError):
        os.mkdir(name, dir_fd=parent)
        return
    with suppress(NotADirectoryError), entered(parent, name):
        return
    _make_room(parent, name)
    os.mkdir(name, dir_fd=parent)


def _make_room(parent: int, name: str) -> None:
    left = remove_at(parent, name)
    if left is not None:
        raise Undeletable(f"{left}: the repository's own file cannot have its place")


def _is_same(parent: int, name: str, wanted: os.stat_result) -> bool:
    try:
        found = os.stat(name, dir_fd=parent, follow_symlinks=False)
    except FileNotFoundError:
        return False
    return (
        stat.S_ISREG(found.st_mode)
        and found.st_nlink == 1
        and found.st_size == wanted.st_size
        and found.st_mtime_ns == wanted.st_mtime_ns
        and found.st_mode & _BITS == wanted.st_mode & _BITS
    )


def _forget(parent: int, path: str) -> None:
    """Remove a file, or a folder with nothing in it, unless a job has put something else in its place or on the way to it."""
    name, inner = path.partition("/")[::2]
    with suppress(FileNotFoundError, NotADirectoryError):
        if inner:
            with entered(parent, name) as fd:
                _forget(fd, inner)
        elif path.endswith("/"):
            with suppress(OSError):  # it has files of the job
                os.rmdir(name, dir_fd=parent)
        else:
            with suppress(IsADirectoryError):
                os.unlink(name, dir_fd=parent)
