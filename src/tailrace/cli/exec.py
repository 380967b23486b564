"""`tailrace exec`."""

from __future__ import annotations

import asyncio
import os
import shutil
import signal
import sys
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

from cyclopts import Parameter

from tailrace.cli.client import CallFailed
from tailrace.domain.secrets import MAX_JOB_BYTES, NAME_RULE, is_name

if TYPE_CHECKING:
    from tailrace.agent.local import LocalRun
    from tailrace.agent.local_jobs import LocalWork
    from tailrace.cli.exec_viewer import ExecViewer
    from tailrace.domain.plan import JobSpec, Plan

PLAN_FILE = ".tailrace.yml"
HURRY_S = 2.0
"""How long a step may take to end when the terminal goes, or somebody ends this process: nobody can ask for it twice."""


def exec_plan(
    plan_file: Annotated[str | None, Parameter(allow_leading_hyphen=True)] = None,
    *,
    job: Annotated[tuple[str, ...], Parameter(name=["--job", "-j"], negative="")] = (),
    needs: bool = True,
    var: Annotated[tuple[str, ...], Parameter(name=["--var"], negative="")] = (),
    secret: Annotated[tuple[str, ...], Parameter(name=["--secret"], negative="")] = (),
    secret_file: Annotated[tuple[Path, ...], Parameter(name=["--secret-file"], negative="")] = (),
    revision: str | None = None,
    folder: Path | None = None,
    capacity: int | None = None,
    artifacts: Path | None = None,
) -> int:
    """Run a plan file on this machine, without a server, with what agents run it with.

    The jobs' output is shown as it comes. The exit status is that of the job that failed: 0 when all passed, 130 when the run
    was aborted. Ctrl-C ends the jobs, which then do their steps of `finally`; a second one kills these too.

    Jobs check out the files as they are here, committed or not (but for those that git ignores); nothing that they do
    changes them.

    Parameters
    ----------
    plan_file:
        The plan file; `-` reads standard input. If not given, .tailrace.yml in this folder or the nearest one above.
    job:
        Run only this job, and those that it needs; may be given more than once.
    needs:
        Whether what these jobs need is run before.
    var:
        NAME=VALUE, may be given more than once.
    secret:
        The name of a secret that jobs may have, its value taken from this command's environment; may be given more than once.
    secret_file:
        A file of secrets, NAME=VALUE a line; may be given more than once.
    revision:
        Check out this commit, branch or tag instead of the files as they are.
    folder:
        The folder that is checked out; that of the plan file if not given.
    capacity:
        How many jobs at once; the number of processors if not given.
    artifacts:
        Where to put what the jobs kept, in a folder for each job; if not given, it goes with the run.
    """
    from tailrace.cli.messages import configure_messages
    from tailrace.cli.secret_files import read_secrets
    from tailrace.prctl import hide_memory

    configure_messages("warning")
    if capacity is not None and capacity < 1:
        raise CallFailed(f"--capacity {capacity}: expected 1 or more")
    path, plan = _read_plan(plan_file)
    jobs = _chosen(plan, job, with_needs=needs)
    variables = _with_parameters(plan, dict(map(_variable, var)))
    hide_memory()
    secrets = read_secrets(secret, secret_file)
    for warning in secrets.warnings:
        print(f"tailrace: {warning}", file=sys.stderr)
    _check_secrets(jobs, secrets.values)
    there = folder.absolute() if folder is not None else path.parent if path is not None else Path.cwd()
    if not there.is_dir():
        raise CallFailed(f"--folder {there}: there is no such folder")
    places = capacity or os.cpu_count() or 1
    return asyncio.run(_Exec(jobs, there, revision, variables, secrets.values, places, artifacts).run())


@dataclass(frozen=True)
class _Exec:
    """One local run, from its folder to its exit status."""

    jobs: Mapping[str, JobSpec]
    there: Path
    revision: str | None
    variables: Mapping[str, str]
    secrets: Mapping[str, str] = field(repr=False)
    places: int
    artifacts: Path | None

    async def run(self) -> int:
        from tailrace.agent.local import LocalRun
        from tailrace.agent.local_folder import local_folder
        from tailrace.cli.exec_viewer import ExecViewer, exit_status
        from tailrace.runner.warm import WarmParent

        viewer = ExecViewer(tuple(self.jobs))
        with local_folder() as place:
            warm = WarmParent(place, follows=True)
            starting = asyncio.create_task(warm.ensure())  # while git looks at the files
            try:
                work = await asyncio.to_thread(self._work, place)
                viewer.announce(work.sources)
                await starting
                local = LocalRun(place, work, warm, viewer, self.places)
                _heed_signals(local, viewer)
                ends = await local.run()
                if self.artifacts is not None:
                    await asyncio.to_thread(_hand_over, local.artifacts, self.artifacts.absolute())
                    viewer.notice(f"what the jobs kept is in {self.artifacts}")
            finally:
                starting.cancel()
                await asyncio.gather(starting, return_exceptions=True)
                await warm.close(leave=True)
        viewer.summarise(ends)
        return exit_status(ends, aborted=local.aborted)

    def _work(self, place: Path) -> LocalWork:
        from tailrace.agent.local_jobs import LocalWork
        from tailrace.agent.snapshot import find_sources, take_snapshot

        if self.revision is None and not any(job.checkout for job in self.jobs.values()):
            sources = find_sources(self.there)
        else:
            sources = take_snapshot(self.there, place / "mirrors", self.revision)
        project = Path(sources.repository).name or "/"
        return LocalWork(self.jobs, project, "exec", sources, self.variables, self.secrets)


