"""A job with a matrix stands for one job for each combination, or is refused at the place of its fault."""

from __future__ import annotations

import time

import pytest
import yaml
from hypothesis import given
from hypothesis import strategies as st

from tailrace.domain.plan import (
    FetchStep,
    JobSpec,
    Plan,
    PlanError,
    PlanInvalid,
    RunStep,
    needed_values,
    parse_plan,
)

STEPS = "steps: [{run: x}]"


def jobs(text: str) -> dict[str, JobSpec]:
    return parse_plan(f"jobs:\n{text}").jobs


def faults(text: str) -> list[str]:
    with pytest.raises(PlanInvalid) as caught:
        parse_plan(f"jobs:\n{text}", file="p")
    return [str(error) for error in caught.value.errors]


def values(matrix: str) -> list[dict[str, str]]:
    return [job.matrix for job in jobs(f" a: {{matrix: {matrix}, {STEPS}}}").values()]


def test_there_is_one_job_for_each_combination_in_the_order_of_the_file() -> None:
    """The values are texts as they are written: 3.10 is not 3.1."""
    found = jobs(f" test: {{matrix: {{python: [3.10, '3.11'], os: [linux, mac]}}, {STEPS}}}")
    assert list(found) == [
        "test (3.10, linux)",
        "test (3.10, mac)",
        "test (3.11, linux)",
        "test (3.11, mac)",
    ]
    assert found["test (3.10, mac)"].matrix == {"python": "3.10", "os": "mac"}
    assert all(job.name == name for name, job in found.items())


@pytest.mark.parametrize(
    ("matrix", "expected"),
    [
        ("{x: [a, b], exclude: [{x: a}]}", [{"x": "b"}]),
        ("{x: a}", [{"x": "a"}]),
        (
            "{x: [a, b], y: [c, d], exclude: [{x: a, y: c}, {y: d, x: b}]}",
            [{"x": "a", "y": "d"}, {"x": "b", "y": "c"}],
        ),
        ("{include: [{x: a}, {y: b}]}", [{"x": "a"}, {"y": "b"}]),
        ("{x: [a, b], include: [{x: c}]}", [{"x": "a"}, {"x": "b"}, {"x": "c"}]),
        ("{x: [a, b], include: [{x: b, z: c}]}", [{"x": "a"}, {"x": "b", "z": "c"}]),
        ("{x: [a, b], include: [{z: c}]}", [{"x": "a", "z": "c"}, {"x": "b", "z": "c"}]),
        # What was taken out can come back, and one of its own is not added to.
        (
            "{x: [a, b], exclude: [{x: a}], include: [{x: a, z: c}, {x: a, z: d}]}",
            [{"x": "b"}, {"x": "a", "z": "c"}, {"x": "a", "z": "d"}],
        ),
    ],
)
def test_exclude_takes_away_and_include_adds(matrix: str, expected: list[dict[str, str]]) -> None:
    """As other systems do it."""
    assert values(matrix) == expected


def test_values_stand_in_every_text_but_scripts_and_conditions() -> None:
    """Alone they are what they would be in their place; a name that a combination has not is empty."""
    found = jobs(
        """
  a:
    matrix: {os: [linux, mac], include: [{os: mac, minutes: 7, deep: true}]}
    labels: ["on-${matrix.os}"]
    timeout: "${matrix.minutes}5m"
    checkout: {depth: 3, submodules: false}
    variables: {OS: "${ matrix.os }", run: "${matrix.os}", if: "${matrix.os}"}
    if: matrix.os != "windows"
    steps:
      - run: echo $TAILRACE_MATRIX_OS
        name: on ${matrix.os}
        continue_on_error: "${matrix.deep}"
        if: matrix.deep == "true"
        env: {A: "${matrix.os} $${matrix.os} ${matrix.deep}."}
  """.replace('"${matrix.deep}"\n', "false\n")
    )
    mac, linux = found["a (mac)"], found["a (linux)"]
    assert (mac.labels, mac.timeout_s, linux.timeout_s) == (("on-mac",), 75 * 60, 5 * 60)
    assert mac.variables == {"OS": "mac", "run": "mac", "if": "mac"}
    assert mac.condition == 'matrix.os != "windows"'
    (step,) = mac.steps
    assert isinstance(step, RunStep)
    assert (step.run, step.name) == ("echo $TAILRACE_MATRIX_OS", "on mac")
    assert step.env == {"A": "mac $${matrix.os} true."}
    alone = jobs(f" a: {{matrix: {{x: [true, false]}}, checkout: '${{matrix.x}}', {STEPS}}}")
    assert [job.checkout for job in alone.values()] == [True, False]


