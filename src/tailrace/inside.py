"""Files below a folder, reached without following a link: nothing that stands in the folder leads out of it.

Each part of a path is opened in the folder before it (`openat`, `O_NOFOLLOW`), so that what somebody changes meanwhile is
refused or missed, but never followed.
"""

from __future__ import annotations

import errno
import os
import secrets
import stat
from collections.abc import Generator, Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import NamedTuple

_FOLDER = os.O_RDONLY | os.O_DIRECTORY | os.O_NOFOLLOW | os.O_CLOEXEC
# Without waiting: to open a pipe for reading would wait for a writer.
_READ = os.O_RDONLY | os.O_NOFOLLOW | os.O_CLOEXEC | os.O_NONBLOCK


class Found(NamedTuple):
    """What a folder holds: `path` is below the folder, with `/`; `kind` is `folder`, `file`, `link` or `other`."""

    path: str
    kind: str


class NotPlain(OSError):
    """A path that leads to, or through, something else than plain files and folders."""


def entries(root: Path, folder: str = "") -> list[Found]:
    """What is in a folder below `root`, by name; raises OSError when it cannot be read."""
    with _folder(root, folder.split("/") if folder else []) as handle, os.scandir(handle) as listing:
        return sorted(Found(f"{folder}/{one.name}" if folder else one.name, _kind(one)) for one in listing)


@contextmanager
def reading(root: Path, path: str) -> Generator[int]:
    """A descriptor of a plain file below `root`; raises NotPlain for anything else, OSError when it cannot be read."""
    *folders, name = path.split("/")
    with _folder(root, folders) as handle:
        try:
            file = os.open(name, _READ, dir_fd=handle)
        except OSError as error:
            raise _told(error, path) from error
    try:
        if not stat.S_ISREG(os.fstat(file).st_mode):
            raise NotPlain(errno.EINVAL, "is not a plain file", path)
        yield file
    finally:
        os.close(file)


@contextmanager
def writing(root: Path, path: str) -> Generator[int]:
    """A descriptor of a file below `root` that takes the place of what had that name when the block ends without an error.

    Folders on the way are made. Raises NotPlain when one of them is something else, or when the path is a folder.
    """
    *folders, name = path.split("/")
    with _folder(root, folders, make=True) as handle:
        draft = f".{secrets.token_hex(8)}.part"
        flags = os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_NOFOLLOW | os.O_CLOEXEC
        file = os.open(draft, flags, 0o666, dir_fd=handle)
        try:
            try:
                yield file
            finally:
                os.close(file)
            try:
                os.rename(draft, name, src_dir_fd=handle, dst_dir_fd=handle)
            except IsADirectoryError as error:
                raise NotPlain(errno.EISDIR, "is a folder already", path) from error
        except BaseException:
            with suppress(FileNotFoundError):
                os.unlink(draft, dir_fd=handle)
            raise


def blocks(file: int, size: int) -> Iterator[bytes]:
    """The bytes of an open file from its beginning, `size` at a time."""
    at = 0
    while block := os.pread(file, size, at):
        yield block
        at += len(block)


@contextmanager
def _folder(root: Path, parts: list[str], *, make: bool = False) -> Generator[int]:
    handle = os.open(root, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
    try:
        for index, part in enumerate(parts):
            if make:
                with suppress(FileExistsError):
                    os.mkdir(part, dir_fd=handle)
            try:
                below = os.open(part, _FOLDER, dir_fd=handle)
            except OSError as error:
                raise _told(error, "/".join(parts[: index + 1])) from error
            os.close(handle)
            handle = below
        yield handle
    finally:
        os.close(handle)


def _told(error: OSError, path: str) -> OSError:
    if error.errno in (errno.ELOOP, errno.EMLINK):
        return NotPlain(errno.ELOOP, "is a link, which is not followed", path)
    if error.errno in (errno.ENOTDIR, errno.ENXIO):
        return NotPlain(error.errno, "is not a folder, or leads through a link", path)
    return OSError(error.errno, error.strerror, path)


def _kind(entry: os.DirEntry[str]) -> str:
    if entry.is_symlink():
        return "link"
    if entry.is_dir(follow_symlinks=False):
        return "folder"
    return "file" if entry.is_file(follow_symlinks=False) else "other"
