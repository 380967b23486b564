"""What a plan file says, as frozen values that are stored and travel to agents as JSON."""

from __future__ import annotations

from typing import Literal

from pydantic import BaseModel, ConfigDict, Field

DEFAULT_TIMEOUT_S = 3600
MAX_TIMEOUT_S = 7 * 24 * 3600
DEFAULT_LOG_BYTES = 1 << 30
MAX_LOG_BYTES = 1 << 40


Submodules = Literal["none", "direct", "recursive"]


GROUP_VALUES = ("branch", "event", "plan", "project", "ref", "revision")


class _Value(BaseModel):
    # Who does not know a field must refuse it: to ignore it would run something else than was written.
    model_config = ConfigDict(frozen=True, extra="forbid")


class RunStep(_Value):
    """A script handed to a shell."""

    kind: Literal["run"] = "run"
    name: str
    run: str


StepSpec = RunStep  # what one step of a job does; `kind` will tell the others apart


class Retry(_Value):
    """How many more attempts a job gets, and after which reasons its attempt ended."""

    max: int = Field(ge=1, le=10)
    on: tuple[str, ...] = ("agent_lost",)


class LogSpec(_Value):
    """How many bytes a job's log may have, and what happens to a job that writes more: `fail` ends it, `drop` keeps no more."""

    limit: int = Field(default=DEFAULT_LOG_BYTES, gt=0, le=MAX_LOG_BYTES)
    when_full: Literal["fail", "drop"] = "fail"


class JobSpec(_Value):
    """One job of a plan; `variables` holds the plan's variables under the job's own; `timeout_s` is in seconds, and so is
    `start_timeout_s`, how long an attempt may wait for an agent; None: for ever.

    `depth` is how many commits a checkout fetches; 0 is the whole history, with branches and tags. `secrets` names those that its
    steps get.
    """

    name: str
    needs: tuple[str, ...] = ()
    labels: tuple[str, ...] = ()
    variables: dict[str, str] = {}
    timeout_s: int = Field(default=DEFAULT_TIMEOUT_S, gt=0, le=MAX_TIMEOUT_S)
    start_timeout_s: int | None = Field(default=None, gt=0, le=MAX_TIMEOUT_S)
    checkout: bool = True
    depth: int = Field(default=1, ge=0)
    submodules: Submodules = "none"
    retry: Retry | None = None
    secrets: tuple[str, ...] = ()
    log: LogSpec = LogSpec()
    steps: tuple[StepSpec, ...] = ()


class Concurrency(_Value):
    """Runs of one group take turns; `group` may name values of the run (`${branch}`), see GROUP_VALUES."""

    group: str
    cancel_superseded: bool = False


class Plan(_Value):
    """A whole plan file; `jobs` keeps the file's order; each job already holds the plan's `variables`.

    Runs with a larger `priority` are leased first. At most `max_parallel` runs of the plan are under way at once.
    """

    variables: dict[str, str] = {}
    priority: int = Field(default=0, ge=-1000, le=1000)
    concurrency: Concurrency | None = None
    max_parallel: int | None = Field(default=None, ge=1)
    jobs: dict[str, JobSpec] = {}
