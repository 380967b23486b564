"""The parameters of a plan: what it asks whoever starts a run."""

from __future__ import annotations

import asyncio

from fastapi import APIRouter
from pydantic import BaseModel

from tailrace.api.numbers import RowId
from tailrace.domain.parameters import Parameter
from tailrace.domain.plan import parse_plan
from tailrace.store import Store
from tailrace.store.plans import get_plan


class NamedParameter(Parameter):
    """One question, by its name."""

    name: str


class PlanParameters(BaseModel):
    """In the order of the plan. `version` is the one that asks; null: a plan in the repository that was never read."""

    version: int | None
    items: list[NamedParameter]


def plan_parameters_router(store: Store) -> APIRouter:
    """Routes for the parameters of plans."""
    router = APIRouter(tags=["plans"])

    @router.get("/api/plans/{id}/parameters")
    async def show(id: RowId) -> PlanParameters:
        """Of a plan in the repository, in its version in force: another revision may ask for something else."""
        shown = await store.read(get_plan, id)
        if shown.definition is None:
            return PlanParameters(version=None, items=[])
        plan = await asyncio.to_thread(parse_plan, shown.definition, shown.name)
        items = [NamedParameter(name=name, **asked.model_dump()) for name, asked in plan.parameters.items()]
        return PlanParameters(version=shown.version, items=items)

    return router
