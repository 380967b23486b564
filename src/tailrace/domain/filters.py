"""Filters of events."""

from __future__ import annotations

from collections.abc import Sequence
from fnmatch import fnmatchcase

from pydantic import BaseModel, ConfigDict

from tailrace.domain.events import Event, EventKind

PULL_REQUEST_ACTIONS = ("opened", "reopened", "updated")


class On(BaseModel):
    """Which events are wanted."""

    model_config = ConfigDict(frozen=True, extra="forbid")


def why_not(on: On | None, event: Event) -> str | None:
    """Why the event is not wanted; None when it is."""
    if event.kind is EventKind.PULL_REQUEST and same_action(event.action or "") not in PULL_REQUEST_ACTIONS:
        return (
            f"a pull request that was {event.action}: runs start when it is {', '.join(PULL_REQUEST_ACTIONS)}"
        )
    return None


def same_action(action: str) -> str:
    """One word for what forges call differently."""
    return {"synchronize": "updated", "update": "updated", "open": "opened", "close": "closed"}.get(
        action, action
    )


def matches(patterns: Sequence[str], text: str) -> bool:
    """Whether patterns of branches or tags let a text through."""
    return not patterns or any(fnmatchcase(text, pattern) for pattern in patterns)
