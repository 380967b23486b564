"""GitLab's webhooks: who may speak, and what they say beside what all forges do (test_forges.py)."""

from __future__ import annotations

import json

import pytest

from tailrace.domain.errors import Unauthorised
from tailrace.domain.events import Event, EventKind
from tailrace.sources.base import Ignored

from . import forges
from .forges import H1, SECRET, bare
from .test_signatures import STANDARD_SECRET, standard

GITLAB = forges.GITLAB.source
read = forges.GITLAB.read


class TestWhoMaySpeak:
    def test_the_secret_token_opens(self) -> None:
        GITLAB.verify(SECRET, {"x-gitlab-token": SECRET.decode()}, b"body")

    @pytest.mark.parametrize(
        ("given", "why"),
        [
            ({}, "X-Gitlab-Token is missing"),
            ({"x-gitlab-token": ""}, "is not the project's"),
            ({"x-gitlab-token": "another"}, "is not the project's"),
            (standard(STANDARD_SECRET, b"body"), "X-Gitlab-Token is missing"),
        ],
    )
    def test_anything_else_is_refused(self, given: dict[str, str], why: str) -> None:
        with pytest.raises(Unauthorised, match=why):
            GITLAB.verify(SECRET, given, b"body")

    def test_a_signing_token_wants_a_signature(self) -> None:
        """GitLab may send a secret token too: it proves less, and does not count then."""
        GITLAB.verify(STANDARD_SECRET, standard(STANDARD_SECRET, b"body"), b"body")
        with pytest.raises(Unauthorised, match="does not match"):
            GITLAB.verify(STANDARD_SECRET, standard(STANDARD_SECRET, b"body"), b"other body")
        with pytest.raises(Unauthorised, match="webhook-id is missing"):
            GITLAB.verify(STANDARD_SECRET, {"X-Gitlab-Token": STANDARD_SECRET.decode()}, b"body")


class TestHeaders:
    @pytest.mark.parametrize(
        ("given", "word"),
        [("Push Hook", "push_hook"), ("Tag Push Hook", "tag_push_hook"), ("Ключ", None), ("", None)],
    )
    def test_the_event_is_a_word(self, given: str, word: str | None) -> None:
        assert GITLAB.event_name({"X-Gitlab-Event": given}) == word

    def test_a_delivery_is_known_by_what_stays_when_gitlab_tries_again(self) -> None:
        assert GITLAB.delivery_key({"Idempotency-Key": "a", "webhook-id": "b"}) == "a"
        assert GITLAB.delivery_key({"Webhook-Id": "b"}) == "b"
        assert (
            GITLAB.delivery_key({"X-Gitlab-Event-UUID": "shared by events that came of one another"}) is None
        )


def test_a_merge_request_without_commits_starts_nothing() -> None:
    """As one that was made from an issue has none yet."""
    body = forges.GITLAB.body("merge_request_open")
    body["object_attributes"]["last_commit"] = None
    said = forges.GITLAB.said("merge_request_open", body)
    assert isinstance(said, Ignored)
    assert said.why == "merge request 12 has no commits"


@pytest.mark.parametrize(
    ("draft", "action"),
    [
        ({"previous": True, "current": False}, "ready_for_review"),
        ({"previous": False, "current": True}, "edited"),
        ({}, "edited"),
        (None, "edited"),
    ],
)
def test_a_draft_becomes_ready_for_review(draft: dict[str, bool] | None, action: str) -> None:
    body = forges.GITLAB.body("merge_request_update_title")
    body["changes"] = {"draft": draft}
    assert read("merge_request_update_title", body).action == action


class TestPush:
    def test_a_new_branch_has_nothing_before_it(self) -> None:
        """GitLab lists none of its commits, when another branch has them."""
        assert bare(read("push_new_branch")) == Event(
            kind=EventKind.PUSH,
            ref="refs/heads/feature/größer-wasser",
            branch="feature/größer-wasser",
            revision=H1,
            author="Mia Miller",
            action="created",
            default_branch="main",
        )

    def test_a_system_hook_says_the_same(self) -> None:
        """Old ones name the event in `event_name` only."""
        body = forges.GITLAB.body("push_branch")
        del body["object_kind"]
        assert GITLAB.read({"X-Gitlab-Event": "System Hook"}, json.dumps(body).encode()) == read(
            "push_branch"
        )
