"""What a faulty plan file is answered with: the texts, exactly, for people read them."""

from __future__ import annotations

import pickle

import pytest

from tailrace.domain.errors import TailraceError
from tailrace.domain.plan import PlanError, PlanInvalid, parse_plan
from tailrace.domain.plan.errors import MAX_COMPARED
from tailrace.domain.plan.keys import JOB_KEYS, PLAN_KEYS, STEP_KEYS, Keys

STEPS = "steps: [{run: x}]"
PLAN = f"allowed here: {', '.join(PLAN_KEYS.allowed)}"
JOB = f"allowed here: {', '.join(JOB_KEYS.allowed)}"
STEP = f"allowed here: {', '.join(STEP_KEYS.allowed)}"


def refusal(text: str | bytes) -> list[str]:
    with pytest.raises(PlanInvalid) as caught:
        parse_plan(text, file="p")
    return [str(error) for error in caught.value.errors]


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("", 'p:1:1: the file holds no plan; a plan is a mapping with "jobs"'),
        ("# only a comment\n", 'p:1:1: the file holds no plan; a plan is a mapping with "jobs"'),
        ("\n--- ~\n", 'p:2:5: the file holds no plan; a plan is a mapping with "jobs"'),
        ("- a", 'p:1:1: a plan is a mapping with "jobs"; found a list'),
        ("hello", 'p:1:1: a plan is a mapping with "jobs"; found "hello"'),
        ("variables: {}", 'p:1:1: the plan has no "jobs"; it must name at least one job'),
        ("jobs:", 'p:1:1: "jobs" must be a mapping of names to jobs, at least one; found nothing'),
        (
            "jobs: {}",
            'p:1:1: "jobs" must be a mapping of names to jobs, at least one; found an empty mapping',
        ),
        ("jobs: [a]", 'p:1:1: "jobs" must be a mapping of names to jobs, at least one; found a list'),
    ],
)
def test_a_file_without_jobs(text: str, expected: str):
    assert refusal(text) == [expected]


