"""Waiting for conditions, never for durations."""

from __future__ import annotations

import time
from collections.abc import Callable
from typing import TypeVar

T = TypeVar("T")


def wait_for(condition: Callable[[], T | None], what: str, seconds: float = 60) -> T:
    """The first value of `condition` that is true; fails with `what` after `seconds`, which is only a backstop.

    What comes soon is seen soon; what takes its time is asked for ten times a second, so that asking slows down nobody.
    """
    deadline = time.monotonic() + seconds
    pause = 0.01
    while True:
        value = condition()
        if value:
            return value
        if time.monotonic() > deadline:
            raise AssertionError(f"waited {seconds:g} s in vain for {what}")
        time.sleep(pause)
        pause = min(pause * 1.2, 0.1)
