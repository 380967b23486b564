"""GitHub's webhooks: https://docs.github.com/en/webhooks/webhook-events-and-payloads."""

from __future__ import annotations

import re
from collections.abc import Mapping

from tailrace.domain.errors import Invalid, Unauthorised
from tailrace.domain.events import Event, EventKind
from tailrace.sources.base import Ignored, header, key_of
from tailrace.sources.fields import known, paths_of
from tailrace.sources.forms import json_text
from tailrace.sources.github_payloads import Ping, PullRequestChange, Push
from tailrace.sources.github_workflows import JobChange, RunChange, job_event, run_event
from tailrace.sources.home import Home
from tailrace.sources.names import is_null, short_name
from tailrace.sources.payload import Payload, first_line, read_payload, shown
from tailrace.sources.signatures import require_secret, verify_hmac

MOST_COMMITS = 2048
_SIGNATURE = "X-Hub-Signature-256"
_UNDERSTOOD = "push, pull_request, workflow_run, workflow_job and ping"
_WORD = re.compile(r"[a-z0-9_]{1,64}")


class GitHub:
    """Webhooks as GitHub sends them, in either of its two content types."""

    @property
    def name(self) -> str:
        """The word in the hook's URL."""
        return "github"

    @property
    def secret_headers(self) -> frozenset[str]:
        """None: bodies are signed."""
        return frozenset()

    def verify(self, secret: bytes, headers: Mapping[str, str], body: bytes) -> None:
        """Raise Unauthorised unless X-Hub-Signature-256 is the HMAC-SHA256 of this raw body under the secret."""
        require_secret(secret, "GitHub")
        given = header(headers, _SIGNATURE)
        if given is None:
            raise Unauthorised(f"{_SIGNATURE} is missing: give the webhook in GitHub the project's secret")
        verify_hmac(secret, given, body, _SIGNATURE, prefix="sha256=")

    def event_name(self, headers: Mapping[str, str]) -> str | None:
        """X-GitHub-Event, when it is a word."""
        return _only(_WORD, header(headers, "X-GitHub-Event"))

    def delivery_key(self, headers: Mapping[str, str]) -> str | None:
        """X-GitHub-Delivery: the same when GitHub, or a person there, sends a delivery again."""
        return key_of(headers, "X-GitHub-Delivery")

    def read(self, headers: Mapping[str, str], body: bytes) -> Event | Ignored:
        """What happened. Raises Invalid with the place in the payload, what was found and what is allowed."""
        name = header(headers, "X-GitHub-Event")
        text = json_text(header(headers, "Content-Type"), body)
        match name:
            case "push":
                return _push(read_payload(Push, text))
            case "pull_request":
                return _pull_request(read_payload(PullRequestChange, text))
            case "workflow_run":
                return run_event(read_payload(RunChange, text))
            case "workflow_job":
                return job_event(read_payload(JobChange, text))
            case "ping":
                return Event(kind=EventKind.PING, title=first_line(read_payload(Ping, text).zen))
            case _:
                read_payload(Payload, text)
        if not name:
            raise Invalid(
                "X-GitHub-Event: expected push, pull_request, ping or another event of GitHub's, found nothing"
            )
        return Ignored(f"GitHub's event {shown(name)} starts nothing: {_UNDERSTOOD} are understood")


def _push(push: Push) -> Event | Ignored:
    branch = short_name(push.ref)
    if branch is None:
        return Ignored(f"{push.ref} is neither a branch nor a tag")
    kind = EventKind.TAG if push.ref.startswith("refs/tags/") else EventKind.PUSH
    pusher = first_line(push.pusher.name) if push.pusher else None
    home = push.repository or Home()
    # Of an annotated tag, `before` and `after` are tag objects and no commits.
    before = None if kind is EventKind.TAG else known(push.before)
    if push.deleted or is_null(push.after):
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
    head = push.head_commit
    author = first_line(head.author.name) if head and head.author else None
    return Event(
        kind=kind,
        ref=push.ref,
        branch=branch,
        # The head commit is what an annotated tag points at.
        revision=head.id if head else push.after,
        title=first_line(head.message) if head else None,
        author=author or pusher,
        action="created" if push.created else "forced" if push.forced else None,
        url=(head.url if head else None) or push.compare,
        before=before,
        message=head.message if head else None,
        committed_at=head.timestamp if head else None,
        changed=_changed(push) if before is not None else None,
        default_branch=home.default_branch,
        addresses=home.addresses,
    )


def _changed(push: Push) -> tuple[str, ...] | None:
    # GitHub lists no more commits than these; and a push that was forced took commits away, whose files it does not say.
    if push.forced or len(push.commits) >= MOST_COMMITS:
        return None
    return paths_of(push.commits)


def _pull_request(change: PullRequestChange) -> Event:
    request = change.pull_request
    head, base, home = request.head, request.base, change.repository or Home()
    return Event(
        kind=EventKind.PULL_REQUEST,
        ref=f"refs/pull/{change.number}/head",
        branch=head.ref,
        revision=head.sha,
        title=first_line(request.title),
        author=first_line(request.user.login) if request.user else None,
        action="merged" if change.action == "closed" and request.merged else change.action,
        pull_request=change.number,
        base=base.ref,
        # A fork that was deleted meanwhile is null: whose code that is nobody can say any more.
        from_fork=head.repo is None or head.repo.full_name != base.repo.full_name,
        url=request.html_url,
        before=known(change.before),
        default_branch=home.default_branch,
        addresses=home.addresses,
    )


def _only(pattern: re.Pattern[str], value: str | None) -> str | None:
    return value if value is not None and pattern.fullmatch(value) else None
