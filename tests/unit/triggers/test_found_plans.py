"""A repository may hold several plans: each is found at the first event that comes with its file."""

from __future__ import annotations

from collections.abc import Awaitable, Callable

import pytest
from sqlalchemy import Connection

from tailrace.domain.events import Event, EventKind
from tailrace.domain.model import RunView
from tailrace.store import Store
from tailrace.store.found_plans import plan_files
from tailrace.store.plans import list_plans, remove_plan
from tailrace.store.projects import create_project
from tailrace.store.runs import RunFilter, list_runs
from tailrace.triggers.fire import fire
from tests.unit.sources.conftest import Repository

Planned = Callable[[int], Awaitable[RunView]]
PLAN = b'jobs: {job: {steps: [{run: "true"}]}}\n'


@pytest.fixture
async def project(store: Store, repository: Repository) -> int:
    return (await store.write(create_project, "shop", repository.address)).id


class Pushes:
    """Events, acted upon until all their runs are planned or ended."""

    def __init__(self, store: Store, planned: Planned, project: int) -> None:
        self._store, self._planned, self._project = store, planned, project

    async def __call__(self, revision: str, from_fork: bool = False) -> dict[str, str]:
        """The plan and the state, or reason, of each run that came of it."""
        event = Event(
            kind=EventKind.PUSH,
            ref="refs/heads/main",
            branch="main",
            revision=revision,
            from_fork=from_fork,
        )

        def happen(connection: Connection) -> None:
            fire(connection, self._project, event, kind="webhook", by="Ada")

        before = {run.id for run in await self._runs()}
        await self._store.write(happen)
        ended: dict[int, RunView] = {}
        while new := [run.id for run in await self._runs() if run.id not in before and run.id not in ended]:
            for id in new:
                ended[id] = await self._planned(id)
        return {run.plan_name: run.reason or run.state for run in ended.values()}

    async def plans(self) -> list[tuple[str, str | None]]:
        found = await self._store.read(list_plans, self._project)
        return [(plan.name, plan.path) for plan in found]

    async def _runs(self):
        return await self._store.read(list_runs, RunFilter(project=self._project, limit=100))


@pytest.fixture
def pushed(store: Store, planned: Planned, project: int) -> Pushes:
    return Pushes(store, planned, project)


def test_plans_are_files_that_end_so() -> None:
    listed = [".tailrace/b.yaml", ".tailrace/README.md", ".tailrace.yml", ".tailrace/a.yml"]
    assert plan_files(listed) == (".tailrace.yml", ".tailrace/a.yml", ".tailrace/b.yaml")


async def test_each_file_is_a_plan_and_the_event_that_finds_it_runs_it(
    pushed: Pushes, repository: Repository
) -> None:
    files = {".tailrace.yml": PLAN, ".tailrace/nightly.yml": PLAN, ".tailrace/x/deep.yml": PLAN}
    first = repository.commit("plans", files)
    assert await pushed(first) == {"default": "pending", "nightly": "pending"}
    assert await pushed.plans() == [("default", ".tailrace.yml"), ("nightly", ".tailrace/nightly.yml")]
    assert await pushed(first) == {"default": "pending", "nightly": "pending"}, "once each"
    later = repository.commit("later", {".tailrace/a b.yaml": PLAN, ".tailrace/default.yml": PLAN})
    found = await pushed(later)
    assert found == dict.fromkeys(("default", "nightly", "a-b", "default-2"), "pending")


async def test_a_repository_with_plans_in_the_folder_alone(pushed: Pushes, repository: Repository) -> None:
    """The one that was supposed is not asked for again, until its file comes."""
    first = repository.commit("plans", {".tailrace/ci.yml": PLAN})
    assert await pushed(first) == {"default": "plan_missing", "ci": "pending"}
    assert await pushed(first) == {"ci": "pending"}
    second = repository.commit("root", {".tailrace.yml": PLAN})
    assert await pushed(second) == {"ci": "pending", "default": "pending"}


async def test_what_a_person_removed_stays_so(pushed: Pushes, repository: Repository, store: Store) -> None:
    first = repository.commit("plans", {".tailrace.yml": PLAN, ".tailrace/ci.yml": PLAN})
    await pushed(first)
    (ci,) = [plan.id for plan in await store.read(list_plans) if plan.name == "ci"]
    await store.write(remove_plan, ci)
    assert await pushed(first) == {"default": "pending"}


async def test_a_fork_brings_no_plans(pushed: Pushes, repository: Repository) -> None:
    first = repository.commit("plans", {".tailrace.yml": PLAN, ".tailrace/evil.yml": PLAN})
    assert set(await pushed(first, from_fork=True)) <= {"default"}
    assert await pushed.plans() == [("default", ".tailrace.yml")]
