"""Whose name the short name of a run's ref is."""

from __future__ import annotations

import pytest

from tailrace.domain.branches import RunNames, names_of


@pytest.mark.parametrize(
    ("ref", "from_fork", "names"),
    [
        ("refs/heads/main", False, RunNames(branch="main")),
        ("refs/heads/tags/main", False, RunNames(branch="main")),
        ("trunk", False, RunNames(branch="main")),
        ("branches/main", False, RunNames(branch="main")),
        (None, False, RunNames(branch="main")),
        ("refs/tags/main", False, RunNames(tag="main")),
        ("tags/main", False, RunNames(tag="main")),
        ("refs/pull/7/head", False, RunNames(head="main")),
        ("refs/merge-requests/7/head", False, RunNames(head="main")),
        ("refs/pull/7/head", True, RunNames(head="main")),
        ("refs/heads/main", True, RunNames(head="main")),
        (None, True, RunNames(head="main")),
    ],
)
def test_what_plans_and_scripts_are_told(ref: str | None, from_fork: bool, names: RunNames) -> None:
    """A branch called main is main's only when it is the repository's own."""
    assert names_of(ref, "main", from_fork) == names


def test_what_has_no_name_is_told_none() -> None:
    """Such as a run of a commit."""
    assert names_of("refs/pull/7/head", None, True) == RunNames("", "", "")
