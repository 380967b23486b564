"""`artifacts:` of a step."""

from __future__ import annotations

import pytest

from tailrace.domain.plan import ArtifactsStep, FetchStep, JobSpec, PlanInvalid, parse_plan

DAY = 24 * 3600


def step_of(text: str, needs: str = "") -> object:
    plan = parse_plan(
        f"jobs: {{build: {{steps: [{{run: x}}]}}, use: {{{needs} steps: [{{artifacts: {text}}}]}}}}"
    )
    return plan.jobs["use"].steps[0]


@pytest.mark.parametrize(
    ("text", "step"),
    [
        ("dist", ArtifactsStep(name="artifacts dist", paths=("dist",))),
        ("[a/*, b/]", ArtifactsStep(name="artifacts a/*, b/", paths=("a/*", "b/"))),
        ('["**", "!tmp"]', ArtifactsStep(name="artifacts **, !tmp", paths=("**", "!tmp"))),
        ("{paths: a, keep: 30d}", ArtifactsStep(name="artifacts a", paths=("a",), keep_s=30 * DAY)),
        ("{paths: a, keep: 12h, optional: true}", ArtifactsStep(name="artifacts a", paths=("a",), keep_s=DAY // 2, optional=True)),
    ],
)  # fmt: skip
def test_files_that_are_kept(text: str, step: ArtifactsStep) -> None:
    assert step_of(text) == step


@pytest.mark.parametrize(
    ("text", "step"),
    [
        ("{from: build}", FetchStep(name="artifacts from build", job="build")),
        (
            "{from: build, paths: [d/*], to: in/, optional: true}",
            FetchStep(name="artifacts from build", job="build", paths=("d/*",), to="in", optional=True),
        ),
        ("{from: build, to: .}", FetchStep(name="artifacts from build", job="build")),
    ],
)
def test_artifacts_that_are_fetched(text: str, step: FetchStep) -> None:
    assert step_of(text, "needs: build,") == step


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("[]", "is empty; it must name at least one file or pattern"),
        ("", "must be text or a list of texts; found nothing"),
        ("/etc", '"/etc" in "artifacts" of step 1 of job "use" begins with /; allowed: paths below'),
        ("[a, ../b]", "leaves its folder (..)"),
        ('["!a"]', "only leaves out; it must also say which files are meant"),
        ("{keep: 3d}", 'has neither "paths" (what to keep) nor "from"'),
        ("{paths: a, keep: never}", 'must be days such as 30d (at most 3650d), or hours and minutes such as 12h; found "never"'),
        ("{paths: a, keep: 0d}", "must be days"),
        ("{paths: a, to: b}", 'has "to" without "from"'),
        ("{from: build}", 'names "build", which is not among the "needs" of its job; allowed: none'),
        ("{name: x}", "it belongs in a step"),
        (f"[{', '.join(f'p{n}' for n in range(101))}]", "may hold at most 100 patterns; found 101"),
    ],
)  # fmt: skip
def test_what_is_refused(text: str, words: str) -> None:
    with pytest.raises(PlanInvalid) as caught:
        step_of(text)
    assert words in str(caught.value)


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("{from: build, keep: 1d}", 'has "keep" beside "from"'),
        ("{from: build, to: ../x}", "leaves its folder"),
        ("{from: biuld}", 'allowed: build'),
    ],
)  # fmt: skip
def test_what_is_refused_of_a_job_with_needs(text: str, words: str) -> None:
    with pytest.raises(PlanInvalid) as caught:
        step_of(text, "needs: [build],")
    assert words in str(caught.value)


def test_what_every_step_can_say_holds_for_artifacts_too() -> None:
    """And what is for scripts alone is refused."""
    text = "jobs: {a: {steps: [{run: x}, {artifacts: y, id: keep, if: always, timeout: 5m, continue_on_error: true}]}}"
    step = parse_plan(text).jobs["a"].steps[1]
    assert (step.id, step.condition, step.timeout_s, step.continue_on_error) == ("keep", "always", 300, True)
    for key in ("env: {A: b}", "shell: sh", "working_directory: x", "pty: true"):
        with pytest.raises(PlanInvalid, match='stands beside "artifacts"; it is for "run"'):
            parse_plan(f"jobs: {{a: {{steps: [{{artifacts: y, {key}}}]}}}}")


def test_a_step_does_one_thing() -> None:
    with pytest.raises(PlanInvalid, match="a step does one thing: make two"):
        parse_plan("jobs: {a: {steps: [{run: x, artifacts: [y]}]}}")


def test_a_stored_job_is_read_again_with_its_kinds_of_steps() -> None:
    """And one that was stored before there were artifacts."""
    plan = parse_plan(
        "jobs: {a: {steps: [{run: x}]}, b: {needs: a, steps: [{artifacts: y}, {artifacts: {from: a}}]}}"
    )
    for job in plan.jobs.values():
        assert JobSpec.model_validate_json(job.model_dump_json()) == job
    old = '{"name": "a", "steps": [{"kind": "run", "name": "x", "run": "x"}]}'
    assert not JobSpec.model_validate_json(old).moves_artifacts
    assert plan.jobs["b"].moves_artifacts