@pytest.mark.parametrize(
    ("job", "expected"),
    [
        # what is not a job
        ("a:", 'p:2:1: job "a" must be a mapping with "steps"; found nothing'),
        ("a: make", 'p:2:1: job "a" must be a mapping with "steps"; found "make"'),
        (
            f"-a: {{{STEPS}}}",
            'p:2:1: "-a" cannot name a job; '
            "allowed: 1 to 100 letters, digits, _, . and -, beginning with a letter or a digit",
        ),
        # keys
        (f"a: {{step: 1, {STEPS}}}", f'p:2:5: unknown key "step" in job "a"; did you mean "steps"? {JOB}'),
        (f"a: {{runs-on: x, {STEPS}}}", f'p:2:5: unknown key "runs-on" in job "a"; did you mean "labels"? {JOB}'),
        (
            f"a: {{paramters: x, {STEPS}}}",
            f'p:2:5: unknown key "paramters" in job "a"; did you mean "parameters", which is not supported yet? {JOB}',
        ),
        (f"a: {{zzz: x, {STEPS}}}", f'p:2:5: unknown key "zzz" in job "a"; {JOB}'),
        (f"a: {{run: x, {STEPS}}}", f'p:2:5: unknown key "run" in job "a"; it belongs in a step; {JOB}'),
        (f"a: {{encoding: x, {STEPS}}}", f'p:2:5: "encoding" in job "a" is not supported yet; {JOB}'),
        (f"a: {{timeout: 1, timeout: 2, {STEPS}}}", 'p:2:17: "timeout" is given twice; the first is at line 2, column 5'),
        (f"a: {{? [x] : 1, {STEPS}}}", "p:2:7: a key must be text; found a list"),
        (f"a: {{<<: [3], {STEPS}}}", 'p:2:5: "<<" merges a mapping or a list of mappings; found "3"'),
        # timeout, checkout
        (
            f"a: {{timeout: 20 minutes, {STEPS}}}",
            'p:2:14: "timeout" of job "a" must be a duration; found "20 minutes"; '
            "allowed: whole seconds, or hours, minutes and seconds such as 90s, 20m, 2h or 1h30m",
        ),
        (
            f"a: {{timeout: 0, {STEPS}}}",
            'p:2:14: "timeout" of job "a" must be more than 0 and at most 168h (7 days); found "0"',
        ),
        (
            f"a: {{timeout: 168h1s, {STEPS}}}",
            'p:2:14: "timeout" of job "a" must be more than 0 and at most 168h (7 days); found "168h1s"',
        ),
        (f"a: {{checkout: no, {STEPS}}}", 'p:2:15: "checkout" of job "a" must be true or false; found "no"'),
        (
            f'a: {{checkout: "false", {STEPS}}}',
            'p:2:15: "checkout" of job "a" must be true or false; found the quoted text "false"',
        ),
        # labels
        (f"a: {{labels: {{}}, {STEPS}}}", 'p:2:13: "labels" of job "a" must be text or a list of texts; found a mapping'),
        (f"a: {{labels: [[x]], {STEPS}}}", 'p:2:14: each of "labels" of job "a" must be text; found a list'),
        (
            f"a: {{labels: [x, x], {STEPS}}}",
            'p:2:17: "labels" of job "a" names "x" twice; the first is at line 2, column 14',
        ),
        (
            f"a: {{labels: linux x, {STEPS}}}",
            'p:2:13: "linux x" of job "a" cannot be a label; '
            "allowed: 1 to 100 letters, digits and _ . : / = + @ -, beginning with a letter or a digit",
        ),
        # needs
        (f"a: {{needs: b, {STEPS}}}", 'p:2:12: job "a" needs "b", which is not a job of this plan; there is no other job'),
        (f"a: {{needs: [a], {STEPS}}}", 'p:2:13: job "a" needs itself'),
        # steps
        ("a: {timeout: 5}", 'p:2:1: job "a" has no "steps"; it must have at least one'),
        ("a: {steps: }", 'p:2:5: job "a" has no "steps"; it must have at least one'),
        ("a: {steps: []}", 'p:2:5: "steps" of job "a" is empty; it must have at least one step'),
        ("a: {steps: make}", 'p:2:12: "steps" of job "a" must be a list; found "make"'),
        (
            "a: {steps: [make]}",
            'p:2:13: step 1 of job "a" must be a mapping with "run"; found "make"; write: - run: …',
        ),
        ("a: {steps: [[]]}", 'p:2:13: step 1 of job "a" must be a mapping with "run"; found a list'),
        ("a: {steps: [{name: x}]}", 'p:2:13: step 1 of job "a" has no "run" (or "artifacts"); it must say what to do'),
        ("a: {steps: [{run: }]}", 'p:2:14: "run" of step 1 of job "a" is empty; it must say what to run'),
        ('a: {steps: [{run: " \\n"}]}', 'p:2:14: "run" of step 1 of job "a" is empty; it must say what to run'),
        (
            "a: {steps: [{run: [x]}]}",
            'p:2:19: "run" of step 1 of job "a" must be text; found a list; write several lines after "run: |"',
        ),
        (
            'a: {steps: [{run: "a\\0"}]}',
            'p:2:19: "run" of step 1 of job "a" holds a NUL character, which no program can be given',
        ),
        (
            'a: {steps: [{run: x, name: "x\\ny"}]}',
            'p:2:28: "name" of step 1 of job "a" must be one line of 1 to 100 printable characters; found "x\\u000ay"',
        ),
        (
            "a: {steps: [{image: [x]}]}",
            f'p:2:14: "image" in step 1 of job "a" is not supported yet; {STEP}',
        ),
        (
            "a: {steps: [{checkout: false}]}",
            f'p:2:14: unknown key "checkout" in step 1 of job "a"; it belongs in a job; {STEP}',
        ),
        # variables
        (
            f"a: {{variables: [X], {STEPS}}}",
            'p:2:16: "variables" of job "a" must be a mapping of names to texts; found a list',
        ),
        (
            f"a: {{variables: {{1X: 1}}, {STEPS}}}",
            'p:2:17: "1X" in "variables" of job "a" cannot name a variable; '
            "allowed: letters (A to Z, a to z), digits and _, not beginning with a digit",
        ),
        (
            f"a: {{variables: {{TAILRACE_X: 1}}, {STEPS}}}",
            'p:2:17: "TAILRACE_X" in "variables" of job "a" is reserved: TAILRACE_… are set by Tailrace itself',
        ),
        (
            f"a: {{variables: {{X: null}}, {STEPS}}}",
            'p:2:17: "X" in "variables" of job "a" has no value; write "" for an empty text, "null" for the word',
        ),
        (
            f"a: {{variables: {{X: [1]}}, {STEPS}}}",
            'p:2:20: "X" in "variables" of job "a" must be text; found a list',
        ),
        (
            f'a: {{variables: {{X: "\\0"}}, {STEPS}}}',
            'p:2:20: "X" in "variables" of job "a" holds a NUL character, which no program can be given',
        ),
        # conditions, outputs, shells
        (f"a: {{if: branch, {STEPS}}}", "p:2:9: \"if\" of job \"a\": branch alone is neither true nor false; "
         "compare it: branch == 'a text' "
         "(allowed: ==, !=, matches), or use success, failure, aborted, always"),
        (f"a: {{if: ~, {STEPS}}}", 'p:2:5: "if" of job "a" is empty; leave it out, or write a condition'),
        (f"a: {{if: failure, {STEPS}}}",
         'p:2:9: "if" of job "a" asks how the jobs that it needs have ended; it must have "needs"'),
        (f"a: {{if: needs.b.outcome == 'x', {STEPS}}}",
         "p:2:9: \"if\" of job \"a\": needs.b.outcome names job 'b', which is not among the job's needs"),
        ("a: {steps: [{run: x, if: steps.b.outcome == 'x'}, {run: x, id: b}]}",
         "p:2:26: \"if\" of step 1 of job \"a\": steps.b.outcome names step 'b', but no step before this one has that id"),
        ("a: {steps: [{run: x, id: b, env: {A: '${steps.b.outputs.c}'}}]}",
         "p:2:38: \"A\" in \"env\" of step 1 of job \"a\": steps.b.outputs.c names step 'b', "
         "but no step before this one has that id"),
        ("a: {steps: [{run: x, env: {A: '${HOME}'}}]}",
         'p:2:31: "A" in "env" of step 1 of job "a": HOME is not known here; allowed: branch, event, head, plan, project, ref, '
         "revision, tag, variables.NAME, needs.JOB.outcome, needs.JOB.outputs.KEY, steps.ID.outcome, steps.ID.outputs.KEY"),
        ("a: {steps: [{run: x, env: {A: '${branch'}}]}",
         "p:2:31: \"A\" in \"env\" of step 1 of job \"a\": '${branch' has no }; write $${ for the text ${"),
        ("a: {steps: [{run: x, id: 1b}]}",
         'p:2:26: "1b" cannot be the id of a step; allowed: 1 to 100 letters, digits, _ and -, beginning with a letter or _'),
        ("a: {steps: [{run: x, id: b}], finally: [{run: x, id: b}]}",
         'p:2:54: "b" is the id of two steps of job "a"; the first is at line 2, column 26'),
        (f"a: {{outputs: [x], {STEPS}}}", 'p:2:14: "outputs" of job "a" must be a mapping of names to texts; found a list'),
        (f"a: {{outputs: {{a b: x}}, {STEPS}}}",
         'p:2:15: "a b" in "outputs" of job "a" cannot name an output; allowed: 1 to 100 letters, digits, _ and -, '
         "beginning with a letter or _"),
        (f"a: {{outputs: {{b: '${{steps.b.outputs.c}}'}}, {STEPS}}}",
         "p:2:18: \"b\" in \"outputs\" of job \"a\": steps.b.outputs.c names step 'b', but no step before this one has that id"),
        (f"a: {{finally: {{timeout: 1m}}, {STEPS}}}", 'p:2:14: "finally" of job "a" has no "steps"; it must have at least one'),
        (f"a: {{finally: [], {STEPS}}}", 'p:2:5: "finally" of job "a" is empty; it must have at least one step'),
        (f"a: {{shell: '\"x', {STEPS}}}", 'p:2:12: "shell" of job "a" cannot be a shell: ""x"; '
         "allowed: bash, sh, python, or a command line, in which {0} stands for the script's file"),
        (f"a: {{working_directory: a/../b, {STEPS}}}", 'p:2:24: "working_directory" of job "a" must be '
         "a folder within the workspace, "
         "without '..' or a '/' at its beginning; found \"a/../b\""),
        (f"a: {{env: {{}}, {STEPS}}}", f'p:2:5: unknown key "env" in job "a"; did you mean "variables"? {JOB}'),
        # YAML
        (f"a: {{timeout: !!str 5, {STEPS}}}", 'p:2:14: tag "tag:yaml.org,2002:str" cannot stand in a plan file; '
         "to make a value text, quote it"),
        (f"a: {{timeout: *x, {STEPS}}}", "p:2:14: alias *x has no anchor before it; quote text that begins with *"),
        (f"a: &x {{timeout: *x, {STEPS}}}", "p:2:17: alias *x stands inside of what it names"),
        (
            "a: {steps: [{run: @x}]}",
            'p:2:19: not valid YAML: text cannot begin with "@"; quote it',
        ),
    ],
)  # fmt: skip
def test_a_fault_in_a_job(job: str, expected: str):
    assert refusal("jobs: {\n" + job + "\n}") == [expected]


