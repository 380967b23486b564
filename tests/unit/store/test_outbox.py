"""What a run's end means to people is decided in the transaction in which it ends."""

from __future__ import annotations

import pytest
from sqlalchemy import Connection, select, update

from tailrace.domain.channels import GitHubSettings, WebhookSettings
from tailrace.domain.errors import Conflict, MoveRefused, NotFound
from tailrace.domain.events import Event, EventKind
from tailrace.domain.notifications import NotificationView, When
from tailrace.domain.states import AttemptState, NotificationState
from tailrace.store.aborts import abort_run
from tailrace.store.approvals import decide
from tailrace.store.asking import open_approvals
from tailrace.store.badges import Badged, find_badge
from tailrace.store.base import Store
from tailrace.store.channels import add_channel, change_channel, get_channel, list_channels, remove_channel
from tailrace.store.environments import Terms, create_environment
from tailrace.store.notification_rules import add_rule, list_rules, remove_rule
from tailrace.store.outbox import (
    NotificationFilter,
    get_notification,
    list_notifications,
    note_progress,
    note_waiting,
    send_again,
)
from tailrace.store.outbox_claims import (
    Due,
    anything_due,
    claim_due,
    end_failed,
    end_sent,
    put_off,
    release,
)
from tailrace.store.planning import end_planning
from tailrace.store.plans import create_plan
from tailrace.store.reopening import retry_failed
from tailrace.store.tables import outbox
from tests.unit.store.conftest import overlapping
from tests.unit.store.world import (
    PUSH,
    a_job,
    a_planning_run,
    a_project,
    a_run,
    an_agent,
    finish,
    lease,
    start,
)

FAILED, PASSED = AttemptState.FAILED, AttemptState.PASSED


class Setting:
    """A plan with a channel, in one transaction."""

    def __init__(self, connection: Connection) -> None:
        self.connection = connection
        self.project = a_project(connection)
        text = "jobs: {test: {steps: [{run: make}]}}"
        self.plan = create_plan(connection, self.project, "default", definition=text).id
        self.agent = an_agent(connection)
        self.channel = self.add("one")

    def add(self, name: str, project: int | None = None) -> int:
        settings = WebhookSettings(url="https://example.org")
        return add_channel(
            self.connection, project, name, settings, {"key": "x"}, lambda row: row.encode(), author="Ada"
        ).id

    def rule(self, *on: When, channel: int | None = None, branches: tuple[str, ...] | None = None) -> int:
        return add_rule(
            self.connection,
            channel or self.channel,
            project_id=self.project,
            plan_id=None,
            on=on,
            branches=branches,
            author="Ada",
        ).id

    def run(self, state: AttemptState, branch: str = "main") -> int:
        return self.run_of(PUSH.model_copy(update={"branch": branch, "ref": f"refs/heads/{branch}"}), state)

    def run_of(self, event: Event, state: AttemptState) -> int:
        run = a_run(self.connection, plan_id=self.plan, event=event)
        for approval in open_approvals(self.connection, run).values():
            decide(self.connection, approval, approve=True, by="Ada", why=None)
        self.go(state)
        return run

    def go(self, state: AttemptState) -> None:
        (leased,) = lease(self.connection, self.agent)
        start(self.connection, self.agent, leased.attempt)
        finish(self.connection, self.agent, leased.attempt, state)

    def told(self, channel: int | None = None) -> list[tuple[int, str]]:
        """Of which run what was told, in that order."""
        shown = list_notifications(self.connection, NotificationFilter(channel=channel))
        return [(one.run, one.what.value) for one in reversed(shown)]

    def claim(self, by: str = "a" * 32, claim_ms: int = 60_000, busy: tuple[int, ...] = ()) -> list[Due]:
        return claim_due(self.connection, by, claim_ms, 10, busy)

    def show(self, id: int) -> NotificationView:
        return get_notification(self.connection, id)


@pytest.fixture
def setting(connection: Connection) -> Setting:
    return Setting(connection)


