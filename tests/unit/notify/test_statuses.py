"""Commit statuses: each forge is told of each job, once for each state that it had when it was told."""

from __future__ import annotations

import pytest
from sqlalchemy import Connection

from tailrace.domain.channels import ForgeSettings, GiteaSettings, GitHubSettings, GitLabSettings
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
        ("tailrace/default/test", "success"),
    ]
    last = fake_github.asked[2]
    assert last.path == f"/repos/ada/shop/statuses/{PUSH.revision}"
    assert last.headers["authorization"] == "Bearer t0ken"
    assert last.json["target_url"].startswith(f"{URL}/runs/{run}/jobs/")
    assert last.json["description"] == "failed: it ended with 2"
    assert sent.told == {"tailrace/default/build": "failed", "tailrace/default/test": "skipped"}


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
