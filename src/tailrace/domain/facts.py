"""The facts that a runner records in its journal, in order; agents pass them on, servers apply them idempotently."""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import BaseModel, ConfigDict, Field, TypeAdapter, field_validator

from tailrace.domain.outcome import Outcome
from tailrace.domain.states import StepState
from tailrace.domain.text import Text

StepIndex = Annotated[int, Field(ge=0, le=0xFFFF)]  # what a span has room for
_STEP_ENDED = (StepState.PASSED, StepState.FAILED, StepState.ABORTED, StepState.SKIPPED)


class _Fact(BaseModel):
    model_config = ConfigDict(frozen=True)
    time: int  # ms since the epoch, the runner's clock


class Started(_Fact):
    """The runner has begun."""

    kind: Literal["started"] = "started"


class StepBegan(_Fact):
    """A step has begun; `step` is its index (0 is the checkout where there is one)."""

    kind: Literal["step_began"] = "step_began"
    step: StepIndex
    name: Text


class StepEnded(_Fact):
    """A step has ended; `state` is passed, failed, aborted or skipped."""

    kind: Literal["step_ended"] = "step_ended"
    step: StepIndex
    name: Text
    state: StepState
    exit_code: int | None = Field(default=None, ge=-(2**31), lt=2**31)

    @field_validator("state")
    @classmethod
    def _has_ended(cls, state: StepState) -> StepState:
        if state not in _STEP_ENDED:
            raise ValueError(f"a step ends as {', '.join(_STEP_ENDED)}; found {state}")
        return state


class Finished(_Fact):
    """The attempt has ended; its log is `size` bytes with this CRC-32. Always the journal's last line.

    `dropped`: bytes that the job wrote beyond its log's limit and that were not kept. `outputs`: what the job gives to those that
    need it.
    """

    kind: Literal["finished"] = "finished"
    outcome: Outcome
    size: int = Field(ge=0)
    crc32: int = Field(ge=0, le=0xFFFFFFFF)
    dropped: int = Field(default=0, ge=0, lt=2**63)
    outputs: dict[Text, Text] = {}


Fact = Annotated[Started | StepBegan | StepEnded | Finished, Field(discriminator="kind")]
FACT: TypeAdapter[Fact] = TypeAdapter(Fact)


def write_fact(fact: Fact) -> bytes:
    """One line of a journal."""
    return fact.model_dump_json().encode() + b"\n"


def read_facts(journal: bytes) -> list[Fact]:
    """The whole lines of a journal; a torn last line (a crash in mid-write) is left out."""
    return [FACT.validate_json(line) for line in journal.split(b"\n")[:-1]]
