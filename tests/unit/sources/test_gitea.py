"""Gitea's and Forgejo's webhooks: who may speak, and what they say."""

from __future__ import annotations

import hashlib
import hmac
import json
from pathlib import Path
from typing import Any
from urllib.parse import urlencode

import pytest

from tailrace.domain.errors import Invalid, Unauthorised
from tailrace.domain.events import Event, EventKind
from tailrace.sources.base import Ignored, Source
from tailrace.sources.gitea import Gitea

PAYLOADS = Path(__file__).parents[2] / "payloads" / "gitea"
GITEA: Source = Gitea()
SECRET = b"a secret that is long enough"
H0, OLD = "1a2b3c4d5e6f708192a3b4c5d6e7f80910213243", "5d0a1b2c3d4e5f60718293a4b5c6d7e8f9011223"
H1, H2 = "3f1c9a0d5b7e42f68a9b0c1d2e3f405162738495", "9c2b7e61f0d34a5586d7e8f90a1b2c3d4e5f6071"
FORK = "77aa88bb99cc00dd11ee22ff3344556677889900"
PAGE = "https://gitea.example.com/millwright/waterwheel"
FORM = "application/x-www-form-urlencoded"


def payload(name: str) -> bytes:
    return (PAYLOADS / f"{name}.json").read_bytes()


def said(name: str, *, event: str | None = None) -> Event | Ignored:
    words = ("pull_request", "push", "create", "delete", "issues")
    event = event or next(word for word in words if name.startswith(word))
    return GITEA.read({"X-Gitea-Event": event, "Content-Type": "application/json"}, payload(name))


def read(name: str, *, event: str | None = None) -> Event:
    found = said(name, event=event)
    assert isinstance(found, Event)
    return found


def signature(body: bytes, secret: bytes = SECRET) -> str:
    return hmac.new(secret, body, hashlib.sha256).hexdigest()


class TestWhoMaySpeak:
    @pytest.mark.parametrize("name", ["X-Gitea-Signature", "x-forgejo-signature", "X-Gogs-Signature"])
    def test_each_of_the_family_signs_by_its_own_name(self, name: str) -> None:
        GITEA.verify(SECRET, {name: signature(b"body")}, b"body")
        with pytest.raises(Unauthorised, match=f"(?i){name} does not match"):
            GITEA.verify(SECRET, {name: signature(b"other")}, b"body")

    def test_of_a_form_the_json_in_it_is_signed(self) -> None:
        """Unlike GitHub, which signs the form."""
        json_body = payload("push_new_branch")
        form = urlencode({"payload": json_body}).encode()
        headers = {"Content-Type": FORM, "X-Gitea-Signature": signature(json_body)}
        GITEA.verify(SECRET, headers, form)
        with pytest.raises(Unauthorised, match="does not match"):
            GITEA.verify(SECRET, headers | {"X-Gitea-Signature": signature(form)}, form)

    @pytest.mark.parametrize(
        ("given", "why"),
        [
            ({}, "X-Gitea-Signature is missing"),
            ({"x-gitea-signature": ""}, "X-Gitea-Signature is missing"),
            ({"x-gitea-signature": "0" * 63}, "is malformed: expected 64 hexadecimal digits"),
            ({"x-gitea-signature": "sha256=" + signature(b"body")}, "is malformed"),
            ({"x-gitea-signature": "0" * 64}, "does not match"),
            ({"x-gitea-signature": signature(b"body", b"other")}, "does not match"),
            ({"x-gitea-signature": signature(b""), "Content-Type": FORM}, "no field `payload`"),
        ],
    )
    def test_anything_else_is_refused_and_says_why(self, given: dict[str, str], why: str) -> None:
        with pytest.raises(Unauthorised, match=why):
            GITEA.verify(SECRET, given, b"body")

    def test_an_empty_secret_is_no_secret(self) -> None:
        """Gitea signs with an empty key when the webhook has none."""
        with pytest.raises(Unauthorised, match="no webhook secret"):
            GITEA.verify(b"", {"x-gitea-signature": signature(b"body", b"")}, b"body")


