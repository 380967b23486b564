"""Runs: made from a plan and an event, listed, shown with their jobs."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace

from sqlalchemy import Connection, Row, bindparam, insert, select, update

from tailrace.domain.branches import track_of
from tailrace.domain.errors import NotFound
from tailrace.domain.events import Event
from tailrace.domain.model import RunSummary, RunTrigger, RunView
from tailrace.domain.parameters import defaults
from tailrace.domain.plan import Plan
from tailrace.domain.states import RUN_ENDED, RunState
from tailrace.store.clock import now_ms
from tailrace.store.job_views import jobs_of_run
from tailrace.store.new_jobs import create_jobs
from tailrace.store.planning_order import may_be_behind
from tailrace.store.run_pages import Wanted, find_page
from tailrace.store.tables import agent as agents
from tailrace.store.tables import attempt as attempts
from tailrace.store.tables import plan as plans
from tailrace.store.tables import plan_version as versions
from tailrace.store.tables import project as projects
from tailrace.store.tables import run as runs


@dataclass(frozen=True)
class NewRun:
    """A run to make. With what is `planned` (and the version that it comes from) it is pending at once; without, planning."""

    plan_id: int
    project_id: int
    event: Event
    trigger_kind: str
    trigger_by: str | None = None
    delivery_id: int | None = None
    trigger_id: int | None = None
    plan_version_id: int | None = None
    variables: dict[str, str] = field(default_factory=dict[str, str])
    planned: Plan | None = None


@dataclass(frozen=True)
class RunFilter:
    """Which runs to list; `before` is the cursor: only ids below it."""

    state: RunState | None = None
    project: int | None = None
    plan: int | None = None
    branch: str | None = None
    before: int | None = None
    limit: int = 50
    trigger: int | None = None


_NEXT_NUMBER = (
    update(projects)
    .where(projects.c.id == bindparam("project"))
    .values(run_count=projects.c.run_count + 1)
    .returning(projects.c.run_count, projects.c.removed_at)
)
_NEW_RUN = insert(runs).values(created_at=now_ms()).returning(runs.c.id)
_SUMMARIES = (
    select(
        runs,
        projects.c.name.label("project_name"),
        plans.c.name.label("plan_name"),
        versions.c.number.label("version"),
    )
    .join(projects, projects.c.id == runs.c.project_id)
    .join(plans, plans.c.id == runs.c.plan_id)
    .outerjoin(versions, versions.c.id == runs.c.plan_version_id)
)
_THESE = _SUMMARIES.where(runs.c.id.in_(bindparam("ids", expanding=True))).order_by(runs.c.id.desc())
_AGENTS_OF_THESE = (
    select(attempts.c.run_id, agents.c.name)
    .join(agents, agents.c.id == attempts.c.agent_id)
    .where(attempts.c.run_id.in_(bindparam("ids", expanding=True)))
    .order_by(attempts.c.id)
)
_VARIABLES = select(runs.c.variables).where(runs.c.id == bindparam("run"))


def create_run(connection: Connection, new: NewRun) -> int:
    """The id of the new run; it takes its project's next number.

    What is planned is planned again behind those of its group that came before and are still being planned. Raises NotFound for
    a project that was removed: its runs end then, and this one would come after.
    """
    number, removed_at = connection.execute(_NEXT_NUMBER, {"project": new.project_id}).one()
    if removed_at is not None:
        raise NotFound("project", new.project_id)
    event = new.event
    # Asked with the project's row held: none that came before is still to be made.
    if (
        new.planned is not None
        and not event.from_fork
        and may_be_behind(connection, new.plan_id, new.planned)
    ):
        new = replace(new, planned=None)
    run_id = connection.execute(
        _NEW_RUN,
        {
            "number": number,
            "project_id": new.project_id,
            "plan_id": new.plan_id,
            "plan_version_id": new.plan_version_id,
            "delivery_id": new.delivery_id,
            "trigger_id": new.trigger_id,
            "trigger_kind": new.trigger_kind,
            "trigger_by": new.trigger_by,
            "trigger_event": event.kind.value,
            "ref": event.ref,
            "branch": event.branch,
            "revision": event.revision,
            "title": event.title,
            "author": event.author,
            "from_fork": event.from_fork,
            "variables": {**_unasked(new), **event.values, **new.variables},
            "event": _asked(new),
            "state": RunState.PLANNING if new.planned is None else RunState.PENDING,
        },
    ).scalar_one()
    if new.planned is not None:
        create_jobs(connection, run_id, new.planned, from_fork=event.from_fork)
    return run_id


def _unasked(new: NewRun) -> dict[str, str]:
    return {} if new.planned is None else defaults(new.planned.parameters)


def _asked(new: NewRun) -> dict[str, object] | None:
    """The event as its plan's `on` will be asked about it; None where nobody asks."""
    if new.planned is not None or new.trigger_kind == "manual":
        return None
    return new.event.model_dump(mode="json", exclude_defaults=True)


