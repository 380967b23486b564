"""What Tailrace knows, as values: read from the store, shown by the API under the same names.

Times are ms since the epoch here and ISO 8601 in UTC with ms in JSON.
"""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import Annotated

from pydantic import BaseModel, ConfigDict, PlainSerializer

from tailrace.domain.credentials import Credentials
from tailrace.domain.report import Load, MachineReport
from tailrace.domain.states import AgentMode, AttemptState, JobState, LogState, RunState, StepState

_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)


def iso_time(ms: int | None) -> str | None:
    """`2026-11-21T04:16:10.123Z`."""
    if ms is None:
        return None
    return (_EPOCH + timedelta(milliseconds=ms)).isoformat(timespec="milliseconds").replace("+00:00", "Z")


Time = Annotated[int, PlainSerializer(iso_time, return_type=str, when_used="json")]


class Model(BaseModel):
    """A frozen value."""

    model_config = ConfigDict(frozen=True)


class Project(Model):
    """A repository and what belongs to it; `credentials` say what opens the repository, null where nothing does or the address
    does it."""

    id: int
    name: str
    repository: str
    credentials: Credentials | None = None
    has_webhook_secret: bool
    created_at: Time
    removed_at: Time | None = None


class SecretView(Model):
    """A secret without its value, of one project or (null) for all; `warnings` tell what masking cannot hide of it."""

    id: int
    name: str
    project: int | None
    project_name: str | None
    author: str | None
    warnings: tuple[str, ...]
    created_at: Time
    updated_at: Time


class PlanView(Model):
    """A plan: kept here (`definition`, `version`), or in the repository at `path`.

    Then both are what was seen of the default branch's newest commit; null before anything was.
    """

    id: int
    project: int
    project_name: str
    name: str
    path: str | None
    version: int | None
    definition: str | None
    created_at: Time
    removed_at: Time | None = None


class PlanVersionView(Model):
    """A version of a plan: never changed; `author` wrote it (in a repository: the commit with which it was seen first).

    `ref` and `revision` are where it was seen first (null: it is kept here), `from_fork` that only forks had it.
    """

    id: int
    plan: int
    number: int
    author: str | None
    sha256: str
    ref: str | None
    revision: str | None
    from_fork: bool
    in_force: bool
    created_at: Time


class PlanVersionText(PlanVersionView):
    """With its text."""

    definition: str


class RunTrigger(Model):
    """What started a run: `id` the trigger (null: a person did), `kind` its kind or manual, `by` who, `event` what happened,
    `delivery` the webhook."""

    id: int | None = None
    kind: str
    by: str | None
    event: str
    delivery: int | None


class RunSummary(Model):
    """A run as lists show it; `from_fork` says that its commit is a stranger's."""

    id: int
    number: int
    state: RunState
    reason: str | None
    detail: str | None
    project: int
    project_name: str
    plan: int
    plan_name: str
    plan_version: int | None
    revision: str | None
    branch: str | None
    ref: str | None
    title: str | None
    author: str | None
    from_fork: bool = False
    trigger: RunTrigger
    agents: tuple[str, ...]
    created_at: Time
    started_at: Time | None
    finished_at: Time | None


class StepView(Model):
    """A step of an attempt; `index` is its place in the log's spans."""

    index: int
    name: str
    state: StepState
    exit_code: int | None
    began_at: Time | None
    ended_at: Time | None


class AttemptView(Model):
    """One try at a job; `log` is the log's id, `log_size` its bytes so far, `log_dropped` those beyond its limit.

    `stalled` says why its output stands still, while it does. `outputs` is what it gave to jobs that need its own, without secrets.
    """

    id: int
    number: int
    state: AttemptState
    reason: str | None
    detail: str | None
    exit_code: int | None
    agent: str | None
    log: int
    log_state: LogState
    log_size: int | None
    log_removed_at: Time | None = None
    log_removed_why: str | None = None
    log_dropped: int = 0
    stalled: str | None = None
    outputs: dict[str, str] = {}
    created_at: Time
    started_at: Time | None
    finished_at: Time | None
    steps: tuple[StepView, ...]


class JobView(Model):
    """A job of a run; `why` says what it waits for, while it waits; `artifacts` is how many files it kept.

    `retry_at` is when its next attempt is queued, where that is later. With `allow_failure` its run passes although it failed.
    `environment` is where it deploys to, `approval` the id of the approval that it waits for.

    `concurrency` is the group in which it takes turns with jobs of its project; until it could begin as the plan has it, with
    `${…}` for values of the run. Of one of a matrix, `matrix` is the entry of the plan, `max_parallel` how many of its jobs are
    under way at once (null: all), and with `fail_fast` one that fails ends the others.
    """

    id: int
    run: int
    name: str
    state: JobState
    reason: str | None
    detail: str | None
    why: str | None = None
    retry_at: Time | None = None
    allow_failure: bool = False
    environment: str | None = None
    approval: int | None = None
    concurrency: str | None = None
    matrix: str | None = None
    max_parallel: int | None = None
    fail_fast: bool = False
    needs: tuple[str, ...]
    labels: tuple[str, ...]
    agent: str | None
    created_at: Time
    started_at: Time | None
    finished_at: Time | None
    attempts: tuple[AttemptView, ...]
    artifacts: int = 0


class ArtifactView(Model):
    """A file that a job kept; `path` is below the job's workspace, `attempt` a number, `keep_until` when it goes (null: the
    settings say)."""

    id: int
    run: int
    job: int
    job_name: str
    attempt: int
    path: str
    size: int
    sha256: str
    executable: bool
    created_at: Time
    keep_until: Time | None


class RunView(RunSummary):
    """A run with its jobs; `approval` is the id of the one that all of it waits for."""

    approval: int | None = None
    variables: dict[str, str]
    jobs: tuple[JobView, ...]


class AgentView(Model):
    """An agent; `busy` is how many attempts it holds, `granted_labels` those of its labels that people gave it.

    It takes work only of `projects` (ids, said by people) and of `own_projects` (names, said by the agent); null: of all.
    """

    id: int
    name: str
    state: str
    labels: tuple[str, ...]
    capacity: int
    busy: int
    version: str
    address: str | None
    trouble: str | None
    trouble_at: Time | None = None
    granted_labels: tuple[str, ...]
    projects: tuple[int, ...] | None = None
    own_projects: tuple[str, ...] | None = None
    machine: MachineReport | None
    load: Load | None
    mode: AgentMode
    mode_by: str | None
    mode_why: str | None
    mode_at: Time | None
    first_seen_at: Time
    last_seen_at: Time


class ProtectedLabelView(Model):
    """A label that only runs of these projects may use (ids), and none from a fork; with who said so, why and when."""

    name: str
    projects: tuple[int, ...]
    by: str
    why: str | None
    at: Time


class PauseView(Model):
    """What nothing is leased from: `queue`, or `project/ID`."""

    scope: str
    by: str
    why: str | None
    at: Time


class RefusalView(Model):
    """A webhook that was refused: nothing of it is kept but its headers; `id` counts all that ever were."""

    id: int
    project: str
    source: str
    why: str
    headers: dict[str, str]
    refused_at: Time