def _hand_over(kept: Path, target: Path) -> None:
    """Raises CallFailed when they cannot be put there."""
    try:
        shutil.copytree(kept, target, dirs_exist_ok=True)
    except (OSError, shutil.Error) as error:
        raise CallFailed(f"--artifacts {target}: not all could be put there: {error}") from error


def _heed_signals(local: LocalRun, viewer: ExecViewer) -> None:
    """One ends the jobs, but for their steps of `finally`; the next kills them."""
    told = 0

    def interrupted(by: str, grace_s: float | None) -> None:
        nonlocal told
        told += 1
        if told == 1:
            viewer.notice("ending the jobs (Ctrl-C again kills them)")
        local.abort(by, grace_s if told == 1 else 0)

    loop = asyncio.get_running_loop()
    loop.add_signal_handler(signal.SIGINT, interrupted, "you (Ctrl-C)", None)
    for number in (signal.SIGTERM, signal.SIGHUP):
        loop.add_signal_handler(number, interrupted, f"the signal {number.name}", HURRY_S)


def _read_plan(plan_file: str | None) -> tuple[Path | None, Plan]:
    """The file, None for standard input, and the plan in it; raises CallFailed, and PlanInvalid with every fault."""
    from tailrace.domain.plan import parse_plan

    if plan_file == "-":
        return None, parse_plan(sys.stdin.buffer.read(), "standard input")
    path = Path(plan_file).absolute() if plan_file is not None else _nearest()
    try:
        return path, parse_plan(path.read_bytes(), plan_file or os.path.relpath(path))
    except OSError as error:
        raise CallFailed(f"{path}: {error.strerror}") from None


def _nearest() -> Path:
    here = Path.cwd()
    for folder in (here, *here.parents):
        if (folder / PLAN_FILE).is_file():
            return folder / PLAN_FILE
    raise CallFailed(f"there is no {PLAN_FILE} in {here} or above it: name a plan file")


def _chosen(plan: Plan, names: tuple[str, ...], *, with_needs: bool) -> dict[str, JobSpec]:
    """The jobs that are to run, in the plan's order."""
    # The name of a matrix stands for all of its jobs.
    wanted = set[str]() if names else set(plan.jobs)
    for name in names:
        fits = [
            job for job in plan.jobs if job == name or (plan.jobs[job].matrix and job.startswith(f"{name} ("))
        ]
        if not fits:
            raise CallFailed(f"--job {name}: the plan has no such job; it has {', '.join(plan.jobs)}")
        wanted.update(fits)
    more = set(wanted) if with_needs else set[str]()
    while more:
        more = {needed for name in more for needed in plan.jobs[name].needs} - wanted
        wanted |= more
    return {name: spec for name, spec in plan.jobs.items() if name in wanted}


def _variable(text: str) -> tuple[str, str]:
    name, equals, value = text.partition("=")
    if not equals or not is_name(name):
        raise CallFailed(f"--var {text!r}: expected NAME=VALUE; NAME: {NAME_RULE}")
    return name, value


def _with_parameters(plan: Plan, variables: dict[str, str]) -> dict[str, str]:
    """The run's variables, those that answer the plan's parameters checked, and defaults for the others."""
    from tailrace.domain.parameters import resolve

    texts = {name: one for name, one in plan.parameters.items() if one.kind != "secret"}
    return {**variables, **resolve(texts, variables, asked=True).texts}


def _check_secrets(jobs: Mapping[str, JobSpec], secrets: Mapping[str, str]) -> None:
    for job in jobs.values():
        missing = [name for name in job.secrets if name not in secrets]
        if missing:
            raise CallFailed(
                f"job {job.name} wants the secret {missing[0]}: give it by --secret {missing[0]} (from the environment)"
                " or in a --secret-file"
            )
        total = sum(len(secrets[name].encode()) for name in job.secrets)
        if total > MAX_JOB_BYTES:
            raise CallFailed(
                f"job {job.name} wants {total} bytes of secrets: a job may have {MAX_JOB_BYTES // 1024} KiB at most"
            )
