"""Runs that a person asks for."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from typing import NamedTuple

from sqlalchemy import Connection

from tailrace.domain.events import Event, EventKind
from tailrace.domain.parameters import check_names, resolve
from tailrace.domain.trust import is_strangers
from tailrace.store.plans import plan_source, version_definition
from tailrace.store.run_secrets import SealedValue, keep_run_secrets, run_secrets
from tailrace.store.runs import NewRun, create_run, run_again
from tailrace.triggers.planned import planned_at_once, read_plan


class Given(NamedTuple):
    """What a person said for a parameter: as it is, and sealed, as which of them are secret is only known with the plan."""

    text: str
    sealed: SealedValue


def start_manual(
    connection: Connection,
    plan_id: int,
    *,
    revision: str | None,
    variables: dict[str, str],
    parameters: Mapping[str, Given] | None = None,
    by: str,
) -> int:
    """A run of the plan at `revision` (a commit, branch or tag; None: the default branch); its id.

    The values of `parameters` are looked at now where the plan is kept here, else when it was read. Raises NotFound, and Invalid
    for values that are not what the plan asks for.
    """
    given = parameters or {}
    source = plan_source(connection, plan_id)
    sealed = {name: one.sealed for name, one in given.items()}
    if source.definition is not None:
        asked = read_plan(source.definition, f"plan {plan_id}").parameters
        check_names(asked, given)
        values = resolve(asked, {**variables, **{name: one.text for name, one in given.items()}}, asked=True)
        sealed = {name: one for name, one in sealed.items() if name in values.secrets}
        variables = {**variables, **values.texts}
    new = NewRun(
        plan_id=plan_id,
        project_id=source.project_id,
        event=Event(kind=EventKind.MANUAL, revision=revision, from_fork=is_strangers(revision)),
        trigger_kind="manual",
        trigger_by=by,
        plan_version_id=source.version_id,
        variables=variables,
        planned=planned_at_once(source, revision),
    )
    run = create_run(connection, new)
    keep_run_secrets(connection, run, sealed)
    return run


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
    run = create_run(connection, replace(new, planned=planned_at_once(source, new.event.revision)))
    keep_run_secrets(connection, run, run_secrets(connection, run_id))
    return run
