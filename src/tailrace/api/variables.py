"""The variables of a run's jobs, and which of those that say them is heard."""

from __future__ import annotations

from fastapi import APIRouter
from pydantic import BaseModel, ConfigDict
from sqlalchemy import Connection

from tailrace.api.numbers import RowId
from tailrace.domain.precedence import VariableView, variables_of_job
from tailrace.store import Store
from tailrace.store.runs import get_run, plan_text_of
from tailrace.triggers.planned import read_plan


class JobVariables(BaseModel):
    """What the steps of one job get, by name."""

    model_config = ConfigDict(frozen=True)
    job: str
    variables: tuple[VariableView, ...]


class RunVariables(BaseModel):
    """Of each job; none while the run's plan is being read."""

    model_config = ConfigDict(frozen=True)
    items: tuple[JobVariables, ...]


def variables_router(store: Store) -> APIRouter:
    """The route of a run's variables."""
    router = APIRouter(tags=["runs"])

    @router.get("/api/runs/{id}/variables")
    async def show(id: RowId) -> RunVariables:
        return await store.read(variables_of_run, id)

    return router


def variables_of_run(connection: Connection, id: int) -> RunVariables:
    """Raises NotFound."""
    run = get_run(connection, id)
    text = plan_text_of(connection, id)
    if text is None:
        return RunVariables(items=())
    plan = read_plan(text, f"the plan of run {id}")
    return RunVariables(
        items=tuple(
            JobVariables(job=name, variables=variables_of_job(plan, job, run.variables))
            for name, job in plan.jobs.items()
        )
    )
