"""Which events start runs of a plan: its `on`, and why an event starts none."""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping, Sequence
from fnmatch import fnmatchcase, translate
from functools import lru_cache

from pydantic import BaseModel, ConfigDict

from tailrace.domain.events import Event, EventKind

PULL_REQUEST_ACTIONS = ("opened", "reopened", "updated")
"""After which actions a pull request starts runs, where `on` does not say."""
WORKFLOW_ACTIONS = ("completed",)
_SAME_ACTION = {
    "close": "closed",
    "merge": "merged",
    "open": "opened",
    "reopen": "reopened",
    "synchronize": "updated",
    "synchronized": "updated",
    "update": "updated",
}
"""What forges say for one thing."""
_MAX_NAMED = 5


class _Value(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid")


class Filter(_Value):
    """What an event of one kind must be like; empty: anything.

    A list of patterns lets through what one of them matches, or anything where all of them begin with `!`; what a pattern with
    `!` before it matches is never let through. `branches` are those pushed to, or that a pull request is to be merged into; in
    them and in `tags`, `names` and `conclusions` (of workflows), `*` stands for any text and `?` for one character. `paths` are
    patterns as those of artifacts; an event whose paths are not known is let through. `actions` are words of `same_action`.
    """

    branches: tuple[str, ...] = ()
    tags: tuple[str, ...] = ()
    paths: tuple[str, ...] = ()
    actions: tuple[str, ...] = ()
    names: tuple[str, ...] = ()
    conclusions: tuple[str, ...] = ()


class Schedule(_Value):
    """Times at which runs start: a cron expression, in the time zone `zone` (None: UTC), of `branch` (None: the default one)."""

    cron: str
    zone: str | None = None
    branch: str | None = None


class On(_Value):
    """What starts runs of a plan: a kind of event that is None starts none. People can always start one."""

    push: Filter | None = None
    tag: Filter | None = None
    pull_request: Filter | None = None
    workflow: Filter | None = None
    schedule: tuple[Schedule, ...] = ()


USUAL = On(push=Filter(), tag=Filter(), pull_request=Filter())
"""What starts runs of a plan that says nothing of events."""


def why_not(on: On | None, event: Event, *, of_trigger: bool = False) -> str | None:
    """Why `event` starts no run of a plan with this `on` (None: it has none), one sentence; None when it does start one.

    `of_trigger`: these are the filters of a trigger, and the sentence says so.

    What has a trigger of its own, which said already what it is about, is never held back: a tick, a person, a change that is
    no revision of a repository.
    """
    kind = _kind(event)
    if kind in (EventKind.MANUAL, EventKind.TICK, EventKind.CHANGE):
        return None
    if kind is EventKind.PING:
        return "a ping: the webhook works"
    if event.deleted:
        return f"{event.ref} was deleted: there is nothing to run"
    what = filter_for(USUAL if on is None else on, event)
    if what is None:
        return _not_named(kind, on, of_trigger)
    return _why_filtered(kind, what, event, of_trigger)


def lacks_paths(on: On | None, event: Event) -> bool:
    """Whether `on` asks which paths the event touched, and its sender did not say."""
    what = None if on is None else filter_for(on, event)
    return what is not None and bool(what.paths) and event.changed is None


def same_action(action: str) -> str:
    """One word for what forges call differently: `synchronize` and `update` are `updated`."""
    return _SAME_ACTION.get(action, action)


def matches(patterns: Sequence[str], text: str) -> bool:
    """Whether patterns of branches, tags or names let a text through."""
    return _lets_through(patterns, lambda pattern: fnmatchcase(text, pattern.replace("[", "[[]")))


def matches_path(patterns: Sequence[str], path: str) -> bool:
    """Whether patterns of paths let a path through; each means what it matches and, where that is a folder, all within.

    `*` and `?` match within one part of a path, `[a-c]` one of these characters, `**` any number of parts.
    """
    parts = path.split("/")
    return _lets_through(patterns, lambda pattern: _is_within(_compiled(pattern), parts))


def filter_for(on: On, event: Event) -> Filter | None:
    """What an `on` says of this kind of event; None when it starts nothing by it."""
    match _kind(event):
        case EventKind.PUSH:
            return on.push
        case EventKind.TAG:
            return on.tag
        case EventKind.PULL_REQUEST:
            return on.pull_request
        case EventKind.WORKFLOW:
            return on.workflow
        case _:
            return None


def _kind(event: Event) -> EventKind:
    """A change that polling found in a repository is a push, or a tag: the plan need not know who noticed it."""
    if event.kind is EventKind.CHANGE and event.ref is not None:
        if event.ref.startswith("refs/tags/"):
            return EventKind.TAG
        if event.ref.startswith("refs/heads/"):
            return EventKind.PUSH
    return event.kind


def _not_named(kind: EventKind, on: On | None, of_trigger: bool) -> str:
    if on is None:
        return f'{_SHOWN[kind]}: a plan is started by it only where its "on" names {kind.value}'
    named = [word for word in On.model_fields if getattr(on, word)] or ["only people"]
    who = "the trigger's filters name" if of_trigger else 'the plan\'s "on" names'
    return f"{_SHOWN[kind]}: {who} {', '.join(named)} and not {kind.value}"


_SHOWN: Mapping[EventKind, str] = {
    EventKind.PUSH: "a push to a branch",
    EventKind.TAG: "a tag",
    EventKind.PULL_REQUEST: "a pull request",
    EventKind.WORKFLOW: "a workflow",
}


def _why_filtered(kind: EventKind, what: Filter, event: Event, of_trigger: bool) -> str | None:
    where, whose = f'"on.{kind.value}', "of the plan"
    if of_trigger:
        where, whose = f'"{kind.value}', "of the trigger's filters"
    action = same_action(event.action or "")
    usual = {EventKind.PULL_REQUEST: PULL_REQUEST_ACTIONS, EventKind.WORKFLOW: WORKFLOW_ACTIONS}.get(kind, ())
    actions = what.actions or usual
    if actions and action not in actions:
        said = f'{where}.actions" {whose} has' if what.actions else "runs start when it is"
        return f"{_SHOWN[kind]} that was {action or 'touched'}: {said} {_listed(actions)}"
    branch = event.base if kind is EventKind.PULL_REQUEST else event.branch
    if what.branches and not matches(what.branches, branch or ""):
        into = "into branch" if kind is EventKind.PULL_REQUEST else "branch"
        return f'{into} {branch or "(not known)"}: {where}.branches" {whose} has {_listed(what.branches)}'
    if what.tags and not matches(what.tags, event.branch or ""):
        return f'tag {event.branch}: {where}.tags" {whose} has {_listed(what.tags)}'
    if what.names and not matches(what.names, event.title or ""):
        return f'workflow {event.title}: {where}.names" {whose} has {_listed(what.names)}'
    concluded = event.values.get("WORKFLOW_CONCLUSION", "")
    if what.conclusions and not matches(what.conclusions, concluded):
        ended = f"concluded {concluded}" if concluded else "has no conclusion"
        return f'workflow {event.title} {ended}: {where}.conclusions" {whose} has {_listed(what.conclusions)}'
    changed = event.changed
    if what.paths and changed is not None and not any(matches_path(what.paths, path) for path in changed):
        touched = f"it touches {_listed(changed)}" if changed else "it touches no file"
        return f'{touched}: {where}.paths" {whose} has {_listed(what.paths)}'
    return None


def _listed(texts: Sequence[str]) -> str:
    more = f" and {len(texts) - _MAX_NAMED} more" if len(texts) > _MAX_NAMED else ""
    return ", ".join(texts[:_MAX_NAMED]) + more


def _lets_through(patterns: Sequence[str], hit: Callable[[str], bool]) -> bool:
    wanted = [pattern for pattern in patterns if not pattern.startswith("!")]
    if any(hit(pattern[1:]) for pattern in patterns if pattern.startswith("!")):
        return False
    return not wanted or any(map(hit, wanted))


_Parts = tuple[re.Pattern[str] | None, ...]


@lru_cache(maxsize=1000)
def _compiled(pattern: str) -> _Parts:
    """The parts of a pattern; None stands for any number of parts."""
    return tuple(
        None if part == "**" else re.compile(translate(part)) for part in pattern.strip("/").split("/")
    )


def _is_within(pattern: _Parts, path: Sequence[str]) -> bool:
    """Whether the pattern matches the path or a folder that it is in; the time is linear in both lengths."""
    at = _over(pattern, {0})
    for part in path:
        stepped = {
            here if pattern[here] is None else here + 1
            for here in at - {len(pattern)}
            if (wild := pattern[here]) is None or wild.match(part)
        }
        at = _over(pattern, stepped)
        if len(pattern) in at:
            return True
    return False


def _over(pattern: _Parts, at: set[int]) -> set[int]:
    """These places, and those behind the `**` that may stand for nothing."""
    reached = set(at)
    for here in sorted(at):
        while here < len(pattern) and pattern[here] is None:
            here += 1
            reached.add(here)
    return reached
