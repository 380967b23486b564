"""How the jobs of a matrix have ended, in one word."""

from __future__ import annotations

from collections.abc import Iterable

_WORST_FIRST = ("failed", "aborted", "skipped", "passed")


def together(outcomes: Iterable[str]) -> str:
    """The worst of their outcomes; empty as long as one of them has none, or has not ended."""
    found = set(outcomes)
    if not found <= set(_WORST_FIRST):
        return ""
    return next((word for word in _WORST_FIRST if word in found), "")
