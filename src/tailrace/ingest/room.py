"""Whether this server can keep what it gets."""

from __future__ import annotations

import errno
import time

from tailrace.domain.errors import NoRoom

RETRY_S = 2.0
"""When an agent may try again what was refused."""
_FORGET_S = 3 * RETRY_S


class Room:
    """Remembers the last refusal for a while: whoever was refused tries again before it is forgotten."""

    def __init__(self) -> None:
        self._why = ""
        self._until = 0.0

    def refuse(self, error: OSError | NoRoom) -> str:
        """Something could not be kept; returns why, in words for people."""
        full = isinstance(error, NoRoom) or error.errno in (errno.ENOSPC, errno.EDQUOT)
        self._why = (
            "the server's disk is full: make room there; agents keep the output until then"
            if full
            else f"the server cannot keep the output: {error}; agents keep it and try again"
        )
        self._until = time.monotonic() + _FORGET_S
        return self._why

    @property
    def trouble(self) -> str | None:
        """Why something was refused within the last seconds."""
        return self._why if time.monotonic() < self._until else None
