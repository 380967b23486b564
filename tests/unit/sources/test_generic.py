"""Generic webhooks: who may speak, and what a project finds in what they say."""

from __future__ import annotations

import base64
import hashlib
import hmac
import json
from typing import Any
from urllib.parse import urlencode

import pytest
from pydantic import ValidationError

from tailrace.domain.errors import Invalid, Unauthorised
from tailrace.domain.events import Event, EventKind
from tailrace.domain.hooks import GenericHook
from tailrace.sources.base import Ignored, Source
from tailrace.sources.generic import MAX_VALUE_BYTES, Generic

from .test_signatures import TIME, standard

SECRET = b"a secret that is long enough"
H0, H1 = "1a2b3c4d5e6f708192a3b4c5d6e7f80910213243", "3f1c9a0d5b7e42f68a9b0c1d2e3f405162738495"
JSON = {"Content-Type": "application/json"}
FORM = {"Content-Type": "application/x-www-form-urlencoded"}
REGISTRY = {
    "event": {"kind": "pushed", "actor": "mia"},
    "target": {"repository": "mill/wheel", "tag": "1.4.0", "size": 17, "tags": ["a", "b"], "signed": True},
}


def hook(**fields: Any) -> GenericHook:
    return GenericHook.model_validate(fields)


def source(**fields: Any) -> Source:
    return Generic(hook(**fields), clock=lambda: TIME)


def read(body: Any, headers: dict[str, str] = JSON, **fields: Any) -> Event:
    event = source(**fields).read(headers, body if isinstance(body, bytes) else json.dumps(body).encode())
    assert isinstance(event, Event)
    return event


def sha256(body: bytes) -> str:
    return "sha256=" + hmac.new(SECRET, body, hashlib.sha256).hexdigest()


class TestWhoMaySpeak:
    @pytest.mark.parametrize(
        "given",
        [
            {"X-Tailrace-Token": SECRET.decode()},
            {"Authorization": f"Bearer {SECRET.decode()}"},
            {"X-Tailrace-Signature": sha256(b"body")},
            {"X-Hub-Signature-256": sha256(b"body")},
            standard(SECRET, b"body"),
        ],
    )
    def test_each_usual_proof_opens(self, given: dict[str, str]) -> None:
        source().verify(SECRET, given, b"body")

    @pytest.mark.parametrize(
        ("given", "why"),
        [
            ({}, "no proof: send the project's secret in X-Tailrace-Token"),
            ({"Authorization": f"Basic {SECRET.decode()}"}, "no proof"),
            ({"X-Tailrace-Token": "another"}, "X-Tailrace-Token is not the project's"),
            ({"Authorization": "Bearer another"}, "Authorization is not the project's"),
            ({"Authorization": "Bearer"}, "Authorization is not the project's"),
            ({"X-Tailrace-Signature": sha256(b"other")}, "X-Tailrace-Signature does not match"),
            (standard(SECRET, b"other"), "webhook-signature does not match"),
            (
                {"X-Tailrace-Signature": sha256(b"other"), "X-Tailrace-Token": SECRET.decode()},
                "does not match",
            ),
        ],
    )
    def test_anything_else_is_refused_and_says_why(self, given: dict[str, str], why: str) -> None:
        """A signature that does not match is not made good by a token."""
        with pytest.raises(Unauthorised, match=why):
            source().verify(SECRET, given, b"body")

    def test_a_project_can_name_the_header_of_the_token(self) -> None:
        named = source(proof={"kind": "token", "header": "X-Registry-Key", "prefix": "Key "})
        named.verify(SECRET, {"x-registry-key": f"Key {SECRET.decode()}"}, b"")
        assert "x-registry-key" in named.secret_headers
        for given in ({"X-Tailrace-Token": SECRET.decode()}, {"X-Registry-Key": SECRET.decode()}):
            with pytest.raises(Unauthorised, match="X-Registry-Key"):
                named.verify(SECRET, given, b"")

    def test_a_project_can_say_how_bodies_are_signed(self) -> None:
        named = source(proof={"kind": "hmac", "header": "X-Sum", "digest": "sha512", "encoding": "base64"})
        right = base64.b64encode(hmac.digest(SECRET, b"body", "sha512")).decode()
        named.verify(SECRET, {"X-Sum": right}, b"body")
        for given in ({"X-Sum": sha256(b"body")}, {"X-Tailrace-Token": SECRET.decode()}):
            with pytest.raises(Unauthorised, match="X-Sum is m"):
                named.verify(SECRET, given, b"body")

    def test_an_empty_secret_is_no_secret(self) -> None:
        with pytest.raises(Unauthorised, match="no webhook secret"):
            source().verify(b"", {"X-Tailrace-Token": ""}, b"")