def test_an_output_that_a_needed_job_does_not_declare():
    text = """\
jobs:
  build:
    outputs: {tag: x}
    steps: [{run: x}]
  deploy:
    needs: build
    if: needs.build.outputs.tga == "x"
    steps: [{run: x, env: {A: "${needs.build.outputs.tag}"}}]
"""
    assert refusal(text) == [
        'p:7:9: "if" of job "deploy": needs.build.outputs.tga names an output that job \'build\' does not declare in its outputs; '
        "it has tag"
    ]


def test_a_job_may_name_so_many_outputs_of_others():
    outputs = ", ".join(f"o{n}: x" for n in range(51))
    env = ", ".join(f'A{n}: "${{needs.build.outputs.o{n}}}"' for n in range(51))
    text = f"jobs:\n  build: {{outputs: {{{outputs}}}, {STEPS}}}\n  deploy: {{needs: build, steps: [{{run: x, env: {{{env}}}}}]}}"
    (fault,) = refusal(text)
    assert fault.endswith(
        '"A50" in "env" of step 1 of job "deploy": a job may name 50 values of the jobs that it needs; found 51'
    )


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("jobs:\n\ta: 1\n", "p:2:1: not valid YAML: a tab cannot indent; use spaces"),
        (
            "jobs:\n  a: b: c\n",
            'p:2:7: not valid YAML: mapping values are not allowed in this context; quote text that holds ": "',
        ),
        (
            'jobs: "a\n',
            "p:2:1: not valid YAML: found unexpected end of stream "
            "(while scanning a quoted scalar that begins at line 1, column 7)",
        ),
        ("a: 1\n---\nb: 2\n", "p:2:1: a second YAML document begins here; a plan file holds one"),
        (b"jobs:\n  \xe9\xff", "p:2:3: byte 0xe9 is not UTF-8; a plan file is UTF-8 text"),
        (
            "jobs".encode("utf-16"),
            "p:1:1: byte 0xff is not UTF-8 (it looks like UTF-16); a plan file is UTF-8 text",
        ),
        (b"jobs:\r\n a\0", "p:2:3: character U+0000 cannot stand in a plan file; a plan file is UTF-8 text"),
        (
            "a\rb\x1b",
            "p:2:2: character U+001B cannot stand in a plan file; "
            'where a value needs it, write \\x1b between double quotes: "\\x1b"',
        ),
        (
            "a\u2028",
            "p:1:2: character U+2028 cannot stand in a plan file; "
            'where a value needs it, write \\u2028 between double quotes: "\\u2028"',
        ),
        ("a\ud800", "p:1:2: U+D800 is half of a character; a plan file is UTF-8 text"),
        ("#" * (1024 * 1024 + 1), "p:1:1: the file is larger than 1 MiB, the most that a plan file may be"),
        ("é" * (1024 * 512 + 1), "p:1:1: the file is larger than 1 MiB, the most that a plan file may be"),
        (b"#" * (1024 * 1024 + 1), "p:1:1: the file is larger than 1 MiB, the most that a plan file may be"),
        ("[" * 1_000_000, "p:1:101: the plan is nested too deep: more than 100 levels"),
    ],
)
def test_a_text_that_cannot_be_read(text: str | bytes, expected: str):
    assert refusal(text) == [expected]


