"""Which agents may take what: allow-lists of projects, protected labels, runs from forks."""

from __future__ import annotations

import pytest

from tailrace.domain.trust import Origin, Taker, is_strangers

OURS, THEIRS = 1, 2
PROTECTED = {"prod": frozenset({OURS})}
PLAIN = Taker(frozenset({"linux"}))
PROD = Taker(frozenset({"linux", "prod"}), given=frozenset({"prod"}))
SAYS_PROD = Taker(frozenset({"linux", "prod"}))


@pytest.mark.parametrize(
    ("taker", "labels", "may"),
    [
        (PLAIN, ["linux"], True),
        (PLAIN, ["linux", "prod"], False),
        (PROD, ["linux", "prod"], True),
        (SAYS_PROD, ["linux"], True),
        (SAYS_PROD, ["prod"], False),
    ],
)
def test_a_protected_label_counts_when_people_gave_it(taker: Taker, labels: list[str], may: bool) -> None:
    """An agent can say anything of itself."""
    assert taker.may_use(labels, PROTECTED) is may
    assert taker.may_use(labels, {}) is taker.labels.issuperset(labels)


@pytest.mark.parametrize("taker", [PROD, SAYS_PROD])
def test_an_agent_with_a_protected_label_takes_only_what_may_use_it(taker: Taker) -> None:
    """Whatever labels the job asks for, and also where only the agent itself says that it has the label."""
    assert taker.trusts(Origin(OURS), PROTECTED)
    assert not taker.trusts(Origin(THEIRS), PROTECTED)
    assert not taker.trusts(Origin(OURS, from_fork=True), PROTECTED)
    assert taker.trusts(Origin(THEIRS, from_fork=True), {})


def test_an_agent_takes_work_of_the_projects_on_its_list() -> None:
    """An empty list is no project."""
    assert PLAIN._replace(projects=frozenset({OURS})).trusts(Origin(OURS, from_fork=True), {})
    assert not PLAIN._replace(projects=frozenset({OURS})).trusts(Origin(THEIRS), {})
    assert not PLAIN._replace(projects=frozenset()).trusts(Origin(OURS), {})


@pytest.mark.parametrize(
    ("revision", "strangers"),
    [
        ("refs/pull/8/head", True),
        ("refs/merge-requests/8/head", True),
        ("refs/for/main", True),
        ("refs/changes/01/1/1", True),
        ("refs/heads/main", False),
        ("refs/tags/v1", False),
        ("pull/8/head", False),
        ("a" * 40, False),
        (None, False),
    ],
)
def test_refs_that_strangers_write(revision: str | None, strangers: bool) -> None:
    """Those below neither branches nor tags; a name that is no full ref means a branch or a tag."""
    assert is_strangers(revision) is strangers
