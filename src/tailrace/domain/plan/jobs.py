"""One job of a plan file."""

from __future__ import annotations

import re
from collections.abc import Mapping as AnyMapping
from dataclasses import dataclass

from tailrace.domain.conditions import parse_condition
from tailrace.domain.plan.allow_failure import read_allow_failure
from tailrace.domain.plan.checkout import read_checkout
from tailrace.domain.plan.environment import read_environment
from tailrace.domain.plan.errors import Place, Problems, shown
from tailrace.domain.plan.keys import JOB_KEYS, known_entries
from tailrace.domain.plan.limits import read_limits
from tailrace.domain.plan.log_limits import read_log
from tailrace.domain.plan.matrix import MAX_COMBINATIONS, Variant
from tailrace.domain.plan.model import DEFAULT_TIMEOUT_S, JobSpec, LimitsSpec, LogSpec, WorkspaceMode
from tailrace.domain.plan.nodes import Entry, Mapping, describe
from tailrace.domain.plan.shells import read_shell, read_working_directory
from tailrace.domain.plan.steps import StepReader
from tailrace.domain.plan.turns import read_concurrency, read_fail_fast, read_max_parallel, read_retry
from tailrace.domain.plan.uses import Uses
from tailrace.domain.plan.values import read_duration, read_names, read_text, read_variables
from tailrace.domain.plan.workspace import read_workspace
from tailrace.domain.references import NAME
from tailrace.domain.secrets import NAME_RULE, is_name

MAX_SECRETS = 100
MAX_OUTPUTS = 100
_OUTPUT = re.compile(rf"(?=.{{1,100}}$){NAME}")
_JOB_NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9_.-]{0,99}")
_LABEL = re.compile(r"[A-Za-z0-9][A-Za-z0-9_.:/=+@-]{0,99}")


@dataclass(frozen=True, slots=True)
class ReadJob:
    """A job with what can be checked only when all jobs are known: the places of its needs, the names that it uses.

    `at` is the place of its condition, or its own.
    """

    spec: JobSpec
    needs: AnyMapping[str, Place]
    uses: Uses
    at: Place


@dataclass(frozen=True, slots=True)
class OfPlan:
    """What a job takes from its plan where it does not say otherwise."""

    variables: dict[str, str]
    log: LogSpec
    limits: LimitsSpec
    shell: str | None
    workspace: WorkspaceMode


def read_job(
    variant: Variant, plan: OfPlan, matrices: AnyMapping[str, tuple[str, ...]], problems: Problems
) -> ReadJob:
    """Read a job of `plan`; `matrices` are the entries that stand for several jobs, each with their names."""
    entry = variant.entry
    subject = f"job {shown(entry.key)}"
    if not _JOB_NAME.fullmatch(entry.key):
        problems.add(
            entry.place,
            f"{shown(entry.key)} cannot name a job; allowed: 1 to 100 letters, digits, _, . and -, "
            "beginning with a letter or a digit",
        )
    node = entry.value
    if not isinstance(node, Mapping):
        problems.add(entry.place, f'{subject} must be a mapping with "steps"; found {describe(node)}')
        return ReadJob(JobSpec(name=variant.name), {}, Uses(problems), entry.place)
    entries = known_entries(node, JOB_KEYS, subject, problems)
    wanted = _distinct(entries, "needs", subject, problems)
    matrices = {name: jobs for name, jobs in matrices.items() if name in wanted and name != entry.key}
    needs = {name: place for need, place in wanted.items() for name in matrices.get(need, (need,))}
    seconds = read_seconds(entries, "timeout", subject, problems)
    checkout, depth, submodules = read_checkout(entries.get("checkout"), subject, problems)
    mode = read_workspace(entries.get("workspace"), subject, plan.workspace, problems)
    if mode == "keep" and submodules != "none":
        problems.add(
            entries["checkout"].place,
            f"{subject} keeps its workspace and wants submodules: what it leaves in them would be trusted by git and svn; "
            "write workspace: clean, or leave submodules to a step",
        )
    uses = Uses(problems, variant.axes)
    reader = StepReader(subject, needs, matrices, uses, problems)
    steps = reader.steps(entry.place, entries.get("steps"))
    outputs = _outputs(entries.get("outputs"), subject, tuple(reader.ids), uses, problems)
    finally_steps, finally_timeout_s = reader.last_steps(entries.get("finally"))
    spec = JobSpec(
        name=variant.name,
        needs=tuple(needs),
        matrix=variant.values,
        matrix_of=entry.key if variant.axes else "",
        max_parallel=read_max_parallel(entries.get("max_parallel"), subject, MAX_COMBINATIONS, problems),
        fail_fast=read_fail_fast(entries.get("fail_fast"), subject, problems),
        matrices=dict(matrices),
        condition=_condition(entries.get("if"), subject, needs, uses, problems),
        labels=read_labels(entries, subject, problems),
        variables={**plan.variables, **variables_of(entries, subject, problems)},
        timeout_s=DEFAULT_TIMEOUT_S if seconds is None else seconds,
        start_timeout_s=read_seconds(entries, "start_timeout", subject, problems),
        checkout=checkout,
        depth=depth,
        submodules=submodules,
        workspace=mode,
        retry=read_retry(entries["retry"], subject, problems) if "retry" in entries else None,
        allow_failure=read_allow_failure(entries.get("allow_failure"), subject, problems),
        environment=read_environment(entries.get("environment"), subject, problems),
        concurrency=read_concurrency(entries["concurrency"], subject, problems)
        if "concurrency" in entries
        else None,
        secrets=_secrets(entries, subject, problems),
        log=read_log(entries.get("log"), subject, plan.log, problems),
        limits=read_limits(entries.get("limits"), subject, plan.limits, problems),
        shell=read_shell(entries.get("shell"), subject, problems) or plan.shell,
        working_directory=read_working_directory(entries.get("working_directory"), subject, problems),
        idle_timeout_s=read_seconds(entries, "idle_timeout", subject, problems),
        outputs=outputs,
        steps=steps,
        finally_steps=finally_steps,
        finally_timeout_s=finally_timeout_s,
    )
    if spec.labels:
        problems.note_labels(entries["labels"].place, entry.key, spec.labels)
    return ReadJob(spec, needs, uses, (entries.get("if") or entry).place)


