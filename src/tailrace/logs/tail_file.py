"""Live tails as files, for one server on one machine."""

from __future__ import annotations

import os
import threading
from collections import OrderedDict
from collections.abc import Callable, Generator, Iterator, Sequence
from contextlib import contextmanager
from itertools import pairwise
from pathlib import Path

from tailrace.domain.errors import Invalid, LogMismatch, OffsetMismatch
from tailrace.domain.spans import Span
from tailrace.logs.base import Base, LogStore
from tailrace.logs.open_files import OpenLog
from tailrace.logs.segment_index import SEGMENT_BYTES

LOGS_A_FOLDER = 1000


class _Slot:
    """A place among the open logs; `users` threads are in it now, and while there are any it is not closed."""

    def __init__(self) -> None:
        self.lock = threading.Lock()
        self.users = 0
        self.opened: OpenLog | None = None


class FileLogStore(LogStore):
    """`<folder>/<log // 1000>/<log>.log`, `.spans` and `.base`; one process at a time may use the folder.

    At most about `open_logs` logs are open, those used last (two files each). `on_stretch` is called, in the thread that
    appends, with a log that has grown by another SEGMENT_BYTES. A log's CRC-32 runs along while it is open;
    for one that was closed in between it is read again from the file.
    """

    def __init__(
        self, folder: Path, open_logs: int = 256, on_stretch: Callable[[int], None] | None = None
    ) -> None:
        self._on_stretch = on_stretch
        self._folder = folder
        self._open_logs = open_logs
        self._lock = threading.Lock()
        self._slots: OrderedDict[int, _Slot] = OrderedDict()
        self._unsynced_folders: set[Path] = set()
        folder.mkdir(parents=True, exist_ok=True)

    def close(self) -> None:
        """Close every file; no other call may be under way."""
        with self._lock:
            slots = list(self._slots.values())
            self._slots.clear()
        for slot in slots:
            if slot.opened is not None:
                slot.opened.close()

    def create(self, log: int) -> None:
        bytes_path, spans_path, base_path = self._paths(log)
        if bytes_path.exists():
            return
        base_path.unlink(missing_ok=True)  # of a removal that did not come to its end
        if not bytes_path.parent.exists():
            bytes_path.parent.mkdir(parents=True, exist_ok=True)
            with self._lock:
                self._unsynced_folders.add(self._folder)
        for path in (spans_path, bytes_path):
            os.close(os.open(path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600))
        with self._lock:
            self._unsynced_folders.add(bytes_path.parent)

    def end(self, log: int) -> int:
        with self._opened(log) as opened:
            return opened.size

    def append(self, log: int, offset: int, spans: Sequence[Span], data: bytes | memoryview) -> int:
        _check_spans(log, offset, spans, len(data))
        with self._opened(log) as opened, opened.lock:
            if offset != opened.size:
                raise OffsetMismatch(log, offset, opened.size)
            opened.append(spans, data)
            end = opened.size
        if self._on_stretch is not None and end // SEGMENT_BYTES > offset // SEGMENT_BYTES:
            self._on_stretch(log)
        return end

    def sync(self, log: int) -> int:
        with self._opened(log) as opened:
            end = opened.sync()
        with self._lock:
            folders, self._unsynced_folders = self._unsynced_folders, set()
        try:
            for folder in folders:
                _sync_folder(folder)
        except OSError:
            with self._lock:
                self._unsynced_folders |= folders
            raise
        return end

    def verify(self, log: int, size: int, crc32: int) -> None:
        with self._opened(log) as opened, opened.lock:
            held = (opened.size, opened.checksum())
        if held != (size, crc32):
            raise LogMismatch(log, (size, crc32), held)

    def read(self, log: int, start: int, stop: int) -> bytes:
        with self._opened(log) as opened:
            return opened.read(start, stop)

    def spans(self, log: int, start: int, stop: int, limit: int | None = None) -> list[Span]:
        with self._opened(log) as opened:
            return opened.spans(start, stop, limit)

    def offset_of_tail(self, log: int, lines: int) -> int:
        with self._opened(log) as opened:
            return opened.offset_of_tail(lines)

    def offset_of_line(self, log: int, line: int) -> int:
        with self._opened(log) as opened:
            return opened.offset_of_line(line)

    def line_at(self, log: int, offset: int) -> int:
        with self._opened(log) as opened:
            return opened.line_at(offset)

    def offset_of_time(self, log: int, time_ms: int) -> int:
        with self._opened(log) as opened:
            return opened.offset_of_time(time_ms)

    def base(self, log: int) -> Base:
        with self._opened(log) as opened:
            return opened.base

    def drop(self, log: int, base: Base) -> None:
        with self._opened(log) as opened, opened.lock:
            opened.drop(base)

    def begin_at(self, log: int, base: Base, in_force: Sequence[Span]) -> None:
        self.create(log)
        with self._opened(log) as opened, opened.lock:
            opened.begin_at(base, in_force)

    def held(self) -> Iterator[int]:
        """The logs that have files here, in no order."""
        for path in self._folder.glob("*/*.log"):
            yield int(path.stem)

    def remove(self, log: int) -> None:
        for path in self._paths(log):  # the bytes first: without the base's file they would begin with a hole
            path.unlink(missing_ok=True)
        with self._lock:
            slot = self._slots.pop(log, None)
            idle = slot is not None and slot.users == 0
        if slot is not None and idle and slot.opened is not None:
            slot.opened.close()

    def _paths(self, log: int) -> tuple[Path, Path, Path]:
        folder = self._folder / str(log // LOGS_A_FOLDER)
        return folder / f"{log}.log", folder / f"{log}.spans", folder / f"{log}.base"

    @contextmanager
    def _opened(self, log: int) -> Generator[OpenLog]:
        with self._lock:
            slot = self._slots.get(log)
            if slot is None:
                slot = self._slots[log] = _Slot()
            else:
                self._slots.move_to_end(log)
            slot.users += 1
        try:
            opened = slot.opened
            if opened is None:
                with slot.lock:
                    opened = slot.opened
                    if opened is None:
                        opened = slot.opened = OpenLog(log, *self._paths(log))
            yield opened
        finally:
            self._leave(log, slot)

    def _leave(self, log: int, slot: _Slot) -> None:
        closing: list[_Slot] = []
        with self._lock:
            slot.users -= 1
            if slot.users == 0:
                if self._slots.get(log) is not slot:
                    closing.append(slot)  # removed meanwhile
                elif slot.opened is None:
                    del self._slots[log]
            if len(self._slots) > self._open_logs:
                idle = [key for key, other in self._slots.items() if other.users == 0]
                closing += [self._slots.pop(key) for key in idle[: len(self._slots) - self._open_logs]]
        for other in closing:
            if other.opened is not None:
                other.opened.close()


def _check_spans(log: int, offset: int, spans: Sequence[Span], size: int) -> None:
    if not spans:
        return
    if spans[0].offset < offset or spans[-1].offset >= offset + size:
        raise Invalid(f"log {log}: spans must begin within the appended bytes {offset}–{offset + size}")
    if len(spans) > 1 and any(a.offset > b.offset for a, b in pairwise(spans)):
        raise Invalid(f"log {log}: spans must be in the order of their offsets")


def _sync_folder(folder: Path) -> None:
    file = os.open(folder, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
    try:
        os.fsync(file)
    finally:
        os.close(file)
