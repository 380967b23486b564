"""Settled lines: what a terminal would show of output that rewrites its lines, such as progress bars.

The output is text, tabs and colours (SGR), with the newlines that the terminal would have. A line of the input that holds
nothing else, and is no longer than LONGEST bytes, comes out as it went in; any other line is what its cells became. The
terminal is WIDEST columns wide: what goes beyond is on another row, to whose start a carriage return goes, and is joined
again in the output. The cursor goes back no further than to the first of ROWS rows. Clearing the screen and absolute
positions do nothing: what a log has shown stays.

`tests/payloads/terminal_cases.json` has the cases; the page's console holds to the same.
"""

from __future__ import annotations

import re

from tailrace.domain.rows import Row
from tailrace.domain.screen import ROWS, Screen
from tailrace.domain.sgr import PLAIN, change, style_after

LONGEST = 16 * 1024
"""Bytes of a line that is passed on as it came; a longer one becomes cells."""


# What moves the cursor: an escape sequence that is no colour, a return that is not part of a newline, a backspace. A
# sequence that the end of the input cuts is none yet. Each begins with its byte: `re` then looks for that by memchr,
# several times faster than for one of a set.
_MOVES = (
    re.compile(rb"\x1b(?!\Z)(?!\[[0-9;:]{0,64}(?:m|\Z))"),
    re.compile(rb"\r(?=[^\r\n])"),
    re.compile(rb"\x08"),
)
_LOOK_BACK = 80
"""More than the longest sequence that `_MOVES` looks at."""

_TORN = re.compile(rb"(?:\r+|\x1b(?:\[[0-9;:]*)?)\Z")
_CONTROLS = bytes(sorted({*range(32), 127} - {*b"\t\n\r\x1b"}))


class _Moves:
    """Finds the moves in one stretch of input; each of them is looked for once."""

    def __init__(self, data: bytes) -> None:
        self._data = data
        self._found = [-1] * len(_MOVES)

    def first(self, known: int) -> int | None:
        """Where the first one at or after `known` is; to be asked in ascending order."""
        for kind, move in enumerate(_MOVES):
            if self._found[kind] < known:
                match = move.search(self._data, known)
                self._found[kind] = match.start() if match else len(self._data)
        first = min(self._found)
        return first if first < len(self._data) else None


class Settler:
    """Takes a log's bytes piece by piece and gives what has settled; any cutting gives the same output.

    `offset` is that of the first byte. Memory is bounded: ROWS rows. Text without moves passes without
    work per line.
    """

    def __init__(self, offset: int = 0) -> None:
        self._screen = Screen(self._give)
        self._rest: bytes = (
            b""  # rows that nothing has moved in yet; while the screen is open, what is not whole
        )
        self._base: int = offset  # of `_rest`
        self._shown = PLAIN  # the style in force after what was given out
        self._out: list[bytes] = []

    @property
    def settled(self) -> int:
        """All that lies before this offset of the input has been given out; another settler can go on from here."""
        rows = self._screen.rows
        return rows[0].start if rows else self._base

    def feed(self, data: bytes) -> bytes:
        """What has settled with these bytes."""
        known = max(len(self._rest) - _LOOK_BACK, 0)
        data = self._rest + data if self._rest else data
        moves = _Moves(data)
        at = 0
        while at < len(data):
            if not self._screen.open:
                at = self._pass(data, at, moves.first(max(known, at)))
                if not self._screen.open:
                    break
            at = self._screen.take(data, at, self._base)
            if self._screen.open:
                break
        self._rest = data[at:]
        self._base += at
        return self._taken()

    def release(self) -> bytes:
        """Give out the whole rows above the cursor now, though the cursor might have come back to them."""
        screen = self._screen
        if screen.open:
            self._give_rows(screen.row)
            screen.row = 0
        else:
            stop = self._rest.rfind(b"\n") + 1
            self._give_rows(len(screen.rows))
            self._give_plain(self._rest[:stop])
            self._rest = self._rest[stop:]
            self._base += stop
        return self._taken()

    def close(self) -> bytes:
        """The rest, at the end of the input."""
        screen = self._screen
        if screen.open:
            screen.finish()
        self._give_rows(len(screen.rows))
        if not screen.open:
            self._give_plain(_TORN.sub(b"", self._rest))
        screen.open = False
        self._base += len(self._rest)
        self._rest = b""
        return self._taken()

    def _pass(self, data: bytes, at: int, move: int | None) -> int:
        """Plain rows from `at` on, as far as nothing moves in them; returns where those begin that are kept, or, with the
        screen open, the first row that is not plain."""
        stop = len(data) if move is None else data.rfind(b"\n", at, move) + 1 or at
        long = _long_row(data, at, stop)
        stop = stop if long is None else long
        at = self._hold(data, at, stop)
        if move is None and long is None:
            return at
        screen = self._screen
        for line in data[at:stop].split(b"\n")[:-1]:
            screen.rows.append(Row(self._base + at, screen.pen, _clean(line + b"\n")[:-1]))
            screen.pen = style_after(screen.pen, line)
            at += len(line) + 1
        screen.begin(self._base + at)
        return at

    def _hold(self, data: bytes, at: int, stop: int) -> int:
        """Give out the plain rows data[at:stop] but those that can still be rewritten; returns where these begin."""
        newline = stop
        for lines in range(ROWS):
            newline = data.rfind(b"\n", at, newline)
            if newline < 0:
                self._give_rows(len(self._screen.rows) + lines + 1 - ROWS)
                return at
        self._give_rows(len(self._screen.rows))
        self._give_plain(data[at : newline + 1])
        return newline + 1

    def _give_rows(self, count: int) -> None:
        for _ in range(count):
            self._give(self._screen.rows.popleft())

    def _give(self, row: Row) -> None:
        text, self._shown = row.shown(self._shown)
        self._out.append(text)

    def _give_plain(self, text: bytes) -> None:
        if text:
            self._out += (change(self._shown, self._screen.pen), _clean(text))
            self._shown = self._screen.pen = style_after(self._screen.pen, text)

    def _taken(self) -> bytes:
        out, self._out = self._out, []
        return b"".join(out)


def settle(data: bytes) -> bytes:
    """The whole of a text, settled."""
    settler = Settler()
    return settler.feed(data) + settler.close()


def _clean(text: bytes) -> bytes:
    """Plain rows without controls that show nothing."""
    text = text.translate(None, _CONTROLS)
    while b"\r" in text and b"\r\n" in text:
        text = text.replace(b"\r\n", b"\n")
    return text


def _long_row(data: bytes, at: int, stop: int) -> int | None:
    """Where the first row of more than LONGEST bytes begins; None when there is none."""
    while stop - at > LONGEST:
        newline = data.rfind(b"\n", at, at + LONGEST + 1)
        if newline < 0:
            return at
        at = newline + 1
    return None
