"""What a valid plan file means."""

from __future__ import annotations

import pytest

from tailrace.domain.plan import JobSpec, Plan, RunStep, parse_plan


def job(body: str, variables: str = "{}") -> JobSpec:
    return parse_plan(f"variables: {variables}\njobs: {{job: {body}}}").jobs["job"]


def scripts(spec: JobSpec) -> list[str]:
    return [step.run for step in spec.steps if isinstance(step, RunStep)]


def test_every_supported_key_reaches_the_model():
    plan = parse_plan(
        """\
# a comment
variables: {COLOUR: always, LEVEL: 1}
jobs:
  build:
    labels: [linux, python3.11]
    steps:
      - run: make build
  test:
    needs: build
    labels: linux
    variables: {LEVEL: 2}
    timeout: 1h30m
    secrets: [TOKEN, key]
    checkout: false
    steps:
      - name: Unit tests
        run: |
          make test
          make report
"""
    )
    assert plan == Plan(
        variables={"COLOUR": "always", "LEVEL": "1"},
        jobs={
            "build": JobSpec(
                name="build",
                needs=(),
                labels=("linux", "python3.11"),
                variables={"COLOUR": "always", "LEVEL": "1"},
                timeout_s=3600,
                checkout=True,
                steps=(RunStep(name="make build", run="make build"),),
            ),
            "test": JobSpec(
                name="test",
                needs=("build",),
                labels=("linux",),
                variables={"COLOUR": "always", "LEVEL": "2"},
                timeout_s=5400,
                checkout=False,
                secrets=("TOKEN", "key"),
                steps=(RunStep(name="Unit tests", run="make test\nmake report\n"),),
            ),
        },
    )


def test_jobs_keep_the_order_of_the_file():
    text = "jobs:\n" + "".join(f"  {name}: {{steps: [{{run: x}}]}}\n" for name in "zmab")
    assert list(parse_plan(text).jobs) == list("zmab")


@pytest.mark.parametrize(
    "written",
    [
        "3.10",
        "on",
        "off",
        "yes",
        "007",
        "0x1F",
        "1e3",
        "1_000",
        "12:30:45",
        "2026-11-21",
        "true",
        "FALSE",
        ".inf",
        "=",
        ".",
    ],
)
def test_a_variable_without_quotes_stays_as_written(written: str):
    assert job(f"{{variables: {{A: {written}}}, steps: [{{run: x}}]}}").variables == {"A": written}


@pytest.mark.parametrize(
    ("written", "text"),
    [('""', ""), ("''", ""), ('"null"', "null"), ("'~'", "~"), ('"a\\tb\\u2028"', "a\tb\u2028")],
)
def test_a_quoted_variable_is_what_the_quotes_hold(written: str, text: str):
    assert job(f"{{variables: {{A: {written}}}, steps: [{{run: x}}]}}").variables == {"A": text}


def test_a_job_variable_wins_over_the_plan_variable_of_that_name():
    assert job("{variables: {A: 2}, steps: [{run: x}]}", "{A: 1, B: 1}").variables == {"A": "2", "B": "1"}


@pytest.mark.parametrize("word", ["true", "True", "TRUE"])
def test_checkout_is_wanted_by_every_spelling_of_true(word: str):
    assert job(f"{{checkout: {word}, steps: [{{run: x}}]}}").checkout is True


@pytest.mark.parametrize("word", ["false", "False", "FALSE"])
def test_checkout_is_declined_by_every_spelling_of_false(word: str):
    assert job(f"{{checkout: {word}, steps: [{{run: x}}]}}").checkout is False


def test_a_script_may_be_a_word_that_yaml_takes_for_a_boolean_or_a_number():
    assert scripts(job("{steps: [{run: true}, {run: false}, {run: 7}]}")) == [
        "true",
        "false",
        "7",
    ]


@pytest.mark.parametrize(
    ("script", "name"),
    [
        ("make test", "make test"),
        ("\n\n  make   test  \nmake more\n", "make test"),
        ("x" * 60, "x" * 60),
        ("x" * 61, "x" * 59 + "…"),
        ("\ta\x1b[31mb", "a [31mb"),
        ("\x01", "run"),
    ],
)
def test_a_step_without_a_name_is_called_after_its_first_line(script: str, name: str):
    escaped = "".join(f"\\U{ord(character):08x}" for character in script)
    step = job(f'{{steps: [{{run: "{escaped}"}}]}}').steps[0]
    assert step == RunStep(name=name, run=script)


def test_needs_and_labels_may_be_empty_lists():
    spec = job("{needs: [], labels: [], steps: [{run: x}]}")
    assert (spec.needs, spec.labels) == ((), ())


def test_a_job_may_need_one_that_stands_below_it():
    plan = parse_plan("jobs: {b: {needs: [a], steps: [{run: x}]}, a: {steps: [{run: x}]}}")
    assert plan.jobs["b"].needs == ("a",)


def test_numbers_of_jobs_and_steps_up_to_the_limits_are_accepted():
    jobs = "".join(f"  j{n}: {{steps: [{{run: x}}]}}\n" for n in range(500))
    assert len(parse_plan("jobs:\n" + jobs).jobs) == 500
    assert len(job("{steps: [" + "{run: x}, " * 200 + "]}").steps) == 200


def test_bytes_with_a_byte_order_mark_and_windows_line_ends_are_read():
    text = "jobs:\r\n  a:\r\n    steps:\r\n      - run: |\r\n          é\r\n          b\r\n"
    spec = parse_plan(b"\xef\xbb\xbf" + text.encode()).jobs["a"]
    assert scripts(spec) == ["é\nb\n"]
    assert parse_plan("\ufeff" + text) == parse_plan(text)


def test_a_plan_of_version_1_2_and_one_with_document_marks_are_read():
    assert parse_plan("%YAML 1.2\n---\njobs: {a: {steps: [{run: x}]}}\n...\n").jobs.keys() == {"a"}


def test_anchors_aliases_and_merge_keys_repeat_what_they_name():
    plan = parse_plan(
        """\
jobs:
  a: &a
    timeout: 5m
    variables: &v {A: 1, B: 1}
    steps: &steps [{run: &x make}]
  b: {<<: *a, timeout: 6m}
  c:
    steps: [{run: *x}]
    variables:
      <<: [{A: 9}, *v]
      B: 3
"""
    )
    assert plan.jobs["b"] == plan.jobs["a"].model_copy(update={"name": "b", "timeout_s": 360})
    assert plan.jobs["c"].variables == {"A": "9", "B": "3"}
    assert plan.jobs["c"].steps == plan.jobs["a"].steps


def test_a_quoted_merge_key_is_an_ordinary_key():
    with pytest.raises(Exception, match='unknown key "<<"'):
        parse_plan('jobs: {a: {"<<": {timeout: 1}, steps: [{run: x}]}}')


def test_json_carries_a_job_unchanged():
    spec = job('{variables: {A: "é\\n"}, needs: [], timeout: 7, steps: [{run: x}, {run: y, name: z}]}')
    assert JobSpec.model_validate(spec.model_dump(mode="json")) == spec
    assert JobSpec.model_validate_json(spec.model_dump_json()) == spec


def test_a_job_with_a_field_that_is_not_known_is_refused():
    spec = job("{steps: [{run: x}]}").model_dump(mode="json")
    with pytest.raises(ValueError, match="retry"):
        JobSpec.model_validate({**spec, "retry": 2})
