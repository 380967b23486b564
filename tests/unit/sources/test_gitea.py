"""Gitea's and Forgejo's webhooks: who may speak, and what they say beside what all forges do (test_forges.py)."""

from __future__ import annotations

import hashlib
import hmac
from urllib.parse import urlencode

import pytest

from tailrace.domain.errors import Unauthorised
from tailrace.domain.events import EventKind
from tailrace.sources.base import Ignored

from . import forges
from .forges import FORK, FORM, H1, OLDEST, SECRET

GITEA = forges.GITEA.source
payload, said, read, body_of = forges.GITEA.payload, forges.GITEA.said, forges.GITEA.read, forges.GITEA.body


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


class TestHeaders:
    def test_forgejos_own_come_first(self) -> None:
        both = {"X-Forgejo-Event": "push", "X-Gitea-Event": "pull_request", "X-Gogs-Delivery": "a"}
        assert GITEA.event_name(both) == "push"
        assert GITEA.delivery_key(both) == "a"
        assert GITEA.event_name({"X-GitHub-Event": "push"}) is None


class TestPush:
    def test_old_giteas_say_less(self) -> None:
        """The payload that Gitea's documentation shows: no head commit, no number of commits, no files."""
        event = read("push_old_gitea")
        assert (event.branch, event.revision, event.before) == ("develop", H1, OLDEST)
        assert (event.title, event.changed) == ("Webhooks turn!", None)

    def test_a_new_branch(self) -> None:
        event = read("push_new_branch")
        assert (event.branch, event.action, event.before) == ("feature/größer-wasser", "created", None)
        assert event.changed is None

    def test_a_tag_means_the_commit_that_it_points_at(self) -> None:
        body = body_of("push_tag") | {"after": FORK}
        event = read("push_tag", body)
        assert (event.kind, event.branch, event.revision) == (EventKind.TAG, "v1.4.0", H1)
        assert (event.title, event.before) == ("Fit the new paddles", None)

    def test_the_button_that_tests_a_webhook_is_a_ping(self) -> None:
        """Gitea makes up a push of the newest commit, from itself to itself."""
        event = read("push_test_delivery")
        assert event.kind is EventKind.PING
        assert "refs/heads/main did not move" in (event.title or "")

    def test_that_a_branch_was_made_is_said_by_its_push_too(self) -> None:
        assert isinstance(said("create_branch"), Ignored)

    def test_what_cannot_be_a_link_is_left_out(self) -> None:
        body = body_of("push_branch")
        for url in ("", "javascript:alert(1)"):
            body["head_commit"]["url"] = url
            assert read("push_branch", body).url is None


class TestPullRequest:
    def test_what_a_stranger_pushed_for_main_is_told_apart(self) -> None:
        """To refs/for/main: Gitea calls its head this repository's own."""
        event = read("pull_request_agit")
        assert (event.from_fork, event.author, event.revision) == (True, "passer-by", FORK)
        assert event.ref == "refs/pull/14/head"

    def test_new_commits_have_an_event_of_their_own(self) -> None:
        """Of some versions; it says the same."""
        for name in ("opened", "synchronized", "closed"):
            found = read(f"pull_request_{name}")
            assert read(f"pull_request_{name}", event="pull_request_sync") == found
