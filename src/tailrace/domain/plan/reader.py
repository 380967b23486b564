"""From the text of a plan file to a plan, collecting every fault on the way."""

from __future__ import annotations

import re
from collections.abc import Mapping as AnyMapping
from dataclasses import dataclass

from tailrace.domain.plan.checkout import read_checkout
from tailrace.domain.plan.errors import Place, PlanInvalid, Problems, Unreadable, listed, plain, shown
from tailrace.domain.plan.graph import find_cycles
from tailrace.domain.plan.keys import JOB_KEYS, PLAN_KEYS, STEP_KEYS, did_you_mean, known_entries
from tailrace.domain.plan.log_limits import read_log
from tailrace.domain.plan.model import DEFAULT_TIMEOUT_S, JobSpec, LogSpec, Plan, RunStep
from tailrace.domain.plan.nodes import Entry, Items, Mapping, Node, Scalar, describe, read_nodes
from tailrace.domain.plan.source import read_source
from tailrace.domain.plan.turns import read_concurrency, read_retry
from tailrace.domain.plan.values import read_duration, read_names, read_text, read_variables, read_whole
from tailrace.domain.secrets import NAME_RULE, is_name

MAX_JOBS = 500
MAX_STEPS = 200
MAX_SECRETS = 100
MAX_CIRCLE = 20  # jobs that the message about a circle names
MAX_NAME = 100  # characters of a step's name or a label
MAX_DERIVED_NAME = 60  # characters of a step's name that is taken from its script
MAX_PRIORITY = 1000
MAX_PARALLEL = 1000
MAX_PLAN_CHARACTERS = 16 * 1024 * 1024
_JOB_NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9_.-]{0,99}")
_LABEL = re.compile(r"[A-Za-z0-9][A-Za-z0-9_.:/=+@-]{0,99}")
_START = Place(1, 1)


def parse_plan(text: str | bytes, file: str = ".tailrace.yml") -> Plan:
    """Read a plan file; `file` is its name in messages.

    Raises PlanInvalid, and nothing else, with every fault that can be found at once: a text that is not YAML is
    one fault, for what follows it cannot be told.
    """
    problems = Problems()
    plan = Plan()
    try:
        root = read_nodes(read_source(text), problems)
        plan = _read_plan(root, problems)
    except Unreadable as fault:
        problems.add(fault.place, fault.message)
    if problems:
        raise PlanInvalid(problems.as_errors(file))
    return plan


@dataclass(frozen=True, slots=True)
class _Read:
    """A job with the places that the check of its needs speaks of."""

    spec: JobSpec
    needs: AnyMapping[str, Place]


def _read_plan(root: Node | None, problems: Problems) -> Plan:
    if root is None or (isinstance(root, Scalar) and root.is_null):
        problems.add(
            root.place if root else _START, 'the file holds no plan; a plan is a mapping with "jobs"'
        )
        return Plan()
    if not isinstance(root, Mapping):
        problems.add(root.place, f'a plan is a mapping with "jobs"; found {describe(root)}')
        return Plan()
    entries = known_entries(root, PLAN_KEYS, "the plan", problems)
    variables = _variables(entries, "the plan", problems)
    log = read_log(entries.get("log"), "the plan", LogSpec(), problems)
    group = read_concurrency(entries["concurrency"], problems) if "concurrency" in entries else None
    priority = _whole(entries, "priority", -MAX_PRIORITY, MAX_PRIORITY, problems)
    most = _whole(entries, "max_parallel", 1, MAX_PARALLEL, problems)
    if "concurrency" in entries and "max_parallel" in entries:
        place = entries["max_parallel"].place
        problems.add(
            place, 'the plan has "concurrency" and "max_parallel": a run takes its turn in one way; keep one'
        )
    if "jobs" not in entries:
        problems.add(root.place, 'the plan has no "jobs"; it must name at least one job')
        return Plan()
    jobs = _read_jobs(entries["jobs"], variables, log, problems)
    return Plan(
        variables=variables,
        priority=priority or 0,
        concurrency=group,
        max_parallel=most,
        jobs={name: job.spec for name, job in jobs.items()},
    )


