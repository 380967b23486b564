"""The JSON Schema for editors never calls a plan wrong that is right, and knows every key."""

from __future__ import annotations

import json
import re
from pathlib import Path
from typing import Any

import pytest
import yaml
from hypothesis import given, settings
from hypothesis import strategies as st

from tailrace.domain.plan import Plan, PlanInvalid, parse_plan
from tailrace.domain.plan.errors import Problems, Unreadable
from tailrace.domain.plan.keys import JOB_KEYS, PLAN_KEYS, STEP_KEYS
from tailrace.domain.plan.nodes import Items, Mapping, Node, Scalar, read_nodes
from tailrace.domain.plan.schema import plan_schema
from tailrace.domain.plan.source import read_source
from tests.support.json_schema import faults_of
from tests.unit.domain.plan.test_properties import MISSHAPEN, YAMLISH, check_outcome, plans, written
from tests.unit.domain.plan.test_reference import EXAMPLES

DOCS = Path(__file__).parents[4] / "docs"
SCHEMA = plan_schema()


OF_ALL = {
    "variables": ["{A: 1, B: x, C: true}"],
    "log": ["{limit: 1GiB}", "{limit: 4096, when_full: drop}"],
    "limits": ["{memory: 1GiB, processes: 10}", "{cpu: 0.5}", "{memory: 4194304, cpu: 2}"],
    "shell": ["bash", "perl -w"],
    "workspace": ["clean", "keep"],
}
OF_PLAN = {
    **OF_ALL,
    "on": [
        "push",
        "[push, tag]",
        "{push: {branches: main, paths: [src]}, tag: , pull_request: {}, workflow: {names: x, conclusions: success}, manual: }",
        '{schedule: "0 1 * * *"}',
        '{schedule: ["0 1 * * *", {cron: "0 0 1 * * *", zone: UTC, branch: main}]}',
    ],
    "parameters": [
        "{A: , B: x, C: 1, D: {type: boolean, default: true}, E: {type: choice, choices: [1, b]}}",
        "{A: {type: number, min: 1, max: 2.5, default: 2, description: x}, B: {type: secret}}",
    ],
    "defaults": ["{labels: linux, timeout: 5m, checkout: false, retry: 2}"],
    "concurrency": ["group", "{group: '${branch}', cancel_superseded: true}"],
    "priority": ["-5", "1000"],
    "max_parallel": ["3"],
    "jobs": ["{a: {steps: [{run: x}]}}"],
}
OF_JOB = {
    **OF_ALL,
    "needs": ["b", "[b]"],
    "labels": ["linux", "[linux, 3.11]", '["${matrix.a}"]'],
    "secrets": ["TOKEN", "[A, B]"],
    "if": ["always", "true", "branch == 'main'"],
    "timeout": ["90", "20m", "1h30m5s", '"${matrix.a}"'],
    "start_timeout": ["5m"],
    "idle_timeout": ["5"],
    "working_directory": ["src"],
    "checkout": ["false", "{depth: 3}", "{depth: all, submodules: recursive}", "{submodules: true}"],
    "retry": ["2", "{max: 3, on: timeout, delay: 5m}", "{on: [timeout, exit_code]}"],
    "allow_failure": ["true", '"${matrix.a}"'],
    "environment": ["production"],
    "concurrency": ["group", "{group: 'x-${matrix.a}', cancel_superseded: true}"],
    "max_parallel": ["2", '"${matrix.a}"'],
    "fail_fast": ["true"],
    "matrix": ["{a: [true]}", "{a: 3}", "{a: [1, 2], include: [{a: 3, b: 4}], exclude: [{a: 1}]}"],
    "outputs": ["{A: x}"],
    "steps": ["[{run: x}]"],
    "finally": ["[{run: x}]", "{steps: [{run: x}], timeout: 1m}"],
}
OF_STEP = {
    "run": ["x", "1"],
    "artifacts": ["dist", "[a, '!a/b']", "{paths: a, keep: 30d, optional: true}", "{from: b, to: x}"],
    "name": ["a name"],
    "id": ["x"],
    "if": ["failure"],
    "env": ["{A: 1}"],
    "shell": ["sh"],
    "working_directory": ["a/b"],
    "timeout": ["5m"],
    "continue_on_error": ["true"],
    "pty": ["false"],
}
RIGHT = [
    (f"{level} {key}: {value}", level, key, value)
    for level, keys in (("plan", OF_PLAN), ("job", OF_JOB), ("step", OF_STEP))
    for key, values in keys.items()
    for value in values
]


