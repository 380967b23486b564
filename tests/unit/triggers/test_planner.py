"""The planner asks a plan's `on` about the event; a run that it does not want ends and says why."""

from __future__ import annotations

import asyncio
import secrets
from collections.abc import Awaitable, Callable
from functools import partial
from pathlib import Path

from sqlalchemy import Connection

from tailrace.domain.events import MOST_PATHS, Event, EventKind
from tailrace.domain.model import RunView
from tailrace.sources.repositories import Repositories
from tailrace.store import Store
from tailrace.store.heads import move_head
from tailrace.store.plans import create_plan, get_plan
from tailrace.store.projects import create_project
from tailrace.store.runs import NewRun, create_run, get_run
from tailrace.store.schedules import scheduled
from tailrace.triggers.fire import fire
from tailrace.triggers.in_force import follow_default_branch
from tailrace.triggers.manual import start_again, start_manual
from tests.unit.sources.conftest import Repository

Planned = Callable[[int], Awaitable[RunView]]
PLAN = b"""\
on: {push: {branches: main, paths: ["src/**", "!**/*.md"]}, pull_request: {paths: src}}
jobs: {job: {steps: [{run: "true"}]}}
"""


def pushed(before: str | None, revision: str, branch: str = "main") -> Event:
    """A push whose sender does not say which paths it touched."""
    ref = f"refs/heads/{branch}"
    return Event(kind=EventKind.PUSH, ref=ref, branch=branch, before=before, revision=revision)


def pulled(base: str, revision: str) -> Event:
    return Event(
        kind=EventKind.PULL_REQUEST, ref="refs/heads/fix", base=base, revision=revision, action="opened"
    )


async def a_run(store: Store, repository: Repository, event: Event) -> int:
    """A run of the repository's plan, by a webhook."""

    def make(connection: Connection) -> int:
        project = create_project(connection, secrets.token_hex(8), repository.address).id
        plan = create_plan(connection, project, "default", path=".tailrace.yml").id
        return create_run(connection, NewRun(plan, project, event, "webhook"))

    return await store.write(make)


async def test_git_knows_the_paths_that_the_sender_did_not_name(
    store: Store, planned: Planned, repository: Repository
) -> None:
    first = repository.commit("plan", {".tailrace.yml": PLAN})
    docs = repository.commit("docs", {"src/README.md": b"x"})
    code = repository.commit("code", {"src/a.py": b"x"})
    shown = await planned(await a_run(store, repository, pushed(first, docs)))
    assert (shown.state, shown.reason) == ("skipped", "filtered")
    assert shown.detail == 'it touches src/README.md: "on.push.paths" of the plan has src/**, !**/*.md'
    assert (await planned(await a_run(store, repository, pushed(docs, code)))).state == "pending"
    assert (await planned(await a_run(store, repository, pushed(first, code)))).state == "pending"


async def test_what_is_not_known_is_let_through(
    store: Store, planned: Planned, repository: Repository
) -> None:
    """A new branch has nothing before it, and what was pushed over may be gone: no change is missed."""
    docs = repository.commit("docs", {".tailrace.yml": PLAN, "README.md": b"x"})
    for before in (None, "0" * 40, "e" * 40):
        assert (await planned(await a_run(store, repository, pushed(before, docs)))).state == "pending"


async def test_of_a_change_that_touches_too_many_paths_none_is_known(
    store: Store, planned: Planned, repository: Repository
) -> None:
    """No filter holds it back, and none is asked of them all."""
    first = repository.commit("plan", {".tailrace.yml": PLAN})
    most = repository.commit("much", {f"docs/{number}": b"" for number in range(MOST_PATHS)})
    more = repository.commit(
        "more", {f"docs/{number}": b"x" for number in range(MOST_PATHS)} | {"docs/x": b""}
    )
    assert (await planned(await a_run(store, repository, pushed(first, most)))).state == "skipped"
    assert (await planned(await a_run(store, repository, pushed(most, more)))).state == "pending"


async def test_runs_of_a_group_are_planned_in_the_order_in_which_they_came(
    store: Store, planned: Planned, repository: Repository, tmp_path: Path
) -> None:
    """Also where the commit of the older one comes to its repository later."""
    tip = repository.commit(
        "plan", {".tailrace.yml": b"concurrency: one\njobs: {job: {steps: [{run: x}]}}\n"}
    )
    ahead = Repository(tmp_path / "ahead")
    ahead.git("pull", "--quiet", repository.address, "main")
    late = ahead.commit("late")

    def both(connection: Connection) -> tuple[int, int]:
        project = create_project(connection, secrets.token_hex(8), repository.address).id
        plan = create_plan(connection, project, "default", path=".tailrace.yml").id
        older, newer = (NewRun(plan, project, pushed(None, revision), "webhook") for revision in (late, tip))
        return create_run(connection, older), create_run(connection, newer)

    older, newer = await store.write(both)
    soon = asyncio.ensure_future(planned(newer))
    async with asyncio.timeout(60):
        while "came before it" not in ((await store.read(get_run, newer)).detail or ""):
            await asyncio.sleep(0.01)
    repository.git("fetch", "--quiet", ahead.address, "main:late")
    shown = await soon, await planned(older)
    assert [one.jobs[0].state for one in shown] == ["waiting", "pending"]


