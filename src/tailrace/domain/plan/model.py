"""What a plan file says, as frozen values that travel to agents as JSON."""

from __future__ import annotations

from typing import Literal

from pydantic import BaseModel, ConfigDict


class RunStep(BaseModel):
    """A script handed to a shell."""

    model_config = ConfigDict(frozen=True, extra="forbid")
    kind: Literal["run"] = "run"
    name: str
    run: str


StepSpec = RunStep


class JobSpec(BaseModel):
    """One job of a plan; `variables` holds the plan's variables under the job's own; `timeout_s` is in seconds."""

    model_config = ConfigDict(frozen=True, extra="forbid")
    name: str
    needs: tuple[str, ...] = ()
    labels: tuple[str, ...] = ()
    variables: dict[str, str] = {}
    timeout_s: int = 3600
    checkout: bool = True
    steps: tuple[StepSpec, ...] = ()


class Plan(BaseModel):
    """A whole plan file; `jobs` keeps the file's order."""

    model_config = ConfigDict(frozen=True, extra="forbid")
    variables: dict[str, str] = {}
    jobs: dict[str, JobSpec] = {}
