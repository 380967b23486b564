"""One attempt while it runs: its steps in order, and what they leave behind."""

from __future__ import annotations

import asyncio
import sys
import traceback
from collections.abc import Mapping
from contextlib import AbstractContextManager, nullcontext, suppress
from dataclasses import replace
from functools import partial

from tailrace.domain.errors import Invalid
from tailrace.domain.facts import Started, StepBegan, StepEnded
from tailrace.domain.lease import Lease
from tailrace.domain.outcome import Outcome, Reason
from tailrace.domain.plan import RunStep, StepSpec
from tailrace.domain.states import AttemptState, StepState
from tailrace.runner.account import Account
from tailrace.runner.artifacts import ArtifactsPlace, move_artifacts
from tailrace.runner.children import Children
from tailrace.runner.execute import Executor
from tailrace.runner.failure import StepFailed, cannot_start, ended_badly, failed, overdue
from tailrace.runner.family import Family
from tailrace.runner.folder import AttemptFolder
from tailrace.runner.handover import Access
from tailrace.runner.machine import this_machine
from tailrace.runner.output import now_ms
from tailrace.runner.record import Record
from tailrace.runner.scripts import folder_within, read_outputs
from tailrace.runner.sources import sources_of
from tailrace.runner.stop import Stop
from tailrace.runner.strain import StrainedStep
from tailrace.runner.trees import Undeletable, give_to_owner, remove_tree
from tailrace.runner.workspace import Workspace
from tailrace.steps.command import Place
from tailrace.steps.course import Course, Skip
from tailrace.steps.environment import environment
from tailrace.steps.script import run_script