def _whole(entries: dict[str, Entry], key: str, least: int, most: int, problems: Problems) -> int | None:
    if key not in entries:
        return None
    return read_whole(entries[key].value, f"{shown(key)} of the plan", least, most, problems)


def _read_jobs(entry: Entry, variables: dict[str, str], log: LogSpec, problems: Problems) -> dict[str, _Read]:
    node = entry.value
    if not isinstance(node, Mapping) or not node.entries:
        found = "an empty mapping" if isinstance(node, Mapping) else describe(node)
        problems.add(entry.place, f'"jobs" must be a mapping of names to jobs, at least one; found {found}')
        return {}
    if len(node.entries) > MAX_JOBS:
        problems.add(
            node.entries[MAX_JOBS].place,
            f"a plan may have at most {MAX_JOBS} jobs; found {len(node.entries)}",
        )
        return {}
    jobs = {job.key: _read_job(job, variables, log, problems) for job in node.entries}
    _check_needs(jobs, problems)
    if sum(map(_weight, jobs.values())) > MAX_PLAN_CHARACTERS:
        problems.add(
            entry.place,
            "the plan is too large: its jobs hold more than 16 MiB of text, aliases expanded and "
            "the plan's variables counted for each job",
        )
    return jobs


def _weight(job: _Read) -> int:
    variables = sum(len(name) + len(value) for name, value in job.spec.variables.items())
    names = sum(map(len, (*job.spec.needs, *job.spec.labels)))
    return variables + names + sum(len(step.name) + len(step.run) for step in job.spec.steps)


def _read_job(entry: Entry, variables: dict[str, str], log: LogSpec, problems: Problems) -> _Read:
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
        return _Read(JobSpec(name=entry.key), {})
    entries = known_entries(node, JOB_KEYS, subject, problems)
    needs = _distinct(entries, "needs", subject, problems)
    timeout = entries.get("timeout")
    seconds = read_duration(timeout.value, f'"timeout" of {subject}', problems) if timeout else None
    checkout, depth, submodules = read_checkout(entries.get("checkout"), subject, problems)
    spec = JobSpec(
        name=entry.key,
        needs=tuple(needs),
        labels=_labels(entries, subject, problems),
        variables={**variables, **_variables(entries, subject, problems)},
        timeout_s=DEFAULT_TIMEOUT_S if seconds is None else seconds,
        checkout=checkout,
        depth=depth,
        submodules=submodules,
        retry=read_retry(entries["retry"], subject, problems) if "retry" in entries else None,
        secrets=_secrets(entries, subject, problems),
        log=read_log(entries.get("log"), subject, log, problems),
        steps=_steps(entry.place, entries.get("steps"), subject, problems),
    )
    return _Read(spec, needs)


def _variables(entries: dict[str, Entry], subject: str, problems: Problems) -> dict[str, str]:
    entry = entries.get("variables")
    return read_variables(entry.value, f'"variables" of {subject}', problems) if entry else {}


def _distinct(entries: dict[str, Entry], key: str, subject: str, problems: Problems) -> dict[str, Place]:
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


def _labels(entries: dict[str, Entry], subject: str, problems: Problems) -> tuple[str, ...]:
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


