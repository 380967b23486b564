"""Whatever anybody sends to any source is read, ignored, refused or Invalid: nothing else comes out."""

from __future__ import annotations

import copy
import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any, cast

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tailrace.domain.errors import Invalid, Unauthorised
from tailrace.domain.events import MOST_PATHS, Event
from tailrace.domain.hooks import GenericHook
from tailrace.sources.base import Ignored, Source
from tailrace.sources.fields import MAX_COMMITS
from tailrace.sources.generic import MAX_BODY_BYTES, Generic
from tailrace.sources.gitea import Gitea
from tailrace.sources.github import GitHub
from tailrace.sources.gitlab import GitLab
from tailrace.sources.payload import Payload, read_payload

HOOK = GenericHook.model_validate(
    {
        "picks": {"branch": "ref || ''", "changed": "commits[].added[] || ''"},
        "values": {"A": "commits[0].message || ''", "B": "repository || ''"},
        "only": {"user_name || 'x'": ["x", "Mia Miller"]},
    }
)
SOURCES: Mapping[str, Source] = {
    "github": GitHub(),
    "gitlab": GitLab(),
    "gitea": Gitea(),
    "generic": Generic(),
    "picking": Generic(HOOK),
}
FOLDER = Path(__file__).parents[2] / "payloads"
EVENTS = ("pull_request", "push", "ping", "delete", "create", "issues", "workflow_run", "workflow_job")
H1 = "3f1c9a0d5b7e42f68a9b0c1d2e3f405162738495"
PUSH: dict[str, Any] = {
    "ref": "refs/heads/main",
    "before": H1[::-1],
    "after": H1,
    "object_kind": "push",
    "repository": {},
}


def events_of(name: str) -> str:
    return next((event for event in EVENTS if name.startswith(event)), "")


PAYLOADS = {
    (source, path.stem): json.loads(path.read_bytes())
    for source in SOURCES
    for path in sorted((FOLDER / ("gitlab" if source in ("generic", "picking") else source)).glob("*.json"))
}


def headers(event: str, content_type: str = "application/json") -> dict[str, str]:
    return {"X-GitHub-Event": event, "X-Gitea-Event": event, "Content-Type": content_type}


def read(source: str, event: str, body: bytes, content_type: str = "application/json") -> str:
    """What came of it, as text; raises what the source raises."""
    found = SOURCES[source].read(headers(event, content_type), body)
    return found.why if isinstance(found, Ignored) else found.model_dump_json()


def answered(source: str, event: str, body: bytes, content_type: str = "application/json") -> str | None:
    """What is wrong, or None when nothing is."""
    try:
        read(source, event, body, content_type)
    except Invalid as refused:
        return str(refused)
    return None


def places(value: Any, at: tuple[str | int, ...] = ()) -> list[tuple[str | int, ...]]:
    inner: list[tuple[str | int, Any]] = []
    if isinstance(value, dict):
        inner = [*cast("dict[str, Any]", value).items()]
    elif isinstance(value, list):
        inner = [*enumerate(cast("list[Any]", value))]
    return [at, *(path for key, below in inner for path in places(below, (*at, key)))]


PLACES = {key: places(body) for key, body in PAYLOADS.items()}

json_values = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text() | st.sampled_from(["0" * 40, H1, ""]),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(), inner, max_size=3),
    max_leaves=5,
)


@given(st.sampled_from(sorted(PAYLOADS)), st.data())
def test_a_changed_payload_is_read_or_invalid(key: tuple[str, str], data: st.DataObject) -> None:
    body = copy.deepcopy(PAYLOADS[key])
    for _ in range(data.draw(st.integers(1, 3))):
        # Half of the time near the top, where the fields are that matter.
        shallow = [path for path in PLACES[key] if 0 < len(path) <= 2]
        path = data.draw(st.sampled_from(shallow) | st.sampled_from(PLACES[key][1:]))
        inner = body
        try:
            for part in path[:-1]:
                inner = inner[part]
            if data.draw(st.booleans()):
                del inner[path[-1]]
            else:
                inner[path[-1]] = data.draw(json_values)
        except (KeyError, IndexError, TypeError):
            continue  # an earlier change took the place away
    assert len(answered(key[0], events_of(key[1]), json.dumps(body).encode()) or "") < 2000


@given(
    st.sampled_from(sorted(SOURCES)),
    st.sampled_from(EVENTS),
    st.binary() | json_values.map(lambda value: json.dumps(value).encode()),
    st.sampled_from(["application/json", "application/x-www-form-urlencoded", "", "é"]),
)
def test_any_bytes_are_read_or_invalid(source: str, event: str, body: bytes, content_type: str) -> None:
    assert len(answered(source, event, body, content_type) or "") < 2000


