"""Bringing the sources of a Subversion repository into the workspace."""

from __future__ import annotations

import asyncio
import os
from collections.abc import Callable

from tailrace.domain.address import without_password
from tailrace.domain.outcome import Reason
from tailrace.domain.spans import Stream
from tailrace.domain.subversion import is_away, telling
from tailrace.runner.bring import bring
from tailrace.runner.checking_out import Stopped, checked_out, has_no_room
from tailrace.runner.execute import Ended, Executor
from tailrace.runner.failure import StepFailed, failed
from tailrace.runner.inventory import Inventory, Kept
from tailrace.runner.mirrors_svn import SvnMirror
from tailrace.runner.output import FULL, Output
from tailrace.runner.trees import empty_tree, give_to_owner, own_folder, remove_tree
from tailrace.steps.checkout_svn import SvnCheckout
from tailrace.steps.command import Command


async def check_out_svn(
    checkout: SvnCheckout,
    mirror: SvnMirror,
    inventory: Inventory | None,
    executor: Executor,
    output: Output,
    step: int,
    known_hosts: Callable[[], bytes] = bytes,
) -> str | None:
    """Check out what `checkout` names; returns the revision's number, or None when it was stopped early.

    What the mirror has already is not asked for again; of what it has at another revision, only the difference is. `inventory`
    is a kept workspace's; without one the workspace is empty. svn is never started in a workspace that a job had: it would
    believe what it finds there. `known_hosts` are the machines that ssh has believed by then.

    Raises StepFailed: `source_unreachable` when the repository does not answer, `out_of_disk` when there is no room for it,
    `setup_failed` otherwise.
    """
    way = _Way(checkout, mirror, inventory, executor, output, step, known_hosts)

    async def go() -> str:
        checkout.config.mkdir(mode=0o700, exist_ok=True)
        try:
            return await way.go()
        finally:
            remove_tree(checkout.config)

    return await checked_out(checkout, go)


class _Way:
    """From the repository to the mirror, and from the mirror to the workspace; or straight into one that was kept."""

    def __init__(
        self,
        checkout: SvnCheckout,
        mirror: SvnMirror,
        inventory: Inventory | None,
        executor: Executor,
        output: Output,
        step: int,
        known_hosts: Callable[[], bytes],
    ) -> None:
        self._checkout = checkout
        self._mirror = mirror
        self._inventory = inventory
        self._executor = executor
        self._output = output
        self._step = step
        self._known_hosts = known_hosts

    async def go(self) -> str:
        """The revision that is in the workspace then."""
        checkout, mirror = self._checkout, self._mirror

        def waiting() -> None:
            self._output.say(self._step, f"waiting: another job checks out {checkout.shown}")

        async with mirror.changing(waiting, self._executor.is_stopped) as free:
            if not free:
                raise Stopped
            if checkout.revision is None or mirror.at != checkout.revision:
                mirror.begin()
                await self._update()
                if checkout.revision is not None:
                    mirror.end(checkout.revision)
            revision = checkout.revision or await self._revision()
            if self._inventory is None:
                await self._must(checkout.copy(), "cannot copy the mirror of")
                own_folder(checkout.place.workspace)  # it has the mirror's rights now
                give_to_owner(checkout.place.workspace)
            else:
                await self._bring(self._inventory)
        externals = checkout.take_externals(revision, self._known_hosts())
        if externals is not None:
            await self._must(externals, "cannot check out the externals of")
        self._output.say(self._step, f"checked out revision {revision} of {checkout.shown}")
        return revision

    async def _bring(self, inventory: Inventory) -> None:
        """Let a kept workspace have the mirror's files, and those of its own that the repository never had."""
        workspace = self._checkout.place.workspace
        kept = inventory.take()
        if kept is None:
            empty_tree(workspace)
        remove_tree(workspace / ".svn")
        before = os.fsdecode(kept.content).split("\0") if kept is not None else []
        try:  # in a thread: an abort must be heard meanwhile
            brought = await asyncio.to_thread(
                bring, self._mirror.path, workspace, before, self._executor.is_stopped
            )
        except OSError as error:
            shown = f"{self._checkout.wanted} of {self._checkout.shown}"
            reason = Reason.OUT_OF_DISK if error.errno in FULL else Reason.SETUP_FAILED
            raise failed(reason, f"cannot bring the workspace to {shown}: {error}") from error
        if brought is None:
            raise Stopped
        inventory.keep(Kept(os.fsencode("\0".join(brought))))

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
            raise Stopped
        if ended.status != 0:
            raise self._failed(what, ended)
        return ended

    def _failed(self, what: str, ended: Ended) -> StepFailed:
        said = ended.said.decode("utf-8", "replace")
        reason = Reason.SOURCE_UNREACHABLE if is_away(said) else Reason.SETUP_FAILED
        if has_no_room(said):
            reason = Reason.OUT_OF_DISK
        why = without_password(telling(said) or f"svn ended with status {ended.status}")
        checkout = self._checkout
        detail = f"{what} {checkout.wanted} of {checkout.shown}: {why}{checkout.key.shown}"
        return failed(reason, detail, ended.status)
