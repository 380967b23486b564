"""Events into runs: which triggers make one, and what the others say."""

from __future__ import annotations

from typing import Any

import pytest
from sqlalchemy import Connection

from tailrace.domain.events import Event, EventKind
from tailrace.domain.filters import Filter, On
from tailrace.domain.slots import Slots
from tailrace.domain.triggers import (
    CronSettings,
    GitSettings,
    SubversionSettings,
    TriggerKind,
    TriggerSettings,
    UrlSettings,
    WebhookSettings,
)
from tailrace.store.planning import Resolved, claim_planning, end_planning, note_text
from tailrace.store.plans import create_plan
from tailrace.store.runs import get_run
from tailrace.store.triggers import add_trigger, list_triggers, set_enabled
from tailrace.triggers.fire import Fired, fire
from tests.unit.store.world import PUSH, a_project
from tests.unit.triggers.plans import DEFINITION, a_plan

TAG = Event(kind=EventKind.TAG, ref="refs/tags/v1", branch="v1", revision="b" * 40)


def _push(**changes: Any) -> Event:
    return PUSH.model_copy(update=changes)


def _fire(
    connection: Connection, project: int, event: Event = PUSH, kind: str = "webhook", **more: Any
) -> Fired:
    return fire(connection, project, event, kind=kind, by="Ada", **more)


def _also(connection: Connection, plan: int, settings: TriggerSettings, name: str = "another") -> int:
    return add_trigger(connection, plan, name, settings).id


def _webhook_of(connection: Connection, plan: int) -> int:
    (trigger,) = list_triggers(connection, plan_id=plan, kind=TriggerKind.WEBHOOK)
    return trigger.id


def _said(fired: Fired) -> dict[str, str | None]:
    return {f"{made.plan_name}/{made.name}": made.why_not for made in fired.outcomes}


def test_each_plan_that_listens_gets_a_run_that_names_its_trigger(connection: Connection) -> None:
    project = a_project(connection)
    plans = [a_plan(connection, project, name) for name in ("one", "two")]
    fired = _fire(connection, project)
    assert [get_run(connection, run).plan for run in fired.runs] == plans
    assert [made.run for made in fired.outcomes] == list(fired.runs)
    trigger = get_run(connection, fired.runs[0]).trigger
    assert (trigger.id, trigger.kind, trigger.by) == (_webhook_of(connection, plans[0]), "webhook", "Ada")


def test_a_disabled_trigger_says_who_disabled_it_and_why(connection: Connection) -> None:
    project = a_project(connection)
    plan = a_plan(connection, project)
    set_enabled(connection, _webhook_of(connection, plan), False, by="Grace", why="too much noise")
    fired = _fire(connection, project)
    assert fired.runs == ()
    assert _said(fired) == {"default/webhook": "it was disabled by Grace: too much noise"}
    assert fired.why == "it was disabled by Grace: too much noise"


def test_a_push_that_a_poll_found_starts_what_listens_to_webhooks_too(connection: Connection) -> None:
    """The webhook may never come, and when it comes the head is there already."""
    project = a_project(connection)
    by_webhook, polled = a_plan(connection, project, "hooked"), a_plan(connection, project, "polled")
    set_enabled(connection, _webhook_of(connection, polled), False, by="Ada", why=None)
    poll = _also(connection, polled, GitSettings())
    fired = _fire(connection, project, kind="git")
    assert {get_run(connection, run).plan for run in fired.runs} == {by_webhook, polled}
    assert fired.outcomes[0].trigger == poll, "who found it is asked first"
    assert get_run(connection, fired.runs[0]).trigger.kind == "git"


def test_a_webhook_starts_what_polls_as_well_and_no_plan_twice(connection: Connection) -> None:
    project = a_project(connection)
    plan = a_plan(connection, project)
    _also(connection, plan, GitSettings(), "poll")
    fired = _fire(connection, project)
    assert len(fired.runs) == 1
    assert _said(fired) == {
        "default/webhook": None,
        "default/poll": "its plan was started by trigger 'webhook' already",
    }