def test_needs_of_a_matrix_are_all_of_its_jobs_or_one() -> None:
    """A job of a matrix can need the one of another that has the same value."""
    found = jobs(f"""
  build: {{matrix: {{os: [linux, mac]}}, outputs: {{v: x}}, {STEPS}}}
  test: {{matrix: {{os: [linux, mac]}}, needs: "build (${{matrix.os}})", {STEPS}}}
  tell:
    needs: [test]
    if: needs.test.outcome == "failed"
    steps: [{{run: x, env: {{A: "${{needs.test.outcome}}"}}}}]
  one: {{needs: ["build (mac)"], if: 'needs["build (mac)"].outputs.v == "x"', {STEPS}}}
""")
    assert found["test (mac)"].needs == ("build (mac)",)
    assert found["test (mac)"].matrices == {}
    assert found["tell"].needs == ("test (linux)", "test (mac)")
    assert found["tell"].matrices == {"test": ("test (linux)", "test (mac)")}
    assert needed_values(found["tell"]) == {"test (linux)": set(), "test (mac)": set()}
    assert found["one"].needs == ("build (mac)",)


@pytest.mark.parametrize(
    ("matrix", "expected"),
    [
        ("{}", 'p:2:14: "matrix" of job "a" must be a mapping of names to lists of values; found an empty mapping'),
        ("[x]", "of names to lists of values; found a list"),
        ("{x: []}", 'p:2:18: "x" in "matrix" of job "a" is empty; it must have at least one value'),
        ("{x: [a, a]}", 'p:2:22: "x" in "matrix" of job "a" has "a" twice'),
        ("{x: [[a]]}", 'each of "x" in "matrix" of job "a" must be text; found a list'),
        ("{x y: [a]}", '"x y" in "matrix" of job "a" cannot name a value'),
        ("{x: ['']}", '"" cannot be a value of "x"'),
        ("{x: ['a\\nb']}".replace("'", '"'), "one line of 1 to 100 printable characters"),
        ("{x: ['${branch}']}", 'without "${" and without $ at the end'),
        ("{x: ['a$']}", 'without "${" and without $ at the end'),
        ("{x: [a], exclude: [{x: a}]}", '"matrix" of job "a" has no combination left: "exclude" takes all'),
        ("{x: [a], exclude: [{x: b}]}", 'p:2:33: "exclude" in "matrix" of job "a" names a combination that there is not'),
        ("{x: [a], exclude: [{y: b}]}", '"exclude" in "matrix" of job "a" names "y"; allowed: x'),
        ("{x: [a], exclude: {x: a}}", '"exclude" in "matrix" of job "a" must be a list of mappings'),
        ("{x: [a], include: [a]}", 'each of "include" in "matrix" of job "a" must be a mapping'),
        ("{x: [a, 'a, a'], y: ['a, a', a]}", 'makes two jobs "a (a, a, a)"'),
        ("{x-y: [a], x_y: [b]}", "both of which scripts would get as $TAILRACE_MATRIX_X_Y"),
        (f"{{x: [{'a' * 97}]}}", "whose name has 101 characters"),
    ],
)  # fmt: skip
def test_a_wrong_matrix_is_refused(matrix: str, expected: str) -> None:
    """At the place of the fault, once, however many jobs it makes."""
    found = faults(f" a: {{matrix: {matrix}, {STEPS}}}")
    assert len(found) == 1, found
    assert expected in found[0]


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("labels: '${matrix.y}'", '"${matrix.y}" names nothing: the matrix of job "a" has x'),
        ("if: matrix.y == 'a'", "matrix.y names nothing: the job's matrix has x"),
        ("needs: b", 'job "a" needs "b", which is not a job of this plan'),
        ("needs: a", 'job "a" needs itself'),
        (
            "finally: [{run: 'echo ${matrix.x}'}]",
            "nothing is pasted into a script: it has each value as an environment",
        ),
    ],
)
def test_a_fault_in_a_job_of_a_matrix_is_told_once(text: str, expected: str) -> None:
    """Not once for each combination."""
    (found,) = faults(f" a: {{matrix: {{x: [a, b, c]}}, {text}, {STEPS}}}")
    assert expected in found


def test_what_only_one_of_its_jobs_has_is_not_named_of_all() -> None:
    """Its outputs, and its values elsewhere."""
    (found,) = faults(f"""
  a: {{matrix: {{x: [b, c]}}, outputs: {{v: x}}, {STEPS}}}
  d: {{needs: a, if: needs.a.outputs.v == "", {STEPS}}}
""")
    assert (
        "needs.a.outputs.v names an output of 2 jobs: name one of them, as needs['a (b)'].outputs.v" in found
    )
    (found,) = faults(f" a: {{if: matrix.x == '', {STEPS}}}")
    assert "matrix.x is not known here; allowed: branch" in found


