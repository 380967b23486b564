"""What a plan file says, as frozen values that are stored and travel to agents as JSON."""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import BaseModel, ConfigDict, Field

from tailrace.domain.artifacts import MAX_KEEP_S
from tailrace.domain.filters import On
from tailrace.domain.parameters import Parameter

DEFAULT_TIMEOUT_S = 3600
MAX_TIMEOUT_S = 7 * 24 * 3600
DEFAULT_FINALLY_TIMEOUT_S = 300
DEFAULT_LOG_BYTES = 1 << 30
MAX_LOG_BYTES = 1 << 40
LEAST_MEMORY_BYTES = 4 << 20
MAX_MEMORY_BYTES = 1 << 50
LEAST_PROCESSES = 4
MAX_PROCESSES = 4_194_304
LEAST_CPU = 0.01
MAX_CPU = 10_000


Submodules = Literal["none", "direct", "recursive"]
WorkspaceMode = Literal["clean", "keep"]


GROUP_VALUES = ("branch", "event", "plan", "project", "ref", "revision")


class _Value(BaseModel):
    # Who does not know a field must refuse it: to ignore it would run something else than was written.
    model_config = ConfigDict(frozen=True, extra="forbid")


class Step(_Value):
    """What every kind of step has.

    `id` is how conditions and texts name it; `condition` is its `if`, empty for the usual one. With `continue_on_error` the job
    goes on when it fails. `timeout_s` is in seconds.
    """

    name: str
    id: str | None = None
    condition: str = ""
    continue_on_error: bool = False
    timeout_s: int | None = Field(default=None, gt=0, le=MAX_TIMEOUT_S)

    @property
    def texts(self) -> tuple[str, ...]:
        """Its texts that may name what the run knows."""
        return ()


class RunStep(Step):
    """A script handed to a shell.

    `shell` is `bash`, `sh`, `python` or a command line, None for the job's; `working_directory` is within the workspace. The
    values of `env` may name what the run knows (`tailrace.domain.references`). `pty`: its processes get a terminal.
    """

    kind: Literal["run"] = "run"
    run: str
    shell: str | None = None
    working_directory: str | None = None
    env: dict[str, str] = {}
    pty: bool = False

    @property
    def texts(self) -> tuple[str, ...]:
        return tuple(self.env.values())


class ArtifactsStep(Step):
    """Files of the workspace that are kept in the server; `paths` are patterns, see `tailrace.steps.artifacts`.

    `keep_s` is for how many seconds; None: as long as the server's settings say. `optional`: there may be none.
    """

    kind: Literal["artifacts"] = "artifacts"
    paths: tuple[str, ...]
    keep_s: int | None = Field(default=None, gt=0, le=MAX_KEEP_S)
    optional: bool = False


class FetchStep(Step):
    """Artifacts of a needed job that are brought into the workspace, below its folder `to`; all, where `paths` is empty.

    Where `job` is a matrix, `jobs` are those that it stands for: what each of them kept comes into a folder of its name.
    """

    kind: Literal["fetch"] = "fetch"
    job: str
    jobs: tuple[str, ...] = ()
    paths: tuple[str, ...] = ()
    to: str = ""
    optional: bool = False


StepSpec = Annotated[RunStep | ArtifactsStep | FetchStep, Field(discriminator="kind")]
"""What one step of a job does."""


class Retry(_Value):
    """How many more attempts a job gets, after which reasons its attempt ended, and how long (seconds) after it."""

    max: int = Field(ge=1, le=10)
    on: tuple[str, ...] = ("agent_lost",)
    delay_s: int = Field(default=0, ge=0, le=MAX_TIMEOUT_S)


class LogSpec(_Value):
    """How many bytes a job's log may have, and what happens to a job that writes more: `fail` ends it, `drop` keeps no more."""

    limit: int = Field(default=DEFAULT_LOG_BYTES, gt=0, le=MAX_LOG_BYTES)
    when_full: Literal["fail", "drop"] = "fail"


