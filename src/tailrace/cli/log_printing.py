"""How commands print logs."""

from __future__ import annotations

import json
from abc import ABC, abstractmethod
from collections.abc import Callable
from datetime import UTC, datetime
from typing import NamedTuple

from tailrace.cli.log_lines import Line, Lines
from tailrace.cli.log_targets import Source
from tailrace.cli.out import Out
from tailrace.cli.stretches import Piece
from tailrace.domain.settled import Settler
from tailrace.domain.spans import Stream

_DIM, _BRIGHT, _RESET = b"\x1b[2m", b"\x1b[22m", b"\x1b[0m"
_COLOURS = (36, 33, 32, 35, 34, 31)
"""Of the jobs' names, in turn: cyan, yellow, green, magenta, blue, red."""

Route = Callable[[Stream], Out]
"""Where what a stream wrote is printed."""


class Printer(ABC):
    """Prints pieces of logs; each log is announced before its first piece."""

    def begin(self, source: Source) -> None:
        """Pieces of this log will come; again when more is known of it."""
        return

    @abstractmethod
    def take(self, piece: Piece) -> None:
        """Print it, or keep what is not whole."""

    @property
    def waits(self) -> bool:
        """Whether something is kept that a moment without output would show."""
        return False

    def quiet(self) -> None:
        """There was no output for a moment."""
        return

    def end(self, log: int) -> None:
        """The log has ended: print what was kept of it."""
        return


class PlainPrinter(Printer):
    """The bytes as they are; on a terminal, what Tailrace itself says is dim."""

    def __init__(self, route: Route, dims: bool) -> None:
        self._route = route
        self._dims = dims

    def take(self, piece: Piece) -> None:
        dim = self._dims and piece.stream is Stream.SYSTEM
        self._route(piece.stream).write(_DIM + piece.data + _BRIGHT if dim else piece.data)


class LinePrinter(Printer):
    """Whole lines, each with what stands before it."""

    def __init__(self, route: Route, writer: LineWriter) -> None:
        self._route = route
        self._writer = writer
        self._lines = Lines()

    def begin(self, source: Source) -> None:
        self._writer.begin(source)

    def take(self, piece: Piece) -> None:
        if not self._writer.alike:
            self._take_each(piece)
            return
        # Lines of one piece are alike but for their text: the whole ones are written in one go, not one by one.
        first = piece.data.find(b"\n") + 1 if self._lines.begun(piece) else 0
        last = piece.data.rfind(b"\n") + 1
        if first < last:
            self._take_each(piece._replace(data=piece.data[:first]))
            text = self._writer.write_alike(piece._replace(data=piece.data[first:last]))
            self._route(piece.stream).write(text)
            piece = piece._replace(offset=piece.offset + last, data=piece.data[last:])
        self._take_each(piece)

    def _take_each(self, piece: Piece) -> None:
        for line in self._lines.take(piece):
            self._print(line)

    def end(self, log: int) -> None:
        for line in self._lines.end(log):
            self._print(line)

    def _print(self, line: Line) -> None:
        text = self._writer.write(line)
        if text is not None:
            self._route(line.stream).write(text)


class SettledPrinter(Printer):
    """What a terminal would show of each log, its streams together, printed by another printer.

    Whole rows wait for what may rewrite them, at most until a moment is quiet.
    """

    def __init__(self, inner: Printer) -> None:
        self._inner = inner
        self._settlers: dict[int, Settler] = {}
        self._waits = False

    def begin(self, source: Source) -> None:
        self._inner.begin(source)

    def take(self, piece: Piece) -> None:
        settler = self._settlers.setdefault(piece.log, Settler(piece.offset))
        self._give(piece.log, settler.settled, settler.feed(piece.data))
        self._waits = True

    @property
    def waits(self) -> bool:
        return self._waits

    def quiet(self) -> None:
        self._waits = False
        for log, settler in self._settlers.items():
            self._give(log, settler.settled, settler.release())

    def end(self, log: int) -> None:
        settler = self._settlers.pop(log, None)
        if settler is not None:
            self._give(log, settler.settled, settler.close())
        self._inner.end(log)

    def _give(self, log: int, offset: int, data: bytes) -> None:
        if data:
            self._inner.take(Piece(log, offset, 0, Stream.STDOUT, 0, data))


class Look(NamedTuple):
    """How lines look: on a terminal `colours`; `time` writes the moment first."""

    colours: bool = False
    time: bool = False
    json: bool = False


class LineWriter:
    """Writes lines of several jobs, each with the name of its job before it when there are `jobs`."""

    def __init__(self, look: Look, jobs: tuple[str, ...], accepts: Callable[[bytes], bool] | None) -> None:
        self._look = look
        self._jobs = jobs
        self._width = max((len(job) for job in jobs), default=0)
        self._accepts = accepts
        self._sources: dict[int, Source] = {}

    def begin(self, source: Source) -> None:
        self._sources[source.log] = source

    def write(self, line: Line) -> bytes | None:
        """The line as it is printed; None when it is not wanted."""
        if self._accepts is not None and not self._accepts(line.text):
            return None
        if self._look.json:
            return self._json(line)
        before, after = self._around(line.log, line.time, line.stream, b"\x1b" in line.text)
        return before + line.text + after

    @property
    def alike(self) -> bool:
        """Whether lines of one log, time and stream differ only in their text, and all are wanted."""
        return self._accepts is None and not self._look.json

    def write_alike(self, piece: Piece) -> bytes:
        """Whole lines of one piece, where they are alike."""
        before, after = self._around(piece.log, piece.time, piece.stream, b"\x1b" in piece.data)
        return before + piece.data[:-1].replace(b"\n", after + before) + after

    def _around(self, log: int, time: int, stream: Stream, styled: bool) -> tuple[bytes, bytes]:
        """What stands before a line's text and after it."""
        before = self._name(log) + (f"{iso_time(time)} ".encode() if self._look.time else b"")
        if not self._look.colours:
            return before, b"\n"
        if stream is Stream.SYSTEM:
            return before + _DIM, _RESET + b"\n"
        return before, _RESET + b"\n" if styled else b"\n"

    def _name(self, log: int) -> bytes:
        if not self._jobs:
            return b""
        source = self._sources[log]
        name = f"{source.name:<{self._width}} |"
        if self._look.colours:
            colour = _COLOURS[self._jobs.index(source.job) % len(_COLOURS)]
            name = f"\x1b[{colour}m{name}\x1b[0m"
        return f"{name} ".encode()

    def _json(self, line: Line) -> bytes:
        source = self._sources[line.log]
        value = {
            "log": line.log,
            "job": source.job or None,
            "attempt": source.attempt or None,
            "offset": line.offset,
            "time": line.time,
            "stream": line.stream.word,
            "step": line.step,
            "text": line.text.decode("utf-8", "replace"),
        }
        return json.dumps(value, ensure_ascii=False).encode() + b"\n"


def iso_time(ms: int) -> str:
    """ISO 8601, UTC, with ms."""
    return datetime.fromtimestamp(ms / 1000, UTC).isoformat(timespec="milliseconds").replace("+00:00", "Z")