def _steps(job: Place, entry: Entry | None, subject: str, problems: Problems) -> tuple[RunStep, ...]:
    if entry is None or (isinstance(entry.value, Scalar) and entry.value.is_null):
        problems.add(entry.place if entry else job, f'{subject} has no "steps"; it must have at least one')
        return ()
    node = entry.value
    if not isinstance(node, Items):
        problems.add(node.place, f'"steps" of {subject} must be a list; found {describe(node)}')
        return ()
    if not node.items:
        problems.add(entry.place, f'"steps" of {subject} is empty; it must have at least one step')
    if len(node.items) > MAX_STEPS:
        problems.add(
            node.items[MAX_STEPS].place,
            f"a job may have at most {MAX_STEPS} steps; {subject} has {len(node.items)}",
        )
        return ()
    steps = [
        _step(item, f"step {number} of {subject}", problems)
        for number, item in enumerate(node.items, start=1)
    ]
    return tuple(step for step in steps if step is not None)


def _step(node: Node, subject: str, problems: Problems) -> RunStep | None:
    if not isinstance(node, Mapping):
        hint = "; write: - run: …" if isinstance(node, Scalar) and not node.is_null else ""
        problems.add(node.place, f'{subject} must be a mapping with "run"; found {describe(node)}{hint}')
        return None
    entries = known_entries(node, STEP_KEYS, subject, problems)
    name = _step_name(entries["name"].value, subject, problems) if "name" in entries else None
    if "run" not in entries:
        if len(entries) == len(node.entries):  # else the key that it has instead was named already
            problems.add(node.place, f'{subject} has no "run"; it must say what to run')
        return None
    script = _script(entries["run"], subject, problems)
    return None if script is None else RunStep(name=name or _derived_name(script), run=script)


def _script(entry: Entry, subject: str, problems: Problems) -> str | None:
    node = entry.value
    if isinstance(node, Items):
        problems.add(
            node.place, f'"run" of {subject} must be text; found a list; write several lines after "run: |"'
        )
        return None
    if isinstance(node, Scalar) and (node.is_null or not node.text.strip()):
        problems.add(entry.place, f'"run" of {subject} is empty; it must say what to run')
        return None
    return read_text(node, f'"run" of {subject}', problems)


def _step_name(node: Node, subject: str, problems: Problems) -> str | None:
    name = read_text(node, f'"name" of {subject}', problems)
    if name is None:
        return None
    if not name.strip() or len(name) > MAX_NAME or not name.isprintable():
        problems.add(
            node.place,
            f'"name" of {subject} must be one line of 1 to {MAX_NAME} printable characters; found {shown(name)}',
        )
    return name


def _derived_name(script: str) -> str:
    """Return the script's first line that is not blank, shortened, without what cannot be printed."""
    line = next(line for line in script.splitlines() if line.strip())
    name = "".join(c if c.isprintable() else " " for c in line).strip()
    name = " ".join(name.split()) or "run"
    return name if len(name) <= MAX_DERIVED_NAME else name[: MAX_DERIVED_NAME - 1] + "…"


def _check_needs(jobs: dict[str, _Read], problems: Problems) -> None:
    for name, job in jobs.items():
        subject = f"job {shown(name)}"
        for needed, place in job.needs.items():
            if needed == name:
                problems.add(place, f"{subject} needs itself")
            elif needed not in jobs:
                choice = _choice(needed, [other for other in jobs if other != name], problems)
                problems.add(
                    place, f"{subject} needs {shown(needed)}, which is not a job of this plan; {choice}"
                )
    for circle in find_cycles({name: [n for n in job.needs if n != name] for name, job in jobs.items()}):
        place = jobs[circle[0]].needs[circle[1]]
        names = [plain(name) for name in (*circle, circle[0])]
        if len(names) > MAX_CIRCLE:
            names[MAX_CIRCLE // 2 : -MAX_CIRCLE // 2] = [f"({len(names) - MAX_CIRCLE} more)"]
        problems.add(place, f"jobs wait for each other in a circle: {' → '.join(names)}")


def _choice(needed: str, others: list[str], problems: Problems) -> str:
    if not others:
        return "there is no other job"
    meant = did_you_mean(needed, others, problems)
    return f"{f'did you mean {shown(meant)}? ' if meant else ''}its other jobs: {listed(others)}"
