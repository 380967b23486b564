"""What an agent gets with a lease: all that a runner needs to carry one attempt by itself."""

from __future__ import annotations

from collections.abc import Collection

from pydantic import BaseModel, ConfigDict

from tailrace.domain.credentials import Credentials
from tailrace.domain.plan import JobSpec


class Need(BaseModel):
    """A job that this one needs: how it ended, and what it gives."""

    model_config = ConfigDict(frozen=True)
    outcome: str
    outputs: dict[str, str] = {}

    def only(self, keys: Collection[str]) -> Need:
        """The same with no other outputs than these."""
        return Need(
            outcome=self.outcome, outputs={key: self.outputs[key] for key in self.outputs if key in keys}
        )


class Lease(BaseModel):
    """An agent's hold on an attempt, and the work.

    `cookie` is random hexadecimal: it tells this attempt from one with the same id on another server, names the attempt's
    folder, and marks every process of the attempt (environment `TAILRACE_COOKIE`). `log` is the log's id. `repository` is what git
    clones; `revision` is what it checks out. `event` is what the run came from. `variables` holds the run's own variables, over the
    job's. `needs` holds the jobs of which the job names something. `grace_s` is the time between SIGTERM and SIGKILL.
    `from_fork`: its commit is a stranger's, it gets no secrets. `credentials` is what its project says of the repository's login,
    where it checks out, and `opened_by` what tells that repository from the same one as others see it; the secret itself comes
    beside the lease.
    """

    model_config = ConfigDict(frozen=True)
    attempt: int
    number: int
    cookie: str
    log: int
    run: int
    run_number: int
    project: str
    plan: str
    repository: str
    revision: str | None = None
    ref: str | None = None
    branch: str | None = None
    event: str = ""
    job: JobSpec
    variables: dict[str, str] = {}
    needs: dict[str, Need] = {}
    from_fork: bool = False
    credentials: Credentials | None = None
    opened_by: str = ""
    grace_s: float = 10.0

    @property
    def run_in_words(self) -> str:
        """What people call the run, as a log begins with it."""
        return f"run {self.project}#{self.run_number}" if self.run_number else "local run"

    @property
    def folder(self) -> str:
        """The name of the attempt's folder on its agent."""
        return f"{self.attempt}-{self.cookie}"

    @property
    def step_names(self) -> tuple[str, ...]:
        """The names of the steps by index: the checkout, where there is one, comes first, those of `finally` last."""
        own = tuple(step.name for step in self.job.all_steps)
        return ("checkout", *own) if self.job.checkout else own
