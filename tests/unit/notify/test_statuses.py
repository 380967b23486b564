"""Commit statuses: each forge is told of each job, once for each state that it had when it was told."""

from __future__ import annotations

from typing import Any

import pytest
from sqlalchemy import Connection

from tailrace.domain.channels import ForgeSettings, GiteaSettings, GitHubSettings, GitLabSettings
from tailrace.domain.events import EventKind
from tailrace.domain.states import AttemptState
from tailrace.notify.base import Answer, Undelivered
from tailrace.notify.statuses import check
from tailrace.store.planning import end_planning
from tests.support.fake_service import FakeService, Says
from tests.unit.notify.world import URL, World
from tests.unit.store.world import PUSH, a_job, a_planning_run, a_run, finish, lease, start


def github(service: FakeService) -> GitHubSettings:
    return GitHubSettings(api=service.url, repository="ada/shop")


async def test_github_follows_a_job_from_pending_to_its_end(world: World) -> None:
    """One job: pending, then its end; the other, which it does not let begin, is told of once more too."""
    with FakeService(Says(201, {})) as fake_github:
        await world.channel(github(fake_github), {"token": "t0ken"})

        def begin(connection: Connection) -> int:
            return a_run(connection, a_job("build"), a_job("test", ["build"]), plan_id=world.plan)

        def end(connection: Connection) -> None:
            (leased,) = lease(connection, world.agent)
            start(connection, world.agent, leased.attempt)
            finish(connection, world.agent, leased.attempt, AttemptState.FAILED)

        run = await world.store.write(begin)
        assert (await world.send()).state == "sent"
        await world.store.write(end)
        sent = await world.send()
        await world.send()
    assert [(one.json["context"], one.json["state"]) for one in fake_github.asked] == [
        ("tailrace/default/build", "pending"),
        ("tailrace/default/test", "pending"),
        ("tailrace/default/build", "failure"),
        ("tailrace/default/test", "failure"),
    ]
    last = fake_github.asked[2]
    assert last.path == f"/repos/ada/shop/statuses/{PUSH.revision}"
    assert last.headers["authorization"] == "Bearer t0ken"
    assert last.json["target_url"].startswith(f"{URL}/runs/{run}/jobs/")
    assert last.json["description"] == "failed: it ended with 2"
    assert sent.told == {"tailrace/default/build": "failed", "tailrace/default/test": "skipped: needs_failed"}


def stated(service: FakeService) -> list[tuple[str, str]]:
    """What was said of each status, without `tailrace/default`."""
    return [
        (one.json["context"].removeprefix("tailrace/default"), one.json["state"]) for one in service.asked
    ]


async def end_next(world: World, state: AttemptState) -> None:
    """The attempt that is first in the queue ends so."""

    def end(connection: Connection) -> None:
        (leased,) = lease(connection, world.agent)
        start(connection, world.agent, leased.attempt)
        finish(connection, world.agent, leased.attempt, state)

    await world.store.write(end)


async def test_only_what_a_failure_keeps_back_is_no_success(world: World) -> None:
    """A job whose condition does not hold is none of a branch's; nor is what needs it."""
    with FakeService(Says(201, {})) as fake_github:
        await world.channel(github(fake_github), {"token": "t"})

        def begin(connection: Connection) -> int:
            elsewhere = a_job("package").model_copy(update={"condition": 'branch == "stable"'})
            return a_run(
                connection,
                elsewhere,
                a_job("publish", ["package"]),
                a_job("build"),
                a_job("last", ["test", "publish"]),
                a_job("test", ["build"]),
                plan_id=world.plan,
            )

        await world.store.write(begin)
        await end_next(world, AttemptState.FAILED)
        await world.send()
    assert stated(fake_github) == [
        ("/package", "success"),
        ("/publish", "success"),
        ("/build", "failure"),
        ("/last", "failure"),
        ("/test", "failure"),
    ]


@pytest.mark.parametrize("kind", [kind for kind in EventKind if kind is not EventKind.PUSH])
async def test_a_status_of_no_push_has_the_event_in_its_name(world: World, kind: EventKind) -> None:
    """A run by hand, or one of a pull request, says nothing about what the push came to."""
    with FakeService(Says(201, {})) as fake_github:
        await world.channel(github(fake_github), {"token": "t"})
        event = PUSH.model_copy(update={"kind": kind})
        await world.store.write(lambda connection: a_run(connection, plan_id=world.plan, event=event))
        await world.send()
    assert stated(fake_github) == [(f"/test ({kind.value})", "pending")]


