"""From the text of a plan file to a plan, collecting every fault on the way."""

from __future__ import annotations

from tailrace.domain.plan.defaults import read_defaults, with_defaults
from tailrace.domain.plan.errors import Place, PlanInvalid, Problems, Unreadable, listed, plain, shown
from tailrace.domain.plan.graph import find_cycles
from tailrace.domain.plan.jobs import OfPlan, ReadJob, read_job, variables_of
from tailrace.domain.plan.keys import PLAN_KEYS, did_you_mean, known_entries
from tailrace.domain.plan.limits import read_limits
from tailrace.domain.plan.log_limits import read_log
from tailrace.domain.plan.matrix import Room, Variant, expand, read_matrix
from tailrace.domain.plan.model import NO_LIMITS, LogSpec, Plan
from tailrace.domain.plan.nodes import Entry, Mapping, Node, Scalar, describe, read_nodes
from tailrace.domain.plan.on import read_on
from tailrace.domain.plan.parameters import read_parameters
from tailrace.domain.plan.shells import read_shell
from tailrace.domain.plan.source import read_source
from tailrace.domain.plan.steps import step_weight
from tailrace.domain.plan.turns import MAX_PARALLEL, read_concurrency, read_max_parallel
from tailrace.domain.plan.values import read_whole
from tailrace.domain.plan.warnings import warn_of_unreachable
from tailrace.domain.plan.workspace import read_workspace

MAX_JOBS = 500
MAX_CIRCLE = 20  # jobs that the message about a circle names
MAX_PRIORITY = 1000
MAX_PLAN_CHARACTERS = 16 * 1024 * 1024
_START = Place(1, 1)


def parse_plan(text: str | bytes, file: str = ".tailrace.yml") -> Plan:
    """Read a plan file; `file` is its name in messages.

    Raises PlanInvalid, and nothing else, with every fault that can be found at once, up to MAX_FAULTS and where reading ended:
    a text that is not YAML is one fault, for what follows it cannot be told.
    """
    plan, problems = read_text_of_plan(text)
    if problems:
        raise PlanInvalid(problems.as_errors(file))
    return plan


def read_text_of_plan(text: str | bytes) -> tuple[Plan, Problems]:
    """Read a plan file as far as it can be read, with what there is to say of it."""
    problems = Problems()
    try:
        root = read_nodes(read_source(text), problems)
        return _read_plan(root, problems), problems
    except Unreadable as fault:
        problems.end(fault)
        return Plan(), problems


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
    on = read_on(entries.get("on"), problems)
    parameters = read_parameters(entries.get("parameters"), problems)
    variables = variables_of(entries, "the plan", problems)
    log = read_log(entries.get("log"), "the plan", LogSpec(), problems)
    limits = read_limits(entries.get("limits"), "the plan", NO_LIMITS, problems)
    shell = read_shell(entries.get("shell"), "the plan", problems)
    workspace = read_workspace(entries.get("workspace"), "the plan", "clean", problems)
    group = (
        read_concurrency(entries["concurrency"], "the plan", problems) if "concurrency" in entries else None
    )
    priority = _whole(entries, "priority", -MAX_PRIORITY, MAX_PRIORITY, problems)
    most = read_max_parallel(entries.get("max_parallel"), "the plan", MAX_PARALLEL, problems)
    if "concurrency" in entries and "max_parallel" in entries:
        place = entries["max_parallel"].place
        problems.add(
            place, 'the plan has "concurrency" and "max_parallel": a run takes its turn in one way; keep one'
        )
    defaults = read_defaults(entries.get("defaults"), problems)
    if "jobs" not in entries:
        problems.add(root.place, 'the plan has no "jobs"; it must name at least one job')
        return Plan()
    jobs = _read_jobs(
        with_defaults(entries["jobs"], defaults), OfPlan(variables, log, limits, shell, workspace), problems
    )
    if not problems:
        warn_of_unreachable(jobs, on, problems)
    return Plan(
        on=on,
        parameters=parameters,
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


def _read_jobs(entry: Entry, plan: OfPlan, problems: Problems) -> dict[str, ReadJob]:
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
    found = [read_matrix(job, problems) for job in node.entries]
    number = sum(one.jobs for one in found)
    if number > MAX_JOBS:
        problems.add(
            entry.place, f"a plan may have at most {MAX_JOBS} jobs; its matrices make {number} of them"
        )
        return {}
    room = Room()
    variants = {one.entry.key: expand(one, room, problems) for one in found}
    matrices = {
        name: tuple(one.name for one in found) for name, found in variants.items() if _is_matrix(found)
    }
    jobs = {one.name: read_job(one, plan, matrices, problems) for found in variants.values() for one in found}
    _check_needs(jobs, problems)
    for job in jobs.values():
        job.uses.check(
            {need: jobs[need].spec.outputs for need in job.needs if need in jobs}, job.spec.matrices
        )
    if sum(map(_weight, jobs.values())) > MAX_PLAN_CHARACTERS:
        problems.add(
            entry.place,
            "the plan is too large: its jobs hold more than 16 MiB of text, aliases expanded and "
            "the plan's variables counted for each job",
        )
    return jobs


def _entry_of(job: str) -> str:
    """What stands for a job in the file: `test` for `test (3.11)`."""
    return job.partition(" (")[0]


def _is_matrix(variants: list[Variant]) -> bool:
    return bool(variants[0].axes)


def _weight(job: ReadJob) -> int:
    texts = {**job.spec.variables, **job.spec.outputs}
    variables = sum(len(name) + len(value) for name, value in texts.items())
    names = sum(map(len, (*job.spec.needs, *job.spec.labels)))
    return variables + names + sum(map(step_weight, job.spec.all_steps))


def _check_needs(jobs: dict[str, ReadJob], problems: Problems) -> None:
    for name, job in jobs.items():
        own = _entry_of(name)
        subject = f"job {shown(own)}"
        for needed, place in job.needs.items():
            if needed in (name, own):
                problems.add(place, f"{subject} needs itself")
            elif needed not in jobs:
                others = [other for other in jobs if _entry_of(other) != own]
                if _entry_of(needed) == needed:
                    others = list(dict.fromkeys(map(_entry_of, others)))
                choice = _choice(needed, others, problems)
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