def read_seconds(entries: AnyMapping[str, Entry], key: str, subject: str, problems: Problems) -> int | None:
    """A duration of a job, or of what jobs have by default."""
    entry = entries.get(key)
    return read_duration(entry.value, f"{shown(key)} of {subject}", problems) if entry else None


def variables_of(entries: dict[str, Entry], subject: str, problems: Problems) -> dict[str, str]:
    """The variables of a plan or a job."""
    entry = entries.get("variables")
    return read_variables(entry.value, f'"variables" of {subject}', problems) if entry else {}


def _condition(
    entry: Entry | None, subject: str, needs: AnyMapping[str, Place], uses: Uses, problems: Problems
) -> str:
    text = uses.condition(entry, subject, None)
    if entry is not None and text and not needs and parse_condition(text).words & {"failure", "aborted"}:
        problems.add(
            entry.value.place,
            f'"if" of {subject} asks how the jobs that it needs have ended; it must have "needs"',
        )
    return text


def _outputs(
    entry: Entry | None, subject: str, steps: tuple[str, ...], uses: Uses, problems: Problems
) -> dict[str, str]:
    if entry is None:
        return {}
    what = f'"outputs" of {subject}'
    if not isinstance(entry.value, Mapping):
        problems.add(
            entry.value.place, f"{what} must be a mapping of names to texts; found {describe(entry.value)}"
        )
        return {}
    if len(entry.value.entries) > MAX_OUTPUTS:
        place = entry.value.entries[MAX_OUTPUTS].place
        problems.add(place, f"{what} may hold at most {MAX_OUTPUTS}; found {len(entry.value.entries)}")
        return {}
    outputs: dict[str, str] = {}
    for one in entry.value.entries:
        if not _OUTPUT.fullmatch(one.key):
            problems.add(
                one.place,
                f"{shown(one.key)} in {what} cannot name an output; allowed: 1 to 100 letters, digits, _ and -, "
                "beginning with a letter or _",
            )
            continue
        text = read_text(one.value, f"{shown(one.key)} in {what}", problems)
        if text is not None:
            outputs[one.key] = text
            uses.text(text, one.value.place, f"{shown(one.key)} in {what}", steps)
    return outputs


def _distinct(
    entries: AnyMapping[str, Entry], key: str, subject: str, problems: Problems
) -> dict[str, Place]:
    """Read the names under `key`, none of them twice, each with its place."""
    names: dict[str, Place] = {}
    entry = entries.get(key)
    for name, place in read_names(entry.value, f"{shown(key)} of {subject}", problems) if entry else ():
        if name in names:
            problems.add(
                place, f"{shown(key)} of {subject} names {shown(name)} twice; the first is at {names[name]}"
            )
        else:
            names[name] = place
    return names


def read_labels(entries: AnyMapping[str, Entry], subject: str, problems: Problems) -> tuple[str, ...]:
    """The labels of a job, or of what jobs have by default."""
    labels = _distinct(entries, "labels", subject, problems)
    for label, place in labels.items():
        if not _LABEL.fullmatch(label):
            problems.add(
                place,
                f"{shown(label)} of {subject} cannot be a label; allowed: 1 to 100 letters, digits and _ . : / = + @ -, "
                "beginning with a letter or a digit",
            )
    return tuple(labels)


def _secrets(entries: dict[str, Entry], subject: str, problems: Problems) -> tuple[str, ...]:
    names = _distinct(entries, "secrets", subject, problems)
    for name, place in names.items():
        if not is_name(name):
            problems.add(place, f"{shown(name)} of {subject} cannot name a secret; allowed: {NAME_RULE}")
    if len(names) > MAX_SECRETS:
        place = list(names.values())[MAX_SECRETS]
        problems.add(place, f'"secrets" of {subject} may name at most {MAX_SECRETS}; found {len(names)}')
    return tuple(names)