async def test_a_plan_that_is_kept_here_keeps_that_order_too(
    store: Store, planned: Planned, repository: Repository
) -> None:
    """The older run lacks its revision; the newer one, which lacks nothing, is planned behind it and asked what its plan wants."""
    text = "on: {push: {branches: main}}\nmax_parallel: 1\njobs: {job: {steps: [{run: x}]}}\n"
    tip = repository.commit("first")

    def both(connection: Connection) -> list[int]:
        project = create_project(connection, secrets.token_hex(8), repository.address).id
        plan = create_plan(connection, project, "default", definition=text).id
        older = start_manual(connection, plan, revision="main", variables={}, by="Ada")
        fired = fire(connection, project, pushed(None, tip), kind="webhook", by="Ada")
        return [older, *fired.runs]

    older, newer = await store.write(both)
    assert (await store.read(get_run, newer)).state == "planning"
    shown = await planned(newer), await planned(older)
    assert [one.jobs[0].state for one in shown] == ["waiting", "pending"]


async def test_a_pull_request_touches_what_it_adds_to_its_base(
    store: Store, planned: Planned, repository: Repository
) -> None:
    """And not what came to the base since it left."""
    repository.commit("plan", {".tailrace.yml": PLAN})
    repository.git("switch", "--quiet", "--create", "fix")
    docs = repository.commit("docs", {"docs/x": b"x"})
    code = repository.commit("code", {"src/x": b"x"})
    repository.git("switch", "--quiet", "main")
    repository.commit("more", {"src/y": b"y"})
    shown = await planned(await a_run(store, repository, pulled("main", docs)))
    assert shown.detail == 'it touches docs/x: "on.pull_request.paths" of the plan has src'
    assert (await planned(await a_run(store, repository, pulled("main", code)))).state == "pending"


async def test_a_pull_request_whose_commit_says_so_is_skipped(
    store: Store, planned: Planned, repository: Repository
) -> None:
    """GitHub and Gitea do not send the message, and its title is not that of the pull request."""
    repository.commit("plan", {".tailrace.yml": PLAN})
    repository.git("switch", "--quiet", "--create", "fix")
    tip = repository.commit("Typos\n\nNothing to see here. [skip ci]", {"src/x": b"x"})
    run = await a_run(store, repository, pulled("main", tip))
    shown = await planned(run)
    assert (shown.state, shown.reason) == ("skipped", "filtered")
    assert shown.detail == "the commit's message says [skip ci]"
    assert (await planned(await store.write(start_again, run, by="Ada"))).state == "pending"


async def test_a_text_that_wants_no_pushes_is_in_force_all_the_same(
    store: Store, planned: Planned, repository: Repository
) -> None:
    """Else nobody would hear of what it wants now, and its old text would be shown for ever."""
    first = repository.commit("plan", {".tailrace.yml": PLAN})
    run = await planned(await a_run(store, repository, pushed(None, first)))
    only = b"on: {workflow: {names: [test]}}\njobs: {job: {steps: [{run: x}]}}\n"
    second = repository.commit("workflow", {".tailrace.yml": only})
    new = NewRun(run.plan, run.project, pushed(first, second), "webhook")
    skipped = await planned(await store.write(create_run, new))
    assert (skipped.state, skipped.reason, skipped.plan_version) == ("skipped", "filtered", 2)
    assert (await store.read(get_plan, run.plan)).definition == only.decode()


async def test_people_run_what_on_does_not_ask_for(
    store: Store, planned: Planned, repository: Repository
) -> None:
    """Who runs a filtered run again wants it."""
    revision = repository.commit("plan", {".tailrace.yml": PLAN})
    filtered = await planned(await a_run(store, repository, pushed(None, revision, "fix")))
    assert filtered.detail == 'branch fix: "on.push.branches" of the plan has main'
    again = await planned(await store.write(start_again, filtered.id, by="Ada"))
    assert again.state == "pending"


