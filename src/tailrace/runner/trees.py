"""Folders that a job filled: removing them, and making something in them, without ever leaving them.

A job may leave links anywhere, in the place of what we made too, and this process may be root. So a folder is entered by its
descriptor, no link is followed on the way below a path's parent, and what is mounted somewhere below is not entered: it may
be the machine's own root.
"""

from __future__ import annotations

import errno
import os
import stat
from collections.abc import Generator
from contextlib import contextmanager, suppress
from pathlib import Path

from tailrace.domain.errors import TailraceError

_FOLDER = os.O_RDONLY | os.O_DIRECTORY | os.O_NOFOLLOW | os.O_CLOEXEC
_NEW_FILE = os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_NOFOLLOW | os.O_CLOEXEC
_DEEPEST = 64  # each level takes a descriptor and a frame


class Undeletable(TailraceError):
    """A folder holds something that this user may not remove, or something is mounted in it."""


def remove_tree(path: Path) -> None:
    """Remove a folder with read-only folders in it; a missing one is fine. Raises Undeletable, after removing what it could.

    Of a link, which a job may have put in the folder's place, only the link goes.
    """
    left = None
    with _undeletable(path), _parent_of(path) as parent:
        left = remove_at(parent, path.name)
    if left is not None:
        raise _cannot_remove(path, left)


def empty_tree(path: Path) -> None:
    """Remove what is in a folder; a missing one is fine. Raises Undeletable, after removing what it could.

    A link in its place is removed and never followed.
    """
    left = None
    with _undeletable(path), _parent_of(path) as parent:
        try:
            with entered(parent, path.name) as fd:
                left = _Removal(fd).clear()
        except NotADirectoryError:
            os.unlink(path.name, dir_fd=parent)
            return
    if left is not None:
        raise _cannot_remove(path, left)


def remove_at(parent: int, name: str) -> str | None:
    """Remove what has this name in the folder with the descriptor `parent`, whatever it is; what is left of it and why, if so."""
    try:
        with entered(parent, name) as fd:
            left = _Removal(fd).clear()
        if left is None:
            os.rmdir(name, dir_fd=parent)
        return left
    except NotADirectoryError:
        os.unlink(name, dir_fd=parent)
    except FileNotFoundError:
        pass
    except OSError as error:
        return _why(name, error)
    return None


def own_folder(path: Path) -> bool:
    """See to it that there is a folder (mode 0700) and not a link to one; whether there was.

    Raises Undeletable when something is mounted there, OSError when it cannot be made.
    """
    with opened(path.parent) as parent:
        with suppress(FileExistsError):
            os.mkdir(path.name, 0o700, dir_fd=parent)
            return False
        try:
            with entered(parent, path.name) as fd:
                os.fchmod(fd, 0o700)
                return True
        except NotADirectoryError:
            os.unlink(path.name, dir_fd=parent)
            os.mkdir(path.name, 0o700, dir_fd=parent)
            return False
        except _Mounted as mounted:
            raise _cannot_remove(path, _why(path.name, mounted)) from None


def give_to_owner(folder: Path) -> None:
    """Let all that is in a folder belong to whom the folder does, where that is not this process's user.

    Links are not followed. A file with several names stays as it is: a job may have made one of them, and the others lie elsewhere.
    """
    with opened(folder) as top:
        owner = os.fstat(top)
        if owner.st_uid == os.geteuid():
            return
        for _, _, files, fd in os.fwalk(".", dir_fd=top):
            os.fchown(fd, owner.st_uid, owner.st_gid)
            for name in files:
                with suppress(OSError):  # gone, or a link
                    _give(name, fd, owner)


def _give(name: str, folder: int, owner: os.stat_result) -> None:
    file = os.open(name, os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_CLOEXEC, dir_fd=folder)
    try:
        found = os.fstat(file)
        if stat.S_ISREG(found.st_mode) and found.st_nlink == 1:
            os.fchown(file, owner.st_uid, owner.st_gid)
    finally:
        os.close(file)


def write_for_owner(path: Path, content: bytes) -> None:
    """Make a new file (mode 0600) that belongs to whom its folder does; a file or link that has its name is replaced.

    Raises OSError, also when there is a link in its folder's place.
    """
    with opened(path.parent) as parent:
        with suppress(FileNotFoundError):
            os.unlink(path.name, dir_fd=parent)
        owner = os.fstat(parent)
        with os.fdopen(os.open(path.name, _NEW_FILE, 0o600, dir_fd=parent), "wb") as file:
            if owner.st_uid != os.geteuid():
                os.fchown(file.fileno(), owner.st_uid, owner.st_gid)
            file.write(content)


def write_new(parent: int, name: str, content: bytes) -> None:
    """Make a file where there is nothing of that name; raises OSError when there is, even a link to nowhere."""
    with os.fdopen(os.open(name, _NEW_FILE, 0o666, dir_fd=parent), "wb") as file:
        file.write(content)


