"""One attempt while it runs: its steps in order, and what they leave behind."""

from __future__ import annotations

import os
import sys
import traceback
from collections.abc import Mapping
from contextlib import AbstractContextManager, nullcontext

from tailrace.domain.facts import Started, StepBegan, StepEnded
from tailrace.domain.lease import Lease
from tailrace.domain.outcome import Outcome, Reason
from tailrace.domain.states import AttemptState, StepState
from tailrace.runner.checkout import check_out
from tailrace.runner.children import Children
from tailrace.runner.execute import Executor
from tailrace.runner.failure import StepFailed, cannot_start, ended_badly
from tailrace.runner.family import Family
from tailrace.runner.folder import AttemptFolder
from tailrace.runner.machine import this_machine
from tailrace.runner.mirrors import Mirror
from tailrace.runner.output import now_ms
from tailrace.runner.record import Record
from tailrace.runner.stop import Stop
from tailrace.runner.trees import Undeletable, remove_tree
from tailrace.steps.checkout import Checkout, git_environment
from tailrace.steps.command import Place
from tailrace.steps.environment import environment
from tailrace.steps.script import run_script

_PASSED = Outcome(state=AttemptState.PASSED, exit_code=0)


class Attempt:
    """One attempt while it runs."""

    def __init__(
        self,
        folder: AttemptFolder,
        lease: Lease,
        record: Record,
        children: Children,
        stop: Stop,
        secrets: Mapping[str, str],
    ) -> None:
        self._folder = folder
        self._lease = lease
        self._secrets = secrets
        self._record = record
        self._output = record.output
        self._children = children
        self._stop = stop
        self._family = Family(lease.cookie, os.getpid())
        self._executor = Executor(self._output, children, self._family, stop, lease.grace_s)
        self._machine = this_machine()
        self._place = Place(folder.workspace, folder.tmp)
        self._mirror = Mirror(folder.mirrors, lease.repository)
        self._revision = lease.revision
        self._step = 0

    def borrowing(self) -> AbstractContextManager[None]:
        """While this lasts, the mirror that the workspace borrows from stays."""
        return self._mirror.used() if self._lease.job.checkout else nullcontext()

    async def run(self) -> Outcome:
        """Do the steps in order until one does not pass; the rest is skipped."""
        lease = self._lease
        await self._record.write(Started(time=now_ms()))
        self._output.say(
            0,
            f"run {lease.run_number}, job {lease.job.name}, attempt {lease.number} on {self._machine.host}",
        )
        outcome = _PASSED
        missing = [name for name in lease.job.secrets if name not in self._secrets]
        if missing:
            detail = f"the agent handed over no {', '.join(missing)}"
            outcome = Outcome(state=AttemptState.FAILED, reason=Reason.SETUP_FAILED, detail=detail)
        for index, name in enumerate(lease.step_names):
            if outcome is _PASSED:
                outcome = self._stop.outcome or _PASSED
            if outcome is _PASSED:
                outcome = await self._do(index, name)
            else:
                skipped = StepEnded(time=now_ms(), step=index, name=name, state=StepState.SKIPPED)
                await self._record.write(skipped)
        return outcome

    async def leave_nobody(self) -> None:
        """End what the steps left running."""
        if not self._children.any_left():
            return  # orphans are our children: without a child there is no descendant either
        left = self._family.members()
        if left:
            self._output.say(self._step, f"killing {len(left)} processes that the steps left running")
        unkillable = await self._family.end()
        if unkillable:
            self._output.say(self._step, f"cannot kill {', '.join(map(str, unkillable))}: still running")

    async def finish(self, outcome: Outcome) -> None:
        """Say how it ended, in the log and in the journal."""
        self._output.say_dropped(self._step)
        words = {AttemptState.PASSED: "passed", AttemptState.FAILED: f"failed: {outcome.detail}"}
        self._output.say(self._step, words.get(outcome.state) or outcome.detail or outcome.state)
        if self._output.full:
            clean(self._folder)  # the log needs the room more
        await self._record.finish(outcome)

    async def _do(self, index: int, name: str) -> Outcome:
        self._step = index
        await self._record.write(StepBegan(time=now_ms(), step=index, name=name))
        exit_code: int | None = None
        try:
            exit_code = await self._execute(index, name)
            outcome = self._stop.outcome or _PASSED
        except StepFailed as failure:
            outcome = self._stop.outcome or failure.outcome
            exit_code = failure.outcome.exit_code
        except Exception as error:  # ours: the log and the outcome say so, the trace is for us
            print(self._record.masked(traceback.format_exc()), file=sys.stderr)
            detail = f"step '{name}': the runner failed: {type(error).__name__}: {error}"
            outcome = Outcome(state=AttemptState.FAILED, reason=Reason.RUNNER_DIED, detail=detail)
        state = StepState(outcome.state.value)
        await self._record.write(
            StepEnded(time=now_ms(), step=index, name=name, state=state, exit_code=exit_code)
        )
        return outcome

    async def _execute(self, index: int, name: str) -> int | None:
        """The step's exit code, None when it was stopped without one; raises StepFailed."""
        lease = self._lease
        program = "git"
        try:
            if lease.job.checkout and index == 0:
                env = git_environment(os.environ, lease.cookie, lease.repository)
                checkout = Checkout.of(lease, self._place, env, self._mirror.path)
                self._revision = await check_out(checkout, self._mirror, self._executor, self._output, index)
                return 0 if self._revision else None
            step = lease.job.steps[index - 1 if lease.job.checkout else index]
            env = environment(lease, self._place, self._machine, self._revision, self._secrets)
            program = self._machine.shell
            ended = await self._executor.run(
                run_script(step, index, self._place, env, self._machine.shell), index
            )
        except (OSError, ValueError) as error:
            raise cannot_start(name, program, self._machine.host, error) from error
        if ended.stopped or ended.status is None:
            return ended.status if ended.status is not None and ended.status >= 0 else None
        if ended.status != 0:
            raise ended_badly(name, ended.status)
        return 0


def clean(folder: AttemptFolder) -> None:
    """Remove the workspace and the folder for temporary files."""
    for tree in (folder.workspace, folder.tmp):
        try:
            remove_tree(tree)
        except Undeletable as error:
            print(error, file=sys.stderr)
