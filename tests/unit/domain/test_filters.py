"""Which events start runs: what `on` says is what is asked, and who is refused learns why."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tailrace.domain.events import Event, EventKind
from tailrace.domain.filters import Filter, On, matches, matches_path, why_not

PUSH = Event(kind=EventKind.PUSH, ref="refs/heads/main", branch="main", revision="a" * 40)
TAG = Event(kind=EventKind.TAG, ref="refs/tags/v1.2", branch="v1.2")
PULL = Event(kind=EventKind.PULL_REQUEST, branch="fix", base="main", action="opened", pull_request=7)


def test_a_plan_without_on_is_started_by_pushes_tags_and_pull_requests() -> None:
    for event in (PUSH, TAG, PULL):
        assert why_not(None, event) is None
    workflow = Event(kind=EventKind.WORKFLOW, action="completed")
    assert why_not(None, workflow) == 'a workflow: a plan is started by it only where its "on" names workflow'


@pytest.mark.parametrize("kind", [EventKind.MANUAL, EventKind.TICK, EventKind.CHANGE])
def test_what_has_a_trigger_of_its_own_is_never_held_back(kind: EventKind) -> None:
    """People, ticks and changes outside of repositories."""
    assert why_not(On(), Event(kind=kind)) is None


def test_a_ping_and_a_deletion_start_nothing() -> None:
    assert why_not(None, Event(kind=EventKind.PING)) == "a ping: the webhook works"
    gone = PUSH.model_copy(update={"deleted": True})
    assert why_not(On(push=Filter()), gone) == "refs/heads/main was deleted: there is nothing to run"


def test_a_kind_that_on_does_not_name_starts_nothing() -> None:
    assert why_not(On(push=Filter()), TAG) == 'a tag: the plan\'s "on" names push and not tag'
    assert why_not(On(), PUSH) == 'a push to a branch: the plan\'s "on" names only people and not push'


def test_a_change_that_polling_found_in_a_repository_is_a_push_or_a_tag() -> None:
    """So that it does not matter whether the webhook came."""
    found = PUSH.model_copy(update={"kind": EventKind.CHANGE})
    assert why_not(On(push=Filter(branches=("main",))), found) is None
    assert why_not(On(tag=Filter()), found) is not None
    tag = TAG.model_copy(update={"kind": EventKind.CHANGE})
    assert why_not(On(tag=Filter()), tag) is None
    assert why_not(On(push=Filter()), tag) is not None


def test_branches_let_through_what_they_name_but_not_what_they_exclude() -> None:
    on = On(push=Filter(branches=("main", "release/*", "!release/old")))
    for branch, passes in (("main", True), ("release/1/2", True), ("release/old", False), ("fix", False)):
        why = why_not(on, PUSH.model_copy(update={"branch": branch}))
        assert (why is None) == passes, branch
    assert why_not(on, PUSH.model_copy(update={"branch": "fix"})) == (
        'branch fix: "on.push.branches" of the plan has main, release/*, !release/old'
    )


def test_exclusions_alone_let_all_else_through() -> None:
    assert matches(("!wip/*",), "main")
    assert not matches(("!wip/*",), "wip/x")


def test_the_branches_of_a_pull_request_are_those_it_is_merged_into() -> None:
    assert why_not(On(pull_request=Filter(branches=("main",))), PULL) is None
    assert why_not(On(pull_request=Filter(branches=("fix",))), PULL) == (
        'into branch main: "on.pull_request.branches" of the plan has fix'
    )


def test_a_pull_request_starts_runs_when_it_is_opened_or_updated_whatever_the_forge_calls_it() -> None:
    for action in ("opened", "open", "synchronize", "synchronized", "update", "reopened", "reopen"):
        assert why_not(None, PULL.model_copy(update={"action": action})) is None, action
    closed = PULL.model_copy(update={"action": "closed"})
    assert why_not(None, closed) == (
        "a pull request that was closed: runs start when it is opened, reopened, updated"
    )
    assert why_not(On(pull_request=Filter(actions=("closed",))), closed) is None
    assert why_not(On(pull_request=Filter(actions=("closed",))), PULL) is not None


def test_tags_and_workflows_have_patterns_too() -> None:
    assert why_not(On(tag=Filter(tags=("v*",))), TAG) is None
    assert why_not(On(tag=Filter(tags=("w*",))), TAG) == 'tag v1.2: "on.tag.tags" of the plan has w*'
    done = Event(kind=EventKind.WORKFLOW, action="completed", branch="main", title="Build")
    assert why_not(On(workflow=Filter(names=("Build",))), done) is None
    assert "on.workflow.names" in str(why_not(On(workflow=Filter(names=("Test",))), done))
    done = done.model_copy(update={"values": {"WORKFLOW_CONCLUSION": "failure"}})
    assert why_not(On(workflow=Filter(conclusions=("failure",))), done) is None
    assert why_not(On(workflow=Filter(conclusions=("success",))), done) == (
        'workflow Build concluded failure: "on.workflow.conclusions" of the plan has success'
    )
    queued = done.model_copy(update={"action": "queued"})
    assert why_not(On(workflow=Filter()), queued) is not None, "runs follow a workflow that is through"


def test_one_path_that_is_let_through_is_enough() -> None:
    on = On(push=Filter(paths=("src/**", "!**/*.md")))

    def why(*changed: str) -> str | None:
        return why_not(on, PUSH.model_copy(update={"changed": changed}))

    assert why("README.md", "src/a/b.py") is None
    assert why("src/a/b.md", "docs/x") == (
        'it touches src/a/b.md, docs/x: "on.push.paths" of the plan has src/**, !**/*.md'
    )
    assert why() == 'it touches no file: "on.push.paths" of the plan has src/**, !**/*.md'
    assert why_not(on, PUSH) is None, "what is not known is let through: no change may be missed"


@pytest.mark.parametrize(
    ("pattern", "path", "passes"),
    [
        ("*.py", "a.py", True),
        ("*.py", "src/a.py", False),
        ("**/*.py", "a.py", True),
        ("**/*.py", "src/x/a.py", True),
        ("docs", "docs/x/y", True),
        ("docs/", "docs/x", True),
        ("docs", "docsx", False),
        ("a/**/z", "a/z", True),
        ("a/**/z", "a/b/c/z", True),
        ("a/**/z", "a/b/c", False),
        ("a?c", "abc", True),
        ("a[b-d]", "ac", True),
        ("a[!b-d]", "ac", False),
        ("**", "x/y", True),
    ],
)
def test_paths_match_part_by_part(pattern: str, path: str, passes: bool) -> None:
    assert matches_path((pattern,), path) == passes
    assert matches_path((f"!{pattern}",), path) != passes


@given(
    st.lists(st.sampled_from(["**", "*", "a", "b*", "?"]), min_size=1, max_size=30),
    st.lists(st.sampled_from(["a", "b", "ab", "bb"]), min_size=1, max_size=30),
)
def test_a_pattern_that_matches_a_folder_matches_all_within(pattern: list[str], parts: list[str]) -> None:
    """And no pattern takes long, however many stars it has."""
    text, path = "/".join(pattern), "/".join(parts)
    if matches_path((text,), path):
        assert matches_path((text,), f"{path}/more")
