"""What a poll is told before it looks, and what it says it found: one shape whatever it looks at."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from enum import StrEnum
from typing import Any

from tailrace.domain.credentials import Opener, Remote
from tailrace.domain.errors import TailraceError
from tailrace.domain.events import Event
from tailrace.domain.triggers import TriggerSettings

MOST_EARLIER = 100
"""Commits before the newest of which one poll with `mode: every` makes runs; of more, only the newest of them."""


class LookFailed(TailraceError):
    """A poll did not find out what it wanted to know; says why, and what can be done."""


class Whom(StrEnum):
    ALL = "all"
    """The newest at its ref: it moves the head, and all triggers that listen to pushes are asked, unless it was told already."""
    EARLIER = "earlier"
    """A commit before the newest: only this trigger is asked, unless the head is known to have been there."""
    OWN = "own"
    """Nobody else could tell of it: only this trigger is asked."""


@dataclass(frozen=True)
class Change:
    """Something that is not what it was at the last look, and whom it concerns."""

    event: Event
    whom: Whom


@dataclass(frozen=True)
class Wanted:
    """What to look at. `seen` is what the last look said to remember, None before the first; `heads` are the project's by ref,
    read before the look; `secrets` are the values of those that the settings name. `opener` is what opens the repository, where the
    project names a secret for it.
    """

    repository: str
    settings: TriggerSettings
    seen: Any = None
    heads: Mapping[str, str] = field(default_factory=dict[str, str])
    secrets: Mapping[str, str] = field(default_factory=dict[str, str])
    opener: Opener | None = None

    @property
    def remote(self) -> Remote:
        """The project's repository as it is asked."""
        return Remote(self.repository, self.opener)


@dataclass(frozen=True)
class Found:
    """What a look found: what to remember (JSON), the changes in order, and a sentence for people.

    `noted` are refs that were seen for the first time: where nobody knows a head, it is there, and no run comes of it. `gone` are
    refs that were there and are not any more.
    """

    seen: Any
    detail: str
    changes: tuple[Change, ...] = ()
    noted: Mapping[str, str] = field(default_factory=dict[str, str])
    gone: tuple[str, ...] = ()