async def test_of_two_runs_of_a_commit_the_newer_one_tells(world: World) -> None:
    """The older one ends later, and tells only of the job that the newer one has not."""
    with FakeService(Says(201, {})) as fake_github:
        await world.channel(github(fake_github), {"token": "t"})

        def begin(connection: Connection) -> int:
            a_run(connection, a_job("old", ["test"]), a_job("test"), plan_id=world.plan)
            return a_run(connection, plan_id=world.plan)

        newer = await world.store.write(begin)
        await end_next(world, AttemptState.FAILED)
        await end_next(world, AttemptState.PASSED)
        await world.send()
        await world.send()
    assert stated(fake_github) == [("/old", "failure"), ("/test", "success")]
    assert f"/runs/{newer}/" in fake_github.asked[1].json["target_url"]


async def test_a_plan_that_can_be_read_after_all_is_told(world: World) -> None:
    """The repository did not answer the first time: what was said then does not stay."""
    with FakeService(Says(201, {})) as fake_github:
        await world.channel(github(fake_github), {"token": "t"})
        first = await world.store.write(lambda connection: a_planning_run(connection, plan_id=world.plan))
        await world.store.write(end_planning, first, "fail", "source_unreachable", "it did not answer")
        await world.send()
        await world.store.write(lambda connection: a_run(connection, plan_id=world.plan))
        await world.send()
    assert stated(fake_github) == [("", "failure"), ("", "success"), ("/test", "pending")]


@pytest.mark.parametrize("update", [{"revision": "b" * 40}, {"kind": EventKind.PULL_REQUEST}])
async def test_runs_of_other_commits_and_events_have_statuses_of_their_own(
    world: World, update: dict[str, Any]
) -> None:
    """Both are told."""
    with FakeService(Says(201, {})) as fake_github:
        await world.channel(github(fake_github), {"token": "t"})

        def begin(connection: Connection) -> None:
            a_run(connection, plan_id=world.plan)
            a_run(connection, plan_id=world.plan, event=PUSH.model_copy(update=update))

        await world.store.write(begin)
        await world.send()
        await world.send()
    assert [state for _, state in stated(fake_github)] == ["pending", "pending"]
    assert len({(one.path, one.json["context"]) for one in fake_github.asked}) == 2


async def test_a_fork_has_no_word_where_the_repository_has_one(world: World) -> None:
    """Somebody else's pull request of the same commit says nothing, be it older or newer."""
    own = PUSH.model_copy(update={"kind": EventKind.PULL_REQUEST, "ref": "refs/pull/7/head"})
    with FakeService(Says(201, {})) as fake_github:
        await world.channel(github(fake_github), {"token": "t"})

        def begin(connection: Connection) -> list[int]:
            return [
                a_run(
                    connection,
                    plan_id=world.plan,
                    event=own.model_copy(update={"ref": f"refs/pull/{n}/head", "from_fork": fork}),
                )
                for n, fork in ((6, True), (7, False), (8, True))
            ]

        runs = await world.store.write(begin)
        for _ in runs:
            await world.send()
        assert {one.state for one in await world.notifications()} == {"sent"}
    assert stated(fake_github) == [("/test (pull_request)", "pending")]
    assert f"/runs/{runs[1]}/" in fake_github.asked[0].json["target_url"]


async def test_a_run_that_its_plan_did_not_want_says_nothing_and_silences_none(world: World) -> None:
    """The one before it goes on telling."""
    with FakeService(Says(201, {})) as fake_github:
        await world.channel(github(fake_github), {"token": "t"})
        await world.store.write(lambda connection: a_run(connection, plan_id=world.plan))
        unwanted = await world.store.write(lambda connection: a_planning_run(connection, plan_id=world.plan))
        await world.store.write(end_planning, unwanted, "skip", "filtered", "not this branch")
        await end_next(world, AttemptState.PASSED)
        await world.send()
    assert stated(fake_github) == [("/test", "success")]


