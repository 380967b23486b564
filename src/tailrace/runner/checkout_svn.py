"""Bringing the sources of a Subversion repository into the workspace."""

from __future__ import annotations

from tailrace.domain.address import without_password
from tailrace.domain.outcome import Reason
from tailrace.domain.spans import Stream
from tailrace.domain.subversion import is_away, telling
from tailrace.runner.execute import Ended, Executor
from tailrace.runner.failure import StepFailed, failed
from tailrace.runner.mirrors_svn import SvnMirror
from tailrace.runner.output import Output
from tailrace.runner.trees import empty_tree, remove_tree
from tailrace.steps.checkout_svn import SvnCheckout
from tailrace.steps.command import Command


class _Stopped(Exception):
    """Somebody asked for the attempt's end."""


async def check_out_svn(
    checkout: SvnCheckout, mirror: SvnMirror, executor: Executor, output: Output, step: int
) -> str | None:
    """Check out what `checkout` names; returns the revision's number, or None when it was stopped early.

    What the mirror has already is not asked for again; of what it has at another revision, only the difference is. Raises
    StepFailed: `source_unreachable` when the repository does not answer, `setup_failed` otherwise.
    """
    refused = checkout.refused()
    if refused is not None:
        raise failed(
            Reason.SETUP_FAILED, f"cannot check out {checkout.wanted} of {checkout.shown}: {refused}"
        )
    try:
        checkout.config.mkdir(mode=0o700, exist_ok=True)
        return await _Way(checkout, mirror, executor, output, step).go()
    except _Stopped:
        return None
    finally:
        remove_tree(checkout.config)


class _Way:
    """From the repository to the mirror, and from the mirror to the workspace; or straight into one that was kept."""

    def __init__(
        self, checkout: SvnCheckout, mirror: SvnMirror, executor: Executor, output: Output, step: int
    ) -> None:
        self._checkout = checkout
        self._mirror = mirror
        self._executor = executor
        self._output = output
        self._step = step

    async def go(self) -> str:
        """The revision that is in the workspace then."""
        checkout = self._checkout
        if not await self._refresh():
            empty_tree(checkout.place.workspace)
            await self._copy()
        revision = checkout.revision or await self._revision()
        externals = checkout.take_externals(revision)
        if externals is not None:
            await self._must(externals, "cannot check out the externals of")
        self._output.say(self._step, f"checked out revision {revision} of {checkout.shown}")
        return revision

    async def _refresh(self) -> bool:
        """Bring a working copy that was kept to the revision; False where there is none, or none that can be used."""
        checkout = self._checkout
        workspace = checkout.place.workspace
        if not (workspace / ".svn").is_dir() or (workspace / ".svn").is_symlink():
            return False
        try:
            await self._change(checkout.recover(workspace), checkout.revert(workspace))
            await self._change(checkout.change(workspace), checkout.revert(workspace))
        except StepFailed as failure:
            if failure.outcome.reason == Reason.SOURCE_UNREACHABLE:
                raise
            self._output.say(self._step, f"{failure}; emptying the workspace that was kept")
            return False
        return True

    async def _copy(self) -> None:
        checkout, mirror = self._checkout, self._mirror

        def waiting() -> None:
            self._output.say(self._step, f"waiting: another job checks out {checkout.shown}")

        async with mirror.changing(waiting, self._executor.is_stopped) as free:
            if not free:
                raise _Stopped
            if checkout.revision is None or mirror.at != checkout.revision:
                mirror.begin()
                await self._update()
                if checkout.revision is not None:
                    mirror.end(checkout.revision)
            await self._must(checkout.copy(), "cannot copy the mirror of")

    async def _update(self) -> None:
        """Bring the mirror to the revision; what cannot be brought there is made anew."""
        checkout, mirror = self._checkout, self._mirror
        if mirror.made:
            try:
                await self._change(checkout.recover(mirror.path), checkout.change(mirror.path))
                return
            except StepFailed as failure:
                if failure.outcome.reason == Reason.SOURCE_UNREACHABLE:
                    raise
                self._output.say(self._step, f"{failure}; checking out anew")
        remove_tree(mirror.path)
        await self._must(checkout.make(), "cannot check out")

    async def _revision(self) -> str:
        told = await self._must(self._checkout.tell(), "cannot find")
        return told.said.decode("utf-8", "replace").strip()

    async def _change(self, *commands: Command) -> None:
        for command in commands:
            await self._must(command, "cannot check out")

    async def _must(self, command: Command, what: str) -> Ended:
        ended = await self._executor.run(command, self._step, Stream.SYSTEM, Stream.SYSTEM)
        if ended.stopped:
            raise _Stopped
        if ended.status != 0:
            raise self._failed(what, ended)
        return ended

    def _failed(self, what: str, ended: Ended) -> StepFailed:
        said = ended.said.decode("utf-8", "replace")
        reason = Reason.SOURCE_UNREACHABLE if is_away(said) else Reason.SETUP_FAILED
        why = without_password(telling(said) or f"svn ended with status {ended.status}")
        return failed(
            reason, f"{what} {self._checkout.wanted} of {self._checkout.shown}: {why}", ended.status
        )