def test_everything_is_found_at_once_and_told_in_the_order_of_the_file():
    text = """\
on: {pushed: {}}
variables: {A: 1, A: 2}
jobs:
  build:
    steps:
      - run: make
      - runn: make
  test:
    needs: [biuld, deploy]
    timeout: soon
    steps: [{run: x}]
  deploy:
    needs: test
    steps: [{image: {}}]
"""
    assert refusal(text) == [
        'p:1:6: unknown key "pushed" in "on" of the plan; did you mean "push"? '
        "allowed here: manual, pull_request, push, schedule, tag, workflow",
        'p:2:19: "A" is given twice; the first is at line 2, column 13',
        f'p:7:9: unknown key "runn" in step 2 of job "build"; did you mean "run"? {STEP}',
        'p:9:13: job "test" needs "biuld", which is not a job of this plan; did you mean "build"? '
        "its other jobs: build, deploy",
        "p:9:20: jobs wait for each other in a circle: test → deploy → test",
        'p:10:14: "timeout" of job "test" must be a duration; found "soon"; '
        "allowed: whole seconds, or hours, minutes and seconds such as 90s, 20m, 2h or 1h30m",
        f'p:14:14: "image" in step 1 of job "deploy" is not supported yet; {STEP}',
    ]


def test_faults_before_a_syntax_error_are_told_with_it():
    assert refusal("variables: {A: 1, A: 2}\njobs: [\n") == [
        'p:1:19: "A" is given twice; the first is at line 1, column 13',
        "p:3:1: not valid YAML: did not find expected node content",
    ]


