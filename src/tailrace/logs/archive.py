"""The archive: where sealed segments are kept, a folder or an object store, by URL."""

from __future__ import annotations

import hashlib
import os
import re
from collections.abc import Iterable
from contextlib import suppress
from pathlib import Path
from typing import Any, Protocol

from fsspec.core import url_to_fs  # pyright: ignore[reportMissingTypeStubs, reportUnknownVariableType]
from fsspec.implementations.local import LocalFileSystem  # pyright: ignore[reportMissingTypeStubs]

from tailrace.domain.errors import ArchiveAway, Invalid

MARK = "tailrace-archive"
"""The name of the object that shows that this is the archive, and not the empty folder below one that is not mounted."""

_DRAFT = ".part"
_BLOCK = 4 * 1024 * 1024
_PART = 16 * 1024 * 1024
"""Object stores take 10,000 parts: enough for an object of 160 GB."""


class ObjectMissing(Exception):
    """The archive answers, and has no such object."""

    def __init__(self, key: str) -> None:
        super().__init__(f"the archive has no object {key}")
        self.key = key


class Archive:
    """Objects by key, through fsspec; every method blocks: call it in a thread.

    Methods raise ArchiveAway when the archive cannot be reached, written or read. A key is written once and never with
    other bytes.
    """

    def __init__(self, url: str) -> None:
        """Raises Invalid for a URL that fsspec does not know, or whose package is not installed."""
        self._files: Any
        self._root: str
        try:
            self._files, self._root = url_to_fs(url)  # pyright: ignore[reportUnknownVariableType]
        except (ValueError, ImportError) as error:
            raise Invalid(
                f"archive_url (TAILRACE_ARCHIVE_URL): {shown(url)} cannot be used: {error}; allowed are file://,"
                " s3://, gs://, az:// and webhdfs:// addresses, each with its package of fsspec"
            ) from None
        self.url = shown(url)
        self._is_folder = isinstance(self._files, LocalFileSystem)

    def check(self, *, begin: bool) -> None:
        """See that the archive is there, by its mark; `begin` makes the mark: nothing was ever put there."""
        try:
            if self._files.exists(self._path(MARK)):
                return
            if begin:
                self._write(
                    MARK, b"Segments of Tailrace's logs. Without this file the archive counts as away.\n"
                )
                return
        except Exception as error:
            raise ArchiveAway(self.url, _words(error)) from error
        raise ArchiveAway(self.url, f"it has no {MARK}: it is not mounted, or it is another one")

    def put(self, key: str, data: bytes, sha256: str) -> None:
        """Keep an object: when this returns it is there for good, read back and compared."""
        self._check_mount()
        try:
            self._write(key, data)
            held = self.sha256(key)
        except ArchiveAway:
            raise
        except ObjectMissing as error:
            raise ArchiveAway(self.url, f"{error}, although it was just put there") from error
        except Exception as error:
            raise ArchiveAway(self.url, _words(error)) from error
        if held != sha256:
            raise ArchiveAway(self.url, f"{key} came back different from what was put there")
        self._check_mount()

    def begin(self, key: str) -> ArchiveWriter:
        """Begin an object that is too large for the memory."""
        self._check_mount()
        try:
            return ArchiveWriter(self, key, self._open(key))
        except Exception as error:
            raise ArchiveAway(self.url, _words(error)) from error

    def end(self, writer: ArchiveWriter) -> None:
        """Keep what was written: when this returns it is there for good, read back and compared."""
        key = writer.key
        try:
            writer.file.end()
            held = self.sha256(key)
        except ArchiveAway:
            raise
        except ObjectMissing as error:
            raise ArchiveAway(self.url, f"{error}, although it was just put there") from error
        except Exception as error:
            raise ArchiveAway(self.url, _words(error)) from error
        if held != writer.sha256:
            raise ArchiveAway(self.url, f"{key} came back different from what was put there")
        self._check_mount()

    def read(self, key: str, start: int, stop: int) -> bytes:
        """The bytes [start, stop) of an object, as far as it has them. Raises ObjectMissing."""
        try:
            return self._files.cat_file(self._path(key), start=start, end=stop)
        except FileNotFoundError:
            raise self._missing(key) from None
        except Exception as error:
            raise ArchiveAway(self.url, _words(error)) from error

    def sha256(self, key: str) -> str:
        """Of the object as it is read now. Raises ObjectMissing."""
        digest = hashlib.sha256()
        start = 0
        while block := self.read(key, start, start + _BLOCK):
            digest.update(block)
            start += len(block)
            if len(block) < _BLOCK:
                break
        return digest.hexdigest()

    def remove(self, keys: Iterable[str]) -> None:
        """Forget objects; one that is not there is no error. The archive must be there: see `check`."""
        for key in keys:
            for name in (key, key + _DRAFT) if self._is_folder else (key,):
                try:
                    self._files.rm_file(self._path(name))
                except FileNotFoundError:
                    continue
                except Exception as error:
                    raise ArchiveAway(self.url, _words(error)) from error

    def _check_mount(self) -> None:
        if self._is_folder:  # object stores are not unmounted
            self.check(begin=False)

    def _path(self, key: str) -> str:
        return f"{self._root.rstrip('/')}/{key}"

    def _missing(self, key: str) -> Exception:
        try:
            self.check(begin=False)
        except ArchiveAway as away:
            return away
        return ObjectMissing(key)

    def _write(self, key: str, data: bytes) -> None:
        path = self._path(key)
        if not self._is_folder:
            self._files.pipe_file(path, data)  # an object store shows an object when it is whole
            return
        file = _LocalObject(Path(path))
        try:
            file.write(data)
            file.end()
        finally:
            file.discard()

    def _open(self, key: str) -> _Object:
        path = self._path(key)
        return _LocalObject(Path(path)) if self._is_folder else _RemoteObject(self._files, path)