def test_a_poll_says_which_branches_and_tags_it_looks_at(connection: Connection) -> None:
    project = a_project(connection)
    plan = a_plan(connection, project)
    set_enabled(connection, _webhook_of(connection, plan), False, by="Ada", why=None)
    _also(connection, plan, GitSettings(branches=("release/*",)), "poll")
    assert _said(_fire(connection, project))["default/poll"] == "branch main: it looks at release/*"
    assert _said(_fire(connection, project, TAG))["default/poll"] == "it does not look at tags"
    assert len(_fire(connection, project, _push(branch="release/1")).runs) == 1


def test_a_webhook_triggers_own_filters_say_that_it_is_they_who_do_not_want_it(
    connection: Connection,
) -> None:
    """And not the plan, where nobody would find them."""
    project = a_project(connection)
    plan = a_plan(connection, project)
    set_enabled(connection, _webhook_of(connection, plan), False, by="Ada", why=None)
    filters = On(push=Filter(branches=("release/*",)))
    _also(connection, plan, WebhookSettings(filters=filters), "releases")
    assert _said(_fire(connection, project))["default/releases"] == (
        'branch main: "push.branches" of the trigger\'s filters has release/*'
    )
    assert _said(_fire(connection, project, TAG))["default/releases"] == (
        "a tag: the trigger's filters name push and not tag"
    )
    assert len(_fire(connection, project, _push(branch="release/1")).runs) == 1


def test_a_pull_request_is_asked_of_webhooks_alone(connection: Connection) -> None:
    project = a_project(connection)
    _also(connection, a_plan(connection, project), GitSettings(), "poll")
    fired = _fire(connection, project, _push(kind=EventKind.PULL_REQUEST, action="opened"))
    assert list(_said(fired)) == ["default/webhook"]


def test_with_a_trigger_named_only_that_one_is_asked(connection: Connection) -> None:
    project = a_project(connection)
    plan = a_plan(connection, project)
    tick = Event(kind=EventKind.TICK, values={"moment": "now"})
    cron = _also(connection, plan, CronSettings(expression="0 4 * * *"))
    _also(connection, plan, UrlSettings(url="https://example.org"), "url")
    (run,) = _fire(connection, project, tick, kind="cron", trigger_id=cron).runs
    made = get_run(connection, run)
    assert (made.trigger.id, made.trigger.kind, made.trigger.event) == (cron, "cron", "tick")
    assert made.variables == {"moment": "now"}


@pytest.mark.parametrize("words", ["[skip ci]", "[ci skip]", "[no ci]", "[SKIP CI]", "[skip tailrace]"])
def test_a_commit_can_say_that_nothing_is_to_run(connection: Connection, words: str) -> None:
    project = a_project(connection)
    a_plan(connection, project)
    fired = _fire(connection, project, _push(message=f"Fix a word\n\nNothing to test {words}"))
    assert (fired.runs, fired.outcomes) == ((), ())
    assert fired.why == f"the commit's message says {words}"


def test_a_tag_runs_whatever_its_commit_says(connection: Connection) -> None:
    """Releases tag a commit that was skipped on its branch."""
    project = a_project(connection)
    a_plan(connection, project)
    assert _fire(connection, project, TAG.model_copy(update={"message": "1.0 [skip ci]"})).runs


def test_a_project_without_plans_follows_its_repository(connection: Connection) -> None:
    (run,) = _fire(connection, a_project(connection)).runs
    assert get_run(connection, run).state == "planning"


def test_a_plan_of_the_repository_is_asked_when_it_is_read(connection: Connection) -> None:
    project = a_project(connection)
    create_plan(connection, project, "default", path=".tailrace.yml")
    assert len(_fire(connection, project).runs) == 1


