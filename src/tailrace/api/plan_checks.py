"""Plan files looked at without being kept, and the schema that editors look at them with."""

from __future__ import annotations

import asyncio
from typing import Annotated, Any

from fastapi import APIRouter
from pydantic import BaseModel, ConfigDict, Field

from tailrace.domain.plan import PlanError
from tailrace.domain.plan.check import check_plan, warnings_of_labels
from tailrace.domain.plan.schema import PATH, plan_schema
from tailrace.store import Store
from tailrace.store.agents import list_agents

SHOWN = 1000  # errors, and warnings


class PlanText(BaseModel):
    """A plan file's text; `file` is its name in messages."""

    model_config = ConfigDict(extra="forbid")
    definition: Annotated[str, Field(max_length=1024 * 1024)]
    file: Annotated[str, Field(min_length=1, max_length=500)] = ".tailrace.yml"


class Remark(BaseModel):
    """Something to say of a place: line and column count from 1."""

    line: int
    column: int
    message: str


class PlanChecked(BaseModel):
    """`ok`: there are no `errors`. `jobs` are the names of its jobs, none where there are errors."""

    ok: bool
    jobs: tuple[str, ...]
    errors: tuple[Remark, ...]
    warnings: tuple[Remark, ...]


def plan_checks_router(store: Store, lease_ms: int) -> APIRouter:
    """Routes that keep nothing."""
    router = APIRouter(tags=["plans"])

    @router.post("/api/plans/check")
    async def check(wish: PlanText) -> PlanChecked:
        """Every fault, and warnings: jobs that are never executed, labels that no agent has."""
        checked = await asyncio.to_thread(check_plan, wish.definition, wish.file)
        agents = [agent.labels for agent in await store.read(list_agents, lease_ms)]
        warnings = checked.warnings + warnings_of_labels(checked, wish.file, agents)
        return PlanChecked(
            ok=not checked.errors,
            jobs=tuple(checked.plan.jobs) if checked.plan else (),
            errors=_remarks(checked.errors),
            warnings=_remarks(warnings),
        )

    @router.get(PATH)
    async def schema() -> dict[str, Any]:
        """The JSON Schema of plan files; anybody may read it."""
        return plan_schema()

    return router


def _remarks(found: tuple[PlanError, ...]) -> tuple[Remark, ...]:
    return tuple(Remark(line=at.line, column=at.column, message=at.message) for at in found[:SHOWN])