def test_each_kind_of_rule_tells_what_it_says(setting: Setting) -> None:
    """Five runs in a row: passed, failed, failed, passed, passed; a channel for each kind of rule."""
    channels = {when: setting.add(when.value) for when in When}
    for when, channel in channels.items():
        setting.rule(when, channel=channel)
    a, b, c, d, e = (setting.run(state) for state in (PASSED, FAILED, FAILED, PASSED, PASSED))
    assert setting.told(channels[When.FAILED]) == [(b, "failed"), (c, "failed")]
    assert setting.told(channels[When.FIRST_FAILURE]) == [(b, "failed")]
    assert setting.told(channels[When.RECOVERED]) == [(d, "recovered")]
    assert setting.told(channels[When.EVERY]) == [
        (a, "passed"),
        (b, "failed"),
        (c, "failed"),
        (d, "recovered"),
        (e, "passed"),
    ]
    assert setting.told(channels[When.WAITING]) == []


def test_an_older_run_that_ends_last_is_no_news_of_its_branch(setting: Setting) -> None:
    """The newer one has passed: readers who heard "failed" now would never hear that it recovered."""
    news, every = setting.add("news"), setting.add("every")
    setting.rule(When.FIRST_FAILURE, When.RECOVERED, channel=news)
    setting.rule(When.EVERY, channel=every)
    older, newer = (a_run(setting.connection, plan_id=setting.plan) for _ in range(2))
    first, second = lease(setting.connection, setting.agent, free=2)
    for leased, state in ((second, PASSED), (first, FAILED)):
        start(setting.connection, setting.agent, leased.attempt)
        finish(setting.connection, setting.agent, leased.attempt, state)
    last = setting.run(PASSED)
    assert setting.told(news) == []
    assert setting.told(every) == [(newer, "passed"), (older, "failed"), (last, "passed")]


def test_branches_are_told_apart(setting: Setting) -> None:
    """The run before is the one before it on its branch, and a rule may be for some branches only."""
    setting.rule(When.FIRST_FAILURE)
    other = setting.add("other")
    setting.rule(When.FAILED, channel=other, branches=("release/*",))
    main, fork = setting.run(FAILED, "main"), setting.run(FAILED, "release/1")
    setting.run(FAILED, "main")
    assert setting.told(setting.channel) == [(main, "failed"), (fork, "failed")]
    assert setting.told(other) == [(fork, "failed")]


STRANGE = [
    Event(kind=EventKind.PULL_REQUEST, ref="refs/pull/7/head", branch="main", from_fork=True),
    Event(kind=EventKind.PULL_REQUEST, ref="refs/pull/8/head", branch="main"),
    Event(kind=EventKind.TAG, ref="refs/tags/main", branch="main"),
    Event(kind=EventKind.WORKFLOW, branch="main", from_fork=True),
]
"""What is called main and is not the repository's branch main."""


@pytest.mark.parametrize("event", STRANGE, ids=["fork", "own", "tag", "workflow"])
def test_a_strangers_main_is_not_main(setting: Setting, event: Event) -> None:
    """It is told of by no rule for main, is not the run before main's, and fails no badge."""
    badged = Badged(setting.project, "shop")
    setting.rule(When.FIRST_FAILURE, When.RECOVERED)
    other = setting.add("other")
    setting.rule(When.FAILED, channel=other, branches=("main",))
    setting.run(PASSED)
    strange = setting.run_of(event, FAILED)
    assert setting.told(setting.channel) == [(strange, "failed")]
    assert setting.told(other) == []
    for branch in ("main", None):
        assert find_badge(setting.connection, badged, None, branch).state == "passed"
    setting.run(PASSED)
    failed = setting.run(FAILED)
    setting.run_of(event, FAILED)
    assert setting.told(setting.channel) == [(strange, "failed"), (failed, "failed")]
    assert setting.told(other) == [(failed, "failed")]
    assert find_badge(setting.connection, badged, None, None).state == "failed"


def test_a_rule_names_pull_requests_and_tags_by_their_refs(setting: Setting) -> None:
    """Each of them has a run before of its own."""
    setting.rule(When.RECOVERED, When.FIRST_FAILURE, branches=("refs/pull/*", "refs/tags/*"))
    for event in STRANGE[:3]:
        setting.run_of(event, FAILED)
    assert [what for _, what in setting.told()] == ["failed"] * 3
    for event in STRANGE[:3]:
        setting.run_of(event, PASSED)
    assert [what for _, what in setting.told()] == ["failed"] * 3 + ["recovered"] * 3


