"""The plan file: what to run, read from YAML into typed values, or refused with every fault and its place."""

from tailrace.domain.plan.errors import PlanError, PlanInvalid
from tailrace.domain.plan.model import (
    ArtifactsStep,
    Concurrency,
    FetchStep,
    JobSpec,
    Plan,
    Retry,
    RunStep,
    Step,
    StepSpec,
    Submodules,
)
from tailrace.domain.plan.needed import needed_values
from tailrace.domain.plan.reader import parse_plan

__all__ = [
    "ArtifactsStep",
    "Concurrency",
    "FetchStep",
    "JobSpec",
    "Plan",
    "PlanError",
    "PlanInvalid",
    "Retry",
    "RunStep",
    "Step",
    "StepSpec",
    "Submodules",
    "needed_values",
    "parse_plan",
]