class TestTheUsualNames:
    def test_a_branch_and_what_else_there_is(self) -> None:
        event = read(
            {
                "branch": "main",
                "revision": H1.upper(),
                "before": H0,
                "message": "Fit the new paddles\n\nThey are of oak.",
                "author": "Mia",
                "url": "https://example.com/1",
                "changed": ["b", "a", "b"],
                "default_branch": "main",
                "action": "created",
                "anything": {"else": 1},
            }
        )
        assert event == Event(
            kind=EventKind.PUSH,
            ref="refs/heads/main",
            branch="main",
            revision=H1,
            title="Fit the new paddles",
            author="Mia",
            url="https://example.com/1",
            before=H0,
            message="Fit the new paddles\n\nThey are of oak.",
            changed=("a", "b"),
            default_branch="main",
            action="created",
        )

    @pytest.mark.parametrize(
        ("body", "kind", "ref"),
        [
            ({"tag": "v1", "branch": "main"}, EventKind.TAG, "refs/tags/v1"),
            ({"ref": "refs/heads/a/b"}, EventKind.PUSH, "refs/heads/a/b"),
            ({"branch": "refs/heads/a"}, EventKind.PUSH, "refs/heads/a"),
            ({}, EventKind.CHANGE, None),
            ({"branch": None, "tag": ""}, EventKind.CHANGE, None),
        ],
    )
    def test_what_it_is_about(self, body: dict[str, Any], kind: EventKind, ref: str | None) -> None:
        """Of a tag and a branch the tag counts; without either it is a change, and the newest is run."""
        event = read(body)
        assert (event.kind, event.ref) == (kind, ref)

    def test_nothing_at_all_means_the_newest(self) -> None:
        """Whoever knows the secret can just post."""
        assert source().read({}, b"") == Event(kind=EventKind.CHANGE)

    def test_a_revision_without_a_branch_may_be_any_name(self) -> None:
        """Subversion's numbers, for instance; the repository is asked what it means."""
        assert read({"revision": 1234}).revision == "1234"
        assert read({"revision": "1.x@1234"}).revision == "1.x@1234"

    def test_the_null_hash_is_a_deletion(self) -> None:
        event = read({"branch": "main", "revision": "0" * 40, "before": "0" * 40})
        assert (event.deleted, event.revision, event.before) == (True, None, None)

    @pytest.mark.parametrize(
        ("body", "message"),
        [
            ({"ref": "main"}, 'ref: expected a full ref such as refs/heads/main.*, found "main"'),
            ({"ref": "refs/notes/x"}, "ref: expected a full ref"),
            ({"branch": "a b"}, 'branch: expected the name of a branch, found "a b"'),
            ({"tag": "-x"}, 'tag: expected the name of a tag, found "-x"'),
            ({"branch": ["main"]}, r'branch: expected a text, found \["main"\]'),
            (
                {"branch": "main", "revision": "HEAD"},
                "revision: expected 40 .* where a branch or tag is named",
            ),
            (
                {"revision": "--upload-pack=x"},
                "revision: expected 40 hexadecimal .* or the name of a revision",
            ),
            ({"before": "x"}, 'before: expected 40 hexadecimal digits .*, found "x"'),
            ({"changed": [1]}, "changed: expected a list of paths, found 1 in it"),
            ({"changed": {"a": 1}}, "changed: expected a list of paths"),
        ],
    )
    def test_what_is_wrong_is_named(self, body: dict[str, Any], message: str) -> None:
        with pytest.raises(Invalid, match=message):
            read(body)