@contextmanager
def opened(folder: str | Path, parent: int | None = None) -> Generator[int]:
    """A folder's descriptor; raises NotADirectoryError for anything else, a link to a folder too."""
    fd = _open_folder(folder, parent)
    try:
        yield fd
    finally:
        os.close(fd)


@contextmanager
def entered(parent: int, name: str) -> Generator[int]:
    """The descriptor of a folder in another one, all rights on it taken first.

    Raises NotADirectoryError for anything else, and OSError (EBUSY) when something is mounted there.
    """
    _check_name(name)
    try:
        fd = _open_folder(name, parent)
    except PermissionError:
        _open_up(parent, name)
        fd = _open_folder(name, parent)
    try:
        if _mount_of(fd) != _mount_of(parent):
            raise _Mounted(errno.EBUSY, "something is mounted there")
        if os.fstat(fd).st_mode & stat.S_IRWXU != stat.S_IRWXU:
            with suppress(OSError):
                os.fchmod(fd, stat.S_IRWXU)
        yield fd
    finally:
        os.close(fd)


class _Mounted(OSError):
    """Something is mounted on a folder."""


class _Removal:
    """Removes what is in one folder; remembers the first that could not be."""

    def __init__(self, top: int) -> None:
        self._top = top
        self._left: str | None = None
        self._way: list[str] = []
        self._deep: list[str] = []

    def clear(self) -> str | None:
        """Remove all that is in the folder; what is left and why, if so."""
        self._clear(self._top)
        while self._deep:
            self._remove(self._top, self._deep.pop(), folder=True)
        return self._left

    def _clear(self, fd: int) -> None:
        with os.scandir(fd) as entries:
            found = [(entry.name, entry.is_dir(follow_symlinks=False)) for entry in entries]
        for name, folder in found:
            self._remove(fd, name, folder)

    def _remove(self, parent: int, name: str, folder: bool) -> None:
        self._way.append(name)
        try:
            if not folder:
                os.unlink(name, dir_fd=parent)
            elif len(self._way) > _DEEPEST:
                self._raise_up(parent, name)
            else:
                with entered(parent, name) as fd:
                    self._clear(fd)
                os.rmdir(name, dir_fd=parent)
        except FileNotFoundError:
            pass
        except OSError as error:
            self._left = self._left or _why("/".join(self._way), error)
        finally:
            self._way.pop()

    def _raise_up(self, parent: int, name: str) -> None:
        """Let a folder that lies too deep be removed from the top."""
        with entered(parent, name):  # who moves it must have all rights on it
            raised = f".{os.urandom(8).hex()}"
            os.rename(name, raised, src_dir_fd=parent, dst_dir_fd=self._top)
        self._deep.append(raised)


@contextmanager
def _parent_of(path: Path) -> Generator[int]:
    _check_name(path.name)
    with opened(path.parent) as parent:
        yield parent


@contextmanager
def _undeletable(path: Path) -> Generator[None]:
    """What is missing is removed; any other trouble makes the folder Undeletable."""
    try:
        yield
    except FileNotFoundError:
        pass
    except OSError as error:
        raise _cannot_remove(path, _why(path.name, error)) from error


def _check_name(name: str) -> None:
    if name in ("", ".", "..") or "/" in name:
        raise ValueError(f"{name!r} is not the name of something in a folder")


def _open_folder(folder: str | Path, parent: int | None) -> int:
    return os.open(folder, _FOLDER, dir_fd=parent)


def _open_up(parent: int, name: str) -> None:
    """Give the owner all rights on a folder that may not even be read."""
    fd = os.open(name, os.O_PATH | os.O_DIRECTORY | os.O_NOFOLLOW | os.O_CLOEXEC, dir_fd=parent)
    try:
        if _mount_of(fd) == _mount_of(parent):
            Path(f"/proc/self/fd/{fd}").chmod(stat.S_IRWXU)  # no link can have its place
    finally:
        os.close(fd)


def _mount_of(fd: int) -> bytes:
    """The mount that a descriptor is in: two of one file system are told apart."""
    info = os.open(f"/proc/self/fdinfo/{fd}", os.O_RDONLY | os.O_CLOEXEC)
    try:
        return os.read(info, 512).partition(b"mnt_id:")[2].split(b"\n", 1)[0]
    finally:
        os.close(info)


def _why(name: str, error: OSError) -> str:
    if isinstance(error, PermissionError):
        return f"{name} belongs to another user or is protected"
    return f"{name}: {error.strerror}"


def _cannot_remove(path: Path, why: str) -> Undeletable:
    return Undeletable(
        f"cannot remove {path}: {why}; its space stays in use until somebody who may removes it"
    )
