"""GitLab's webhooks: https://docs.gitlab.com/user/project/integrations/webhook_events/."""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping

from tailrace.domain.errors import Invalid, Unauthorised
from tailrace.domain.events import Event, EventKind
from tailrace.sources.base import Ignored, header, key_of
from tailrace.sources.fields import known, paths_of
from tailrace.sources.gitlab_payloads import Changes, Kind, MergeRequestChange, Push
from tailrace.sources.home import Home
from tailrace.sources.names import is_null, short_name
from tailrace.sources.payload import first_line, read_payload, shown
from tailrace.sources.signatures import is_standard_secret, require_secret, verify_standard, verify_token

_TOKEN = "X-Gitlab-Token"
_ACTIONS = {"open": "opened", "reopen": "reopened", "close": "closed", "merge": "merged"}


class GitLab:
    """Webhooks of projects and groups, and system hooks, as GitLab sends them.

    `clock` gives seconds since 1970: signatures carry their time.
    """

    def __init__(self, clock: Callable[[], float] = time.time) -> None:
        self._clock = clock

    @property
    def name(self) -> str:
        """The word in the hook's URL."""
        return "gitlab"

    @property
    def secret_headers(self) -> frozenset[str]:
        """The header that the secret token comes in."""
        return frozenset({_TOKEN.lower()})

    def verify(self, secret: bytes, headers: Mapping[str, str], body: bytes) -> None:
        """Raise Unauthorised unless the sender knows the secret.

        A secret that begins with whsec_ is a signing token: the body must be signed with it. Any other is a secret
        token, which GitLab sends along.
        """
        require_secret(secret, "GitLab")
        if is_standard_secret(secret):
            verify_standard(secret, headers, body, self._clock())
            return
        given = header(headers, _TOKEN)
        if given is None:
            raise Unauthorised(
                f"{_TOKEN} is missing: give the webhook in GitLab the project's secret as its token"
            )
        verify_token(secret, given, _TOKEN)

    def event_name(self, headers: Mapping[str, str]) -> str | None:
        """X-Gitlab-Event, such as Push Hook, in the form of a word: push_hook."""
        name = header(headers, "X-Gitlab-Event")
        word = "" if name is None else name.lower().replace(" ", "_")
        return word if 0 < len(word) <= 64 and word.isascii() and word.isidentifier() else None

    def delivery_key(self, headers: Mapping[str, str]) -> str | None:
        """Idempotency-Key, which is the same when GitLab tries again; a signature's webhook-id is the same too.

        X-Gitlab-Event-UUID is none: events that came of an earlier event share it, and one sent again has another.
        """
        return key_of(headers, "Idempotency-Key", "webhook-id")

    def read(self, headers: Mapping[str, str], body: bytes) -> Event | Ignored:
        """What happened. Raises Invalid with the place in the payload, what was found and what is allowed."""
        kind = read_payload(Kind, body)
        name = kind.object_kind or kind.event_name
        match name:
            case "push" | "tag_push":
                return _push(read_payload(Push, body))
            case "merge_request":
                return _merge_request(read_payload(MergeRequestChange, body))
            case _:
                pass
        if not name:
            raise Invalid(
                "object_kind: expected push, tag_push, merge_request or another event of GitLab's, found nothing"
            )
        return Ignored(
            f"GitLab's event {shown(name)} starts nothing: push, tag_push and merge_request are understood"
        )


def _push(push: Push) -> Event | Ignored:
    branch = short_name(push.ref)
    if branch is None:
        return Ignored(f"{push.ref} is neither a branch nor a tag")
    tag = push.ref.startswith("refs/tags/")
    kind = EventKind.TAG if tag else EventKind.PUSH
    pusher = first_line(push.user_name) if push.user_name else None
    home = push.project or Home()
    # Of an annotated tag, `before` and `after` are tag objects; checkout_sha is the commit.
    before = None if tag else known(push.before)
    if is_null(push.after):
        return Event(
            kind=kind,
            ref=push.ref,
            branch=branch,
            author=pusher,
            deleted=True,
            action="deleted",
            before=before,
            default_branch=home.default_branch,
            addresses=home.addresses,
        )
    revision = push.checkout_sha or push.after
    head = next((commit for commit in reversed(push.commits) if commit.id == revision), None)
    author = first_line(head.author.name) if head and head.author else None
    return Event(
        kind=kind,
        ref=push.ref,
        branch=branch,
        revision=revision,
        title=first_line(head.message) if head else None,
        author=author or pusher,
        action="created" if push.before is not None and is_null(push.before) else None,
        url=head.url if head else None,
        before=before,
        message=head.message if head else None,
        committed_at=head.timestamp if head else None,
        changed=_changed(push) if before is not None else None,
        default_branch=home.default_branch,
        addresses=home.addresses,
    )


def _changed(push: Push) -> tuple[str, ...] | None:
    # GitLab lists the newest 20 commits only.
    if push.total_commits_count is None or push.total_commits_count != len(push.commits):
        return None
    return paths_of(push.commits)


def _merge_request(change: MergeRequestChange) -> Event | Ignored:
    request = change.object_attributes
    commit = request.last_commit
    if commit is None:
        return Ignored(f"merge request {request.iid} has no commits")
    user, home = change.user, change.project or Home()
    return Event(
        kind=EventKind.PULL_REQUEST,
        ref=f"refs/merge-requests/{request.iid}/head",
        branch=request.source_branch,
        revision=commit.id,
        title=first_line(request.title),
        author=first_line(user.username or user.name or "") if user else None,
        action=_action(request.action, request.oldrev, change.changes),
        pull_request=request.iid,
        base=request.target_branch,
        # The id of a fork that was deleted meanwhile is null: whose code that is nobody can say any more.
        from_fork=request.source_project_id != request.target_project_id,
        url=request.url,
        before=known(request.oldrev),
        message=commit.message,
        default_branch=home.default_branch,
        addresses=home.addresses,
    )


def _action(word: str | None, oldrev: str | None, changes: Changes | None) -> str | None:
    """GitLab's word in GitHub's: an update brought commits when it says which was the last one before."""
    if word == "update":
        draft = changes.draft if changes else None
        if oldrev is not None:
            return "synchronize"
        return "ready_for_review" if draft and draft.previous and draft.current is False else "edited"
    return _ACTIONS.get(word, word) if word else None
