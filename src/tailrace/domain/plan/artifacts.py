"""`artifacts:` of a step: which files are kept, or which are fetched from a job before."""

from __future__ import annotations

import re
from collections.abc import Collection
from collections.abc import Mapping as AnyMapping

from tailrace.domain.artifacts import MAX_KEEP_S, fault_of_path
from tailrace.domain.plan.durations import parse_duration
from tailrace.domain.plan.errors import Problems, listed, shown
from tailrace.domain.plan.keys import ARTIFACTS_KEYS, known_entries
from tailrace.domain.plan.model import ArtifactsStep, FetchStep
from tailrace.domain.plan.nodes import Entry, Mapping, Node, Scalar, describe
from tailrace.domain.plan.values import derived_name, read_boolean, read_names, read_text

MAX_PATTERNS = 100
_DAYS = re.compile(r"([0-9]{1,6})d")


def read_artifacts(
    entry: Entry,
    name: str | None,
    subject: str,
    needs: Collection[str],
    matrices: AnyMapping[str, tuple[str, ...]],
    problems: Problems,
) -> ArtifactsStep | FetchStep | None:
    """Read `[PATTERN, …]`, `{paths: […], keep: 30d}` or `{from: JOB, to: FOLDER}`; `needs` are the jobs that `from` may name.

    So are `matrices`, each of which stands for several of them.
    """
    what = f'"artifacts" of {subject}'
    node = entry.value
    if not isinstance(node, Mapping):
        paths = _patterns(node, what, problems)
        return ArtifactsStep(name=name or _name_of(paths), paths=paths) if paths else None
    entries = known_entries(node, ARTIFACTS_KEYS, what, problems)
    paths = _patterns(entries["paths"].value, f'"paths" in {what}', problems) if "paths" in entries else ()
    optional = entries.get("optional")
    may_lack = bool(read_boolean(optional.value, f'"optional" in {what}', problems)) if optional else False
    if "from" in entries:
        return _fetch(entries, name, what, paths, may_lack, needs, matrices, problems)
    if "to" in entries:
        problems.add(
            entries["to"].place,
            f'{what} has "to" without "from"; files are kept under the paths that they have',
        )
    if "paths" not in entries:
        problems.add(
            node.place,
            f'{what} has neither "paths" (what to keep) nor "from" (the job whose artifacts to fetch)',
        )
    keep = entries.get("keep")
    keep_s = _keep(keep.value, f'"keep" in {what}', problems) if keep else None
    if not paths:
        return None
    return ArtifactsStep(name=name or _name_of(paths), paths=paths, keep_s=keep_s, optional=may_lack)


def _fetch(
    entries: AnyMapping[str, Entry],
    name: str | None,
    what: str,
    paths: tuple[str, ...],
    optional: bool,
    needs: Collection[str],
    matrices: AnyMapping[str, tuple[str, ...]],
    problems: Problems,
) -> FetchStep | None:
    if "keep" in entries:
        problems.add(
            entries["keep"].place, f'{what} has "keep" beside "from"; what is fetched is kept already'
        )
    source = entries["from"]
    job = read_text(source.value, f'"from" in {what}', problems)
    if job is None:
        return None
    jobs = matrices.get(job, ())
    for one in jobs:
        fault = fault_of_path(one)
        if fault is not None:
            problems.add(
                source.value.place,
                f'"from" in {what} names the matrix {shown(job)}, whose job {shown(one)} can have no folder of its name: it'
                f" {fault}",
            )
    if job not in needs and not jobs:
        allowed = listed((*matrices, *needs)) if needs else "none: the job needs no other"
        problems.add(
            source.value.place,
            f'"from" in {what} names {shown(job)}, which is not among the "needs" of its job; allowed: {allowed}',
        )
    to = _folder(entries["to"].value, f'"to" in {what}', problems) if "to" in entries else ""
    return FetchStep(
        name=name or derived_name(f"artifacts from {job}"),
        job=job,
        jobs=jobs,
        paths=paths,
        to=to,
        optional=optional,
    )


def _patterns(node: Node, what: str, problems: Problems) -> tuple[str, ...]:
    read = read_names(node, what, problems)
    if len(read) > MAX_PATTERNS:
        problems.add(
            read[MAX_PATTERNS][1], f"{what} may hold at most {MAX_PATTERNS} patterns; found {len(read)}"
        )
        return ()
    patterns: list[str] = []
    for text, place in read:
        fault = fault_of_path(text.removeprefix("!").removesuffix("/"))
        if fault is not None:
            problems.add(
                place,
                f"{shown(text)} in {what} {fault}; allowed: paths below the workspace such as dist/*.whl, reports/**"
                " and, to leave some of these out, !reports/tmp",
            )
        else:
            patterns.append(text)
    if read and patterns and all(pattern.startswith("!") for pattern in patterns):
        problems.add(node.place, f"{what} only leaves out; it must also say which files are meant")
        return ()
    if not read and not isinstance(node, Scalar):
        problems.add(node.place, f"{what} is empty; it must name at least one file or pattern")
    return tuple(patterns)


def _folder(node: Node, what: str, problems: Problems) -> str:
    text = read_text(node, what, problems)
    if text is None or text in (".", "./"):
        return ""
    folder = text.removesuffix("/")
    fault = fault_of_path(folder)
    if fault is not None:
        problems.add(node.place, f"{what}: {shown(text)} {fault}; allowed: a folder below the workspace")
        return ""
    return folder


def _keep(node: Node, what: str, problems: Problems) -> int | None:
    text = node.text if isinstance(node, Scalar) else ""
    days = _DAYS.fullmatch(text)
    seconds = int(days[1]) * 24 * 3600 if days else parse_duration(text)
    if seconds is None or not 0 < seconds <= MAX_KEEP_S:
        problems.add(
            node.place,
            f"{what} must be days such as 30d (at most {MAX_KEEP_S // 86400}d), or hours and minutes such as 12h;"
            f" found {describe(node)}",
        )
        return None
    return seconds


def _name_of(paths: tuple[str, ...]) -> str:
    return derived_name(f"artifacts {', '.join(paths)}") if paths else "artifacts"
