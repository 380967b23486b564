"""What a job names of the jobs that it needs."""

from __future__ import annotations

from tailrace.domain.conditions import parse_condition
from tailrace.domain.plan.model import JobSpec
from tailrace.domain.references import Reference, references_in


def needed_values(job: JobSpec) -> dict[str, set[str]]:
    """The jobs of which the steps of `job` name something, each with the outputs that they name."""
    if not job.needs:
        return {}
    needed: dict[str, set[str]] = {}
    for reference in _references(job):
        match reference:
            case ("needs", name, "outputs", key):
                needed.setdefault(name, set()).add(key)
            case ("needs", name, *_) if name in job.matrices:
                for one in job.matrices[name]:
                    needed.setdefault(one, set())
            case ("needs", name, *_):
                needed.setdefault(name, set())
            case _:
                pass
    return needed


def _references(job: JobSpec) -> list[Reference]:
    found: list[Reference] = []
    for step in job.all_steps:
        found += parse_condition(step.condition).references
        found += [reference for text in step.texts for reference in references_in(text)]
    found += [reference for text in job.outputs.values() for reference in references_in(text)]
    return found
