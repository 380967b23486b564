"""When a repository that could not be read is asked again, and when no more."""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

WAITS_S = (2.0, 5.0, 15.0, 30.0, 60.0)
"""After the first time, the second, …; the last of them after all others."""


class Patience(NamedTuple):
    """For how long it is asked again, and how often at least: nobody may have been there to ask."""

    for_s: float
    least: int


AWAY = Patience(15 * 60, 8)
"""With a repository that does not answer: a forge that is restarted, a network that is mended."""
MISSING = Patience(45, 4)
"""With a revision that is not there: the forge told of it before all of its machines had it."""


def wait_s(
    tries: int, troubled_s: float, patience: Patience, waits_s: Sequence[float] = WAITS_S
) -> float | None:
    """The seconds until it is asked again, after `tries` in vain before this one, the first `troubled_s` ago; None: no more."""
    if tries >= patience.least and troubled_s >= patience.for_s:
        return None
    return waits_s[min(tries, len(waits_s) - 1)]
