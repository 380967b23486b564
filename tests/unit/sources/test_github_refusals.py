"""What is wrong with a payload is said with its place; nothing but Invalid comes out of any body."""

from __future__ import annotations

import hashlib
import hmac
import json
from pathlib import Path
from typing import Any

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from tailrace.domain.errors import Invalid, Unauthorised
from tailrace.domain.events import Event
from tailrace.sources.base import Ignored
from tailrace.sources.github import GitHub

PAYLOADS = {
    p.stem: p.read_bytes() for p in (Path(__file__).parents[2] / "payloads" / "github").glob("*.json")
}
READ = sorted(name for name in PAYLOADS if not name.startswith("issues"))
GITHUB = GitHub()


def read(name: str, body: bytes) -> Event | Ignored:
    words = ("pull_request", "push", "ping", "workflow_run", "workflow_job")
    event = next(e for e in words if name.startswith(e))
    return GITHUB.read({"X-GitHub-Event": event, "Content-Type": "application/json"}, body)


def changed(name: str, path: str, value: Any) -> bytes:
    found = json.loads(PAYLOADS[name])
    *parents, last = path.split(".")
    inner = found
    for parent in parents:
        inner = inner[parent]
    inner[last] = value
    return json.dumps(found).encode()


@pytest.mark.parametrize(
    ("name", "path", "value", "message"),
    [
        ("push_branch", "ref", "main", 'ref: expected a full ref such as refs/heads/main, found "main"'),
        ("push_branch", "ref", "refs/heads/a b", 'ref: expected a full ref .*, found "refs/heads/a b"'),
        ("push_branch", "ref", "refs/heads/../x", "ref: expected a full ref"),
        ("push_branch", "ref", "refs/heads/x\n", r'ref: expected a full ref .*, found "refs/heads/x\\n"'),
        ("push_branch", "after", 7, r"after: expected 40 hexadecimal digits \(64 with SHA-256\), found 7"),
        (
            "push_branch",
            "head_commit.id",
            "x",
            r'head_commit\.id: expected 40 hexadecimal digits .*, found "x"',
        ),
        ("push_branch", "head_commit", [1], r"head_commit: expected a commit, or null, found \[1\]"),
        ("push_branch", "head_commit.message", None, r"head_commit\.message: expected a string, found null"),
        ("push_branch", "deleted", "no", 'deleted: expected true or false, found "no"'),
        (
            "push_branch",
            "head_commit.url",
            "javascript:alert(1)",
            r"head_commit\.url: expected an http or https",
        ),
        ("pull_request_opened", "number", 0, "number: expected a positive number, found 0"),
        ("pull_request_opened", "number", "12", 'number: expected a positive number, found "12"'),
        ("pull_request_opened", "action", "Run this!", "action: expected a word such as opened"),
        (
            "pull_request_opened",
            "pull_request.head.sha",
            "z" * 100,
            r'head\.sha: expected 40 .*, found "z{59}…$',
        ),
        (
            "pull_request_opened",
            "pull_request.base.repo",
            None,
            r"base\.repo: expected a repository, found null",
        ),
        ("push_branch", "commits", {}, r"commits: expected a list of at most 10000 commits, found \{\}"),
        ("workflow_run_completed", "workflow_run.head_sha", "x", r"head_sha: expected 40 .*, found \"x\""),
        ("workflow_job_completed", "action", None, "action: expected a word such as completed, found null"),
        ("ping", "zen", 1, "zen: expected a string, found 1"),
    ],
)
def test_an_error_names_place_and_what_is_allowed(name: str, path: str, value: Any, message: str) -> None:
    with pytest.raises(Invalid, match=message) as refused:
        read(name, changed(name, path, value))
    assert refused.value.errors[0]["path"] == path


def test_what_is_missing_is_named() -> None:
    with pytest.raises(
        Invalid, match=r"^ref: expected a full ref .*, found nothing \(and 1 more\)$"
    ) as refused:
        read("push_branch", b"{}")
    assert [error["path"] for error in refused.value.errors] == ["ref", "after"]


@pytest.mark.parametrize("body", [b"[]", b"null", b'"push"', b"7"])
def test_a_payload_is_an_object(body: bytes) -> None:
    with pytest.raises(Invalid, match=r"^payload: expected an object, found"):
        read("push_branch", body)


@pytest.mark.parametrize("body", [b"", b"{", b"\xff\xfe", b'{"a": 1} x', b"[" * 100_000])
def test_what_is_not_json_says_where(body: bytes) -> None:
    with pytest.raises(Invalid, match=r"the payload is not JSON: .* at line \d+, column \d+"):
        read("push_branch", body)


@given(st.sampled_from(READ), st.data())
def test_every_truncated_payload_is_invalid_with_its_position(name: str, data: st.DataObject) -> None:
    body = PAYLOADS[name].rstrip()
    cut = body[: data.draw(st.integers(0, len(body) - 1))]
    with pytest.raises(Invalid) as refused:
        read(name, cut)
    (place,) = refused.value.errors
    assert place["line"] == cut.count(b"\n") + 1
    assert isinstance(place["column"], int)


@given(st.sampled_from(READ), st.binary())
@example("push_branch", b"\x00")
def test_any_bytes_are_read_or_invalid(name: str, body: bytes) -> None:
    with pytest.raises(Invalid):
        read(name, body)


@given(st.binary(min_size=1), st.binary(), st.binary())
def test_a_signature_opens_one_body_only(secret: bytes, body: bytes, other: bytes) -> None:
    signature = {"X-Hub-Signature-256": "sha256=" + hmac.new(secret, body, hashlib.sha256).hexdigest()}
    GITHUB.verify(secret, signature, body)
    if other != body:
        with pytest.raises(Unauthorised):
            GITHUB.verify(secret, signature, other)


@given(st.binary(min_size=1), st.data())
def test_one_changed_bit_is_another_body(body: bytes, data: st.DataObject) -> None:
    at = data.draw(st.integers(0, len(body) * 8 - 1))
    other = bytearray(body)
    other[at // 8] ^= 1 << at % 8
    signature = {"X-Hub-Signature-256": "sha256=" + hmac.new(b"secret", body, hashlib.sha256).hexdigest()}
    with pytest.raises(Unauthorised, match="does not match"):
        GITHUB.verify(b"secret", signature, bytes(other))
