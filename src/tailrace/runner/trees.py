"""Removing folders that a job filled."""

from __future__ import annotations

import os
import shutil
from contextlib import suppress
from pathlib import Path

from tailrace.domain.errors import TailraceError


class Undeletable(TailraceError):
    """A folder holds something that this user may not remove."""


def remove_tree(path: Path) -> None:
    """Remove a folder with read-only folders in it; a missing one is fine. Raises Undeletable, after removing what it could.

    Of a link, which a job may have put in the folder's place, only the link goes.
    """
    if path.is_symlink():
        path.unlink()
        return
    try:
        shutil.rmtree(path)
    except FileNotFoundError:
        if not path.exists():
            return
        shutil.rmtree(path, ignore_errors=True)
    except OSError:
        _open_up(path)
        shutil.rmtree(path, ignore_errors=True)
    if path.exists():
        rest = next((Path(folder) / name for folder, _, names in os.walk(path) for name in names), path)
        raise Undeletable(
            f"cannot remove {path}: {rest} belongs to another user or is protected;"
            " its space stays in use until somebody who may removes it"
        )


def empty_tree(path: Path, but: tuple[str, ...] = ()) -> None:
    """Remove what is in a folder, except what has one of these names; a missing one is fine. Raises Undeletable, OSError.

    A link in its place is removed and never followed: it may lead anywhere, and this may be root.
    """
    try:
        fd = os.open(path, os.O_RDONLY | os.O_DIRECTORY | os.O_NOFOLLOW | os.O_CLOEXEC)
    except FileNotFoundError:
        return
    except OSError:
        if not path.is_symlink() and path.is_dir():
            raise
        path.unlink()
        return
    try:
        for name in os.listdir(fd):
            inner = path / name
            if name in but and not inner.is_symlink():
                continue
            if inner.is_dir() and not inner.is_symlink():
                shutil.rmtree(name, ignore_errors=True, dir_fd=fd)
                if inner.exists():
                    remove_tree(inner)
            else:
                os.unlink(name, dir_fd=fd)
    finally:
        os.close(fd)


def give_to_owner(folder: Path) -> None:
    """Let all that is in a folder belong to whom the folder does, where that is not this process's user; links are not followed."""
    owner = folder.stat()
    if owner.st_uid == os.geteuid():
        return
    for _, folders, files, fd in os.fwalk(folder):
        for name in (*folders, *files):
            os.chown(name, owner.st_uid, owner.st_gid, dir_fd=fd, follow_symlinks=False)


def write_for_owner(path: Path, content: bytes) -> None:
    """Make a new file (mode 0600) that belongs to whom its folder does; what has its name is replaced, a link not followed."""
    path.unlink(missing_ok=True)
    fd = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_NOFOLLOW | os.O_CLOEXEC, 0o600)
    with os.fdopen(fd, "wb") as file:
        owner = path.parent.stat()
        if owner.st_uid != os.geteuid():
            os.fchown(fd, owner.st_uid, owner.st_gid)
        file.write(content)


def _open_up(path: Path) -> None:
    """Give the owner all rights on every folder, from the top, so that what lies below can be listed."""
    if path.is_symlink():  # what it leads to is not ours
        return
    for folder, _, _ in os.walk(path, onerror=None):
        with suppress(OSError):
            Path(folder).chmod(0o700)
        for entry in _folders(folder):
            with suppress(OSError):
                Path(entry).chmod(0o700)


def _folders(folder: str) -> list[str]:
    try:
        with os.scandir(folder) as entries:
            return [entry.path for entry in entries if entry.is_dir(follow_symlinks=False)]
    except OSError:
        return []
