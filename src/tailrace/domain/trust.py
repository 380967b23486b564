"""Who trusts whom: agents that take work of some projects only, and labels that only some projects may use."""

from __future__ import annotations

from collections.abc import Collection, Mapping
from typing import NamedTuple

_OURS = ("refs/heads/", "refs/tags/")


def is_strangers(revision: str | None) -> bool:
    """Whether a revision is named by a ref that others than those who may push write: of a pull or merge request, a review."""
    return revision is not None and revision.startswith("refs/") and not revision.startswith(_OURS)


Protected = Mapping[str, frozenset[int]]
"""The protected labels, each with the ids of the projects that may use it."""


class Taker(NamedTuple):
    """An agent, as far as it decides which jobs it may take.

    `given` are those of its labels that people gave it; `projects` are the ids of those whose work it takes, None for all.
    """

    labels: frozenset[str]
    given: frozenset[str] = frozenset()
    projects: frozenset[int] | None = None

    def may_use(self, labels: Collection[str], protected: Protected) -> bool:
        """Whether it has these labels. A protected one counts only when people gave it: an agent can say anything of itself."""
        return self.labels.issuperset(labels) and all(
            label in self.given for label in labels if label in protected
        )

    def trusts(self, origin: Origin, protected: Protected) -> bool:
        """Whether it may take what comes from there, whatever labels the job asks for.

        One agent is one trust domain: where a label of it is protected, all of it is.
        """
        if self.projects is not None and origin.project not in self.projects:
            return False
        return all(open_to(origin, protected[label]) for label in self.labels & protected.keys())


class Origin(NamedTuple):
    """Where a job comes from: its project's id, and whether its run is a stranger's, from a fork."""

    project: int
    from_fork: bool = False


def open_to(origin: Origin, projects: Collection[int]) -> bool:
    """Whether what comes from there may use a label that is protected for these projects; runs from forks never."""
    return origin.project in projects and not origin.from_fork
