"""What happened outside, normalised: one shape whatever the forge."""

from __future__ import annotations

from enum import StrEnum

from pydantic import BaseModel, ConfigDict, Field

from tailrace.domain.text import Text

MOST_PATHS = 3000
"""Of an event; of one that touched more, none are named, as if its sender had not said them: filters of paths let it through."""


class EventKind(StrEnum):
    PUSH = "push"
    TAG = "tag"
    PULL_REQUEST = "pull_request"
    WORKFLOW = "workflow"
    CHANGE = "change"
    TICK = "tick"
    PING = "ping"
    MANUAL = "manual"


class Event(BaseModel):
    """Something that may start runs.

    `ref` is the full name (refs/heads/main, refs/tags/v1, refs/pull/7/head); `branch` is the branch's or tag's short
    name (of a pull request: its head branch); `revision` is 40 or 64 hexadecimal digits, or None where the newest is meant;
    `deleted` says that the branch or tag is gone and there is nothing to run; `action` is GitHub's word
    whatever the forge: opened, synchronize (new commits), reopened, edited, closed, merged, ….

    `before` is the revision that the ref had until then. `message` is the whole message of the commit, `committed_at` when it
    was made as its committer's clock had it (ms since the epoch), where the sender says so. `changed` are the paths,
    from the repository's root, that the event touched; None where its sender does not say, or does not say all.
    `default_branch` is the repository's, where the sender says it. `once` says what happened in words that are the same whichever
    webhook tells of it, where nothing else here tells two of them from one. `addresses` are those of the repository, where the
    sender says them; they are not kept. `values` is what a trigger picked from what happened:
    the run gets it as variables.
    """

    model_config = ConfigDict(frozen=True)
    kind: EventKind
    ref: Text | None = None
    branch: Text | None = None
    revision: Text | None = None
    title: Text | None = None
    author: Text | None = None
    deleted: bool = False
    action: Text | None = None
    pull_request: int | None = None
    base: Text | None = None
    from_fork: bool = False
    url: Text | None = None
    before: Text | None = None
    message: Text | None = None
    committed_at: int | None = None
    changed: tuple[Text, ...] | None = None
    default_branch: Text | None = None
    once: Text | None = None
    addresses: tuple[str, ...] = Field(default=(), exclude=True)
    values: dict[str, Text] = {}
