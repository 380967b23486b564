"""The plan file: what to run, as typed values."""

from tailrace.domain.plan.model import JobSpec, Plan, RunStep, StepSpec

__all__ = ["JobSpec", "Plan", "RunStep", "StepSpec"]