class LimitsSpec(_Value):
    """The most that all processes of a job may take together; None for no limit.

    `memory` is in bytes, `processes` counts threads as well, `cpu` is in processors (1.5 is one and a half).
    """

    memory: int | None = Field(default=None, ge=LEAST_MEMORY_BYTES, le=MAX_MEMORY_BYTES)
    processes: int | None = Field(default=None, ge=LEAST_PROCESSES, le=MAX_PROCESSES)
    cpu: float | None = Field(default=None, ge=LEAST_CPU, le=MAX_CPU)

    def capped(self, most: LimitsSpec) -> LimitsSpec:
        """The lower of each two limits; any limit is lower than none."""
        return LimitsSpec(
            memory=min((one for one in (self.memory, most.memory) if one is not None), default=None),
            processes=min((one for one in (self.processes, most.processes) if one is not None), default=None),
            cpu=min((one for one in (self.cpu, most.cpu) if one is not None), default=None),
        )


NO_LIMITS = LimitsSpec()


class Concurrency(_Value):
    """Runs, or jobs, of one group take turns; `group` may name values of the run (`${branch}`), see GROUP_VALUES."""

    group: str
    cancel_superseded: bool = False


class JobSpec(_Value):
    """One job of a plan; `variables` holds the plan's variables under the job's own; times are in seconds.

    `depth` is how many commits a checkout fetches; 0 is the whole history, with branches and tags. `secrets` names those that its
    steps get. `condition` is its `if`, empty for the usual one. `outputs` are the texts that jobs which need it can name.
    `idle_timeout_s` is how long it may print nothing, `start_timeout_s` how long an attempt may wait for an agent
    (None: for ever). `finally_steps` come after the others, whatever became of them. `workspace`: each attempt begins with an
    empty one, or (`keep`) with what the job's last one on that agent left.

    `matrix` holds the values of its combination, where it is one of a matrix, which is the entry `matrix_of` of the plan: at most
    `max_parallel` of its jobs are under way at once, and with `fail_fast` one that fails ends the others. `matrices` are those of
    what it needs, each with its jobs. With `allow_failure` the run goes on, and ends, as if it had passed when it failed.
    `environment` is where it deploys to: it may have to wait for a person. `concurrency` is the group in which it takes turns with
    jobs of its project, also of other runs.
    """

    name: str
    needs: tuple[str, ...] = ()
    condition: str = ""
    matrix: dict[str, str] = {}
    matrix_of: str = ""
    max_parallel: int | None = Field(default=None, ge=1)
    fail_fast: bool = False
    matrices: dict[str, tuple[str, ...]] = {}
    labels: tuple[str, ...] = ()
    variables: dict[str, str] = {}
    timeout_s: int = Field(default=DEFAULT_TIMEOUT_S, gt=0, le=MAX_TIMEOUT_S)
    start_timeout_s: int | None = Field(default=None, gt=0, le=MAX_TIMEOUT_S)
    checkout: bool = True
    depth: int = Field(default=1, ge=0)
    submodules: Submodules = "none"
    workspace: WorkspaceMode = "clean"
    retry: Retry | None = None
    allow_failure: bool = False
    environment: str | None = None
    concurrency: Concurrency | None = None
    secrets: tuple[str, ...] = ()
    log: LogSpec = LogSpec()
    limits: LimitsSpec = NO_LIMITS
    shell: str | None = None
    working_directory: str | None = None
    idle_timeout_s: int | None = Field(default=None, gt=0, le=MAX_TIMEOUT_S)
    outputs: dict[str, str] = {}
    steps: tuple[StepSpec, ...] = ()
    finally_steps: tuple[StepSpec, ...] = ()
    finally_timeout_s: int = Field(default=DEFAULT_FINALLY_TIMEOUT_S, gt=0, le=MAX_TIMEOUT_S)

    @property
    def all_steps(self) -> tuple[StepSpec, ...]:
        """The steps in their order, those of `finally` last."""
        return self.steps + self.finally_steps

    @property
    def moves_artifacts(self) -> bool:
        """Whether a step keeps or fetches artifacts: then its runner calls the server."""
        return any(isinstance(step, ArtifactsStep | FetchStep) for step in self.all_steps)


class Plan(_Value):
    """A whole plan file; `jobs` keeps the file's order; each job already holds the plan's `variables`.

    `on` says which events start runs; None: those of `tailrace.domain.filters.USUAL`. `parameters` are
    what people are asked when they start one. Runs with a larger `priority` are leased
    first. At most `max_parallel` runs of the plan are under way at once.
    """

    on: On | None = None
    parameters: dict[str, Parameter] = {}
    variables: dict[str, str] = {}
    priority: int = Field(default=0, ge=-1000, le=1000)
    concurrency: Concurrency | None = None
    max_parallel: int | None = Field(default=None, ge=1)
    jobs: dict[str, JobSpec] = {}