class TestPicks:
    def test_parts_and_values_are_found_by_their_paths(self) -> None:
        event = read(
            REGISTRY,
            picks={"branch": "'main'", "title": "target.repository", "author": "event.actor"},
            values={
                "IMAGE": "target.repository",
                "SIZE": "target.size",
                "SIGNED": "target.signed",
                "TAGS": "target.tags",
                "LABEL": "target.label || ''",
            },
        )
        assert (event.kind, event.branch, event.title, event.author) == (
            EventKind.PUSH,
            "main",
            "mill/wheel",
            "mia",
        )
        assert event.values == {
            "IMAGE": "mill/wheel",
            "SIZE": "17",
            "SIGNED": "true",
            "TAGS": '["a", "b"]',
            "LABEL": "",
        }

    def test_a_path_that_finds_nothing_is_invalid_unless_it_may(self) -> None:
        """A misspelt path must not run the newest of the default branch."""
        with pytest.raises(Invalid, match=r"revision: its path head\.sha finds nothing"):
            read(REGISTRY, picks={"revision": "head.sha"})
        assert read(REGISTRY, picks={"revision": "head.sha || ''"}).revision is None
        with pytest.raises(Invalid, match=r"values\.A: its path nothing finds nothing"):
            read(REGISTRY, values={"A": "nothing"})

    def test_a_path_chooses_counts_and_joins(self) -> None:
        commits = [
            {"id": H0, "added": ["a"], "removed": []},
            {"id": H1, "added": ["b"], "modified": ["c"], "distinct": True},
        ]
        event = read(
            {"branch": "main", "commits": commits},
            picks={
                "revision": "commits[?distinct].id | [0]",
                "changed": "commits[].[added, modified, removed][][]",
            },
            values={"COMMITS": "join(' ', commits[].id)", "COUNT": "length(commits)"},
            only={"length(commits) > `1`": ["true"]},
        )
        assert event.revision == H1
        assert event.changed == ("a", "b", "c")
        assert event.values == {"COMMITS": f"{H0} {H1}", "COUNT": "2"}

    def test_a_function_that_meets_what_it_does_not_take_makes_it_invalid(self) -> None:
        with pytest.raises(
            Invalid, match=r"path 'length\(target\.size\)', character 1: length\(\): argument 1 is a number"
        ):
            read(REGISTRY, values={"A": "length(target.size)"})

    def test_all_paths_together_have_so_much_time(self) -> None:
        """A hundred that are each allowed would keep the server for a minute."""
        many = {"list": [0] * 20_000}
        read(many, values={"A": "length(list[*])"})
        with pytest.raises(Invalid, match="steps on this JSON"):
            read(many, values={f"A{number}": "length(list[*])" for number in range(100)})

    def test_a_value_has_a_most(self) -> None:
        with pytest.raises(Invalid, match=rf"values\.A: {MAX_VALUE_BYTES + 1} bytes"):
            read({"a": "x" * (MAX_VALUE_BYTES + 1)}, values={"A": "a"})
        assert len(read({"a": "x" * MAX_VALUE_BYTES}, values={"A": "a"}).values["A"]) == MAX_VALUE_BYTES

    def test_what_is_not_wanted_starts_nothing(self) -> None:
        only = {"event.kind": ["pushed", "moved"], "target.signed": ["true"]}
        assert read(REGISTRY, only=only).kind is EventKind.CHANGE
        deleted = REGISTRY | {"event": {"kind": "deleted"}}
        ignored = source(only=only).read(JSON, json.dumps(deleted).encode())
        assert ignored == Ignored('event.kind is "deleted": wanted is "pushed", "moved"')
        ignored = source(only=only).read(JSON, b"{}")
        assert ignored == Ignored('event.kind is nothing: wanted is "pushed", "moved"')

    @pytest.mark.parametrize(
        "fields",
        [
            {"picks": {"branch": "a..b"}},
            {"picks": {"frobnicate": "a"}},
            {"values": {"A-B": "a"}},
            {"values": {"TAILRACE_REVISION": "a"}},
            {"values": {"A": ""}},
            {"proof": {"kind": "token", "header": "a b"}},
            {"proof": {"kind": "hmac", "header": "X", "digest": "md5"}},
            {"only": {"a[": ["x"]}},
            {"values": {f"A{number}": "a" for number in range(101)}},
        ],
    )
    def test_a_hook_that_cannot_be_is_refused(self, fields: dict[str, Any]) -> None:
        with pytest.raises(ValidationError):
            hook(**fields)


class TestBodies:
    def test_a_forms_fields(self) -> None:
        body = urlencode({"branch": "größer", "revision": H1, "note": "a&b"}).encode()
        event = read(body, FORM, values={"NOTE": "note"})
        assert (event.branch, event.revision, event.values) == ("größer", H1, {"NOTE": "a&b"})

    def test_a_form_with_json_in_it(self) -> None:
        assert read(urlencode({"payload": '{"branch": "main"}'}).encode(), FORM).branch == "main"

    @pytest.mark.parametrize("kind", ["application/cloudevents+json", "application/json; charset=utf-8"])
    def test_json_by_any_name(self, kind: str) -> None:
        assert read({"branch": "main"}, {"Content-Type": kind}).branch == "main"

    @pytest.mark.parametrize(
        ("kind", "body", "why"),
        [
            ("text/plain", b"{}", "Content-Type: expected application/json or"),
            (FORM["Content-Type"], b'{"branch": "main"}', "a form that looks like JSON"),
            (FORM["Content-Type"], b"a=%ff", "the form cannot be read"),
            ("application/json", b"[]", "payload: expected an object"),
            ("application/json", b'{"branch": ', "the payload is not JSON: .* at line 1, column"),
            ("application/json", b'{"a":' * 10_000, "the payload is not JSON"),
            ("application/json", b'{"a": ' + b"9" * 5000 + b"}", "the payload is not JSON"),
            ("application/json", b'{"a": "\xff"}', "the payload is not JSON"),
        ],
    )
    def test_anything_else_says_what_is_expected(self, kind: str, body: bytes, why: str) -> None:
        with pytest.raises(Invalid, match=why):
            source().read({"Content-Type": kind}, body)


class TestDeliveryKey:
    def test_the_header_that_the_project_names_comes_first(self) -> None:
        given = {"X-Event-Id": "mine", "Idempotency-Key": "usual", "webhook-id": "signed"}
        assert source(key="X-Event-Id").delivery_key(given) == "mine"
        assert source().delivery_key(given) == "usual"
        assert source().delivery_key({"webhook-id": "signed"}) == "signed"
        assert source().delivery_key({}) is None


def test_a_revision_that_strangers_write_is_marked() -> None:
    assert read({"revision": "refs/pull/8/head"}).from_fork
    assert not read({"revision": "refs/heads/main"}).from_fork
