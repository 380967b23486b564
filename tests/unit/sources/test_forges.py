"""What the webhooks of all forges say alike: one plan file serves them all."""

from __future__ import annotations

import hashlib
import hmac
import json
from typing import Any
from urllib.parse import urlencode

import pytest

from tailrace.domain.errors import Invalid, Unauthorised
from tailrace.domain.events import Event, EventKind
from tailrace.sources.base import Ignored

from .forges import COMMITTED_AT, FORK, FORM, GITEA, GITHUB, GITLAB, H1, H2, MESSAGE, OLD, OLDEST, Forge, bare

every_forge = pytest.mark.parametrize("forge", [GITHUB, GITLAB, GITEA], ids=str)


EMPTY = hmac.new(b"", b"body", hashlib.sha256).hexdigest()


@pytest.mark.parametrize(
    ("forge", "given"),
    [
        (GITHUB, {"x-hub-signature-256": f"sha256={EMPTY}"}),
        (GITLAB, {"x-gitlab-token": ""}),
        (GITEA, {"x-gitea-signature": EMPTY}),
    ],
    ids=str,
)
def test_an_empty_secret_is_no_secret(forge: Forge, given: dict[str, str]) -> None:
    """Gitea signs with an empty key when the webhook has none."""
    with pytest.raises(Unauthorised, match="no webhook secret"):
        forge.source.verify(b"", given, b"body")


@pytest.mark.parametrize(
    ("forge", "before", "changed"),
    [
        (GITHUB, OLDEST, ("README.md", "paddles.py")),
        (GITLAB, OLD, ("README.md", "axle.py", "paddles.py")),
        (GITEA, OLD, ("README.md", "axle.py", "paddles.py")),
    ],
    ids=str,
)
def test_a_push_to_a_branch(forge: Forge, before: str, changed: tuple[str, ...]) -> None:
    assert bare(forge.read("push_branch")) == Event(
        kind=EventKind.PUSH,
        ref="refs/heads/main",
        branch="main",
        revision=H1,
        title="Fit the new paddles",
        author="Mia Miller",
        url=f"{forge.page}/commit/{H1}",
        before=before,
        message=MESSAGE,
        committed_at=None if forge is GITEA else COMMITTED_AT,
        changed=changed,
        default_branch="main",
    )


@pytest.mark.parametrize("forge", [GITHUB, GITLAB], ids=str)
@pytest.mark.parametrize("time", [None, 17, "yesterday", "2026-11-20T10:29:58", "0001-01-01T00:00:00Z"])
def test_a_commits_time_that_is_none_refuses_no_push(forge: Forge, time: object) -> None:
    """Without a zone it is none either."""
    body = forge.body("push_branch")
    for commit in (*body["commits"], body.get("head_commit", {})):
        commit["timestamp"] = time
    assert forge.read("push_branch", body).committed_at is None


@pytest.mark.parametrize("forge", [GITLAB, GITEA], ids=str)
def test_a_list_of_commits_that_was_cut_names_no_paths(forge: Forge) -> None:
    """GitLab lists the newest twenty: a filter by paths must not believe that these are all."""
    assert forge.read("push_many_commits").changed is None


@pytest.mark.parametrize(
    ("forge", "name", "tag"),
    [
        (GITHUB, "push_tag", "v1.4.0"),
        (GITHUB, "push_annotated_tag", "v2.0.0"),
        (GITLAB, "tag_push_annotated", "v1.4.0"),
        (GITEA, "push_tag", "v1.4.0"),
    ],
    ids=str,
)
def test_a_tag_means_the_commit_that_it_points_at(forge: Forge, name: str, tag: str) -> None:
    """What was before it is not told: it would be a tag object where the tag is annotated."""
    event = forge.read(name)
    assert (event.kind, event.ref, event.branch) == (EventKind.TAG, f"refs/tags/{tag}", tag)
    assert (event.revision, event.title, event.deleted) == (H1, "Fit the new paddles", False)
    assert (event.before, event.changed) == (None, None)


@pytest.mark.parametrize(
    ("forge", "name", "kind", "ref"),
    [
        (GITHUB, "push_delete_branch", EventKind.PUSH, "refs/heads/feature/turn-faster"),
        (GITHUB, "push_delete_tag", EventKind.TAG, "refs/tags/v1.4.0"),
        (GITLAB, "push_delete_branch", EventKind.PUSH, "refs/heads/feature/turn-faster"),
        (GITLAB, "tag_push_delete", EventKind.TAG, "refs/tags/v1.4.0"),
        (GITEA, "delete_branch", EventKind.PUSH, "refs/heads/feature/turn-faster"),
        (GITEA, "push_delete_tag", EventKind.TAG, "refs/tags/v1.4.0"),
    ],
    ids=str,
)
def test_a_deletion_has_nothing_to_run(forge: Forge, name: str, kind: EventKind, ref: str) -> None:
    event = forge.read(name)
    assert (event.kind, event.ref, event.deleted, event.revision) == (kind, ref, True, None)
    assert (event.author, event.action) == ("Mia Miller" if forge is GITLAB else "millwright", "deleted")
    if forge is GITLAB:
        assert event.before == (H2 if kind is EventKind.PUSH else None)


@every_forge
def test_what_is_neither_branch_nor_tag_is_ignored(forge: Forge) -> None:
    body = forge.body("push_branch") | {"ref": "refs/keep-around/1"}
    assert forge.said("push_branch", body) == Ignored("refs/keep-around/1 is neither a branch nor a tag")


