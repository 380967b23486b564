"""One watcher: a socket, and how far it has come in the log."""

from __future__ import annotations

import socket
from array import array

from benchmarks.crowd.forms import Form, Parsed
from benchmarks.crowd.shared import Broken, Piece


class Pieces:
    """Takes answers apart; the same bytes, which is what most watchers get, only once."""

    def __init__(self, form: Form) -> None:
        self._form = form
        self._last = b""
        self._parsed = Parsed((), 0, b"")

    def parse(self, data: bytes) -> Parsed:
        """As Form.parse."""
        if data != self._last:
            self._parsed = self._form.parse(data)
            self._last = data
        return self._parsed


class Watcher:
    """`next` is the offset of the byte that it waits for; `late_ns` tells of each stamp how long after it it was here."""

    def __init__(self, line: socket.socket, form: Form, pieces: Pieces) -> None:
        self.line = line
        self.next: int = 0
        self.late_ns = array("q")
        self.newest_ns = 0
        self.heard = False
        self._form = form
        self._pieces = pieces
        self._resume: int | None = None
        self._in_head = True
        self._rest = b""

    def ask(self) -> None:
        """Send the request on a socket that has just connected."""
        self.line.send(self._form.request(self._resume))

    def renew(self, line: socket.socket) -> None:
        """Go on with another connection, from where this one ended."""
        self.line = line
        self._resume = self.next
        self._in_head = True
        self._rest = b""
        self.heard = False

    def take(self, data: bytes, at_ns: int) -> None:
        """Look at what came at `at_ns`; raises Broken when something is missing before it."""
        if self._rest:
            data = self._rest + data
        if self._in_head:
            end = self._form.take_head(data)
            if not end:
                self._rest = data
                return
            self._in_head = False
            self.heard = self._resume is not None  # there may be nothing new for it
            wish = self._form.wish(self._resume)
            if wish:
                self.line.send(wish)
            data = data[end:]
        parsed = self._pieces.parse(data)
        self._rest = data[parsed.used :] if parsed.used < len(data) else b""
        if parsed.answer:
            self.line.send(parsed.answer)
        for piece in parsed.pieces:
            self._follow(piece, at_ns)

    def _follow(self, piece: Piece, at_ns: int) -> None:
        if piece.start != self.next:
            raise Broken(f"a watcher waited for byte {self.next} and was sent {piece.start} to {piece.stop}")
        self.next = piece.stop
        self.heard = True
        for stamp in piece.stamps:
            self.late_ns.append(at_ns - stamp)
            self.newest_ns = stamp
