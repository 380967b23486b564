"""What all benchmarks share: rows, rounds that take turns, and the arithmetic on their samples."""

from __future__ import annotations

import math
import time
from collections.abc import Awaitable, Callable, Coroutine, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, TypeVar

T = TypeVar("T")


@dataclass(frozen=True)
class Row:
    """One figure of ours beside the baseline's, both in `unit`; of a `/s` unit more is better, of all others less.

    `limit` says what it must be: a figure in its unit, or `×` for the ratio; nothing where nothing was decided.
    """

    name: str
    ours: float
    baseline: float
    unit: str
    rounds: int
    limit: str = ""

    @property
    def ratio(self) -> float:
        """Ours divided by the baseline; infinite where the baseline is nothing."""
        return self.ours / self.baseline if self.baseline else math.inf


@dataclass(frozen=True)
class Report:
    """What a benchmark found: rows for the table, and notes that explain them."""

    rows: tuple[Row, ...]
    notes: tuple[str, ...] = ()


Measure = Callable[[Path, bool], Coroutine[Any, Any, Report]]
"""A benchmark: works in an empty folder; True asks for the smallest size that still does everything once."""


def percentile(samples: Sequence[float], percent: float) -> float:
    """The smallest sample that `percent` of all samples do not exceed (nearest rank)."""
    if not samples:
        raise ValueError("there are no samples: nothing was measured")
    ordered = sorted(samples)
    return ordered[max(math.ceil(len(ordered) * percent / 100), 1) - 1]


def median(samples: Sequence[float]) -> float:
    """The middle sample, or the mean of the two in the middle."""
    if not samples:
        raise ValueError("there are no samples: nothing was measured")
    ordered = sorted(samples)
    middle = len(ordered) // 2
    return ordered[middle] if len(ordered) % 2 else (ordered[middle - 1] + ordered[middle]) / 2


async def take_turns(
    rounds: int, ours: Callable[[], Awaitable[T]], baseline: Callable[[], Awaitable[T]], within_s: float = 15
) -> tuple[list[T], list[T]]:
    """The samples of both, measured in turns: what disturbs the machine for a while disturbs both.

    No round but the first begins after `within_s` seconds, so that a slow machine makes fewer rounds and no long wait.
    """
    samples: tuple[list[T], list[T]] = ([], [])
    began = time.monotonic()
    while len(samples[0]) < rounds and (not samples[0] or time.monotonic() - began < within_s):
        samples[0].append(await ours())
        samples[1].append(await baseline())
    return samples


async def compare(
    name: str,
    unit: str,
    rounds: int,
    ours: Callable[[], Awaitable[float]],
    baseline: Callable[[], Awaitable[float]],
) -> Row:
    """A row of two medians, measured in turns."""
    samples = await take_turns(rounds, ours, baseline)
    return Row(name, median(samples[0]), median(samples[1]), unit, len(samples[0]))
