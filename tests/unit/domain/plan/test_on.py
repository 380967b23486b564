"""`on` is read as it is written, or refused at its place."""

from __future__ import annotations

import pytest

from tailrace.domain.filters import Filter, On, Schedule
from tailrace.domain.plan import PlanInvalid, parse_plan

JOBS = "jobs: {a: {steps: [{run: x}]}}"


def on(text: str) -> On | None:
    return parse_plan(f"on: {text}\n{JOBS}").on


def faults(text: str) -> str:
    with pytest.raises(PlanInvalid) as caught:
        parse_plan(f"on: {text}\n{JOBS}", file="p")
    return str(caught.value)


def test_a_plan_need_not_say_what_starts_it() -> None:
    assert parse_plan(JOBS).on is None


def test_events_are_named_alone_in_a_list_or_with_filters() -> None:
    assert on("push") == on("[push]") == on("{push: }") == on("{push: {}}") == On(push=Filter())
    assert on("[push, tag]") == On(push=Filter(), tag=Filter())
    assert on("manual") == on("{manual: {}}") == On(), "only people"
    assert on('{push: {branches: [main, "release/*"], paths: "src/**"}, tag: {tags: v*}}') == On(
        push=Filter(branches=("main", "release/*"), paths=("src/**",)), tag=Filter(tags=("v*",))
    )


def test_actions_of_all_forges_are_words_of_one() -> None:
    read = on("{pull_request: {actions: [synchronize, update, opened]}}")
    assert read == On(pull_request=Filter(actions=("updated", "opened")))


def test_schedules_are_expressions_or_say_more() -> None:
    assert on('{schedule: "0 20 * * *"}') == On(schedule=(Schedule(cron="0 20 * * *"),))
    assert on('{schedule: ["0 20 * * *", {cron: "0 0 1 * * *", zone: Asia/Shanghai, branch: main}]}') == On(
        schedule=(
            Schedule(cron="0 20 * * *"),
            Schedule(cron="0 0 1 * * *", zone="Asia/Shanghai", branch="main"),
        )
    )


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        (
            "{}",
            'p:1:1: "on" of the plan is empty; allowed: manual, pull_request, push, schedule, tag, workflow',
        ),
        ("", 'p:1:1: "on" of the plan is empty'),
        ("[push, tga]", 'p:1:12: "on" of the plan names "tga"; allowed: manual'),
        ("schedule", '"schedule" without times'),
        (
            "{push: main}",
            'p:1:12: "on.push" of the plan must be a mapping with "branches" or "paths", or empty',
        ),
        ("{push: {tags: v1}}", 'unknown key "tags" in "on.push" of the plan; it belongs in "on.tag"'),
        ("{push: {branches: []}}", '"on.push.branches" of the plan is empty'),
        ("{push: {branches: refs/heads/x}}", "is a full ref; write the branch's or tag's own name"),
        ("{push: {paths: /etc}}", '"/etc" in "on.push.paths" of the plan begins with /'),
        ("{pull_request: {actions: flown}}", 'names "flown"; allowed: closed, merged, opened'),
        ("{merge_request: {}}", 'did you mean "pull_request"?'),
        ("{manual: {x: 1}}", "has nothing to say"),
        ('{schedule: "at noon"}', 'p:1:16: "on.schedule" of the plan: cron expression'),
        ('{schedule: "61 * * * *"}', 'p:1:16: "on.schedule" of the plan: cron expression'),
        ('{schedule: {cron: "@daily", zone: Mars/Base}}', "this server knows none of that name"),
        ("{schedule: {zone: UTC}}", 'has no "cron"'),
        ("{schedule: []}", "must have 1 to 20 times; found 0"),
    ],
)
def test_what_is_wrong_is_said_at_its_place(text: str, expected: str) -> None:
    assert expected in faults(text)
