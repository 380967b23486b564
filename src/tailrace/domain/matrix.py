"""The jobs of a matrix, wherever they are: how they ended together, and what scripts get of their values."""

from __future__ import annotations

from collections.abc import Iterable

_WORST_FIRST = ("failed", "aborted", "skipped", "passed")


def together(outcomes: Iterable[str]) -> str:
    """The worst of their outcomes; empty as long as one of them has none, or has not ended."""
    found = set(outcomes)
    if not found <= set(_WORST_FIRST):
        return ""
    return next((word for word in _WORST_FIRST if word in found), "")


def variable_of(axis: str) -> str:
    """The environment variable that gives a value of the matrix to scripts."""
    return f"TAILRACE_MATRIX_{axis.upper().replace('-', '_')}"
