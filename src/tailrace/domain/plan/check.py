"""A plan file looked at: every fault, and every warning, each at its place."""

from __future__ import annotations

from collections.abc import Collection
from typing import NamedTuple

from tailrace.domain.plan.errors import PlanError, listed, shown
from tailrace.domain.plan.model import Plan
from tailrace.domain.plan.reader import read_text_of_plan


class WantedLabels(NamedTuple):
    """The labels that a job asks for, and where."""

    job: str
    labels: tuple[str, ...]
    line: int
    column: int


class Checked(NamedTuple):
    """`plan` is None where there are `errors`."""

    plan: Plan | None
    errors: tuple[PlanError, ...]
    warnings: tuple[PlanError, ...]
    labels: tuple[WantedLabels, ...]


def check_plan(text: str | bytes, file: str = ".tailrace.yml") -> Checked:
    """Look at a plan file; `file` is its name in messages. Raises nothing for whatever the text holds."""
    plan, problems = read_text_of_plan(text)
    errors = problems.as_errors(file)
    labels = tuple(
        WantedLabels(job, labels, place.line, place.column) for place, job, labels in problems.labels
    )
    return Checked(None if errors else plan, errors, problems.as_warnings(file), labels)


def warnings_of_labels(
    checked: Checked, file: str, agents: Collection[Collection[str]]
) -> tuple[PlanError, ...]:
    """Jobs that no agent could execute; `agents` are the labels of each."""
    everywhere = {label for labels in agents for label in labels}
    found: list[PlanError] = []
    for wanted in checked.labels:
        if any(set(wanted.labels) <= set(labels) for labels in agents):
            continue
        missing = [label for label in wanted.labels if label not in everywhere]
        why = (
            f"no agent has label {listed(missing)}"
            if missing
            else f"no agent has all of the labels {listed(wanted.labels)}"
        )
        message = f"job {shown(wanted.job)} would wait: {why}"
        found.append(PlanError(file, wanted.line, wanted.column, message))
    return tuple(found)