class ArchiveWriter:
    """An object on its way into the archive: written block after block, then ended by `Archive.end`, or discarded.

    `size` and `sha256` are of what was written so far.
    """

    def __init__(self, archive: Archive, key: str, file: _Object) -> None:
        self.key = key
        self.size = 0
        self.file = file
        self._archive = archive
        self._digest = hashlib.sha256()

    @property
    def sha256(self) -> str:
        return self._digest.hexdigest()

    def write(self, block: bytes) -> None:
        """Raises ArchiveAway."""
        self._digest.update(block)
        self.size += len(block)
        try:
            self.file.write(block)
        except Exception as error:
            raise ArchiveAway(self._archive.url, _words(error)) from error

    def discard(self) -> None:
        """Leave nothing of what was not ended; harmless afterwards. What cannot be removed is an orphan."""
        with suppress(Exception):
            self.file.discard()


class _Object(Protocol):
    def write(self, block: bytes) -> None: ...

    def end(self) -> None: ...

    def discard(self) -> None: ...


def shown(url: str) -> str:
    """A URL without user and password."""
    return re.sub(r"//[^/@]*@", "//", url)


def _words(error: Exception) -> str:
    return str(error) or repr(error)


class _LocalObject:
    """A file, made whole and for good: fsspec would leave it to a power loss, which the row in the store survives."""

    def __init__(self, path: Path) -> None:
        self._path = path
        self._draft = path.with_name(path.name + _DRAFT)
        _make_folder(path.parent)
        self._file = self._draft.open("wb")

    def write(self, block: bytes) -> None:
        self._file.write(block)

    def end(self) -> None:
        self._file.flush()
        os.fsync(self._file.fileno())
        self._file.close()
        self._draft.rename(self._path)
        _sync_folder(self._path.parent)

    def discard(self) -> None:
        with suppress(OSError):  # what is buffered may find no room
            self._file.close()
        self._draft.unlink(missing_ok=True)


class _RemoteObject:
    """An object of a store, which shows it when it is whole."""

    def __init__(self, files: Any, path: str) -> None:
        self._file = files.open(path, "wb", block_size=_PART)
        self._ended = False

    def write(self, block: bytes) -> None:
        self._file.write(block)

    def end(self) -> None:
        self._file.close()
        self._ended = True

    def discard(self) -> None:
        if not self._ended:
            self._ended = True
            self._file.discard()
            self._file.closed = True  # nothing is to be sent when it is collected


def _make_folder(folder: Path) -> None:
    if not folder.is_dir():
        _make_folder(folder.parent)
        folder.mkdir(exist_ok=True)
        _sync_folder(folder.parent)


def _sync_folder(folder: Path) -> None:
    handle = os.open(folder, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
    try:
        os.fsync(handle)
    finally:
        os.close(handle)