@pytest.mark.parametrize(
    ("on", "why"),
    [
        ("push", 'a workflow: the plan\'s "on" names push and not workflow'),
        ("{workflow: {names: test}}", 'workflow deploy: "on.workflow.names" of the plan has test'),
        ("{workflow: {names: deploy}}", None),
    ],
)
def test_a_workflow_is_asked_of_the_text_that_a_run_of_its_commit_has_read(
    connection: Connection, on: str, why: str | None
) -> None:
    """GitHub tells of each step of each: one run that is skipped says it for them all, and the next commit is read anew."""
    project = a_project(connection)
    plan = create_plan(connection, project, "default", path=".tailrace.yml").id
    ended = Event(
        kind=EventKind.WORKFLOW, branch="main", revision="a" * 40, title="deploy", action="completed"
    )
    (first,) = _fire(connection, project, ended).runs
    assert get_run(connection, first).state == "planning", "nobody knows its text yet"
    (work,) = claim_planning(connection, "here", 60_000, Slots(1, 1, 1))
    text = f"on: {on}\njobs: {{a: {{steps: [{{run: x}}]}}}}\n"
    assert note_text(connection, work, text, Resolved("a" * 40, None, "main", "Title", "Eve"))
    end_planning(connection, first, "skip", "filtered", "not wanted", "here")
    fired = _fire(connection, project, ended)
    assert (len(fired.runs), fired.why) == (0 if why else 1, why)
    (other,) = _fire(connection, project, ended.model_copy(update={"revision": "b" * 40})).runs
    assert get_run(connection, other).state == "planning"
    assert get_run(connection, first).plan == plan


@pytest.mark.parametrize(
    ("values", "why"),
    [
        ({"WHERE": "evil"}, "parameter WHERE must be staging or production; found 'evil'"),
        ({"COUNT": "99"}, "parameter COUNT must be 3 or less; found '99'"),
        (
            {"KEY": "s3cret-key"},
            "parameter KEY is secret, and what an event gives is not: pick it under another name",
        ),
        ({"WHERE": "production", "OTHER": "x"}, None),
    ],
)
def test_what_an_event_gives_is_an_answer_or_starts_nothing(
    connection: Connection, values: dict[str, str], why: str | None
) -> None:
    """Who writes `choices` relies on them, whoever started the run."""
    project = a_project(connection)
    where = "{type: choice, choices: [staging, production], default: staging}"
    asks = f"{{WHERE: {where}, COUNT: {{type: number, max: 3}}, KEY: {{type: secret}}}}"
    a_plan(
        connection,
        project,
        definition=f"parameters: {asks}\n{DEFINITION}".replace("{make: {", "{make: {checkout: false, "),
    )
    fired = _fire(connection, project, Event(kind=EventKind.CHANGE, values=values))
    assert fired.why == why
    assert [get_run(connection, run).variables for run in fired.runs] == ([] if why else [values])


def test_triggers_with_different_reasons_are_summed_up(connection: Connection) -> None:
    project = a_project(connection)
    plan = a_plan(connection, project)
    set_enabled(connection, _webhook_of(connection, plan), False, by="Ada", why=None)
    _also(connection, plan, GitSettings(branches=("next",)), "poll")
    assert _fire(connection, project).why == (
        "none of 2 triggers starts a run: branch main: it looks at next; it was disabled by Ada"
    )


def test_another_webhook_trigger_of_a_plan_starts_it_once(connection: Connection) -> None:
    project = a_project(connection)
    _also(connection, a_plan(connection, project), WebhookSettings())
    assert len(_fire(connection, project).runs) == 1


def test_a_poll_of_a_folder_of_subversion_is_not_asked_of_its_branch(connection: Connection) -> None:
    """It looks at the folder by itself; one of the whole branch is asked."""
    project = a_project(connection)
    plans = [a_plan(connection, project, name) for name in ("folder", "branch", "whole", "branches")]
    for plan, path in zip(plans, ("trunk/docs", "trunk", "", "branches"), strict=True):
        add_trigger(connection, plan, "poll", SubversionSettings(path=path))
    push = _push(ref="trunk", branch="trunk", revision="7")
    fired = _fire(connection, project, push, kind="subversion")
    said = {made.plan: made.why_not for made in fired.outcomes if made.name == "poll"}
    away = {plans[0]: "it looks at trunk/docs by itself", plans[3]: "it looks at branches by itself"}
    assert said == away | {plans[1]: None, plans[2]: None}
    branch = _fire(connection, project, _push(ref="branches/b", branch="b", revision="8"), kind="subversion")
    asked = {made.plan for made in branch.outcomes if made.name == "poll" and made.run is not None}
    assert asked == {plans[2], plans[3]}
    (own,) = [made.trigger for made in fired.outcomes if made.plan == plans[0] and made.name == "poll"]
    assert len(_fire(connection, project, push, kind="subversion", trigger_id=own).runs) == 1
