"""An event into runs: every trigger that listens is asked, and says what it made of it, or why nothing."""

from __future__ import annotations

import re
from collections.abc import Sequence
from typing import NamedTuple

from sqlalchemy import Connection

from tailrace.domain.errors import Invalid
from tailrace.domain.events import Event, EventKind
from tailrace.domain.filters import matches, same_action, why_not
from tailrace.domain.parameters import unasked
from tailrace.domain.plan import PlanInvalid
from tailrace.domain.triggers import (
    GitSettings,
    Outcome,
    SubversionSettings,
    TriggerKind,
    TriggerView,
    WebhookSettings,
)
from tailrace.store.plan_versions import definition_at
from tailrace.store.plans import PlanSource, plan_source, webhook_plans
from tailrace.store.runs import NewRun, create_run
from tailrace.store.triggers import get_trigger, listening_triggers
from tailrace.triggers.planned import planned_at_once, read_plan

REPOSITORY = (TriggerKind.WEBHOOK, TriggerKind.GIT, TriggerKind.SUBVERSION)
"""Kinds that learn of the same pushes and tags: whoever learns first moves the head, and all of them are asked."""
PULL_REQUEST_ACTIONS = ("opened", "reopened", "updated", "ready_for_review", "closed", "merged")
"""What plans can be started by; the rest (labels, assignments, edits) is not even asked."""

_SKIP = re.compile(r"\[(?:skip ci|ci skip|no ci|skip tailrace)\]", re.IGNORECASE)
_SKIPPABLE = (EventKind.PUSH, EventKind.PULL_REQUEST, EventKind.CHANGE)


class Fired(NamedTuple):
    """What came of an event: its runs, and what each trigger made of it. Where there is no run, `why` says why."""

    runs: tuple[int, ...]
    outcomes: tuple[Outcome, ...]
    why: str | None = None

    @property
    def state(self) -> str:
        """A delivery's, of which this came."""
        return "accepted" if self.runs else "ignored"


def fire(
    connection: Connection,
    project_id: int,
    event: Event,
    *,
    kind: str,
    by: str | None,
    delivery_id: int | None = None,
    trigger_id: int | None = None,
) -> Fired:
    """Make the runs that `event` starts; to be called in the transaction that moves the head, or ends the claim.

    `kind` is that of the trigger that learned of it. A push or tag is asked of all triggers of REPOSITORY, whoever learned of it;
    another event of a webhook of all that listen to webhooks. With `trigger_id` only that one is asked, as it must be for a URL,
    a tick, and for commits before the newest that a poll with `mode: every` makes runs of. A plan is started once at most.
    After the commit the caller wakes who waits for the runs (`wake_run`, PLANNING, QUEUE). Raises NotFound for the trigger.
    """
    why = why_nothing_runs(event)
    if why is not None:
        return Fired((), (), why)
    if trigger_id is not None:
        asked = [get_trigger(connection, trigger_id)]
    else:
        asked = _listening(connection, project_id, event, TriggerKind(kind))
    started: dict[int, TriggerView] = {}
    outcomes: list[Outcome] = []
    for trigger in asked:
        run, reason = None, _why_not_wanted(trigger, event, started)
        if trigger_id is None:
            reason = reason or _why_not_told(trigger, event)
        if reason is None:
            run, reason = _start(connection, trigger, event, kind=kind, by=by, delivery_id=delivery_id)
        if run is not None:
            started[trigger.plan] = trigger
        outcomes.append(_outcome(trigger, run, reason))
    runs = tuple(made.run for made in outcomes if made.run is not None)
    return Fired(runs, tuple(outcomes), None if runs else _why_none(outcomes))


def why_nothing_runs(event: Event) -> str | None:
    """Why an event starts nothing, whatever the triggers; None when they are to be asked."""
    if event.kind is EventKind.PING:
        return "a ping: the webhook works"
    if event.deleted:
        return f"{event.ref} was deleted: there is nothing to run"
    if event.kind is EventKind.PULL_REQUEST and same_action(event.action or "") not in PULL_REQUEST_ACTIONS:
        return f"a pull request that was {event.action}: runs start when one is {', '.join(PULL_REQUEST_ACTIONS)}"
    return why_skipped(event, event.message or event.title or "")


