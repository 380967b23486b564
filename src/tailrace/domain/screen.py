"""Rows of a terminal and its cursor: what moves it, what writes, what erases (ECMA-48, as xterm has it)."""

from __future__ import annotations

import codecs
import re
from collections import deque
from collections.abc import Callable

from tailrace.domain.columns import columns, narrow
from tailrace.domain.rows import TAB, Row
from tailrace.domain.sgr import PLAIN, applied

WIDEST = 4096
"""Columns of a row."""

ROWS = 64
"""How many rows are held, the last one included: those to which the cursor can go."""

_TEXT = re.compile(rb"[^\x00-\x1f\x7f]+")
_ESCAPE = re.compile(rb"\x1b(?:\[([0-?]{0,64})([ -/]{0,8})([@-~])|([\]PX^_])|[ -/]{0,8}[0-OQ-WYZ\\`-~])")
_CUT_ESCAPE = re.compile(rb"\x1b(?:\[[0-?]{0,64}[ -/]{0,8}|[ -/]{0,8})\Z")
_STRING_END = re.compile(rb"[\x07\x1b\n]")

_NEWLINE, _ESC = 10, 27


class Screen:
    """The rows on which the cursor is. It takes input from where a row begins that something moves in, until its last
    row has ended. Rows that scroll out are given to `give`."""

    def __init__(self, give: Callable[[Row], None]) -> None:
        self.rows: deque[Row] = deque()
        self.pen = PLAIN
        self.row = 0
        self.open = False
        self._column = 0
        self._give = give
        self._string = False  # within a title, a hyperlink or the like
        self._characters = codecs.getincrementaldecoder("utf-8")("surrogateescape")

    def begin(self, offset: int) -> None:
        """Open a row below the others, and go to its start."""
        self.rows.append(Row(offset, self.pen))
        while len(self.rows) > ROWS:
            self._give(self.rows.popleft())
        self.row = len(self.rows) - 1
        self._column = 0
        self.open = True

    def take(self, data: bytes, at: int, base: int) -> int:
        """Input from data[at] on, where data[0] has the offset `base`; returns where it ended: after the newline that
        ended the last row (`open` is False then), at a sequence that is not whole, or at the end."""
        while at < len(data) and self.open:
            byte = data[at]
            if self._string:
                stop = self._skip(data, at)
            elif byte >= 32 and byte != 127:
                stop = self._text(data, at, base)
            elif byte == _ESC:
                stop = self._escape(data, at)
            else:
                self._control(byte)
                stop = at + 1
            if stop == at:
                break
            at = stop
        return at

    def finish(self) -> None:
        """The input has ended."""
        self._write(self._characters.decode(b"", final=True), 0)

    def _text(self, data: bytes, at: int, base: int) -> int:
        match = _TEXT.match(data, at)
        assert match is not None
        stop = match.end()
        text = self._characters.decode(data[at:stop], final=stop < len(data))
        held, _ = self._characters.getstate()
        self._write(text, base + stop - len(held))
        return stop

    def _write(self, text: str, stop: int) -> None:
        """Characters at the cursor; in the input they end at `stop`."""
        if not narrow(text):
            self._write_wide(text, stop)
            return
        while text:
            if self._column >= WIDEST:
                self._wrap(stop - len(text.encode("utf-8", "surrogateescape")))
            part = text[: WIDEST - self._column]
            self.rows[self.row].put(self._column, part, self.pen)
            self._column += len(part)
            text = text[len(part) :]

    def _write_wide(self, text: str, stop: int) -> None:
        for at, character in enumerate(text):
            width = columns(character)
            if width == 0:
                self.rows[self.row].mark(self._column, character)
                continue
            if self._column + width > WIDEST:
                self._wrap(stop - len(text[at:].encode("utf-8", "surrogateescape")))
            row = self.rows[self.row]
            if width == 1:
                row.put(self._column, character, self.pen)
            else:
                row.put_wide(self._column, character, self.pen)
            self._column += width

    def _wrap(self, offset: int) -> None:
        if self.row == len(self.rows) - 1:
            self.begin(offset)
        else:
            self.row += 1
            self._column = 0

    def _control(self, byte: int) -> None:
        self._write(self._characters.decode(b"", final=True), 0)
        if byte == _NEWLINE:
            self._column = 0
            if self.row == len(self.rows) - 1:
                self.rows[-1].ended = True
                self.open = False
            else:
                self.row += 1
        elif byte == 0x0D:
            self._column = 0
        elif byte == 0x08:
            self._column = max(0, self._column - 1)
        elif byte == 0x09:
            self._column = min((self._column // TAB + 1) * TAB, WIDEST - 1)

    def _skip(self, data: bytes, at: int) -> int:
        """Over a string that is no text, to its end: a bell, ESC \\, or at the latest the line's end."""
        match = _STRING_END.search(data, at)
        if match is None:
            return len(data)
        if match[0] == b"\x1b" and match.end() == len(data):
            return match.start()  # `at` when only it is there: it waits for what follows
        self._string = False
        if match[0] == b"\x07":
            return match.end()
        return match.end() + 1 if data[match.start() : match.end() + 1] == b"\x1b\\" else match.start()

    def _escape(self, data: bytes, at: int) -> int:
        match = _ESCAPE.match(data, at)
        if match is None:
            return at if _CUT_ESCAPE.match(data, at) else at + 1
        self._write(self._characters.decode(b"", final=True), 0)
        parameters, between, final, string = match.groups()
        if string:
            self._string = True
        elif final and not between:
            self._sequence(final, parameters)
        return match.end()

    def _sequence(self, final: bytes, parameters: bytes) -> None:
        if final == b"m":
            if not parameters.strip(b"0123456789;:"):
                self.pen = applied(self.pen, parameters)
            return
        first = parameters.split(b";")[0] or b"0"
        if not first.isdigit():
            return
        number = min(int(first), WIDEST)
        count = number or 1
        row = self.rows[self.row]
        column = min(self._column, WIDEST - 1)
        match final:
            case b"A" | b"F":
                self.row = max(0, self.row - count)
            case b"B" | b"E":
                self.row = min(len(self.rows) - 1, self.row + count)
            case b"C":
                self._column = min(column + count, WIDEST - 1)
            case b"D":
                self._column = max(column - count, 0)
            case b"G" | b"`":
                self._column = min(count, WIDEST) - 1
            case b"K":
                if number in (0, 2):
                    row.cut(0 if number else self._column)
                elif number == 1:
                    row.clear(column + 1)
            case b"J" if number == 0:
                row.cut(self._column)
                row.ended = False
                while len(self.rows) - 1 > self.row:
                    self.rows.pop()
            case _:
                pass
        if final in b"EF":
            self._column = 0
