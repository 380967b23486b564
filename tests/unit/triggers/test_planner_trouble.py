"""The planner with repositories that hang, refuse, or have not got yet what was told of them."""

from __future__ import annotations

import asyncio
import secrets
from collections.abc import AsyncGenerator, AsyncIterator
from contextlib import asynccontextmanager, suppress
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import Connection

from tailrace.domain.credentials import Credentials
from tailrace.domain.events import Event, EventKind
from tailrace.domain.model import RunView
from tailrace.domain.states import RunState
from tailrace.live.bus_memory import MemoryBus
from tailrace.live.scopes import PLANNING
from tailrace.sources.repositories import Repositories
from tailrace.store import Store
from tailrace.store.aborts import abort_run
from tailrace.store.plans import create_plan
from tailrace.store.projects import change_project, create_project
from tailrace.store.runs import NewRun, create_run, get_run
from tailrace.store.secrets import secret_row, set_secret
from tailrace.triggers.again import AWAY, MISSING, WAITS_S, wait_s
from tailrace.triggers.planner import Planner
from tests.support.git_http import ANYBODY, git_http
from tests.unit.sources.conftest import Repository
from tests.unit.triggers.conftest import KEY

PLAN = {".tailrace.yml": b'jobs: {job: {steps: [{run: "true"}]}}\n'}


@pytest.fixture
async def hanging() -> AsyncIterator[str]:
    """The address of a repository whose host takes connections and never answers."""
    writers: list[asyncio.StreamWriter] = []
    server = await asyncio.start_server(lambda _reader, writer: writers.append(writer), "127.0.0.1", 0)
    host, port = server.sockets[0].getsockname()
    yield f"http://{host}:{port}/wheel.git"
    server.close()
    for writer in writers:
        writer.close()


@asynccontextmanager
async def planning(store: Store, tmp_path: Path, **options: Any) -> AsyncGenerator[MemoryBus]:
    """While a planner is at work."""
    bus = MemoryBus()
    await bus.start()
    # Of its own: of a planner that was here before, a fetch may go on, which ends with its process where it has one.
    mirrors = tmp_path / "mirrors" / secrets.token_hex(4)
    planner = Planner(store, bus, Repositories(mirrors), KEY, **options)
    working = asyncio.create_task(planner.run())
    try:
        yield bus
    finally:
        working.cancel()
        with suppress(asyncio.CancelledError):
            await working


async def a_project(store: Store, address: str) -> tuple[int, int]:
    """A project with this repository, and the plan that is in it."""

    def make(connection: Connection) -> tuple[int, int]:
        project = create_project(connection, secrets.token_hex(8), address).id
        return project, create_plan(connection, project, "default", path=".tailrace.yml").id

    return await store.write(make)


async def a_run(
    store: Store, of: tuple[int, int], revision: str | None = "a" * 40, kind: str = "webhook"
) -> int:
    event = Event(kind=EventKind.PUSH, ref="refs/heads/main", branch="main", revision=revision)
    if kind == "manual":
        event = Event(kind=EventKind.MANUAL, revision=revision)
    return await store.write(create_run, NewRun(of[1], of[0], event, kind))


async def until(store: Store, run: int, *states: str, said: str | None = None) -> RunView:
    """The run, when it is in one of these states and, where that is asked, shows a detail that says so."""
    async with asyncio.timeout(60):
        while (shown := await store.read(get_run, run)).state not in states or (said or "") not in (
            shown.detail or ""
        ):
            await asyncio.sleep(0.01)
    return shown


async def test_a_host_that_hangs_keeps_nobody_elses_runs_waiting(
    store: Store, tmp_path: Path, hanging: str, repository: Repository
) -> None:
    """However many runs are before them."""
    stuck = await a_project(store, hanging)
    slow = [await a_run(store, stuck) for _ in range(30)]
    tip = repository.commit("plan", PLAN)
    async with planning(store, tmp_path) as bus:
        run = await a_run(store, await a_project(store, repository.address), tip)
        bus.publish(PLANNING)
        await until(store, run, "pending")
        assert {(await store.read(get_run, one)).state for one in slow} == {RunState.PLANNING}


