"""The warm parent: a small process that has everything imported and forks a runner in milliseconds.

It is single-threaded and runs no event loop, because neither survives a fork. It outlives its agent, and leaves when no agent is
connected and its last runner has ended; as a service (see `tailrace.runner.service`) it stays.
"""

from __future__ import annotations

import asyncio
import gc
import os
import signal
import sys
import traceback
from collections.abc import Mapping
from contextlib import ExitStack, suppress
from functools import partial
from pathlib import Path
from tempfile import TemporaryDirectory
from types import FrameType
from typing import NoReturn

from tailrace.domain.errors import TailraceError
from tailrace.domain.lease import Lease
from tailrace.domain.plan import JobSpec, RunStep
from tailrace.prctl import adopt_orphans, hide_memory
from tailrace.runner.births import Births
from tailrace.runner.carry import carry
from tailrace.runner.cgroup import ControlGroups
from tailrace.runner.crew import Forked
from tailrace.runner.edition import this_edition
from tailrace.runner.folder import AttemptFolder
from tailrace.runner.group import used_by_living
from tailrace.runner.handover import take_from_pipe
from tailrace.runner.leaf import Leaf
from tailrace.runner.masking import Masker
from tailrace.runner.parent import Parent
from tailrace.runner.service import Service
from tailrace.runner.task import FREE, Task, next_task
from tailrace.runner.trees import Undeletable, remove_tree

_STAGE = ".rehearsal-"


def run(agent_folder: Path, service: Service | None = None, *, follows: bool = False) -> None:
    """Be the warm parent of an agent's folder; as a `service`, until the unit is stopped or another takes its place.

    `follows`: runners do not outlive their agent.
    """
    edition = this_edition()
    agent_folder = agent_folder.absolute()
    agent_folder.mkdir(parents=True, exist_ok=True, mode=0o700)
    os.chdir("/")
    adopt_orphans()  # those of a runner that was killed

    used = partial(used_by_living, agent_folder / "attempts")
    with ControlGroups.of_agent(agent_folder, used) as groups:
        _rehearse(agent_folder, groups)  # first: a loop that closes resets the signals that it used
        forked = _serve(agent_folder / "warm.sock", edition, groups, service, follows)
        if forked is not None:
            _become_runner(forked, groups)


def _serve(
    path: Path, edition: str, groups: ControlGroups, service: Service | None, follows: bool
) -> Forked | None:
    """Fork runners; in a forked child: what it is to do."""
    for number in (signal.SIGHUP, signal.SIGINT):
        signal.signal(number, signal.SIG_IGN)  # its end is when nobody needs it, not when a terminal closes
    signal.signal(signal.SIGCHLD, _noticed)
    gc.collect()
    gc.disable()
    gc.freeze()
    with ExitStack() as stack:
        forked = Parent(path, stack, edition, Births(groups), service, follows=follows).serve()
        signal.set_wakeup_fd(-1)
    return forked


def _rehearse(agent_folder: Path, groups: ControlGroups) -> None:
    """Carry an attempt that does nothing, so that whatever is made on first use is made once, before every fork.

    A parent that is killed meanwhile leaves its stage behind, which the next one removes.
    """
    for left in agent_folder.glob(f"{_STAGE}*"):
        with suppress(Undeletable):
            remove_tree(left)
    job = JobSpec(name="rehearsal", checkout=False, steps=(RunStep(name="true", run="true"),))
    with suppress(OSError, TailraceError), TemporaryDirectory(prefix=_STAGE, dir=agent_folder) as place:
        lease = Lease(
            attempt=0, number=0, cookie=os.urandom(16).hex(), log=0, run=0, run_number=0, project="", plan="",
            repository="", job=job,
        )  # fmt: skip
        asyncio.run(carry(AttemptFolder.create(Path(place) / "attempts", lease), groups=groups))


def _noticed(_number: int, _frame: FrameType | None) -> None:
    """A handler, so that the signal reaches the wake-up descriptor."""


def _become_runner(forked: Forked, groups: ControlGroups) -> NoReturn:
    """In the forked child: leave everything of the parent behind, and carry attempts, one after the other."""
    status = 1
    task: Task | None = forked.task
    try:
        os.setsid()
        for number in (signal.SIGHUP, signal.SIGCHLD, signal.SIGTERM):
            signal.signal(number, signal.SIG_DFL)
        signal.signal(signal.SIGINT, signal.default_int_handler)
        gc.enable()
        hide_memory()
        while task is not None:
            task = _carry(task, groups, forked)
        status = 0
    finally:  # the lock of an attempt that went wrong ends with the process: whoever finds it free finds the trace too
        with suppress(Exception):
            sys.stderr.flush()
        os._exit(status)


def _carry(task: Task, groups: ControlGroups, runner: Forked) -> Task | None:
    """Carry an attempt; the next task, None where there is none or this process has seen what another attempt must not.

    Who had secrets in its memory gets no second task.
    """
    _redirect(task.folder.errors)
    secrets: dict[str, str] = {}
    try:
        if task.secrets is not None:
            secrets = take_from_pipe(task.secrets)
        asyncio.run(carry(task.folder, task.lock, secrets, groups, runner.leaf))
    except BaseException as error:
        _confess(error, secrets)
        raise SystemExit(1) from error
    if task.secrets is not None or not _is_alone(runner.leaf):
        return None
    _redirect(Path(os.devnull))
    with suppress(OSError):  # the parent is gone: so is the line
        runner.line.send(FREE)
    task.lock.release()
    return next_task(runner.line)


def _is_alone(leaf: Leaf | None) -> bool:
    """Whether nothing is left of the attempt, and this process is still where it was born."""
    try:
        os.waitid(os.P_ALL, 0, os.WEXITED | os.WNOHANG | os.WNOWAIT)
    except ChildProcessError:
        return leaf is None or leaf.members() == [os.getpid()]
    return False


def _confess(error: BaseException, secrets: Mapping[str, str]) -> None:
    """Print what went wrong, without secrets; the next agent quotes the last line."""
    try:
        masker = Masker(secrets.values())
    except TailraceError as unmaskable:
        print(f"{type(error).__name__}: {unmaskable}", file=sys.stderr)
        return
    print(masker.text("".join(traceback.format_exception(error))), file=sys.stderr)
    print(masker.text(f"{type(error).__name__}: {error}".splitlines()[0]), file=sys.stderr)


def _redirect(errors: Path) -> None:
    """Nothing to read, and everything printed goes to the attempt's file."""
    null = os.open(os.devnull, os.O_RDONLY)
    file = os.open(errors, os.O_WRONLY | os.O_CREAT | os.O_APPEND, 0o600)
    os.dup2(null, 0)
    os.dup2(file, 1)
    os.dup2(file, 2)
    for fd in (null, file):
        if fd > 2:
            os.close(fd)