@pytest.mark.parametrize(("ref", "branch"), [("trunk", "trunk"), ("branches/one", "one"), (None, "main")])
def test_a_branch_of_subversion_is_a_branch(setting: Setting, ref: str | None, branch: str) -> None:
    """As is one of which only the name is known."""
    setting.rule(When.FIRST_FAILURE, branches=(branch,))
    event = Event(kind=EventKind.CHANGE, ref=ref, branch=branch)
    for _ in range(2):
        setting.run_of(event, FAILED)
    assert len(setting.told()) == 1
    badged = Badged(setting.project, "shop")
    assert find_badge(setting.connection, badged, "default", branch).state == "failed"
    assert find_badge(setting.connection, badged, "default", None).state == "failed"


def test_the_first_failure_of_a_plan_without_branches_is_told_once(setting: Setting) -> None:
    """A run without a branch follows the run without one."""
    setting.rule(When.FIRST_FAILURE)
    event = Event(kind=PUSH.kind)
    for _ in range(2):
        a_run(setting.connection, plan_id=setting.plan, event=event)
        setting.go(FAILED)
    assert len(setting.told()) == 1


def test_a_channel_is_told_once_however_many_rules_name_it(setting: Setting) -> None:
    """Two rules, one message."""
    setting.rule(When.FAILED)
    setting.rule(When.EVERY)
    run = setting.run(FAILED)
    assert setting.told() == [(run, "failed")]


def test_a_run_that_is_tried_again_is_told_of_again(setting: Setting) -> None:
    """It failed and was told; it passes at the second try: recovered. It fails again: no first failure."""
    setting.rule(When.FIRST_FAILURE, When.RECOVERED)
    run = setting.run(FAILED)
    retry_failed(setting.connection, run)
    setting.go(FAILED)
    assert setting.told() == [(run, "failed")]
    retry_failed(setting.connection, run)
    setting.go(PASSED)
    assert setting.told() == [(run, "failed"), (run, "recovered")]


def test_a_run_that_ends_before_it_has_jobs_is_told_of(setting: Setting) -> None:
    """Its plan cannot be read, or it is aborted while it is planned; not when no plan wants it."""
    setting.rule(When.EVERY)
    failed, aborted, unwanted = (a_planning_run(setting.connection, plan_id=setting.plan) for _ in range(3))
    end_planning(setting.connection, failed, "fail", "plan_invalid", "line 3")
    abort_run(setting.connection, aborted, "Ada")
    end_planning(setting.connection, unwanted, "skip", "plan_missing", "there is no .tailrace.yml")
    assert setting.told() == [(failed, "failed"), (aborted, "aborted")]


def test_a_wait_is_told_once(setting: Setting) -> None:
    """The same occasion again changes nothing; another one is told."""
    setting.rule(When.WAITING)
    run = a_run(setting.connection, plan_id=setting.plan)
    for occasion in ("approval/1", "approval/1", "approval/2"):
        note_waiting(setting.connection, run, occasion, "job deploy waits for production")
    assert setting.told() == [(run, "waiting"), (run, "waiting")]


def test_rules_and_channels_that_are_gone_or_off_tell_nothing(setting: Setting) -> None:
    """Removed rule, disabled channel, removed channel."""
    off, gone = setting.add("off"), setting.add("gone")
    rule = setting.rule(When.EVERY)
    setting.rule(When.EVERY, channel=off)
    setting.rule(When.EVERY, channel=gone)
    remove_rule(setting.connection, rule)
    change_channel(setting.connection, off, enabled=False)
    remove_channel(setting.connection, gone)
    setting.run(FAILED)
    assert setting.told() == []
    with pytest.raises(NotFound):
        get_channel(setting.connection, gone)
    assert gone not in [one.id for one in list_channels(setting.connection)]
    assert gone not in [one.channel for one in list_rules(setting.connection)]


