"""Notifications: what rules ask for, and what has become of each message."""

from __future__ import annotations

from collections.abc import Collection
from enum import StrEnum
from fnmatch import fnmatchcase

from tailrace.domain.channels import ChannelKind, ChannelSettings
from tailrace.domain.model import Model, Time
from tailrace.domain.states import NotificationState, RunState


class When(StrEnum):
    """What a rule asks for."""

    FAILED = "failed"  # each run that failed
    FIRST_FAILURE = "first_failure"  # one that failed, and the one before it on its branch (or pull request, or tag) did not
    RECOVERED = "recovered"  # one that passed, and the one before it on its branch failed
    EVERY = "every"  # each run that ended, however
    WAITING = "waiting"  # something in a run waits for an approval


class What(StrEnum):
    """What a notification tells."""

    PASSED = "passed"
    FAILED = "failed"
    ABORTED = "aborted"
    SKIPPED = "skipped"
    RECOVERED = "recovered"
    WAITING = "waiting"
    STATUSES = "statuses"  # to a forge: the state of each job


class ChannelView(Model):
    """A channel, without the values of its secrets; `project` null: any project's rules may use it."""

    id: int
    project: int | None
    project_name: str | None
    name: str
    kind: ChannelKind
    settings: ChannelSettings
    secrets: tuple[str, ...]
    enabled: bool
    author: str
    created_at: Time
    updated_at: Time


class RuleView(Model):
    """What is sent to a channel, and when: of a project's runs (null: all), of one of its plans (null: all)."""

    id: int
    channel: int
    channel_name: str
    project: int | None
    project_name: str | None
    plan: int | None
    plan_name: str | None
    on: tuple[When, ...]
    branches: tuple[str, ...] | None
    enabled: bool
    author: str
    created_at: Time


class NotificationView(Model):
    """A message and what became of it; `next_at` is when it is tried (again), `told` what a forge was told of each job."""

    id: int
    channel: int
    channel_name: str
    kind: ChannelKind
    rule: int | None
    run: int
    run_number: int
    project: int
    project_name: str
    what: What
    detail: str | None
    state: NotificationState
    attempts: int
    last_error: str | None
    told: dict[str, str] | None
    created_at: Time
    next_at: Time | None
    ended_at: Time | None


def what_to_tell(on: Collection[str], state: RunState, before: RunState | None) -> What | None:
    """What a rule tells of a run that ended so; None for nothing.

    `before` is how the run before it on its branch ended, passed or failed; None where there was none.
    """
    if state is RunState.PASSED and before is RunState.FAILED and {When.RECOVERED, When.EVERY} & set(on):
        return What.RECOVERED
    failed = state is RunState.FAILED
    if When.EVERY in on or (failed and When.FAILED in on):
        return What(state.value)
    if failed and When.FIRST_FAILURE in on and before is not RunState.FAILED:
        return What.FAILED
    return None


def covers(branches: Collection[str] | None, track: str | None) -> bool:
    """Whether a rule for these branches (patterns; None: for all) is for a run of this track (`domain/branches.py`)."""
    if branches is None:
        return True
    return track is not None and any(fnmatchcase(track, pattern) for pattern in branches)