def list_runs(connection: Connection, wanted: RunFilter) -> list[RunSummary]:
    """The newest runs that the filter lets through, newest first."""
    asked = Wanted(
        wanted.state, wanted.project, wanted.plan, wanted.branch, wanted.trigger, wanted.before, wanted.limit
    )
    return summaries(connection, find_page(connection, asked))


def summaries(connection: Connection, ids: Iterable[int]) -> list[RunSummary]:
    """These runs, newest first; unknown ids are left out."""
    return _summarise(connection, connection.execute(_THESE, {"ids": list(ids)}).all())


def get_run(connection: Connection, id: int) -> RunView:
    """A run with its jobs, attempts and steps; raises NotFound."""
    found = summaries(connection, [id])
    if not found:
        raise NotFound("run", id)
    variables = connection.execute(_VARIABLES, {"run": id}).scalar_one()
    fields = {name: getattr(found[0], name) for name in RunSummary.model_fields}
    return RunView(**fields, variables=variables, jobs=jobs_of_run(connection, id))


def plan_text_of(connection: Connection, id: int) -> str | None:
    """The text of the plan version that a run names; None while it names none."""
    found = select(versions.c.definition).join(runs, runs.c.plan_version_id == versions.c.id)
    return connection.execute(found.where(runs.c.id == id)).scalar()


def runs_under_way(connection: Connection, project: int, branch: str | None = None) -> list[int]:
    """The runs of a project that have not ended, oldest first: all, or those of a branch, or of a pull request's or tag's ref."""
    rows = connection.execute(_UNDER_WAY)  # few, whatever the history
    return sorted(
        row.id
        for row in rows
        if row.project_id == project
        and (branch is None or track_of(row.ref, row.branch, row.from_fork) == branch)
    )


_UNDER_WAY = select(runs.c.id, runs.c.project_id, runs.c.ref, runs.c.branch, runs.c.from_fork).where(
    runs.c.state.in_([state.value for state in RunState if state not in RUN_ENDED])
)


_OF_EVENT = ("ref", "branch", "revision", "title", "author", "from_fork")


def run_again(
    connection: Connection, id: int, by: str, *, newest_plan: bool = False, newest_revision: bool = False
) -> NewRun:
    """What run `id` was made of, to make it anew: same plan version, revision and variables. Raises NotFound.

    A plan of the repository is read again at the run's revision, which gives the same version. The newest revision is that of
    the run's branch, tag or pull request, of the default branch where it has none; the newest version that of a plan kept here.
    """
    row = connection.execute(
        select(runs, plans.c.path).join(plans, plans.c.id == runs.c.plan_id).where(runs.c.id == id)
    ).first()
    if row is None:
        raise NotFound("run", id)
    event = Event.model_validate(
        {
            "kind": row.trigger_event,
            **{name: getattr(row, name) for name in _OF_EVENT},
        }
    )
    if newest_revision:
        event = event.model_copy(update={"revision": None, "title": None, "author": None})
    return NewRun(
        plan_id=row.plan_id,
        project_id=row.project_id,
        event=event,
        trigger_kind="manual",
        trigger_by=by,
        plan_version_id=None if row.path or newest_plan else row.plan_version_id,
        variables=row.variables,
    )


def _summarise(connection: Connection, rows: Sequence[Row[*tuple[object, ...]]]) -> list[RunSummary]:
    names = _agents_of_runs(connection, [row.id for row in rows])
    return [_summary(row, names.get(row.id, ())) for row in rows]


def _agents_of_runs(connection: Connection, ids: list[int]) -> Mapping[int, tuple[str, ...]]:
    found = connection.execute(_AGENTS_OF_THESE, {"ids": ids})
    names: dict[int, dict[str, None]] = {}
    for run_id, name in found:
        names.setdefault(run_id, {})[name] = None
    return {run_id: tuple(ordered) for run_id, ordered in names.items()}


def _summary(row: Row[*tuple[object, ...]], names: tuple[str, ...]) -> RunSummary:
    return RunSummary(
        id=row.id,
        number=row.number,
        state=row.state,
        reason=row.reason,
        detail=row.detail,
        project=row.project_id,
        project_name=row.project_name,
        plan=row.plan_id,
        plan_name=row.plan_name,
        plan_version=row.version,
        revision=row.revision,
        branch=row.branch,
        ref=row.ref,
        title=row.title,
        author=row.author,
        from_fork=row.from_fork,
        trigger=RunTrigger(
            id=row.trigger_id,
            kind=row.trigger_kind,
            by=row.trigger_by,
            event=row.trigger_event,
            delivery=row.delivery_id,
        ),
        agents=names,
        created_at=row.created_at,
        started_at=row.started_at,
        finished_at=row.finished_at,
    )