def test_what_waits_for_a_channel_that_goes_off_has_failed(setting: Setting) -> None:
    """It is not sent long after, when the channel is on again."""
    setting.rule(When.EVERY)
    setting.run(FAILED)
    change_channel(setting.connection, setting.channel, enabled=False)
    (shown,) = list_notifications(setting.connection, NotificationFilter())
    assert (shown.state, shown.last_error) == ("failed", "the channel was disabled before it was sent")
    with pytest.raises(MoveRefused):
        send_again(setting.connection, shown.id)


def test_a_rule_fits_its_channel_and_its_plan(setting: Setting) -> None:
    """A project's channel is for its own rules; commit statuses have none."""
    own = setting.add("own", a_project(setting.connection))
    with pytest.raises(Conflict, match="belongs to project"):
        setting.rule(When.FAILED, channel=own)
    github = add_channel(
        setting.connection,
        setting.project,
        "github",
        GitHubSettings(repository="o/r"),
        {"token": "t"},
        lambda row: b"",
        author="Ada",
    )
    with pytest.raises(Conflict, match="sets commit statuses"):
        setting.rule(When.FAILED, channel=github.id)


def test_a_claim_is_one_servers_and_one_of_each_channel(setting: Setting) -> None:
    """The oldest of each channel; nothing of a channel that is busy; nothing twice."""
    second = setting.add("second")
    setting.rule(When.EVERY)
    setting.rule(When.EVERY, channel=second)
    first_run, _ = setting.run(FAILED), setting.run(FAILED)
    assert anything_due(setting.connection)
    mine = setting.claim()
    assert [(due.channel_id, due.run_id) for due in mine] == [
        (setting.channel, first_run),
        (second, first_run),
    ]
    assert setting.claim("b" * 32, busy=(setting.channel, second)) == []
    assert end_sent(setting.connection, mine[0])
    assert setting.show(mine[0].id).state == "sent"
    assert not end_sent(setting.connection, mine[0])


def test_what_is_put_off_comes_later_and_counts(setting: Setting) -> None:
    """Its error is shown; one that was no attempt is counted as none."""
    setting.rule(When.EVERY)
    setting.run(FAILED)
    (due,) = setting.claim()
    assert put_off(setting.connection, due, 60_000, "HTTP 503")
    assert setting.claim() == []
    shown = setting.show(due.id)
    assert (shown.state, shown.attempts, shown.last_error) == ("pending", 1, "HTTP 503")
    setting.connection.execute(update(outbox).values(next_at=0))
    (due,) = setting.claim()
    assert release(setting.connection, due)
    assert setting.show(due.id).attempts == 1


def test_a_claim_of_a_server_that_ended_is_sent_again_only_where_that_is_known(setting: Setting) -> None:
    """A signed webhook has an id by which its receiver knows it again; a chat has none."""
    setting.rule(When.EVERY)
    setting.run(FAILED)
    (due,) = setting.claim(claim_ms=-1)
    (again,) = setting.claim("b" * 32)
    assert again.id == due.id
    assert not end_sent(setting.connection, due)
    assert put_off(setting.connection, again, -1, None)
    setting.connection.exec_driver_sql("UPDATE channel SET kind = 'slack'")
    setting.claim(claim_ms=-1)
    assert setting.claim() == []
    shown = setting.show(due.id)
    assert (shown.state, "may have arrived" in (shown.last_error or "")) == ("unsure", True)


def test_one_that_failed_can_be_sent_again_and_one_that_was_sent_cannot(setting: Setting) -> None:
    """Nothing is sent twice, not even by hand."""
    setting.rule(When.EVERY)
    setting.run(FAILED)
    (due,) = setting.claim()
    end_failed(setting.connection, due, NotificationState.FAILED, "HTTP 404")
    assert send_again(setting.connection, due.id).state == "pending"
    (due,) = setting.claim()
    assert due.attempts == 1
    end_sent(setting.connection, due)
    with pytest.raises(MoveRefused):
        send_again(setting.connection, due.id)


