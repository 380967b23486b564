"""Gitea's and Forgejo's webhooks: https://docs.gitea.com/usage/webhooks, https://forgejo.org/docs/latest/user/webhooks/."""

from __future__ import annotations

import re
from collections.abc import Mapping

from tailrace.domain.errors import Invalid, Unauthorised
from tailrace.domain.events import Event, EventKind
from tailrace.sources.base import BodyDiffers, Ignored, header, key_of
from tailrace.sources.fields import known, link, paths_of
from tailrace.sources.forms import FORM, json_text, media_type
from tailrace.sources.gitea_payloads import Deletion, PullRequestChange, Push
from tailrace.sources.names import is_null, short_name
from tailrace.sources.payload import Payload, first_line, read_payload, shown
from tailrace.sources.signatures import require_secret, verify_hmac

_SENDERS = ("Forgejo", "Gitea", "Gogs")  # whose headers say the same; the first that is there counts
_WORD = re.compile(r"[a-z0-9_]{1,64}")
_UNDERSTOOD = "push, delete and pull_request"


class Gitea:
    """Webhooks as Gitea and Forgejo send them, in either of their two content types."""

    @property
    def name(self) -> str:
        """The word in the hook's URL."""
        return "gitea"

    @property
    def secret_headers(self) -> frozenset[str]:
        """None: bodies are signed."""
        return frozenset()

    def verify(self, secret: bytes, headers: Mapping[str, str], body: bytes) -> None:
        """Raise Unauthorised unless X-Gitea-Signature is the HMAC-SHA256 of the payload under the secret.

        Of a form the JSON in it is signed, and not the raw body.
        """
        require_secret(secret, "Gitea")
        name, given = _first(headers, "Signature")
        if given is None:
            raise Unauthorised("X-Gitea-Signature is missing: give the webhook in Gitea the project's secret")
        try:
            content_type = header(headers, "Content-Type")
            signed = json_text(content_type, body) if media_type(content_type) == FORM else body
        except Invalid as error:
            raise BodyDiffers(f"{name} cannot be checked: {error}") from None
        verify_hmac(secret, given, signed, name)

    def event_name(self, headers: Mapping[str, str]) -> str | None:
        """X-Gitea-Event, when it is a word."""
        _, value = _first(headers, "Event")
        return value if value is not None and _WORD.fullmatch(value) else None

    def delivery_key(self, headers: Mapping[str, str]) -> str | None:
        """X-Gitea-Delivery; a delivery that a person there sends again has another one."""
        return key_of(headers, *(f"X-{sender}-Delivery" for sender in _SENDERS))

    def read(self, headers: Mapping[str, str], body: bytes) -> Event | Ignored:
        """What happened. Raises Invalid with the place in the payload, what was found and what is allowed."""
        text = json_text(header(headers, "Content-Type"), body)
        name, event = _first(headers, "Event")
        match event:
            case "push":
                return _push(read_payload(Push, text))
            case "delete":
                return _deletion(read_payload(Deletion, text))
            # Gitea before 1.26 says pull_request_sync where new ones say pull_request.
            case "pull_request" | "pull_request_sync":
                return _pull_request(read_payload(PullRequestChange, text))
            case _:
                read_payload(Payload, text)
        if not event:
            raise Invalid(
                f"{name}: expected push, delete, pull_request or another event of Gitea's, found nothing"
            )
        return Ignored(f"Gitea's event {shown(event)} starts nothing: {_UNDERSTOOD} are understood")


def _push(push: Push) -> Event | Ignored:
    branch = short_name(push.ref)
    if branch is None:
        return Ignored(f"{push.ref} is neither a branch nor a tag")
    tag = push.ref.startswith("refs/tags/")
    kind = EventKind.TAG if tag else EventKind.PUSH
    pusher = first_line(push.pusher.login) if push.pusher else None
    # Of an annotated tag, `before` is the tag object and no commit.
    before = None if tag else known(push.before)
    home = push.repository
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
    if push.before == push.after:
        # The button "Test delivery" of a webhook's page makes this up of the newest commit.
        return Event(kind=EventKind.PING, title=f"a test of Gitea's: {push.ref} did not move")
    commits = push.commits or ()
    head = push.head_commit or next((commit for commit in commits if commit.id == push.after), None)
    author = first_line(head.author.name) if head and head.author else None
    return Event(
        kind=kind,
        ref=push.ref,
        branch=branch,
        # Of an annotated tag, `after` is the tag object; the head commit is what it points at.
        revision=head.id if head else push.after,
        title=first_line(head.message) if head else None,
        author=author or pusher,
        action="created" if is_null(push.before) else None,
        url=link(head.url) if head else None,
        before=before,
        message=head.message if head else None,
        # Gitea lists a few commits only; how many there are, it says since 1.17.
        changed=paths_of(commits) if before is not None and push.total_commits == len(commits) else None,
        default_branch=home.default_branch,
        addresses=home.addresses,
    )


def _deletion(deletion: Deletion) -> Event:
    tag = deletion.ref_type == "tag"
    return Event(
        kind=EventKind.TAG if tag else EventKind.PUSH,
        ref=f"refs/{'tags' if tag else 'heads'}/{deletion.ref}",
        branch=deletion.ref,
        author=first_line(deletion.sender.login) if deletion.sender else None,
        deleted=True,
        action="deleted",
        default_branch=deletion.repository.default_branch,
        addresses=deletion.repository.addresses,
    )


def _pull_request(change: PullRequestChange) -> Event:
    request = change.pull_request
    head, base = request.head, request.base
    return Event(
        kind=EventKind.PULL_REQUEST,
        ref=f"refs/pull/{change.number}/head",
        branch=head.ref,
        revision=head.sha,
        title=first_line(request.title),
        author=first_line(request.user.login) if request.user else None,
        action=_action(change.action, request.merged),
        pull_request=change.number,
        base=base.ref,
        # Who may only read a repository can push to refs/for/…: Gitea then says that the head is in this repository,
        # and names the pull request in place of a branch. A branch or a fork that is gone is shown so too.
        from_fork=head.repo is None or head.repo_id != base.repo_id or head.ref.startswith("refs/"),
        url=link(request.html_url),
        default_branch=change.repository.default_branch,
        addresses=change.repository.addresses,
    )


def _action(word: str, merged: bool | None) -> str:
    """Gitea's word in GitHub's."""
    if word == "closed" and merged:
        return "merged"
    return "synchronize" if word == "synchronized" else word


def _first(headers: Mapping[str, str], what: str) -> tuple[str, str | None]:
    """The name and the value of the first of the senders' headers that is there."""
    names = [f"X-{sender}-{what}" for sender in _SENDERS]
    found = ((name, header(headers, name)) for name in names)
    return next(((name, value) for name, value in found if value), (f"X-Gitea-{what}", None))