@pytest.mark.parametrize(
    ("keys", "text"),
    [
        (PLAN_KEYS, "{key}: 1\njobs: {{a: {{steps: [{{run: x}}]}}}}"),
        (JOB_KEYS, "jobs: {{a: {{{key}: 1, steps: [{{run: x}}]}}}}"),
        (STEP_KEYS, "jobs: {{a: {{steps: [{{{key}: 1, run: x}}]}}}}"),
    ],
    ids=["plan", "job", "step"],
)
def test_each_word_of_later_is_refused_by_name(keys: Keys, text: str):
    for key in keys.not_yet:
        (fault,) = refusal(text.format(key=key))
        assert f': "{key}" in ' in fault
        assert " is not supported yet; allowed here: " in fault


def test_the_plan_file_of_the_future_is_refused_key_by_key():
    text = """\
on: {push: {branches: [main, "release/*"]}, pull_request: {}, schedule: "0 20 * * *"}
variables: {PYTHONUNBUFFERED: "1"}
concurrency: {group: "test-${branch}", cancel_superseded: true}
jobs:
  test:
    labels: [linux]
    matrix: {python: ["3.11", "3.12"]}
    secrets: [PYPI_TOKEN]
    timeout: 20m
    retry: {max: 2, on: [agent_lost]}
    steps:
      - run: pip install -e . && pytest --junitxml=report.xml
      - artifacts: [dist/*.whl]
  image:
    needs: [test]
    steps:
      - image: {context: ., tags: ["registry.example/app:${revision}"]}
  deploy:
    needs: [image]
    labels: [prod-web]
    environment: production
    steps:
      - deploy: {service: app, release: dist/, unit: deploy/app.service}
"""
    faults = refusal(text)
    assert [fault.split(" in ")[0] for fault in faults] == [
        'p:17:9: "image"',
        'p:23:9: "deploy"',
    ]
    assert all("not supported yet" in fault for fault in faults)


@pytest.mark.parametrize(
    ("names", "expected"),
    [
        ("[A, 1B]", 'p:1:25: "1B" of job "a" cannot name a secret; allowed: 1 to 100 letters'),
        ("TAILRACE_A", 'p:1:21: "TAILRACE_A" of job "a" cannot name a secret; allowed: 1 to 100 letters'),
        ("[A, B, A]", 'p:1:28: "secrets" of job "a" names "A" twice; the first is at line 1, column 22'),
        ("{A: B}", 'p:1:21: "secrets" of job "a" must be text or a list of texts; found a mapping'),
        (
            f"[{', '.join(f'S{n}' for n in range(101))}]",
            '"secrets" of job "a" may name at most 100; found 101',
        ),
    ],
)
def test_secrets_that_cannot_be(names: str, expected: str):
    (fault,) = refusal(f"jobs: {{a: {{secrets: {names}, {STEPS}}}}}")
    assert expected in fault


def test_one_more_than_the_limits_is_refused():
    jobs = "".join(f"  j{n}: {{steps: [{{run: x}}]}}\n" for n in range(501))
    assert refusal("jobs:\n" + jobs) == ["p:502:3: a plan may have at most 500 jobs; found 501"]
    steps = "".join("      - run: x\n" for _ in range(201))
    assert refusal("jobs:\n  a:\n    steps:\n" + steps) == [
        'p:204:9: a job may have at most 200 steps; job "a" has 201'
    ]
    variables = "".join(f"  V{n}: 1\n" for n in range(1001))
    assert refusal(f"variables:\n{variables}jobs: {{a: {{{STEPS}}}}}") == [
        'p:1002:3: "variables" of the plan may hold at most 1000 variables; found 1001'
    ]


