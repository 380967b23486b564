"""Whose branch a run is of: the head branch of a pull request has whatever name a stranger gave it."""

from __future__ import annotations

from typing import NamedTuple

_TAGS = ("refs/tags/", "tags/")  # git's, and Subversion's
_REQUESTS = ("refs/pull/", "refs/merge-requests/")


class RunNames(NamedTuple):
    """What the short name of a run's ref is the name of; one of them, or none, is not empty.

    `head` is that of a pull request's branch, in whichever repository: whatever its author called it.
    """

    branch: str = ""
    tag: str = ""
    head: str = ""


def names_of(ref: str | None, branch: str | None, from_fork: bool) -> RunNames:
    """What plans and scripts are told: a stranger's branch called main is no run of main, nor is a tag of that name."""
    if branch is None:
        return RunNames()
    known = ref or ""
    if from_fork or known.startswith(_REQUESTS):
        return RunNames(head=branch)
    return RunNames(tag=branch) if known.startswith(_TAGS) else RunNames(branch=branch)


def refs_of_branch(branch: str) -> tuple[str, ...]:
    """The refs that mean this branch of the repository itself: git's, and the folders that are branches in Subversion's."""
    return f"refs/heads/{branch}", f"branches/{branch}", branch


def own_branch(ref: str | None, branch: str | None, from_fork: bool) -> str | None:
    """The branch of the repository itself that a run is of; None for pull requests, tags, and whatever is of a fork."""
    if branch is None or from_fork:
        return None
    return branch if ref is None or ref in refs_of_branch(branch) else None


def track_of(ref: str | None, branch: str | None, from_fork: bool) -> str | None:
    """What runs that follow one another have in common: their own branch, else their ref (refs/pull/7/head, refs/tags/v1)."""
    return own_branch(ref, branch, from_fork) or ref
