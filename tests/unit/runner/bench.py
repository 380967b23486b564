"""A place where real runners carry attempts, and the means to look at what they leave."""

from __future__ import annotations

import asyncio
import itertools
import os
import signal
import subprocess
from collections.abc import Callable
from pathlib import Path
from typing import TypeVar

from tailrace.domain.credentials import Credentials
from tailrace.domain.facts import Fact, Finished, StepBegan, StepEnded
from tailrace.domain.lease import Lease, Need
from tailrace.domain.plan import JobSpec, RunStep, StepSpec, Submodules
from tailrace.domain.plan.model import LimitsSpec, LogSpec, WorkspaceMode
from tailrace.domain.spans import Span, Stream, spans_within
from tailrace.runner.family import Family
from tailrace.runner.folder import AttemptFolder
from tailrace.runner.journal import JournalReader
from tailrace.runner.spool import SpoolReader
from tailrace.runner.warm import WarmParent

PATIENCE_S = 100.0
T = TypeVar("T")


async def until(condition: Callable[[], T], within_s: float = PATIENCE_S) -> T:
    """The first true answer of `condition`."""
    deadline = asyncio.get_running_loop().time() + within_s
    while not (answer := condition()):
        assert asyncio.get_running_loop().time() < deadline, f"{condition} did not come true"
        await asyncio.sleep(0.003)
    return answer


class Carried:
    """What is to be seen of one attempt, at any time."""

    def __init__(self, folder: AttemptFolder) -> None:
        self.folder = folder

    @property
    def facts(self) -> list[Fact]:
        return JournalReader(self.folder).read(0)

    @property
    def finished(self) -> Finished | None:
        facts = self.facts
        return facts[-1] if facts and isinstance(facts[-1], Finished) else None

    @property
    def steps(self) -> list[tuple[str, str, int | None]]:
        return [
            (fact.name, fact.state.value, fact.exit_code)
            for fact in self.facts
            if isinstance(fact, StepEnded)
        ]

    @property
    def begun(self) -> list[str]:
        return [fact.name for fact in self.facts if isinstance(fact, StepBegan)]

    @property
    def whole(self) -> tuple[list[Span], bytes]:
        """The whole log."""
        reader = SpoolReader(self.folder)
        try:
            return reader.read(0, 1 << 30, 1 << 30)
        finally:
            reader.close()

    def said(self, *streams: Stream) -> bytes:
        """The log's bytes that came from these streams."""
        spans, data = self.whole
        ends = [*(span.offset for span in spans[1:]), len(data)] if data else []
        return b"".join(
            data[span.offset : end] for span, end in zip(spans, ends, strict=True) if span.stream in streams
        )

    @property
    def stdout(self) -> bytes:
        return self.said(Stream.STDOUT)

    @property
    def stderr(self) -> bytes:
        return self.said(Stream.STDERR)

    @property
    def system(self) -> str:
        return self.said(Stream.SYSTEM).decode()

    def at(self, offset: int) -> Span:
        """The span in force at a byte."""
        spans, data = self.whole
        return spans_within(spans, offset, len(data))[0]

    @property
    def processes(self) -> list[int]:
        return Family(self.folder.cookie, None).members()