class TestHeaders:
    def test_forgejos_own_come_first(self) -> None:
        both = {"X-Forgejo-Event": "push", "X-Gitea-Event": "pull_request", "X-Gogs-Delivery": "a"}
        assert GITEA.event_name(both) == "push"
        assert GITEA.delivery_key(both) == "a"
        assert GITEA.event_name({"X-GitHub-Event": "push"}) is None


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
            before=OLD,
            message="Fit the new paddles\n\nThey are of oak and last longer.\n",
            changed=("README.md", "axle.py", "paddles.py"),
            default_branch="main",
        )

    def test_a_list_of_commits_that_was_cut_names_no_paths(self) -> None:
        assert read("push_many_commits").changed is None

    def test_old_giteas_say_less(self) -> None:
        """The payload that Gitea's documentation shows: no head commit, no number of commits, no files."""
        event = read("push_old_gitea")
        assert (event.branch, event.revision, event.before) == ("develop", H1, H0)
        assert (event.title, event.changed) == ("Webhooks turn!", None)

    def test_a_new_branch(self) -> None:
        event = read("push_new_branch")
        assert (event.branch, event.action, event.before) == ("feature/größer-wasser", "created", None)
        assert event.changed is None

    def test_a_tag_means_the_commit_that_it_points_at(self) -> None:
        body = json.loads(payload("push_tag")) | {"after": FORK}
        event = GITEA.read({"X-Gitea-Event": "push"}, json.dumps(body).encode())
        assert isinstance(event, Event)
        assert (event.kind, event.branch, event.revision) == (EventKind.TAG, "v1.4.0", H1)
        assert (event.title, event.before) == ("Fit the new paddles", None)

    @pytest.mark.parametrize(
        ("name", "kind", "ref"),
        [
            ("push_delete_tag", EventKind.TAG, "refs/tags/v1.4.0"),
            ("delete_branch", EventKind.PUSH, "refs/heads/feature/turn-faster"),
        ],
    )
    def test_a_deletion_has_nothing_to_run(self, name: str, kind: EventKind, ref: str) -> None:
        event = read(name)
        assert (event.kind, event.ref, event.deleted, event.revision) == (kind, ref, True, None)
        assert (event.author, event.action) == ("millwright", "deleted")

    def test_the_button_that_tests_a_webhook_is_a_ping(self) -> None:
        """Gitea makes up a push of the newest commit, from itself to itself."""
        event = read("push_test_delivery")
        assert event.kind is EventKind.PING
        assert "refs/heads/main did not move" in (event.title or "")

    def test_that_a_branch_was_made_is_said_by_its_push_too(self) -> None:
        assert isinstance(said("create_branch"), Ignored)

    def test_what_cannot_be_a_link_is_left_out(self) -> None:
        body: Any = json.loads(payload("push_branch"))
        for url in ("", "javascript:alert(1)"):
            body["head_commit"]["url"] = url
            event = GITEA.read({"X-Gitea-Event": "push"}, json.dumps(body).encode())
            assert isinstance(event, Event)
            assert event.url is None


class TestPullRequest:
    def test_opened(self) -> None:
        assert read("pull_request_opened") == Event(
            kind=EventKind.PULL_REQUEST,
            ref="refs/pull/12/head",
            branch="feature/turn-faster",
            revision=H2,
            title="Turn faster",
            author="millwright",
            action="opened",
            pull_request=12,
            base="main",
            url=f"{PAGE}/pulls/12",
            default_branch="main",
        )

    @pytest.mark.parametrize(
        ("name", "action"),
        [
            ("synchronized", "synchronize"),
            ("closed", "closed"),
            ("reopened", "reopened"),
            ("edited", "edited"),
            ("label_updated", "label_updated"),
        ],
    )
    def test_actions_are_in_githubs_words(self, name: str, action: str) -> None:
        event = read(f"pull_request_{name}")
        assert (event.action, event.from_fork) == (action, False)
        assert read(f"pull_request_{name}", event="pull_request_sync") == event

    def test_closed_by_merging_is_merged(self) -> None:
        body: Any = json.loads(payload("pull_request_closed"))
        body["pull_request"]["merged"] = True
        event = GITEA.read({"X-Gitea-Event": "pull_request"}, json.dumps(body).encode())
        assert isinstance(event, Event)
        assert event.action == "merged"

    @pytest.mark.parametrize(
        ("name", "number"),
        [("from_fork", 13), ("fork_gone", 13), ("agit", 14)],
    )
    def test_strangers_code_is_told_apart(self, name: str, number: int) -> None:
        """Also what was pushed to refs/for/main, whose head Gitea calls this repository's own."""
        event = read(f"pull_request_{name}")
        assert (event.from_fork, event.author, event.revision) == (True, "passer-by", FORK)
        assert event.ref == f"refs/pull/{number}/head"

    @pytest.mark.parametrize("field", ["repo", "repo_id"])
    def test_a_head_that_does_not_say_whose_it_is_is_invalid(self, field: str) -> None:
        body: Any = json.loads(payload("pull_request_from_fork"))
        del body["pull_request"]["head"][field]
        with pytest.raises(
            Invalid, match=rf"pull_request\.head\.{field}: expected a repository.*found nothing"
        ):
            GITEA.read({"X-Gitea-Event": "pull_request"}, json.dumps(body).encode())


class TestOtherEvents:
    def test_an_event_that_we_know_of_is_ignored(self) -> None:
        ignored = said("issues_opened")
        assert isinstance(ignored, Ignored)
        assert "event issues starts nothing" in ignored.why

    @pytest.mark.parametrize(
        ("headers", "found"), [({"X-Gitea-Event": "frobnicate"}, '"frobnicate"'), ({}, "nothing")]
    )
    def test_an_event_that_nobody_knows_is_invalid(self, headers: dict[str, str], found: str) -> None:
        with pytest.raises(Invalid, match=f"X-Gitea-Event: expected push.*found {found}"):
            GITEA.read(headers, b"{}")

    def test_a_form_says_the_same_as_json(self) -> None:
        form = urlencode({"payload": payload("push_new_branch")}).encode()
        found = GITEA.read({"X-Gitea-Event": "push", "Content-Type": FORM}, form)
        assert found == read("push_new_branch")