def test_a_small_file_cannot_stand_for_a_plan_that_nobody_can_hold() -> None:
    """Combinations, jobs, values and text have bounds, that are found before the jobs are made."""
    axis = "[" + ", ".join(f"v{n}" for n in range(17)) + "]"
    (found,) = faults(f" a: {{matrix: {{x: {axis}, y: {axis}}}, {STEPS}}}")
    assert '"matrix" of job "a" may have 256 combinations; found 289' in found
    many = "".join(f" a{n}: {{matrix: {{x: {axis}}}, {STEPS}}}\n" for n in range(30))
    (found,) = faults(many)
    assert "a plan may have at most 500 jobs; its matrices make 510" in found
    heavy = "".join(
        f" a{n}: {{matrix: {{x: {axis}}}, variables: {{A: {'y' * 10_000}}}, {STEPS}}}\n" for n in range(100)
    )
    (found,) = faults(heavy)
    assert "its matrices make 1700" in found, "none of them was made: they would not have fitted either"
    wide = "[" + ", ".join(f"v{n}" for n in range(200)) + "]"
    text = "y" * 100_000
    began = time.monotonic()
    (found,) = faults(f" a: {{matrix: {{x: {wide}}}, variables: {{A: {text}}}, {STEPS}}}")
    assert "the plan is too large with the 200 jobs of job" in found
    assert time.monotonic() - began < 60


def outcome(text: str) -> tuple[Plan, tuple[PlanError, ...]]:
    try:
        return parse_plan(text), ()
    except PlanInvalid as invalid:
        return Plan(), invalid.errors


NAMES = st.sampled_from(["x", "y", "include", "exclude", "a b", "x-y", ""])
TEXTS = st.sampled_from(["a", "b", "3.10", "${matrix.x}", "${", "$", "", "a, b"]) | st.text(max_size=3)
ROWS = st.dictionaries(NAMES, TEXTS, max_size=3)
MATRICES = st.dictionaries(
    NAMES,
    st.none() | TEXTS | st.lists(TEXTS | ROWS | st.lists(TEXTS, max_size=1), max_size=3) | ROWS,
    max_size=4,
)


@given(matrix=st.none() | TEXTS | st.lists(TEXTS, max_size=2) | MATRICES)
def test_any_matrix_is_read_or_refused_at_its_place(matrix: object) -> None:
    """Each job that comes of it has a name of its own, and values that stand in the file."""
    spec = {"matrix": matrix, "steps": [{"run": "x", "env": {"A": "${matrix.x}"}}]}
    text = yaml.safe_dump({"jobs": {"a": spec}}, allow_unicode=True)
    plan, errors = outcome(text)
    assert all(1 <= error.line <= text.count("\n") + 1 for error in errors)
    assert plan.jobs or errors
    for name, job in plan.jobs.items():
        assert (job.name, job.matrix != {}) == (name, True)
        assert all(value and f"{value}" in name for value in list(job.matrix.values())[:1])
        (step,) = job.steps
        assert isinstance(step, RunStep)
        assert step.env == {"A": job.matrix.get("x", "")}


def test_how_many_of_its_jobs_are_under_way_and_whether_a_failure_ends_the_others() -> None:
    """Every job knows it, and of which matrix it is; a job without a matrix cannot say it."""
    found = jobs(f" a: {{matrix: {{x: [b, c]}}, max_parallel: 1, fail_fast: true, {STEPS}}}\n d: {{{STEPS}}}")
    assert [(job.matrix_of, job.max_parallel, job.fail_fast) for job in found.values()] == [
        ("a", 1, True),
        ("a", 1, True),
        ("", None, False),
    ]
    assert faults(f" a: {{fail_fast: true, max_parallel: 2, {STEPS}}}") == [
        'p:2:6: "fail_fast" of job "a" is for the jobs of a matrix, and it has no "matrix"',
        'p:2:23: "max_parallel" of job "a" is for the jobs of a matrix, and it has no "matrix"',
    ]
    (error,) = faults(f" a: {{matrix: {{x: b}}, max_parallel: 0, {STEPS}}}")
    assert 'must be a whole number from 1 to 256; found "0"' in error


def test_artifacts_come_from_all_jobs_of_a_matrix() -> None:
    """It must be among the needs, and each of its jobs must be able to have a folder."""
    build = f" a: {{matrix: {{x: [b, c]}}, {STEPS}}}\n"
    use = " u: {needs: %s, steps: [artifacts: {from: a}]}"
    (step,) = jobs(build + use % "a")["u"].steps
    assert isinstance(step, FetchStep)
    assert (step.job, step.jobs) == ("a", ("a (b)", "a (c)"))
    (error,) = faults(build + use % "'a (b)'")
    assert error.endswith('which is not among the "needs" of its job; allowed: a (b)')
    (error,) = faults(f" a: {{matrix: {{x: [b/../c]}}, {STEPS}}}\n" + use % "a")
    assert error.endswith('whose job "a (b/../c)" can have no folder of its name: it leaves its folder (..)')
