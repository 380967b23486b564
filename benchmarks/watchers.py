"""Many watchers in one process and one epoll loop: `watchers.py PORT COUNT GO [PATH TOKEN]`.

Each connects, asks for PATH where one is given, and notes when each time stamp (`@NANOSECONDS;`) came. Once all have heard
something, it makes the file GO. It ends when every connection has ended or was told `event: end`, and prints
`{"late_ns": [[…] of each watcher], "bytes": n}`.
"""

from __future__ import annotations

import json
import re
import select
import socket
import sys
import time
from pathlib import Path

STAMP = re.compile(rb"@(\d{19});")
END = b"event: end"


class Watcher:
    """One connection; `late_ns` holds, for each stamp, how long after it the bytes were here."""

    def __init__(self, line: socket.socket) -> None:
        self.line = line
        self.late_ns: list[int] = []
        self.size = 0
        self._rest = b""

    def take(self, data: bytes, at_ns: int) -> bool:
        """Look at what came; False when nothing more is wanted."""
        self.size += len(data)
        text = self._rest + data
        past = 0
        for found in STAMP.finditer(text):
            self.late_ns.append(at_ns - int(found[1]))
            past = found.end()
        self._rest = text[max(past, len(text) - 32) :]  # a stamp, or the end, may be cut between two pieces
        return bool(data) and END not in text


def connect(port: int, request: bytes) -> Watcher:
    """A watcher that has asked."""
    line = socket.create_connection(("127.0.0.1", port))
    line.sendall(request)
    line.setblocking(False)
    return Watcher(line)


def watch(watchers: list[Watcher], go: Path) -> None:
    """Read from all until all have ended."""
    loop = select.epoll()
    open_lines = {watcher.line.fileno(): watcher for watcher in watchers}
    silent = set(open_lines)
    for number in open_lines:
        loop.register(number, select.EPOLLIN)
    while open_lines:
        # First all that is there, each with its own time; only then look inside, which must delay nobody.
        came: list[tuple[int, bytes, int]] = []
        for number, _ in loop.poll():
            data = open_lines[number].line.recv(65536)
            came.append((number, data, time.time_ns()))
        for number, data, at_ns in came:
            silent.discard(number)
            if not open_lines[number].take(data, at_ns):
                loop.unregister(number)
                open_lines.pop(number).line.close()
        if not silent and not go.exists():
            go.touch()


def main() -> None:
    """Connect all, watch, report."""
    port, count, go = int(sys.argv[1]), int(sys.argv[2]), Path(sys.argv[3])
    request = b""
    if len(sys.argv) > 4:
        path, token = sys.argv[4:6]
        request = (
            f"GET {path} HTTP/1.1\r\nHost: 127.0.0.1:{port}\r\nAuthorization: Bearer {token}\r\n"
            "Accept: text/event-stream\r\n\r\n"
        ).encode()
    watchers = [connect(port, request) for _ in range(count)]
    watch(watchers, go)
    found = {
        "late_ns": [watcher.late_ns for watcher in watchers],
        "bytes": sum(watcher.size for watcher in watchers),
    }
    print(json.dumps(found))


if __name__ == "__main__":
    main()