async def test_a_run_by_hand_at_a_pull_request_is_a_strangers(
    store: Store, planned: Planned, repository: Repository
) -> None:
    """Who names a commit's ref has not looked at the commit."""
    first = repository.commit("plan", {".tailrace.yml": PLAN})
    repository.git("update-ref", "refs/pull/8/head", first)
    run = await planned(await a_run(store, repository, pushed(None, first)))
    for revision, strangers in (("refs/pull/8/head", True), ("main", False)):
        wanted = await store.write(start_manual, run.plan, revision=revision, variables={}, by="Ada")
        shown = await planned(wanted)
        assert (shown.revision, shown.from_fork) == (first, strangers)


async def test_times_follow_the_default_branch(
    store: Store, planned: Planned, repository: Repository
) -> None:
    """And no other."""
    timed = b'on: {push: {}, schedule: "0 1 * * *"}\njobs: {job: {steps: [{run: "true"}]}}\n'
    first = repository.commit("plan", {".tailrace.yml": timed})
    repository.git("branch", "fix")
    elsewhere = await planned(await a_run(store, repository, pushed(None, first, "fix")))
    assert await store.read(scheduled, elsewhere.plan) == []
    run = await planned(await a_run(store, repository, pushed(None, first)))
    (trigger,) = await store.read(scheduled, run.plan)
    assert (trigger.name, trigger.settings.kind) == ("on.schedule", "cron")

    def again(connection: Connection, revision: str) -> int:
        return create_run(connection, NewRun(run.plan, run.project, pushed(first, revision), "webhook"))

    gone = repository.commit("no times", {".tailrace.yml": b'jobs: {job: {steps: [{run: "true"}]}}\n'})
    assert (await planned(await store.write(again, gone))).state == "pending"
    assert await store.read(scheduled, run.plan) == []

    def head(connection: Connection, revision: str, before: str) -> None:
        move_head(connection, run.project, "refs/heads/main", revision, before, by="webhook")

    back = repository.commit("times again", {".tailrace.yml": timed})
    await store.write(head, back, gone)
    assert (await planned(await store.write(again, gone))).state == "pending"
    await planned(await store.write(again, back))
    assert len(await store.read(scheduled, run.plan)) == 1
    assert (await planned(await store.write(again, gone))).state == "pending", "acted on again"
    assert len(await store.read(scheduled, run.plan)) == 1, "it is not what stands there"
    repository.git("rm", "--quiet", ".tailrace.yml")
    nothing = repository.commit("no plan")
    await store.write(head, nothing, back)
    assert (await planned(await store.write(again, nothing))).reason == "plan_missing"
    assert await store.read(scheduled, run.plan) == []


async def test_a_tick_whose_plan_is_gone_is_the_last(
    store: Store, planned: Planned, repository: Repository
) -> None:
    """Nobody has to tell of the commit that removed it."""
    timed = b'on: {push: {}, schedule: "0 1 * * *"}\njobs: {job: {steps: [{run: "true"}]}}\n'
    first = repository.commit("plan", {".tailrace.yml": timed})
    run = await planned(await a_run(store, repository, pushed(None, first)))
    repository.git("rm", "--quiet", ".tailrace.yml")
    repository.commit("no plan")
    tick = NewRun(run.plan, run.project, Event(kind=EventKind.TICK), "cron")
    assert (await planned(await store.write(create_run, tick))).reason == "plan_missing"
    assert await store.read(scheduled, run.plan) == []


async def test_the_text_of_the_default_branchs_newest_commit_is_in_force(
    store: Store, planned: Planned, repository: Repository, tmp_path: Path
) -> None:
    """Neither that of another branch, nor of a fork, nor of an earlier commit that is run again."""
    resolve = partial(Repositories(tmp_path / "others").resolve, repository.address)

    def text(word: str) -> dict[str, bytes]:
        return {".tailrace.yml": b'jobs: {%s: {steps: [{run: "true"}]}}' % word.encode()}

    first = repository.commit("first", text("first"))
    run = await planned(await a_run(store, repository, pushed(None, first)))

    async def in_force() -> str | None:
        return (await store.read(get_plan, run.plan)).definition

    async with asyncio.timeout(30):
        while await in_force() is None:
            await asyncio.sleep(0.01)

    async def after(event: Event) -> str | None:
        new = NewRun(run.plan, run.project, event, "webhook")
        id = (await planned(await store.write(create_run, new))).id
        await follow_default_branch(store, resolve, id)
        return await in_force()

    one = await in_force()
    repository.git("switch", "--quiet", "--create", "fix")
    fix = repository.commit("fix", text("fix"))
    repository.git("switch", "--quiet", "main")
    assert await after(pushed(first, fix, "fix")) == one
    change = pulled("main", fix)
    assert await after(change.model_copy(update={"branch": "main", "from_fork": True})) == one
    second = repository.commit("second", text("second"))
    assert await after(pushed(first, second)) == text("second")[".tailrace.yml"].decode()
    assert await after(pushed(None, first)) == text("second")[".tailrace.yml"].decode()
