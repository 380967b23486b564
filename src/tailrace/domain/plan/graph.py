"""The graph that jobs form by `needs`."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from graphlib import CycleError, TopologicalSorter


def find_cycles(needs: Mapping[str, Iterable[str]]) -> list[tuple[str, ...]]:
    """Return circles of jobs, each as `("a", "b")` when a needs b and b needs a.

    No job is in two of them, each begins with the job that comes first in `needs`, and none is left once
    those jobs are gone. Names that `needs` does not define are ignored.
    """
    left = {name: [needed for needed in names if needed in needs] for name, names in needs.items()}
    position = {name: number for number, name in enumerate(needs)}
    cycles: list[tuple[str, ...]] = []
    while (found := _one_cycle(left)) is not None:
        start = found.index(min(found, key=position.__getitem__))
        cycles.append((*found[start:], *found[:start]))
        left = {
            name: [needed for needed in names if needed not in found]
            for name, names in left.items()
            if name not in found
        }
    return sorted(cycles, key=lambda cycle: position[cycle[0]])


def in_order(needs: Mapping[str, Iterable[str]]) -> tuple[str, ...]:
    """Return the jobs so that each comes after those it needs; raises ValueError when they form a circle."""
    return tuple(TopologicalSorter(needs).static_order())


def _one_cycle(needs: Mapping[str, Iterable[str]]) -> tuple[str, ...] | None:
    try:
        TopologicalSorter(needs).prepare()
    except CycleError as error:
        # graphlib lists each job before one that needs it, and the first again at the end.
        return tuple(reversed(error.args[1][1:]))
    return None
