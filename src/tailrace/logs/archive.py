"""The archive: where sealed segments are kept, a folder or an object store, by URL."""

from __future__ import annotations

import hashlib
import os
import re
from collections.abc import Iterable
from pathlib import Path
from typing import Any

from fsspec.core import url_to_fs  # pyright: ignore[reportMissingTypeStubs, reportUnknownVariableType]
from fsspec.implementations.local import LocalFileSystem  # pyright: ignore[reportMissingTypeStubs]

from tailrace.domain.errors import ArchiveAway, Invalid

MARK = "tailrace-archive"
"""The name of the object that shows that this is the archive, and not the empty folder below one that is not mounted."""

_DRAFT = ".part"
_BLOCK = 4 * 1024 * 1024


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
        _write_file(Path(path), data)


def shown(url: str) -> str:
    """A URL without user and password."""
    return re.sub(r"//[^/@]*@", "//", url)


def _words(error: Exception) -> str:
    return str(error) or repr(error)


def _write_file(path: Path, data: bytes) -> None:
    """Make a file, whole and for good: fsspec would leave it to a power loss, which the row in the store survives."""
    _make_folder(path.parent)
    draft = path.with_name(path.name + _DRAFT)
    try:
        with draft.open("wb") as file:
            file.write(data)
            file.flush()
            os.fsync(file.fileno())
        draft.rename(path)
    except BaseException:
        draft.unlink(missing_ok=True)
        raise
    _sync_folder(path.parent)


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
