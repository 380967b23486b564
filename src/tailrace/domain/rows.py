"""One row of a terminal."""

from __future__ import annotations

from itertools import groupby

from tailrace.domain.columns import columns
from tailrace.domain.sgr import PLAIN, SGR, Style, applied, change, style_after

BLANK = "\0"
"""A cell that was erased, or never written."""
HALF = ""
"""The second cell of a wide character."""
TAB = 8
MOST_MARKS = 16
"""Combining marks on one character; more are dropped."""


class Row:
    """Cells and their styles; or, while nothing has moved the cursor in it, the text as it came.

    `start` is where in the input it begins, in bytes. A row that is not `ended` by a newline goes on in the next.
    """

    __slots__ = ("_cells", "_raw", "_styles", "ended", "pen", "start")

    def __init__(self, start: int, pen: Style, raw: bytes | None = None) -> None:
        self.start = start
        self.pen = pen  # the style in force where it begins
        self.ended = raw is not None
        self._raw = raw
        self._cells: list[str] = []
        self._styles: list[Style] = []

    def put(self, column: int, text: str, style: Style) -> None:
        """Write characters of one column each."""
        self._place(column, list(text), style)

    def put_wide(self, column: int, character: str, style: Style) -> None:
        """Write a character of two columns."""
        self._place(column, [character, HALF], style)

    def mark(self, column: int, mark: str) -> None:
        """Combine a mark with the character that ends before `column`, if there is one."""
        self._spread()
        at = column - 1
        if at > 0 and at < len(self._cells) and self._cells[at] == HALF:
            at -= 1
        if 0 <= at < len(self._cells) and len(self._cells[at]) <= MOST_MARKS:
            self._cells[at] = self._cells[at].replace(BLANK, " ") + mark

    def cut(self, column: int) -> None:
        """Erase from `column` to the end."""
        self._spread()
        self._part(column)
        del self._cells[column:], self._styles[column:]

    def clear(self, stop: int) -> None:
        """Erase all before column `stop`."""
        self._spread()
        stop = min(stop, len(self._cells))
        self._part(stop)
        self._cells[:stop] = [BLANK] * stop
        self._styles[:stop] = [PLAIN] * stop

    def shown(self, style: Style) -> tuple[bytes, Style]:
        """What it settled to, given the style in force before it; and the style in force after it."""
        newline = b"\n" if self.ended else b""
        if self._raw is not None:
            return change(style, self.pen) + self._raw + newline, style_after(self.pen, self._raw)
        while self._cells and self._cells[-1] == BLANK:
            self._cells.pop()
            self._styles.pop()
        at = 0
        out: list[bytes] = []
        for wanted, cells in groupby(self._styles):
            stop = at + len(list(cells))
            text = "".join(self._cells[at:stop]).replace(BLANK, " ")
            out.append(change(style, wanted) + text.encode("utf-8", "surrogateescape"))
            style, at = wanted, stop
        out.append(change(style, PLAIN) + newline)
        return b"".join(out), PLAIN

    def _place(self, column: int, cells: list[str], style: Style) -> None:
        self._spread()
        stop = column + len(cells)
        missing = column - len(self._cells)
        if missing > 0:
            self._cells += [BLANK] * missing
            self._styles += [PLAIN] * missing
        self._part(column)
        self._part(stop)
        self._cells[column:stop] = cells
        self._styles[column:stop] = [style] * len(cells)

    def _part(self, column: int) -> None:
        """A wide character of which one half goes is none any more."""
        if 0 < column < len(self._cells) and self._cells[column] == HALF:
            self._cells[column - 1 : column + 1] = [BLANK, BLANK]
            self._styles[column - 1 : column + 1] = [PLAIN, PLAIN]

    def _spread(self) -> None:
        """Make cells of the text."""
        if self._raw is None:
            return
        raw, self._raw = self._raw, None
        style, at, column = self.pen, 0, 0
        for match in (*SGR.finditer(raw), None):
            text = raw[at : match.start() if match else len(raw)].decode("utf-8", "surrogateescape")
            for character in text:
                if character == "\t":
                    column = (column // TAB + 1) * TAB
                    continue
                width = columns(character)
                if width == 0:
                    self.mark(column, character)
                else:
                    self._place(column, [character, HALF][:width], style)
                column += width
            if match:
                style, at = applied(style, match[1]), match.end()