def why_skipped(event: Event, message: str) -> str | None:
    """Why an event starts nothing whose commit has this message; None when nobody wants it skipped."""
    if event.kind in _SKIPPABLE and (found := _SKIP.search(message)):
        return f"the commit's message says {found[0]}"
    return None


def _listening(connection: Connection, project_id: int, event: Event, kind: TriggerKind) -> list[TriggerView]:
    """Those of the kind that learned of it first: they are the ones that runs are put down to."""
    kinds = REPOSITORY if event.kind in (EventKind.PUSH, EventKind.TAG) else (kind,)
    asked = listening_triggers(connection, project_id, kinds)
    if not asked and kind in REPOSITORY:
        webhook_plans(connection, project_id)  # the first event finds the plans of the repository
        asked = listening_triggers(connection, project_id, kinds)
    return sorted(asked, key=lambda trigger: trigger.kind is not kind)


def _why_not_wanted(trigger: TriggerView, event: Event, started: dict[int, TriggerView]) -> str | None:
    if not trigger.enabled:
        whom = f" by {trigger.mode_by}" if trigger.mode_by else ""
        return f"it was disabled{whom}" + (f": {trigger.mode_why}" if trigger.mode_why else "")
    match trigger.settings:
        case WebhookSettings(filters=filters) if filters is not None:
            reason = why_not(filters, event, of_trigger=True)
        case GitSettings() as settings:
            reason = _why_not_polled(settings, event)
        case _:
            reason = None
    if reason is None and trigger.plan in started:
        return f"its plan was started by trigger {started[trigger.plan].name!r} already"
    return reason


def _why_not_told(trigger: TriggerView, event: Event) -> str | None:
    """Why what others learned of is not for this trigger."""
    match trigger.settings:
        case SubversionSettings(path=path) if path and not f"{event.ref}/".startswith(f"{path}/"):
            return f"it looks at {path} by itself"
        case _:
            return None


def _why_not_polled(settings: GitSettings, event: Event) -> str | None:
    what, patterns = ("tag", settings.tags) if event.kind is EventKind.TAG else ("branch", settings.branches)
    if not patterns:
        return f"it does not look at {'tags' if what == 'tag' else 'branches'}"
    if not matches(patterns, event.branch or ""):
        return f"{what} {event.branch}: it looks at {', '.join(patterns)}"
    return None


def _start(
    connection: Connection,
    trigger: TriggerView,
    event: Event,
    *,
    kind: str,
    by: str | None,
    delivery_id: int | None,
) -> tuple[int | None, str | None]:
    """The run, or why there is none: a plan that is kept here is asked now, one of the repository when it is read."""
    source = plan_source(connection, trigger.plan)
    try:
        reason = _why_not_by_plan(connection, source, event)
        planned = planned_at_once(source, event.revision, event) if reason is None else None
    except PlanInvalid as error:
        return None, f"its plan cannot be read: {error}"
    if reason is not None:
        return None, reason
    try:
        unasked({} if planned is None else planned.parameters, event.values)
    except Invalid as error:
        return None, str(error)
    new = NewRun(
        plan_id=source.plan_id,
        project_id=source.project_id,
        event=event,
        trigger_kind=kind,
        trigger_by=by,
        delivery_id=delivery_id,
        trigger_id=trigger.id,
        plan_version_id=source.version_id,
        variables=event.values,
        planned=planned,
    )
    return create_run(connection, new), None


def _why_not_by_plan(connection: Connection, source: PlanSource, event: Event) -> str | None:
    definition = source.definition
    if definition is None and event.kind is EventKind.WORKFLOW:
        # GitHub tells of every step of each, and few plans want any: one run of a commit that is skipped says it for them all.
        definition = definition_at(connection, source.plan_id, event.revision)
    if definition is None:
        return None
    return why_not(read_plan(definition, f"plan {source.plan_id}").on, event)


def _why_none(outcomes: Sequence[Outcome]) -> str:
    match sorted({made.why_not or "" for made in outcomes}):
        case []:
            return "no trigger of the project listens to it"
        case [reason]:
            return reason
        case reasons:
            return f"none of {len(outcomes)} triggers starts a run: {'; '.join(reasons)}"[:2000]


def _outcome(trigger: TriggerView, run: int | None, why: str | None) -> Outcome:
    return Outcome(
        trigger=trigger.id,
        name=trigger.name,
        plan=trigger.plan,
        plan_name=trigger.plan_name,
        run=run,
        why_not=why,
    )
