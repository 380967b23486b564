"""Where the variables of a job come from: who says a name last is heard."""

from __future__ import annotations

from collections.abc import Mapping

from pydantic import BaseModel, ConfigDict

from tailrace.domain.plan import JobSpec, Plan

ORIGINS = ("plan", "job", "parameter", "run", "secret")
"""From the weakest to the strongest; the `env` of a step wins over all of them in that step."""


class VariableView(BaseModel):
    """A variable that the steps of a job get: its `value` (null: it is secret), and which of ORIGINS it is `of`.

    `over` are the weaker ones that say something else, the strongest first.
    """

    model_config = ConfigDict(frozen=True)
    name: str
    value: str | None
    of: str
    over: tuple[str, ...] = ()


def variables_of_job(plan: Plan, job: JobSpec, run: Mapping[str, str]) -> tuple[VariableView, ...]:
    """The variables of one job of a run, by name; `run` are those of the run."""
    own = {name: text for name, text in job.variables.items() if plan.variables.get(name) != text}
    said: dict[str, dict[str, str | None]] = {}
    for origin, texts in (("plan", plan.variables), ("job", own)):
        for name, text in texts.items():
            said.setdefault(name, {})[origin] = text
    for name, text in run.items():
        said.setdefault(name, {})["parameter" if name in plan.parameters else "run"] = text
    for name in job.secrets:
        said.setdefault(name, {})["secret"] = None
    return tuple(_view(name, said[name]) for name in sorted(said))


def _view(name: str, said: Mapping[str, str | None]) -> VariableView:
    of, *over = (origin for origin in reversed(ORIGINS) if origin in said)
    return VariableView(name=name, value=said[of], of=of, over=tuple(over))
