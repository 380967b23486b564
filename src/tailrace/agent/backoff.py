"""How long to wait before trying again."""

from __future__ import annotations

import random

FIRST_S = 0.1
MOST_S = 5.0


class Backoff:
    """Doubles from 0.1 s to 5 s, each wait between half and all of that: agents that lost one server come back spread out."""

    def __init__(self) -> None:
        self._next = FIRST_S

    def wait_s(self) -> float:
        """Seconds to wait now; the next wait is longer."""
        now, self._next = self._next, min(self._next * 2, MOST_S)
        return now * random.uniform(0.5, 1)  # noqa: S311 -- spreading, not secrecy

    def reset(self) -> None:
        """It worked: begin with the shortest wait again."""
        self._next = FIRST_S