class Bench:
    """Makes attempts and has them carried by runners of a real warm parent."""

    _numbers = itertools.count(1)

    def __init__(self, folder: Path, warm: WarmParent) -> None:
        self.folder = folder
        self.warm = warm
        self._made: list[Carried] = []

    def attempt(
        self,
        *scripts: str,
        checkout: bool = False,
        depth: int = 1,
        submodules: Submodules = "none",
        workspace: WorkspaceMode = "clean",
        repository: str = "/nowhere",
        revision: str | None = None,
        ref: str | None = None,
        timeout_s: int = 600,
        grace_s: float = 60.0,
        job_variables: dict[str, str] | None = None,
        variables: dict[str, str] | None = None,
        secrets: tuple[str, ...] = (),
        names: tuple[str, ...] = ("one", "two", "three", "four", "five"),
        log: LogSpec | None = None,
        steps: tuple[StepSpec, ...] = (),
        last: tuple[StepSpec, ...] = (),
        last_timeout_s: int = 300,
        idle_timeout_s: int | None = None,
        outputs: dict[str, str] | None = None,
        needs: dict[str, Need] | None = None,
        limits: LimitsSpec | None = None,
        credentials: Credentials | None = None,
        from_fork: bool = False,
    ) -> Carried:
        """An attempt whose steps are these scripts, named `one`, `two` and so on, then `steps`; `last` are those of `finally`."""
        number = next(self._numbers)
        lease = Lease(
            attempt=number,
            number=1,
            cookie=os.urandom(8).hex(),
            log=number,
            run=1000 + number,
            run_number=12,
            project="acme",
            plan="default",
            repository=repository,
            revision=revision,
            ref=ref,
            job=JobSpec(
                name="test",
                checkout=checkout,
                depth=depth,
                submodules=submodules,
                workspace=workspace,
                timeout_s=timeout_s,
                log=log or LogSpec(),
                limits=limits or LimitsSpec(),
                variables=job_variables or {},
                secrets=secrets,
                steps=(
                    *(RunStep(name=name, run=run) for name, run in zip(names, scripts, strict=False)),
                    *steps,
                ),
                finally_steps=last,
                finally_timeout_s=last_timeout_s,
                idle_timeout_s=idle_timeout_s,
                outputs=outputs or {},
            ),
            variables=variables or {},
            needs=needs or {},
            credentials=credentials,
            opened_by=f"secret/1/{credentials.secret}" if credentials else "",
            from_fork=from_fork,
            grace_s=grace_s,
        )
        made = Carried(AttemptFolder.create(self.folder / "attempts", lease))
        self._made.append(made)
        return made

    async def start(self, attempt: Carried, secrets: dict[str, str] | None = None) -> int:
        return await self.warm.start(attempt.folder, secrets)

    async def end(self, attempt: Carried) -> Finished:
        """Wait until the attempt's runner has left; what it recorded last."""
        await until(lambda: not attempt.folder.is_alive())
        finished = attempt.finished
        assert finished is not None, attempt.folder.errors.read_text()
        assert attempt.folder.errors.read_text() == ""
        return finished

    def clear(self) -> None:
        """Leave no process of a test that failed."""
        for attempt in self._made:
            pid = attempt.folder.signed_pid()
            if attempt.folder.is_alive() and pid is not None:
                kill(pid)
            Family(attempt.folder.cookie, None).end_now()

    async def carry(self, attempt: Carried, secrets: dict[str, str] | None = None) -> Finished:
        """Carry an attempt from start to end."""
        await self.start(attempt, secrets)
        return await self.end(attempt)


def kill(pid: int) -> None:
    os.kill(pid, signal.SIGKILL)


def parent_pid(pid: int) -> int:
    return int(Path(f"/proc/{pid}/stat").read_bytes().rpartition(b") ")[2].split()[1])


def inside(attempt: Carried, *, limited: bool = False) -> set[int]:
    """Who is in the attempt's groups, or in those that can have limits, by the kernel's own files."""
    paths = attempt.folder.groups.read_text().splitlines()
    if limited:
        files = ("memory.max", "memory.limit_in_bytes", "pids.max", "cpu.max", "cpu.cfs_quota_us")
        paths = [path for path in paths if any(Path(path, name).exists() for name in files)]
    return {int(pid) for path in paths for pid in Path(path, "cgroup.procs").read_text().split()}


def git(folder: Path, *arguments: str) -> str:
    """What git says in a folder; its user is nobody in particular."""
    identity = ("-c", "user.name=Kim", "-c", "user.email=kim@example.org", "-c", "init.defaultBranch=main")
    done = subprocess.run(
        ("git", *identity, *arguments), cwd=folder, check=True, capture_output=True, text=True
    )
    return done.stdout.strip()
