"""Ports for servers that listen only later, or again after their end."""

from __future__ import annotations

import fcntl
import os
import random
import socket
from pathlib import Path

from tests.services import SESSION_FOLDER

# Below those that Linux gives to whoever asks for any, as every client does: none of them takes a port in between.
FIRST, LAST = 12_000, 32_000


def free_port() -> int:
    """A port that nothing listens on, and that no other test of this session is given."""
    session = os.environ.get(SESSION_FOLDER)
    if session is None:  # benchmarks
        return _probed(random.randrange(FIRST, LAST))
    with Path(session, "ports").open("a+") as given:
        fcntl.flock(given, fcntl.LOCK_EX)
        given.seek(0)
        last = given.read()
        port = _probed(int(last) + 1 if last else random.randrange(FIRST, LAST))
        given.truncate(0)
        given.write(str(port))
    return port


def _probed(port: int) -> int:
    """The first port from this one on that can be listened on."""
    for _ in range(LAST - FIRST):
        if port >= LAST:
            port = FIRST
        with socket.socket() as probe:
            # As servers do: what a connection left behind is no hindrance, and who listens is.
            probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            try:
                probe.bind(("127.0.0.1", port))
            except OSError:
                port += 1
            else:
                return port
    raise OSError(f"every port from {FIRST} to {LAST} is taken")
