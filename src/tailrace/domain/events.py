"""What happened outside, normalised: one shape whatever the forge."""

from __future__ import annotations

from enum import StrEnum

from pydantic import BaseModel, ConfigDict


class EventKind(StrEnum):
    PUSH = "push"
    TAG = "tag"
    PULL_REQUEST = "pull_request"
    PING = "ping"
    MANUAL = "manual"


class Event(BaseModel):
    """Something that may start runs.

    `ref` is the full name (refs/heads/main, refs/tags/v1, refs/pull/7/head); `branch` is the branch's or tag's short
    name (of a pull request: its head branch); `revision` is 40 or 64 hexadecimal digits, or None where the newest is meant;
    `deleted` says that the branch or tag is gone and there is nothing to run; `action` is the forge's own word (opened, …).
    """

    model_config = ConfigDict(frozen=True)
    kind: EventKind
    ref: str | None = None
    branch: str | None = None
    revision: str | None = None
    title: str | None = None
    author: str | None = None
    deleted: bool = False
    action: str | None = None
    pull_request: int | None = None
    base: str | None = None
    from_fork: bool = False
    url: str | None = None
