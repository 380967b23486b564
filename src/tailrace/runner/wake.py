"""Waking the agent: "look at this attempt". A lost datagram costs latency, never data."""

from __future__ import annotations

import asyncio
import os
import socket
from contextlib import suppress

from tailrace.runner.folder import AttemptFolder

PAUSE_S = 0.005
"""After a datagram, at least this long before the next: the first after idle goes at once."""
STALL_BYTES = 500
"""A reason is cut to this, so that a datagram has room for it."""


class Wake:
    """Sends the attempt's folder name to the agent's socket, whoever listens there now."""

    def __init__(self, folder: AttemptFolder) -> None:
        self._name = folder.path.name.encode()
        self._socket = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)
        self._socket.setblocking(False)
        self._agent = os.open(folder.wake.parent, os.O_PATH | os.O_DIRECTORY | os.O_CLOEXEC)
        self._address = f"/proc/self/fd/{self._agent}/{folder.wake.name}"  # any length of path fits
        self._loop = asyncio.get_running_loop()
        self._pause: asyncio.TimerHandle | None = None
        self._again = False

    def touch(self) -> None:
        """There is something new."""
        if self._pause is not None:
            self._again = True
            return
        self._again = not self.now()
        self._pause = self._loop.call_later(PAUSE_S, self._paused)

    def now(self) -> bool:
        """Send at once; False when the agent's queue is full, so that sending again is worth while."""
        try:
            self._socket.sendto(self._name, self._address)
        except BlockingIOError:
            return False
        except OSError:
            return True  # nobody listens: the next agent looks at every folder when it starts
        return True

    def stall(self, why: str | None) -> None:
        """Tell why the output stands still, or (None) that it goes on; to be told again and again while it stands still."""
        with suppress(OSError):
            self._socket.sendto(self._name + b"\0" + (why or "").encode()[:STALL_BYTES], self._address)

    def close(self) -> None:
        if self._pause is not None:
            self._pause.cancel()
        self._socket.close()
        os.close(self._agent)

    def _paused(self) -> None:
        self._pause = None
        if self._again:
            self.touch()
