"""The plan file: what to run, read from YAML into typed values, or refused with every fault and its place."""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING

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

if TYPE_CHECKING:
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

_OF_READERS = {
    "needed_values": "tailrace.domain.plan.needed",
    "parse_plan": "tailrace.domain.plan.reader",
}


def __getattr__(name: str) -> object:
    # Agents get plans that were read: they need no room for who reads them, and for YAML.
    if name in _OF_READERS:
        return getattr(import_module(_OF_READERS[name]), name)
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