def plan_with(level: str, key: str, value: str) -> str:
    """A plan that has a key somewhere."""
    at = {"job": "", "step": "", level: f"{key}: {value}, "}
    plan = f"{key}: {value}\n" if level == "plan" else ""
    step = "" if (level, key) in (("step", "run"), ("step", "artifacts")) else "run: x"
    steps = "" if (level, key) == ("job", "steps") else f"steps: [{{{at['step']}{step}}}]"
    matrix = "matrix: {a: [1]}, " if "matrix." in value and key != "allow_failure" else ""
    matrix = "matrix: {a: [true]}, " if "matrix." in value and key == "allow_failure" else matrix
    matrix = (
        "matrix: {a: [1]}, " if (level, key) in (("job", "max_parallel"), ("job", "fail_fast")) else matrix
    )
    needs = "needs: b, " if "from: b" in value else ""
    b = ", b: {steps: [{run: x}]}" if "b" in value else ""
    if (level, key) == ("plan", "jobs"):
        return plan
    return f"{plan}jobs: {{a: {{{matrix}{needs}{at['job']}{steps}}}{b}}}\n"


def as_editors_see(node: Node | None) -> Any:
    """By YAML 1.2's core schema."""
    match node:
        case Mapping():
            return {entry.key: as_editors_see(entry.value) for entry in node.entries}
        case Items():
            return [as_editors_see(item) for item in node.items]
        case Scalar() if not node.plain:
            return node.text
        case Scalar() if not node.is_null:
            if node.text.lower() in ("true", "false"):
                return node.text.lower() == "true"
            if re.fullmatch(r"[-+]?[0-9]+", node.text):
                return int(node.text)
            if re.fullmatch(r"[-+]?[0-9]+\.[0-9]+", node.text):
                return float(node.text)
            return node.text
        case _:
            return None


def said(text: str) -> list[str]:
    return faults_of(as_editors_see(read_nodes(read_source(text), Problems())), SCHEMA, SCHEMA)


def test_the_published_schema_is_this_one() -> None:
    """`tailrace plan schema > docs/plan-schema.json` publishes it."""
    assert json.loads((DOCS / "plan-schema.json").read_text()) == SCHEMA


@pytest.mark.parametrize("text", [text for text, refusal in EXAMPLES if refusal is None])
def test_every_plan_of_the_reference_fits(text: str) -> None:
    assert said(text) == []


def test_this_repository_s_own_plan_fits() -> None:
    assert said((DOCS.parent / ".tailrace.yml").read_text()) == []


@given(plan=plans())
def test_every_plan_fits_as_it_is_written(plan: Plan) -> None:
    assert faults_of(written(plan), SCHEMA, SCHEMA) == []
    assert said(yaml.safe_dump(written(plan), sort_keys=False)) == []


def test_each_key_is_among_those_that_are_tried() -> None:
    for keys, tried in ((PLAN_KEYS, OF_PLAN), (JOB_KEYS, OF_JOB), (STEP_KEYS, OF_STEP)):
        assert sorted(tried) == sorted(keys.allowed)


@pytest.mark.parametrize(("level", "key", "value"), [one[1:] for one in RIGHT], ids=[one[0] for one in RIGHT])
def test_what_a_plan_may_say_fits(level: str, key: str, value: str) -> None:
    text = plan_with(level, key, value)
    assert parse_plan(text).jobs
    assert said(text) == []


@given(
    st.sampled_from(RIGHT).flatmap(
        lambda one: st.sampled_from(RIGHT).map(lambda other: plan_with(one[1], one[2], other[3]))
    )
    | MISSHAPEN
    | YAMLISH.map(lambda text: "jobs:\n  a:\n    steps:\n    - run: x\n" + text)
)
@settings(max_examples=300)
def test_what_the_schema_refuses_is_no_plan(text: str) -> None:
    check_outcome(text)  # never a crash, every fault with a place
    try:
        parse_plan(text)
    except PlanInvalid:
        return
    try:
        faults = said(text)
    except Unreadable:
        raise AssertionError("what is a plan can be read") from None
    assert faults == []


@pytest.mark.parametrize(
    ("text", "place"),
    [
        ("jobz: {}", "jobz"),
        ("jobs: {a: {steps: []}}", "/jobs/a/steps"),
        ("jobs: {a: {steps: [{runn: x}]}}", "/jobs/a/steps/0/runn"),
        ("jobs: {a: {stepz: 1, steps: [{run: x}]}}", "/jobs/a/stepz"),
        ("jobs: {a: {steps: [{run: x}], timeout: soon}}", "/jobs/a/timeout"),
        ("on: {pushed: {}}\njobs: {a: {steps: [{run: x}]}}", "/on"),
        ("parameters: {A: {type: date}}\njobs: {a: {steps: [{run: x}]}}", "/parameters/A"),
    ],
)
def test_slips_are_found(text: str, place: str) -> None:
    """And the parser finds them too."""
    assert any(place in fault for fault in said(text))
    with pytest.raises(PlanInvalid):
        parse_plan(text)