@given(
    st.sampled_from(sorted(SOURCES)),
    st.dictionaries(
        st.sampled_from(
            """X-Hub-Signature-256 X-Gitlab-Token X-Gitea-Signature X-Tailrace-Token Authorization Content-Type
            X-Tailrace-Signature webhook-id webhook-timestamp webhook-signature X-GitHub-Event X-Gitea-Event
            X-Gitlab-Event Idempotency-Key X-GitHub-Delivery""".split()  # noqa: SIM905
        ),
        st.text() | st.sampled_from(["sha256=", "v1,", "0", "Bearer ", "application/x-www-form-urlencoded"]),
    ),
    st.binary(max_size=100),
)
def test_any_headers_are_refused_and_name_what_can_be_stored(
    source: str, given_headers: dict[str, str], body: bytes
) -> None:
    with pytest.raises(Unauthorised):
        SOURCES[source].verify(b"a secret that nobody guesses", given_headers, body)
    for kept in (SOURCES[source].delivery_key(given_headers), SOURCES[source].event_name(given_headers)):
        assert kept is None or (kept.isascii() and kept.isprintable() and len(kept) <= 128)


@pytest.mark.parametrize("source", sorted(SOURCES))
@pytest.mark.parametrize(
    "body",
    [
        b"[" * 1_000_000,
        b'{"a":' * 1_000_000,
        b'{"a": ' + b"[" * 5000 + b"]" * 5000 + b"}",
        b'{"a": ' + b"9" * 100_000 + b"}",
        b'{"a": 1, "a"}',
        b"\xef\xbb\xbf{}",
        b"\x00",
    ],
    ids=["lists", "objects", "closed", "number", "half", "mark", "nul"],
)
def test_what_no_parser_should_swallow_is_invalid(source: str, body: bytes) -> None:
    with pytest.raises(Invalid, match="is not JSON"):
        read(source, "push", body)


@pytest.mark.parametrize(
    ("text", "found"),
    [
        (rb"a\ud800b", "a\ufffdb"),
        (rb"\ude00\ud83d\ude00\uD83D", "\ufffd\U0001f600\ufffd"),
        (rb"\\ud800 \ud800\\", "\\ud800 \ufffd\\"),
    ],
)
def test_half_a_character_is_no_reason_to_lose_a_push(text: bytes, found: str) -> None:
    """Whoever writes a commit's message may put it there; what only looks like one stays."""

    class Told(Payload):
        message: str

    assert read_payload(Told, b'{"message": "' + text + b'"}').message == found


@pytest.mark.parametrize("source", ["github", "gitlab", "gitea"])
class TestMany:
    """Lists as long as a body may be: what is wrong with each element would be gigabytes of text."""

    def refusal(self, source: str, commits: Any) -> Invalid:
        with pytest.raises(Invalid) as refused:
            read(source, "push", json.dumps(PUSH | {"commits": commits}).encode())
        return refused.value

    def test_of_many_that_are_wrong_the_first_is_named(self, source: str) -> None:
        refused = self.refusal(source, [0] * 100_000)
        assert [error["path"] for error in refused.errors] == ["commits.0"]
        refused = self.refusal(source, [{"id": H1, "message": "", "added": [0] * 100_000}])
        assert [error["path"] for error in refused.errors] == ["commits.0.added.0"]

    def test_there_are_only_so_many_commits(self, source: str) -> None:
        commit = {"id": H1, "message": "m", "added": ["a"]}
        refused = self.refusal(source, [commit] * (MAX_COMMITS + 1))
        assert f"commits: expected a list of at most {MAX_COMMITS} commits" in str(refused)
        assert "found more" in str(refused)

    def test_more_paths_than_anybody_filters_are_not_named(self, source: str) -> None:
        """The event stays small; a filter by paths lets through what is not known."""
        for count in (MOST_PATHS, MOST_PATHS + 1):
            commit = {"id": H1, "message": "m", "added": [f"file-{number}" for number in range(count)]}
            body = PUSH | {"commits": [commit], "total_commits": 1, "total_commits_count": 1}
            event = SOURCES[source].read(headers("push"), json.dumps(body).encode())
            assert isinstance(event, Event)
            assert event.changed is None if count > MOST_PATHS else len(event.changed or ()) == count


def test_a_generic_webhook_has_a_most() -> None:
    """All that is in it is kept in memory, not only what is known."""
    with pytest.raises(Invalid, match=f"a generic webhook may have {MAX_BODY_BYTES}"):
        read("generic", "", b" " * (MAX_BODY_BYTES + 1))
    paths = json.dumps({"changed": [f"file-{number}" for number in range(MOST_PATHS + 1)]}).encode()
    assert json.loads(read("generic", "", paths))["changed"] is None


def test_a_large_value_is_shown_by_its_beginning() -> None:
    with pytest.raises(Invalid, match="found") as refused:
        read("github", "push", json.dumps(PUSH | {"ref": [["x"] * 100] * 10_000}).encode())
    assert len(str(refused.value)) < 200
