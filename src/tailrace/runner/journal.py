"""The journal: a runner's facts in order, a line of JSON each."""

from __future__ import annotations

import os
from typing import Self

from tailrace.domain.facts import Fact, read_facts, write_fact
from tailrace.runner.folder import AttemptFolder


class JournalWriter:
    """Appends facts, each whole or not at all."""

    def __init__(self, fd: int) -> None:
        self._fd = fd

    @classmethod
    def open(cls, folder: AttemptFolder) -> Self:
        """Continue a folder's journal, or begin one. A line that a crash left unfinished is cut off."""
        fd = os.open(folder.journal, os.O_RDWR | os.O_CREAT | os.O_APPEND | os.O_CLOEXEC, 0o600)
        whole = folder.journal.read_bytes().rfind(b"\n") + 1
        os.ftruncate(fd, whole)
        return cls(fd)

    def write(self, fact: Fact) -> None:
        """Append a fact; raises OSError, with nothing written, when the disk has no room."""
        line = write_fact(fact)
        before = os.fstat(self._fd).st_size
        try:
            written = os.write(self._fd, line)
            while written < len(line):
                written += os.write(self._fd, line[written:])
        except OSError:
            os.ftruncate(self._fd, before)
            raise

    def sync(self) -> None:
        """Bring the file to the medium."""
        os.fsync(self._fd)

    def close(self) -> None:
        os.close(self._fd)


class JournalReader:
    """Reads a journal while it grows; each line is parsed once. A journal that does not exist yet is empty."""

    def __init__(self, folder: AttemptFolder) -> None:
        self._path = folder.journal
        self._position = 0
        self._facts: list[Fact] = []

    def read(self, from_index: int) -> list[Fact]:
        """The facts from this index on, as far as they are whole."""
        try:
            with self._path.open("rb") as file:
                file.seek(self._position)
                added = file.read()
        except FileNotFoundError:
            added = b""
        whole = added[: added.rfind(b"\n") + 1]
        self._facts += read_facts(whole)
        self._position += len(whole)
        return self._facts[from_index:]