@pytest.mark.parametrize(
    ("kind", "path", "header", "words"),
    [
        (
            GitLabSettings,
            f"/api/v4/projects/group%2Fsub%2Fshop/statuses/{PUSH.revision}",
            ("private-token", "t0ken"),
            ("name", "canceled"),
        ),
        (
            GiteaSettings,
            f"/api/v1/repos/group/sub/shop/statuses/{PUSH.revision}",
            ("authorization", "token t0ken"),
            ("context", "error"),
        ),
    ],
)
async def test_each_forge_has_its_own_words(
    world: World,
    kind: type[GitLabSettings] | type[GiteaSettings],
    path: str,
    header: tuple[str, str],
    words: tuple[str, str],
) -> None:
    """Address, token, names of fields, and the word for what was aborted."""
    from tailrace.store.aborts import abort_run

    with FakeService(Says(201, {})) as fake_forge:
        settings: ForgeSettings = kind(api=f"{fake_forge.url}/", repository="group/sub/shop")
        await world.channel(settings, {"token": "t0ken"})
        run = await world.store.write(lambda connection: a_run(connection, plan_id=world.plan))
        await world.store.write(abort_run, run, "Ada")
        await world.send()
    (asked,) = fake_forge.asked
    assert asked.path == path
    assert asked.headers[header[0]] == header[1]
    assert (asked.json[words[0]], asked.json["state"]) == ("tailrace/default/test", words[1])


async def test_a_plan_that_cannot_be_read_is_told_too(world: World) -> None:
    """A run that ended before it had jobs has one status."""
    with FakeService(Says(201, {})) as fake_github:
        await world.channel(github(fake_github), {"token": "t"})
        run = await world.store.write(lambda connection: a_planning_run(connection, plan_id=world.plan))
        await world.store.write(end_planning, run, "fail", "plan_invalid", "line 3: unknown key")
        await world.send()
    (asked,) = fake_github.asked
    assert (asked.json["context"], asked.json["state"]) == ("tailrace/default", "failure")
    assert asked.json["description"] == "line 3: unknown key"


async def test_what_the_forge_took_is_not_told_again_after_a_failure(world: World) -> None:
    """The second of two is refused for now: only that is tried again."""
    with FakeService(Says(201, {}), Says(502, "bad gateway"), Says(201, {})) as fake_github:
        await world.channel(github(fake_github), {"token": "t"})
        await world.store.write(
            lambda connection: a_run(connection, a_job("a"), a_job("b"), plan_id=world.plan)
        )
        shown = await world.send()
        assert (shown.state, shown.told) == ("pending", {"tailrace/default/a": "pending"})
        await world.send()
    assert [one.json["context"][-1] for one in fake_github.asked] == ["a", "b", "b"]


async def test_a_slow_forge_is_told_of_many_jobs_in_several_tries(world: World) -> None:
    """What it took is written down before the claim runs out, and not told again; no try of them failed."""
    names = ["a", "b", "c", "d"]
    with FakeService(Says(201, {})) as fake_github:
        world.sender = world.make_sender(tell_s=0)
        await world.channel(github(fake_github), {"token": "t"})
        await world.store.write(
            lambda connection: a_run(connection, *(a_job(name) for name in names), plan_id=world.plan)
        )
        shown = [await world.send() for _ in names]
    assert [len(one.told or {}) for one in shown] == [1, 2, 3, 4]
    assert [one.state for one in shown] == ["pending", "pending", "pending", "sent"]
    assert [(one.attempts, one.last_error) for one in shown] == [(0, None)] * 3 + [(1, None)]
    assert [one.json["context"][-1] for one in fake_github.asked] == names


def test_gitlab_knows_it_already() -> None:
    """GitLab refuses a state that a status has; that is no failure."""
    gitlab = GitLabSettings(repository="a/b")
    body = b'{"message":"Cannot transition status via :enqueue from :pending"}'
    check(gitlab, Answer(400, body))
    with pytest.raises(Undelivered):
        check(gitlab, Answer(400, b'{"message":"sha is invalid"}'))


def test_a_limit_is_waited_for() -> None:
    """GitHub says 403 to those who ask too often, and to those who may not."""
    hub = GitHubSettings(repository="a/b")
    with pytest.raises(Undelivered) as caught:
        check(hub, Answer(403, b"secondary rate limit", {"retry-after": "30"}))
    assert (caught.value.final, caught.value.after_s) == (False, 30)
    with pytest.raises(Undelivered) as caught:
        check(hub, Answer(403, b"Resource not accessible"))
    assert caught.value.final


async def test_a_forge_can_be_tried(world: World) -> None:
    """It is asked for the repository; nothing is changed."""
    with FakeService(Says(200, {}), Says(404, {"message": "Not Found"})) as fake_github:
        channel = await world.channel(github(fake_github), {"token": "t"})
        await world.sender.try_channel(channel, "Ada")
        with pytest.raises(Undelivered, match="is there a repository ada/shop"):
            await world.sender.try_channel(channel, "Ada")
    assert [(one.method, one.path) for one in fake_github.asked] == [("GET", "/repos/ada/shop")] * 2
