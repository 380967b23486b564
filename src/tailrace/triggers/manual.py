"""Runs that a person asks for."""

from __future__ import annotations

from dataclasses import replace

from sqlalchemy import Connection

from tailrace.domain.events import Event, EventKind
from tailrace.store.plans import plan_source, version_definition
from tailrace.store.runs import NewRun, create_run, run_again
from tailrace.triggers.planned import planned_at_once


def start_manual(
    connection: Connection, plan_id: int, *, revision: str | None, variables: dict[str, str], by: str
) -> int:
    """A run of the plan at `revision` (a commit, branch or tag; None: the default branch); its id. Raises NotFound."""
    source = plan_source(connection, plan_id)
    new = NewRun(
        plan_id=plan_id,
        project_id=source.project_id,
        event=Event(kind=EventKind.MANUAL, revision=revision),
        trigger_kind="manual",
        trigger_by=by,
        plan_version_id=source.version_id,
        variables=variables,
        planned=planned_at_once(source, revision),
    )
    return create_run(connection, new)


def start_again(
    connection: Connection,
    run_id: int,
    *,
    by: str,
    newest_plan: bool = False,
    newest_revision: bool = False,
) -> int:
    """A new run of the same plan version, revision and variables, or of newer ones (`run_again`); its id. Raises NotFound."""
    new = run_again(connection, run_id, by, newest_plan=newest_plan, newest_revision=newest_revision)
    source = plan_source(connection, new.plan_id)
    if newest_plan:
        new = replace(new, plan_version_id=source.version_id)
    elif new.plan_version_id is not None:
        source = source._replace(definition=version_definition(connection, new.plan_version_id))
    return create_run(connection, replace(new, planned=planned_at_once(source, new.event.revision)))