class Attempt:
    """One attempt while it runs."""

    def __init__(
        self,
        folder: AttemptFolder,
        lease: Lease,
        workspace: Workspace,
        record: Record,
        children: Children,
        family: Family,
        stop: Stop,
        secrets: Mapping[str, str],
        account: Account | None = None,
        access: Access | None = None,
        opener: str | None = None,
    ) -> None:
        """`access` is the way to the server, for steps that move artifacts; None where there is no server. `opener` is the secret
        that the lease's credentials name."""
        self._folder = folder
        self._lease = lease
        self._secrets = secrets
        self._access = access
        self._opener = opener
        self._record = record
        self._output = record.output
        self._children = children
        self._stop = stop
        self._family = family
        self._executor = Executor(
            self._output, children, self._family, stop, lease.grace_s, lease.job.idle_timeout_s
        )
        self._machine = this_machine(account)
        self._workspace = workspace
        self._place = Place(workspace.path, folder.tmp)
        self._sources = sources_of(folder, lease, self._place, workspace.inventory, opener)
        self._course = Course(lease)
        self._outputs: dict[str, str] = {}
        self._step = 0
        self._between = asyncio.Event()  # steps, and not within one
        self._between.set()

    def borrowing(self) -> AbstractContextManager[None]:
        """While this lasts, what the workspace borrows from stays."""
        return self._sources.borrowing() if self._lease.job.checkout else nullcontext()

    async def run(self) -> Outcome:
        """Do the steps in order, as far as their conditions hold, and then those of `finally`."""
        giving_up = asyncio.create_task(self._give_up_files())
        try:
            return await self._run()
        finally:
            if not self._stop.filled.done():
                giving_up.cancel()
            with suppress(asyncio.CancelledError):
                await giving_up
            if self._output.full:  # the log needs the room more than the job's next attempt
                self._workspace.clear()

    async def _give_up_files(self) -> None:
        """Once they must make room for the log, and no step works with them any more."""
        await self._stop.filled
        await self._between.wait()
        await self._family.end()
        self._output.say(self._step, "removing the job's files: its log needs the room")
        self._workspace.clear()
        clean(self._folder)

    async def _run(self) -> Outcome:
        lease, course, job = self._lease, self._course, self._lease.job
        await self._record.write(Started(time=now_ms()))
        self._output.say(
            0,
            f"{lease.run_in_words}, job {job.name}, attempt {lease.number} on {self._machine.host}",
        )
        self._say_limits()
        if self._workspace.inventory is not None:
            state = "as the last attempt left it" if self._workspace.found else "new"
            self._output.say(0, f"workspace {self._workspace.path.parent.name}, which is kept: {state}")
        elif job.workspace == "keep":
            self._output.say(0, "the workspace is not kept: this agent runs each job as a user of its own")
        missing = [name for name in job.secrets if name not in self._secrets]
        if lease.credentials is not None and self._opener is None:
            missing.append(lease.credentials.secret)
        if missing:
            detail = f"the agent handed over no {', '.join(missing)}"
            course.turn(Outcome(state=AttemptState.FAILED, reason=Reason.SETUP_FAILED, detail=detail))
            for index, name in enumerate(lease.step_names):
                await self._skip(index, name, None, None)
            return course.outcome
        names = enumerate(lease.step_names)
        for step in (*((None,) if job.checkout else ()), *job.steps):
            await self._turn_of(*next(names), step, last=False)
        if job.finally_steps:
            course.turn(self._stop.outcome)
            self._stop.begin_last(job.finally_timeout_s)
        for step in job.finally_steps:
            await self._turn_of(*next(names), step, last=True)
        course.turn(self._stop.outcome)
        try:
            self._outputs = course.outputs()
        except Invalid as error:
            course.turn(Outcome(state=AttemptState.FAILED, reason=Reason.OUTPUT_INVALID, detail=str(error)))
        return course.outcome

    def _say_limits(self) -> None:
        group = self._family.group
        if group.words:
            self._output.say(0, f"limits: {group.words}")
        for lacking in group.lacking:
            self._output.say(0, lacking)

    async def leave_nobody(self) -> None:
        """End what the steps left running."""
        if not self._children.any_left() and not self._family.group.members():
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
        hidden = [name for name, value in self._outputs.items() if self._record.masked(value) != value]
        if hidden:
            self._output.say(
                self._step, f"output {', '.join(hidden)} holds a secret: other jobs get it masked"
            )
        words = {AttemptState.PASSED: "passed", AttemptState.FAILED: f"failed: {outcome.detail}"}
        self._output.say(self._step, words.get(outcome.state) or outcome.detail or outcome.state)
        if self._output.full:
            clean(self._folder)  # the log needs the room more
        await self._record.finish(outcome, self._outputs)

    async def _turn_of(self, index: int, name: str, step: StepSpec | None, *, last: bool) -> None:
        """Do a step (None: the checkout), or skip it."""
        course = self._course
        if not last:
            course.turn(self._stop.outcome)
        skip = Skip(None) if self._stop.asked.done() else None
        if skip is None and step is not None:
            skip = course.skips(step, last=last)
        if skip is not None:
            await self._skip(index, name, step, skip.why)
        else:
            await self._do(index, name, step)

    async def _skip(self, index: int, name: str, step: StepSpec | None, why: str | None) -> None:
        if why is not None:
            self._output.say(index, f"step '{name}' is skipped: {why}")
        self._course.ended(step, StepState.SKIPPED)
        await self._record.write(StepEnded(time=now_ms(), step=index, name=name, state=StepState.SKIPPED))

    async def _do(self, index: int, name: str, step: StepSpec | None) -> None:
        self._step = index
        await self._record.write(StepBegan(time=now_ms(), step=index, name=name))
        outcome, exit_code, forgiven = Outcome(state=AttemptState.PASSED), None, False
        strain = StrainedStep(name, self._family.group)
        self._between.clear()
        try:
            exit_code = await self._execute(index, name, step)
            if strain.notice:
                self._output.say(index, strain.notice)
        except StepFailed as failure:
            outcome, exit_code = strain.explain(failure.outcome), failure.outcome.exit_code
            forgiven = step is not None and step.continue_on_error
        except Exception as error:  # ours: the log and the outcome say so, the trace is for us
            print(self._record.masked(traceback.format_exc()), file=sys.stderr)
            detail = f"step '{name}': the runner failed: {type(error).__name__}: {error}"
            outcome = Outcome(state=AttemptState.FAILED, reason=Reason.RUNNER_FAILED, detail=detail)
        finally:
            self._between.set()
        if self._stop.asked.done():
            outcome, forgiven = self._stop.asked.result(), False
        if forgiven:
            self._output.say(index, f"{outcome.detail}; going on, as the plan says")
        elif outcome.state is not AttemptState.PASSED:
            self._course.turn(self._stop.outcome or outcome)
        state = StepState(outcome.state.value)
        self._course.ended(step, state)
        await self._record.write(
            StepEnded(time=now_ms(), step=index, name=name, state=state, exit_code=exit_code)
        )

    async def _execute(self, index: int, name: str, step: StepSpec | None) -> int | None:
        """The step's exit code, None when it was stopped without one; raises StepFailed."""
        if step is None:
            return await self._check_out(index, name)
        if not isinstance(step, RunStep):
            place = ArtifactsPlace(
                self._place.workspace,
                self._lease.attempt,
                self._access,
                self._lease.job.name,
                self._folder.shelves,
            )
            moved = await move_artifacts(step, place, self._stop, partial(self._output.say, index))
            give_to_owner(self._place.workspace)
            return 0 if moved else None
        lease, course, host = self._lease, self._course, self._machine.host
        shell = step.shell or lease.job.shell or self._machine.shell
        folder = step.working_directory or lease.job.working_directory or ""
        env = environment(
            lease, self._place, self._machine, course.revision, self._secrets, course.env(step.env)
        )
        command = run_script(step, index, self._place, env, shell)
        try:
            command = replace(command, cwd=folder_within(self._place.workspace, folder, name))
            ended = await self._executor.run(command, index, timeout_s=step.timeout_s)
        except (OSError, ValueError) as error:
            raise cannot_start(name, command.argv[0], host, error) from error
        unread = self._take_outputs(index, step)
        if ended.overdue and step.timeout_s is not None:
            raise overdue(name, step.timeout_s)
        if ended.stopped or ended.status is None:
            return ended.status if ended.status is not None and ended.status >= 0 else None
        if ended.status != 0:
            raise ended_badly(name, ended.status)
        if unread is not None:
            raise failed(Reason.OUTPUT_INVALID, f"step '{name}' wrote outputs that cannot be read: {unread}")
        return 0

    async def _check_out(self, index: int, name: str) -> int | None:
        try:
            revision = await self._sources.check_out(self._executor, self._output, index)
        except (OSError, ValueError) as error:
            raise cannot_start(name, self._sources.program, self._machine.host, error) from error
        self._course.revision = revision
        return 0 if revision else None

    def _take_outputs(self, index: int, step: StepSpec) -> str | None:
        """Keep what the step gives to others; what is wrong with it, or None."""
        try:
            self._course.give(step, read_outputs(index, self._place))
        except Invalid as error:
            self._output.say(index, f"the step's outputs cannot be read: {error}")
            return str(error)
        return None


def clean(folder: AttemptFolder) -> None:
    """Remove the workspace and the folder for temporary files."""
    for tree in (folder.workspace, folder.tmp):
        try:
            remove_tree(tree)
        except Undeletable as error:
            print(error, file=sys.stderr)
