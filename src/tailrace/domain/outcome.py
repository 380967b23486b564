"""How an attempt ended, and why, in words that a person can act on."""

from __future__ import annotations

from enum import StrEnum

from pydantic import BaseModel, ConfigDict, Field, field_validator

from tailrace.domain.states import ATTEMPT_ENDED, AttemptState
from tailrace.domain.text import Text


class Reason(StrEnum):
    """Why something ended; never two causes behind one word. Steps add their own, `image.push_denied`."""

    EXIT_CODE = "exit_code"
    SIGNAL = "signal"
    TIMEOUT = "timeout"
    IDLE_TIMEOUT = "idle_timeout"
    START_TIMEOUT = "start_timeout"
    OUT_OF_MEMORY = "out_of_memory"
    OUT_OF_DISK = "out_of_disk"
    OUT_OF_PROCESSES = "out_of_processes"
    LOG_LIMIT = "log_limit"
    AGENT_LOST = "agent_lost"
    RUNNER_DIED = "runner_died"
    RUNNER_FAILED = "runner_failed"  # it lives, and an error of its own ended a step
    ABORTED_BY = "aborted_by"
    SUPERSEDED_BY = "superseded_by"
    MATRIX_FAILED = "matrix_failed"  # another job of its matrix failed, and the plan says `fail_fast`
    REJECTED = "rejected"  # a person was asked for an approval, and said no
    ENVIRONMENT_REFUSED = "environment_refused"
    SETUP_FAILED = "setup_failed"
    OUTPUT_INVALID = "output_invalid"  # what a step wrote for other steps and jobs cannot be read
    NEEDS_FAILED = "needs_failed"
    CONDITION_NOT_MET = "condition_not_met"
    PLAN_INVALID = "plan_invalid"
    PARAMETERS_INVALID = "parameters_invalid"
    REVISION_MISSING = "revision_missing"
    SOURCE_UNREACHABLE = "source_unreachable"
    ARTIFACTS_MISSING = "artifacts.missing"  # no file that the step means, or no artifact
    ARTIFACTS_UNREADABLE = "artifacts.unreadable"  # a file that cannot be kept as it is
    ARTIFACTS_TOO_LARGE = "artifacts.too_large"
    ARTIFACTS_REFUSED = "artifacts.refused"
    ARTIFACTS_DAMAGED = (
        "artifacts.damaged"  # bytes that are not those that were announced, however often they came
    )
    FILTERED = "filtered"  # the plan's `on` does not ask for the event: the run is skipped
    PLAN_MISSING = "plan_missing"  # the repository has no plan file at that revision: the run is skipped


class Outcome(BaseModel):
    """How an attempt ended: `state` is passed, failed or aborted; `detail` is one sentence for a person."""

    model_config = ConfigDict(frozen=True)
    state: AttemptState
    reason: Text | None = Field(default=None, max_length=60)
    detail: Text | None = None
    exit_code: int | None = Field(default=None, ge=-(2**31), lt=2**31)

    @field_validator("state")
    @classmethod
    def _has_ended(cls, state: AttemptState) -> AttemptState:
        if state not in ATTEMPT_ENDED:
            raise ValueError(f"an outcome is {', '.join(sorted(ATTEMPT_ENDED))}; found {state}")
        return state