def test_commit_statuses_are_one_notification_a_run_that_begins_anew(setting: Setting) -> None:
    """A change while it is sent is not lost: it is pending again when that ends."""
    add_channel(
        setting.connection,
        setting.project,
        "github",
        GitHubSettings(repository="o/r"),
        {"token": "t"},
        lambda row: b"",
        author="Ada",
    )
    run = a_run(setting.connection, a_job("a"), plan_id=setting.plan)
    (due,) = setting.claim()
    assert (due.run_id, due.what) == (run, "statuses")
    setting.go(PASSED)
    assert end_sent(setting.connection, due, {"tailrace/default/a": "pending"})
    shown = setting.show(due.id)
    assert (shown.state, shown.told) == ("pending", {"tailrace/default/a": "pending"})
    (due,) = setting.claim()
    assert due.told == {"tailrace/default/a": "pending"}
    assert end_sent(setting.connection, due, {"tailrace/default/a": "passed"})
    assert setting.show(due.id).state == "sent"
    assert not anything_due(setting.connection)


def test_two_servers_do_not_send_to_one_channel_at_the_same_time(setting: Setting) -> None:
    """One message at a time, in order, whoever sends it."""
    setting.rule(When.EVERY)
    first, second = setting.run(FAILED), setting.run(FAILED)
    (mine,) = setting.claim("a" * 32)
    assert mine.run_id == first
    assert setting.claim("b" * 32) == []
    assert end_sent(setting.connection, mine)
    (yours,) = setting.claim("b" * 32)
    assert yours.run_id == second


async def test_two_servers_never_claim_the_same(store: Store) -> None:
    """Also when the second looks before the first has committed."""

    def end(connection: Connection) -> None:
        setting = Setting(connection)
        setting.rule(When.EVERY)
        setting.run(FAILED)

    await store.write(end)
    first, second = await overlapping(
        store,
        lambda connection: claim_due(connection, "a" * 32, 60_000, 10, ()),
        lambda connection: claim_due(connection, "b" * 32, 60_000, 10, ()),
    )
    assert (len(first), len(second)) == (1, 0)


async def test_a_change_while_the_last_one_is_recorded_is_not_lost(store: Store) -> None:
    """A job moves on in one transaction, the forge's answer to what was before is stored in another."""

    def begin(connection: Connection) -> tuple[int, Due]:
        setting = Setting(connection)
        add_channel(
            connection,
            setting.project,
            "github",
            GitHubSettings(repository="o/r"),
            {"token": "t"},
            lambda row: b"",
            author="Ada",
        )
        run = a_run(connection, plan_id=setting.plan)
        (due,) = setting.claim()
        return run, due

    run, due = await store.write(begin)
    await overlapping(
        store,
        lambda connection: note_progress(connection, run),
        lambda connection: end_sent(connection, due, {"a": "pending"}),
    )
    assert (await store.read(get_notification, due.id)).state == "pending"


async def test_a_run_whose_end_is_undone_tells_nothing(store: Store) -> None:
    """The outbox is written in the run's own transaction."""

    def end_and_break(connection: Connection) -> None:
        setting = Setting(connection)
        setting.rule(When.EVERY)
        setting.run(FAILED)
        assert connection.execute(select(outbox.c.id)).first() is not None
        raise RuntimeError("power cut")

    with pytest.raises(RuntimeError):
        await store.write(end_and_break)
    assert await store.read(list_notifications, NotificationFilter()) == []


def test_who_must_allow_something_is_told_once(connection: Connection) -> None:
    """In the transaction that asks; to ask a second time of the same is not to tell it again."""
    setting = Setting(connection)
    setting.rule(When.WAITING)
    create_environment(connection, setting.project, "production", Terms(), "Ada")
    deploy = a_job("deploy").model_copy(update={"environment": "production"})
    run = a_run(connection, deploy, a_job("lint"), plan_id=setting.plan)
    held = lease(connection, setting.agent)
    start(connection, setting.agent, held[0].attempt)
    finish(connection, setting.agent, held[0].attempt)
    told = list_notifications(connection, NotificationFilter(run=run))
    assert [one.detail for one in told] == [
        "job deploy wants to go to environment production: somebody has to allow it"
    ]