async def test_a_look_at_a_repository_has_its_time_and_the_run_says_so(
    store: Store, tmp_path: Path, hanging: str
) -> None:
    run = await a_run(store, await a_project(store, hanging))
    async with planning(store, tmp_path, look_s=0.3):
        shown = await until(store, run, "planning", said="tried again at")
    assert shown.detail is not None
    assert f"repository {hanging} cannot be read: it did not answer all that its plan asks" in shown.detail
    assert "within 0.3 s; tried again at" in shown.detail


async def test_a_repository_that_comes_back_gets_its_run(
    store: Store, tmp_path: Path, repository: Repository
) -> None:
    """Also after the server was started anew: what waits, waits in the store."""
    tip = repository.commit("plan", PLAN)
    run = await a_run(store, await a_project(store, repository.address), tip)
    repository.vanish()
    async with planning(store, tmp_path, waits_s=(0.05,)):
        await until(store, run, "planning", said="tried again at")
    repository.place.with_name(f"{repository.place.name}-gone").rename(repository.place)
    async with planning(store, tmp_path, waits_s=(0.05,)):
        shown = await until(store, run, "pending")
    assert shown.detail is None


async def test_a_commit_that_its_forge_has_not_got_yet_gets_its_run(
    store: Store, tmp_path: Path, repository: Repository
) -> None:
    """A webhook may be quicker than the forge's own copies."""
    repository.commit("plan", PLAN)
    ahead = Repository(tmp_path / "ahead")
    ahead.git("pull", "--quiet", repository.address, "main")
    tip = ahead.commit("next")
    run = await a_run(store, await a_project(store, repository.address), tip)
    async with planning(store, tmp_path, waits_s=(0.05,)):
        await until(store, run, "planning", said="has no revision")
        repository.git("pull", "--quiet", ahead.address, "main")
        await until(store, run, "pending")


async def test_while_it_waits_a_run_can_be_aborted(store: Store, tmp_path: Path) -> None:
    run = await a_run(store, await a_project(store, "/nowhere/at/all.git"))
    async with planning(store, tmp_path, waits_s=(0.05,)):
        await until(store, run, "planning", said="tried again at")
        await store.write(abort_run, run, "Ada")
        other = await a_run(store, await a_project(store, "/nowhere/else.git"))
        await until(store, other, "planning", said="tried again at")
    assert (await store.read(get_run, run)).state is RunState.ABORTED


async def test_a_person_hears_at_once(store: Store, tmp_path: Path) -> None:
    run = await a_run(store, await a_project(store, "/nowhere/at/all.git"), kind="manual")
    async with planning(store, tmp_path):
        shown = await until(store, run, "failed")
    assert shown.reason == "source_unreachable"


def _asked_until(patience: Any) -> tuple[int, float]:
    """How often a repository is asked that answers no at once, and for how long."""
    tries, passed = 0, 0.0
    while (wait := wait_s(tries, passed, patience)) is not None:
        tries, passed = tries + 1, passed + wait
    return tries + 1, passed


def test_patience_has_an_end() -> None:
    assert WAITS_S[0] <= 2
    assert 15 * 60 <= _asked_until(AWAY)[1] <= 16 * 60
    assert 45 <= _asked_until(MISSING)[1] <= 60
    assert wait_s(2, 3600, AWAY) is not None, (
        "after an hour in which no server was there it is asked more than once"
    )


async def test_a_repository_that_a_secret_opens_waits_for_it(store: Store, tmp_path: Path) -> None:
    """The run says which, and goes on when it is there; a person is told at once."""
    repository = Repository(tmp_path / "repositories" / "wheel")
    repository.commit("One", PLAN)
    with git_http(tmp_path / "repositories", {ANYBODY: "hush-hush"}) as web:
        of = await a_project(store, web.address("wheel"))
        await store.write(change_project, of[0], credentials=Credentials(secret="DEPLOY"))
        run = await a_run(store, of, repository.git("rev-parse", "HEAD"))
        wanted = await a_run(store, of, kind="manual")
        async with planning(store, tmp_path, waits_s=(0.05,)):
            waiting = await until(store, run, "planning", said="secret DEPLOY, which project")
            assert "is not set: `tailrace secret set DEPLOY" in str(waiting.detail)
            told = await until(store, wanted, "failed")
            assert (told.reason, "secret DEPLOY" in str(told.detail)) == ("source_unreachable", True)
            sealed = KEY.seal("hush-hush", secret_row(of[0], "DEPLOY"))
            await store.write(set_secret, of[0], "DEPLOY", sealed, warnings=[], author="Ada")
            assert (await until(store, run, "pending")).title == "One"