@pytest.mark.parametrize(
    ("forge", "ref", "url", "more"),
    [
        (GITHUB, "refs/pull/12/head", "pull/12", {}),
        (GITEA, "refs/pull/12/head", "pulls/12", {}),
        (
            GITLAB,
            "refs/merge-requests/12/head",
            "merge_requests/12",
            {"author": "mmiller", "message": "Turn faster\n\nTwice as fast.\n"},
        ),
    ],
    ids=str,
)
def test_a_request_that_was_opened(forge: Forge, ref: str, url: str, more: dict[str, Any]) -> None:
    values: dict[str, Any] = {"author": "millwright", **more}
    opened = forge.read(f"{forge.request}_{'open' if forge is GITLAB else 'opened'}")
    assert bare(opened) == Event(
        kind=EventKind.PULL_REQUEST,
        ref=ref,
        branch="feature/turn-faster",
        revision=H2,
        title="Turn faster",
        action="opened",
        pull_request=12,
        base="main",
        url=f"{forge.page}/{url}",
        default_branch="main",
        **values,
    )


@pytest.mark.parametrize(
    ("forge", "name", "action", "before"),
    [
        (GITHUB, "synchronize", "synchronize", H1),
        (GITHUB, "closed", "merged", None),
        (GITLAB, "update_commits", "synchronize", H1),
        (GITLAB, "update_title", "edited", None),
        (GITLAB, "close", "closed", None),
        (GITLAB, "reopen", "reopened", None),
        (GITLAB, "merge", "merged", None),
        (GITLAB, "approved", "approved", None),
        (GITEA, "synchronized", "synchronize", None),
        (GITEA, "closed", "closed", None),
        (GITEA, "reopened", "reopened", None),
        (GITEA, "edited", "edited", None),
        (GITEA, "label_updated", "label_updated", None),
    ],
    ids=str,
)
def test_actions_are_in_githubs_words(forge: Forge, name: str, action: str, before: str | None) -> None:
    """New commits are told from the rest."""
    event = forge.read(f"{forge.request}_{name}")
    assert (event.action, event.before, event.revision, event.from_fork) == (action, before, H2, False)


@pytest.mark.parametrize(("forge", "merged"), [(GITHUB, False), (GITEA, True)], ids=str)
def test_closed_by_merging_is_merged_and_else_closed(forge: Forge, merged: bool) -> None:
    body = forge.body("pull_request_closed")
    body["pull_request"]["merged"] = merged
    assert forge.read("pull_request_closed", body).action == ("merged" if merged else "closed")


@every_forge
@pytest.mark.parametrize("name", ["from_fork", "fork_gone"])
def test_code_from_a_fork_is_told_apart_even_when_the_fork_is_gone(forge: Forge, name: str) -> None:
    event = forge.read(f"{forge.request}_{name}")
    assert (event.from_fork, event.author, event.revision) == (True, "passer-by", FORK)
    kind = "merge-requests" if forge is GITLAB else "pull"
    assert event.ref == f"refs/{kind}/13/head"


@pytest.mark.parametrize(
    ("forge", "path", "what"),
    [
        (GITHUB, "pull_request.head.repo", "a repository, or null, found nothing"),
        (GITLAB, "object_attributes.source_project_id", "a project's id, or"),
        (GITEA, "pull_request.head.repo", "a repository.*found nothing"),
        (GITEA, "pull_request.head.repo_id", "a repository.*found nothing"),
    ],
    ids=str,
)
def test_a_request_that_does_not_say_whose_it_is_is_invalid(forge: Forge, path: str, what: str) -> None:
    """Otherwise a payload without it would count as our own branch."""
    name = f"{forge.request}_from_fork"
    body = inner = forge.body(name)
    *parents, last = path.split(".")
    for parent in parents:
        inner = inner[parent]
    del inner[last]
    with pytest.raises(Invalid, match=rf"{path.replace('.', '[.]')}: expected {what}"):
        forge.said(name, body)


@pytest.mark.parametrize(
    ("forge", "name", "event"),
    [
        (GITHUB, "issues_opened", "issues"),
        (GITLAB, "issue_open", "issue"),
        (GITEA, "issues_opened", "issues"),
    ],
    ids=str,
)
def test_another_event_is_ignored(forge: Forge, name: str, event: str) -> None:
    ignored = forge.said(name)
    assert isinstance(ignored, Ignored)
    assert f'event "{event}" starts nothing' in ignored.why


@pytest.mark.parametrize(
    ("forge", "body", "event"),
    [
        (GITHUB, {}, "frobnicate"),
        (GITHUB, {}, "PUSH"),
        (GITLAB, {"object_kind": "frobnicate"}, ""),
        (GITEA, {}, "frobnicate"),
    ],
    ids=str,
)
def test_so_is_one_that_nobody_knows_yet(forge: Forge, body: dict[str, str], event: str) -> None:
    """Forges get new ones, and GitLab switches a webhook off after a few refusals."""
    ignored = forge.source.read(forge.headers(event), json.dumps(body).encode())
    assert isinstance(ignored, Ignored)
    assert f'"{body.get("object_kind", event)}" starts nothing' in ignored.why


@pytest.mark.parametrize(
    ("forge", "place"), [(GITHUB, "X-GitHub-Event"), (GITEA, "X-Gitea-Event"), (GITLAB, "object_kind")]
)
@pytest.mark.parametrize("headers", [{}, {"X-GitHub-Event": "", "X-Gitea-Event": ""}])
def test_no_event_is_invalid(forge: Forge, place: str, headers: dict[str, str]) -> None:
    with pytest.raises(Invalid, match=f"{place}: expected push.*found nothing"):
        forge.source.read(headers, b"{}")


@pytest.mark.parametrize("forge", [GITHUB, GITEA], ids=str)
def test_a_form_says_the_same_as_json(forge: Forge) -> None:
    form = urlencode({"payload": forge.payload("push_new_branch")}).encode()
    assert forge.source.read(forge.headers("push", FORM), form) == forge.read("push_new_branch")