def test_a_variable_longer_than_linux_can_pass_is_refused():
    fits = "x" * (128 * 1024 - len("A=") - 1)
    text = "variables: {{A: {}}}\njobs: {{a: {{steps: [{{run: x}}]}}}}"
    parse_plan(text.format(fits))
    assert refusal(text.format(fits + "x")) == [
        'p:1:13: "A" in "variables" of the plan is longer than the 128 KiB that a variable may be'
    ]


def test_aliases_cannot_make_a_small_file_a_huge_plan():
    lines = "".join(f"  v{n}: &v{n} [{', '.join([f'*v{n - 1}'] * 10)}]\n" for n in range(1, 10))
    assert refusal("variables:\n  v0: &v0 x\n" + lines) == [
        "p:7:12: the plan is too large: more than 20,000 values, aliases expanded"
    ]
    jobs = "".join(f"  j{n}: *a\n" for n in range(400))
    assert refusal(f"variables: {{A: {'x' * 50_000}}}\njobs:\n  j: &a {{{STEPS}}}\n{jobs}") == [
        "p:2:1: the plan is too large: its jobs hold more than 16 MiB of text, aliases expanded and "
        "the plan's variables counted for each job"
    ]


def test_aliases_cannot_nest_deeper_than_the_limit():
    nest = "&a " + "[" * 60 + "]" * 60
    assert refusal(f"x: {nest}\ny: {'[' * 41}*a{']' * 41}") == [
        "p:2:45: the plan is nested too deep: more than 100 levels"
    ]


def test_what_a_message_repeats_of_the_file_is_short_and_printable():
    (fault,) = refusal("jobs: {a: {steps: [{run: x}], ? '\\u00a0" + "x" * 5000 + "' : 1}}")
    assert fault.startswith('p:1:33: unknown key "\\u00a0xxx')
    assert len(fault) < 400


def test_a_file_with_more_than_a_hundred_faults_is_read_no_further():
    faults = refusal("".join(f"jbos{n}: 1\n" for n in range(300)))
    assert len(faults) == 101
    assert faults[:100] == sorted(faults[:100], key=lambda fault: int(fault.split(":")[1]))
    assert faults[100] == "p:101:1: the file was read until here, where it had 100 faults: mend them first"


def test_a_fault_that_names_much_is_cut():
    outputs = ", ".join(f"{'o' * 90}{n}: x" for n in range(50))
    a, b = f"{{outputs: {{{outputs}}}, {STEPS}}}", f"{{needs: a, if: needs.a.outputs.q == 'x', {STEPS}}}"
    (fault,) = refusal(f"jobs:\n  a: {a}\n  b: {b}")
    assert "names an output that job" in fault
    assert len(fault) < 1100
    assert fault.endswith("…")


def test_what_may_have_been_meant_is_looked_for_within_bounds():
    """A file can name many jobs that are like many others; of each it is told, not each is compared."""
    name, wanted = "a-job-with-a-long-name-{:03}", "a-job-with-long-names-{:03}"
    jobs = "".join(f"  {name.format(n)}: {{{STEPS}}}\n" for n in range(300))
    wants = ", ".join(wanted.format(n) for n in range(60))
    faults = refusal(f"jobs:\n{jobs}  a: {{needs: [{wants}], {STEPS}}}")
    assert len(faults) == 60
    each = len(wanted.format(0)) * 300 * len(name.format(0))
    assert sum("did you mean" in fault for fault in faults) == MAX_COMPARED // each > 0


def test_a_long_circle_is_told_by_its_ends():
    jobs = "".join(f"  j{n}: {{needs: j{(n + 1) % 100}, steps: [{{run: x}}]}}\n" for n in range(100))
    (fault,) = refusal("jobs:\n" + jobs)
    assert fault.startswith("p:2:15: jobs wait for each other in a circle: j0 → j1 → ")
    assert "(81 more)" in fault
    assert fault.endswith(" → j99 → j0")


def test_an_error_has_its_place_and_survives_pickling():
    with pytest.raises(PlanInvalid) as caught:
        parse_plan("jobs:\n")
    error = caught.value
    message = '"jobs" must be a mapping of names to jobs, at least one; found nothing'
    assert isinstance(error, TailraceError)
    assert error.errors == (PlanError(file=".tailrace.yml", line=1, column=1, message=message),)
    assert str(error) == f".tailrace.yml:1:1: {message}"
    assert pickle.loads(pickle.dumps(error)).errors == error.errors
