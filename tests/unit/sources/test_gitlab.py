"""GitLab's webhooks: who may speak, and what they say."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from tailrace.domain.errors import Invalid, Unauthorised
from tailrace.domain.events import Event, EventKind
from tailrace.sources.base import Ignored, Source
from tailrace.sources.gitlab import GitLab

from .test_signatures import STANDARD_SECRET, TIME, standard

PAYLOADS = Path(__file__).parents[2] / "payloads" / "gitlab"
GITLAB: Source = GitLab(clock=lambda: TIME)
SECRET = b"a secret that is long enough"
H0 = "5d0a1b2c3d4e5f60718293a4b5c6d7e8f9011223"
H1, H2 = "3f1c9a0d5b7e42f68a9b0c1d2e3f405162738495", "9c2b7e61f0d34a5586d7e8f90a1b2c3d4e5f6071"
FORK = "77aa88bb99cc00dd11ee22ff3344556677889900"
PAGE = "https://gitlab.example.com/millwright/waterwheel/-"
MESSAGE = "Fit the new paddles\n\nThey are of oak and last longer.\n"


def payload(name: str) -> bytes:
    return (PAYLOADS / f"{name}.json").read_bytes()


def read(name: str) -> Event:
    event = GITLAB.read({"X-Gitlab-Event": "is not asked"}, payload(name))
    assert isinstance(event, Event)
    return event


def changed(name: str, **fields: Any) -> bytes:
    return json.dumps(json.loads(payload(name)) | fields).encode()


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

    def test_an_empty_secret_is_no_secret(self) -> None:
        with pytest.raises(Unauthorised, match="no webhook secret"):
            GITLAB.verify(b"", {"x-gitlab-token": ""}, b"body")


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


class TestPush:
    def test_a_branch(self) -> None:
        assert read("push_branch") == Event(
            kind=EventKind.PUSH,
            ref="refs/heads/main",
            branch="main",
            revision=H1,
            title="Fit the new paddles",
            author="Mia Miller",
            url=f"{PAGE}/commit/{H1}",
            before=H0,
            message=MESSAGE,
            changed=("README.md", "axle.py", "paddles.py"),
            default_branch="main",
        )

    def test_a_list_of_commits_that_was_cut_names_no_paths(self) -> None:
        """GitLab lists the newest twenty: a filter by paths must not believe that these are all."""
        assert read("push_many_commits").changed is None

    def test_a_new_branch_has_nothing_before_it(self) -> None:
        """GitLab lists none of its commits, when another branch has them."""
        assert read("push_new_branch") == Event(
            kind=EventKind.PUSH,
            ref="refs/heads/feature/größer-wasser",
            branch="feature/größer-wasser",
            revision=H1,
            author="Mia Miller",
            action="created",
            default_branch="main",
        )

    def test_an_annotated_tag_means_the_commit_that_it_points_at(self) -> None:
        event = read("tag_push_annotated")
        assert (event.kind, event.ref, event.branch) == (EventKind.TAG, "refs/tags/v1.4.0", "v1.4.0")
        assert (event.revision, event.title, event.before, event.changed) == (
            H1,
            "Fit the new paddles",
            None,
            None,
        )

    @pytest.mark.parametrize(
        ("name", "kind", "branch", "before"),
        [
            ("push_delete_branch", EventKind.PUSH, "feature/turn-faster", H2),
            ("tag_push_delete", EventKind.TAG, "v1.4.0", None),
        ],
    )
    def test_a_deletion_has_nothing_to_run(
        self, name: str, kind: EventKind, branch: str, before: str | None
    ) -> None:
        event = read(name)
        assert (event.kind, event.branch, event.deleted, event.revision) == (kind, branch, True, None)
        assert (event.author, event.action, event.before) == ("Mia Miller", "deleted", before)

    def test_a_system_hook_says_the_same(self) -> None:
        """Old ones name the event in `event_name` only."""
        body = json.loads(payload("push_branch"))
        del body["object_kind"]
        assert GITLAB.read({"X-Gitlab-Event": "System Hook"}, json.dumps(body).encode()) == read(
            "push_branch"
        )

    def test_what_is_neither_branch_nor_tag_is_ignored(self) -> None:
        ignored = GITLAB.read({}, changed("push_branch", ref="refs/keep-around/1"))
        assert ignored == Ignored("refs/keep-around/1 is neither a branch nor a tag")


class TestMergeRequest:
    def test_opened(self) -> None:
        assert read("merge_request_open") == Event(
            kind=EventKind.PULL_REQUEST,
            ref="refs/merge-requests/12/head",
            branch="feature/turn-faster",
            revision=H2,
            title="Turn faster",
            author="mmiller",
            action="opened",
            pull_request=12,
            base="main",
            url=f"{PAGE}/merge_requests/12",
            message="Turn faster\n\nTwice as fast.\n",
            default_branch="main",
        )

    @pytest.mark.parametrize(
        ("name", "action", "before"),
        [
            ("update_commits", "synchronize", H1),
            ("update_title", "edited", None),
            ("close", "closed", None),
            ("reopen", "reopened", None),
            ("merge", "merged", None),
            ("approved", "approved", None),
        ],
    )
    def test_an_update_tells_commits_from_the_rest(self, name: str, action: str, before: str | None) -> None:
        """Actions are in GitHub's words: one plan file serves both."""
        event = read(f"merge_request_{name}")
        assert (event.action, event.before, event.from_fork) == (action, before, False)

    @pytest.mark.parametrize("name", ["from_fork", "fork_gone"])
    def test_code_from_a_fork_is_told_apart_even_when_the_fork_is_gone(self, name: str) -> None:
        event = read(f"merge_request_{name}")
        assert (event.from_fork, event.author, event.revision) == (True, "passer-by", FORK)
        assert event.ref == "refs/merge-requests/13/head"

    def test_a_source_that_is_not_named_is_invalid(self) -> None:
        """Otherwise a payload without it would count as our own branch."""
        body = json.loads(payload("merge_request_from_fork"))
        del body["object_attributes"]["source_project_id"]
        with pytest.raises(
            Invalid, match=r"object_attributes\.source_project_id: expected a project's id, or"
        ):
            GITLAB.read({}, json.dumps(body).encode())


class TestOtherEvents:
    def test_an_event_that_we_know_of_is_ignored(self) -> None:
        ignored = GITLAB.read({}, payload("issue_open"))
        assert isinstance(ignored, Ignored)
        assert "event issue starts nothing" in ignored.why

    @pytest.mark.parametrize(
        ("body", "found"), [(b'{"object_kind": "frobnicate"}', '"frobnicate"'), (b"{}", "nothing")]
    )
    def test_an_event_that_nobody_knows_is_invalid(self, body: bytes, found: str) -> None:
        with pytest.raises(Invalid, match=f"object_kind: expected push, tag_push.*found {found}"):
            GITLAB.read({}, body)
