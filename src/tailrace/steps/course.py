"""How an attempt goes: what has ended how, and therefore which step is executed next."""

from __future__ import annotations

from collections.abc import Mapping
from typing import NamedTuple

from tailrace.domain.branches import names_of
from tailrace.domain.conditions import parse_condition
from tailrace.domain.lease import Lease
from tailrace.domain.outcome import Outcome
from tailrace.domain.plan import StepSpec
from tailrace.domain.references import Reference, fill
from tailrace.domain.states import AttemptState, StepState
from tailrace.domain.values import RunValues
from tailrace.steps.outputs import check_size

_STATUS = {
    AttemptState.PASSED: "success",
    AttemptState.FAILED: "failure",
    AttemptState.ABORTED: "aborted",
}


class Skip(NamedTuple):
    """A step that is not executed; `why` is for people, None where an earlier failure says it all."""

    why: str | None


class Course:
    """What has happened so far. `outcome` is the attempt's as it stands: the first that did not pass."""

    def __init__(self, lease: Lease) -> None:
        self._lease = lease
        self._states: dict[str, StepState] = {}
        self._outputs: dict[str, Mapping[str, str]] = {}
        self._values = _values(lease)
        self.revision = lease.revision
        self.outcome = Outcome(state=AttemptState.PASSED, exit_code=0)

    @property
    def passed(self) -> bool:
        """Whether nothing has gone wrong."""
        return self.outcome.state is AttemptState.PASSED

    def turn(self, outcome: Outcome | None) -> None:
        """Something ended the attempt, or a part of it; the first cause counts."""
        if outcome is not None and self.passed:
            self.outcome = outcome

    def skips(self, step: StepSpec, *, last: bool) -> Skip | None:
        """Why the step is not executed, or None when it is. `last`: it is one of `finally`, which come whatever has happened."""
        condition = parse_condition(step.condition or ("always" if last else "success"))
        if condition.holds({_STATUS[self.outcome.state]}, self.value):
            return None
        said = bool(step.condition) and (self.passed or not condition.wants_success)
        return Skip(f"its condition does not hold: {condition.explain(self.value)}" if said else None)

    def ended(self, step: StepSpec | None, state: StepState) -> None:
        """A step has ended, or was skipped."""
        if step is not None and step.id is not None:
            self._states[step.id] = state

    def give(self, step: StepSpec, outputs: Mapping[str, str]) -> None:
        """Keep a step's outputs; raises Invalid when they are too much together."""
        if step.id is None or not outputs:
            return
        kept = {**self._outputs, step.id: outputs}
        check_size(
            {f"{id}.{key}": value for id in kept for key, value in kept[id].items()}, "the steps' outputs"
        )
        self._outputs = kept

    def env(self, env: Mapping[str, str]) -> dict[str, str]:
        """A step's `env`, with what its names stand for."""
        return {name: fill(text, self.value) for name, text in env.items()}

    def outputs(self) -> dict[str, str]:
        """The job's outputs; raises Invalid when they are too much together."""
        outputs: dict[str, str] = {}
        for key, text in self._lease.job.outputs.items():
            outputs[key] = fill(text, self.value)
            check_size(outputs, "the job's outputs")
        return outputs

    def value(self, reference: Reference) -> str:
        """What a name stands for; empty where the run has nothing of the kind."""
        match reference:
            case ("steps", id, "outcome"):
                return self._states.get(id, "")
            case ("steps", id, "outputs", key):
                return self._outputs.get(id, {}).get(key, "")
            case ("revision",):
                return self.revision or ""
            case _:
                return self._values.value(reference)


def _values(lease: Lease) -> RunValues:
    own = {
        **names_of(lease.ref, lease.branch, lease.from_fork)._asdict(),
        "event": lease.event,
        "plan": lease.plan,
        "project": lease.project,
        "ref": lease.ref,
    }
    job = lease.job
    return RunValues(own, {**job.variables, **lease.variables}, lease.needs, job.matrix, job.matrices)
