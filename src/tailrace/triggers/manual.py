"""Runs that a person asks for."""

from __future__ import annotations

from collections.abc import Collection, Mapping
from dataclasses import replace
from typing import NamedTuple

from sqlalchemy import Connection

from tailrace.domain.events import Event, EventKind
from tailrace.domain.parameters import Parameter, check_names, defaults, resolve
from tailrace.domain.trust import is_strangers
from tailrace.store.plans import plan_source, version_definition
from tailrace.store.run_secrets import SealedValue, keep_run_secrets, run_secrets
from tailrace.store.runs import NewRun, create_run, plan_text_of, run_again
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
    """A new run of the same plan version, revision and variables, or of newer ones; its id.

    A newer plan that is kept here gets what its parameters ask for, of what the run was given. Raises NotFound, and Invalid where
    that does not answer them.
    """
    new = run_again(connection, run_id, by, newest_plan=newest_plan, newest_revision=newest_revision)
    source = plan_source(connection, new.plan_id)
    sealed = run_secrets(connection, run_id)
    if newest_plan:
        new = replace(new, plan_version_id=source.version_id)
        if source.definition is not None:
            asked = read_plan(source.definition, f"plan {new.plan_id}").parameters
            new = replace(new, variables=_answers(new, asked, _asked_before(connection, run_id)))
            sealed = {
                name: one for name, one in sealed.items() if name in asked and asked[name].kind == "secret"
            }
    elif new.plan_version_id is not None:
        source = source._replace(definition=version_definition(connection, new.plan_version_id))
    if newest_revision and source.definition is None:
        new = replace(new, variables=_given(connection, new, run_id))
    run = create_run(connection, replace(new, planned=planned_at_once(source, new.event.revision)))
    keep_run_secrets(connection, run, sealed)
    return run


def _given(connection: Connection, new: NewRun, run_id: int) -> dict[str, str]:
    """The run's variables without what its plan itself took where nobody said anything: its newer text has other defaults."""
    definition = plan_text_of(connection, run_id)
    asked = {} if definition is None else read_plan(definition, f"the plan of run {run_id}").parameters
    own = defaults(asked)
    return {name: text for name, text in new.variables.items() if own.get(name) != text}


def _asked_before(connection: Connection, run_id: int) -> Collection[str]:
    """The parameters of the plan version that the run is of."""
    definition = plan_text_of(connection, run_id)
    return () if definition is None else read_plan(definition, f"the plan of run {run_id}").parameters.keys()


def _answers(new: NewRun, asked: Mapping[str, Parameter], before: Collection[str]) -> dict[str, str]:
    """The run's variables: those that were no answers as they are, and of the answers those that are asked for now."""
    given = {name: text for name, text in new.variables.items() if name not in before or name in asked}
    texts = resolve(asked, given, asked=new.event.kind is EventKind.MANUAL).texts
    return {name: text for name, text in given.items() if name not in asked} | texts
