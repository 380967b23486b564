"""What holds for every text and every plan."""

from __future__ import annotations

import re
from typing import Any

import pytest
import yaml
from hypothesis import example, given
from hypothesis import strategies as st

from tailrace.domain.plan import JobSpec, Plan, PlanError, PlanInvalid, RunStep, parse_plan
from tailrace.domain.plan.errors import Problems, Unreadable
from tailrace.domain.plan.nodes import read_nodes
from tailrace.domain.plan.source import read_source

PIECES = st.sampled_from(
    [
        *"jobs steps run needs variables labels timeout checkout a b on ~ 20m <<".split(),  # noqa: SIM905
        *":[]{}<>#!?\"'\\|\t\r\n\0é\U0001f600\ufeff\u2028",
        *": |- |, |? |&a |*a|x y|!!str |---\n|...\n|%YAML 1.2\n|\r\n|\n  |\n    ".split("|"),  # noqa: SIM905
    ]
)
YAMLISH = st.lists(PIECES, max_size=60).map("".join)
MISSHAPEN = st.recursive(
    st.none() | st.booleans() | st.integers() | st.text(max_size=5),
    lambda inner: (
        st.lists(inner, max_size=3)
        | st.dictionaries(
            st.sampled_from(
                ["jobs", "steps", "run", "name", "needs", "labels", "variables", "timeout", "on", "a", "b"]
            ),
            inner,
            max_size=5,
        )
    ),
    max_leaves=20,
).map(lambda value: yaml.safe_dump(value, allow_unicode=True))
JOB_NAMES = st.from_regex(r"[A-Za-z0-9][A-Za-z0-9_.-]{0,12}", fullmatch=True)
VARIABLES = st.dictionaries(
    st.from_regex(r"[A-Za-z_][A-Za-z0-9_]{0,8}", fullmatch=True),
    st.text(st.characters(codec="utf-8", exclude_characters="\0"), max_size=20),
    max_size=4,
)
SCRIPTS = st.text(st.characters(codec="utf-8", exclude_characters="\0"), min_size=1, max_size=80).filter(
    str.strip
)
STEP_NAMES = st.text(min_size=1, max_size=20).filter(lambda name: name.isprintable() and name.strip())


def lines_of(source: str | bytes) -> list[str]:
    text = source.decode(errors="replace") if isinstance(source, bytes) else source
    return re.split(r"\r\n|\r|\n", text.removeprefix("\ufeff"))


def outcome(source: str | bytes) -> tuple[Plan | None, tuple[PlanError, ...]]:
    try:
        return parse_plan(source), ()
    except PlanInvalid as invalid:
        return None, invalid.errors


def check_outcome(source: str | bytes) -> None:
    plan, errors = outcome(source)
    if plan is not None:
        assert plan.jobs
        assert all(job.steps for job in plan.jobs.values())
        assert Plan.model_validate_json(plan.model_dump_json()) == plan
        return
    assert errors
    assert list(errors) == sorted(errors, key=lambda error: (error.line, error.column))
    lines = lines_of(source)
    for error in errors:
        assert 1 <= error.line <= len(lines), error
        assert 1 <= error.column <= len(lines[error.line - 1]) + 1, error
        assert error.message.isprintable()


@given(
    st.text()
    | YAMLISH
    | YAMLISH.map(lambda text: "jobs:\n  a:\n    steps:\n    - run: x\n" + text)
    | MISSHAPEN
)
@example("jobs: [\n")
@example('jobs: "\n')
@example("jobs: |\n\ta")
@example("---")
@example("0:\n0")
def test_a_text_is_a_plan_or_refused_with_places_inside_of_it(text: str):
    check_outcome(text)


@given(
    st.binary()
    | YAMLISH.map(lambda text: text.encode("utf-8"))
    | YAMLISH.map(lambda text: text.encode("utf-16"))
)
def test_bytes_are_a_plan_or_refused_with_places_inside_of_them(source: bytes):
    check_outcome(source)


def fault_of(text: str, loader: type[Any]) -> Unreadable | None:
    try:
        read_nodes(read_source(text), Problems(), loader)
    except Unreadable as fault:
        return fault
    return None


@pytest.mark.parametrize("loader", [yaml.CSafeLoader, yaml.SafeLoader])
@given(text=YAMLISH | MISSHAPEN)
def test_either_loader_reads_a_text_or_says_where_it_cannot(text: str, loader: type[Any]):
    fault = fault_of(text, loader)
    assert fault is None or 1 <= fault.place.line <= len(lines_of(text))


@st.composite
def plans(draw: st.DrawFn) -> Plan:
    """A valid plan, in which a job needs only jobs before it."""
    shared = draw(VARIABLES)
    jobs: dict[str, JobSpec] = {}
    for name in draw(st.lists(JOB_NAMES, min_size=1, max_size=5, unique=True)):
        steps = draw(st.lists(st.builds(RunStep, name=STEP_NAMES, run=SCRIPTS), min_size=1, max_size=3))
        jobs[name] = JobSpec(
            name=name,
            needs=tuple(draw(st.lists(st.sampled_from(sorted(jobs)), unique=True, max_size=3)))
            if jobs
            else (),
            labels=tuple(draw(st.lists(JOB_NAMES, unique=True, max_size=3))),
            variables={**shared, **draw(VARIABLES)},
            timeout_s=draw(st.integers(1, 7 * 24 * 3600)),
            checkout=draw(st.booleans()),
            steps=tuple(steps),
        )
    return Plan(variables=shared, jobs=jobs)


def written(plan: Plan) -> dict[str, Any]:
    """The plan as a file says it."""
    return {
        "variables": plan.variables,
        "jobs": {
            name: {
                "needs": list(job.needs),
                "labels": list(job.labels),
                "variables": {k: v for k, v in job.variables.items() if plan.variables.get(k) != v},
                "timeout": job.timeout_s,
                "checkout": job.checkout,
                "steps": [
                    {"name": step.name, "run": step.run} for step in job.steps if isinstance(step, RunStep)
                ],
            }
            for name, job in plan.jobs.items()
        },
    }


@pytest.mark.parametrize("flow", [False, True, None])
@given(plan=plans())
def test_a_plan_written_as_yaml_is_read_as_the_same_plan(plan: Plan, flow: bool | None):
    text = yaml.safe_dump(written(plan), sort_keys=False, default_flow_style=flow)
    assert parse_plan(text) == plan
    assert list(parse_plan(text).jobs) == list(plan.jobs)
