"""Bringing the sources into the workspace."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

from tailrace.domain.address import without_password
from tailrace.domain.outcome import Reason
from tailrace.domain.spans import Stream
from tailrace.runner.checking_out import Stopped, checked_out, has_no_room
from tailrace.runner.execute import Ended, Executor
from tailrace.runner.failure import StepFailed, failed
from tailrace.runner.inventory import Inventory, Kept
from tailrace.runner.mirrors import Mirror
from tailrace.runner.output import Output
from tailrace.runner.trees import empty_tree
from tailrace.steps.checkout import Checkout
from tailrace.steps.command import Command


async def check_out(
    checkout: Checkout,
    mirror: Mirror,
    inventory: Inventory | None,
    executor: Executor,
    output: Output,
    step: int,
    known_hosts: Callable[[], bytes] = bytes,
) -> str | None:
    """Check out what `checkout` names; returns the commit, or None when it was stopped early.

    What the mirror holds already is not fetched again. `inventory` is a kept workspace's; without one the workspace is empty.
    `known_hosts` are the machines that ssh has believed by then.
    Raises StepFailed: `source_unreachable` when nothing can be fetched from the repository, `out_of_disk` when there is no room
    for it, `setup_failed` otherwise.
    """
    way = _Way(checkout, mirror, inventory, executor, output, step, known_hosts)
    return await checked_out(checkout, way.go)


class _Way:
    """From the repository to the mirror, and from the mirror to the workspace."""

    def __init__(
        self,
        checkout: Checkout,
        mirror: Mirror,
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
        """The commit that is in the workspace then."""
        checkout = self._checkout
        at = await self._held() or await self._obtain()
        await self._fill(at)
        if checkout.depth == 0:
            await self._must(checkout.take_refs(), "cannot take the branches and tags of")
        submodules = checkout.update_submodules(self._known_hosts())
        if submodules is not None:
            await self._must(submodules, "cannot check out the submodules of")
        commit = (checkout.place.workspace / ".git" / "HEAD").read_text(encoding="ascii").strip()
        if self._inventory is not None:
            self._inventory.keep(self._mirror.index_of(checkout.place.workspace))
        self._output.say(self._step, f"checked out {commit} of {checkout.shown}")
        return commit

    async def _fill(self, at: str) -> None:
        """Put the commit's files into the workspace; what was kept there is brought to it, or makes room."""
        workspace = self._checkout.place.workspace
        index = self._inventory.take() if self._inventory is not None else None
        if index is not None:
            try:
                await self._detach(workspace, at, index)
                return
            except StepFailed as failure:
                self._output.say(self._step, f"{failure}; emptying the workspace that was kept")
        if self._inventory is not None:
            empty_tree(workspace)
        await self._detach(workspace, at, None)

    async def _detach(self, workspace: Path, at: str, index: Kept | None) -> None:
        self._mirror.lend(workspace, self._checkout.url, index)
        await self._must(self._checkout.detach(at, self._known_hosts()), "cannot check out")

    async def _held(self) -> str | None:
        """The commit, where the mirror holds it and nothing more is wanted than its files."""
        look = self._checkout.look()
        if look is None or self._checkout.depth == 0 or not self._mirror.made:
            return None
        return self._checkout.commit if (await self._run(look)).status == 0 else None

    async def _obtain(self) -> str:
        """Fetch into the mirror; what is there then."""
        checkout = self._checkout

        def waiting() -> None:
            self._output.say(self._step, f"waiting: another job fetches from {checkout.shown}")

        async with self._mirror.changing(waiting, self._executor.is_stopped) as free:
            if not free:
                raise Stopped
            held = await self._held()  # by the job that was waited for
            if held is not None:
                return held
            if not self._mirror.made:
                await self._must(checkout.make_mirror(), "cannot make a mirror of")
            await self._fetch()
            at = self._mirror.commit_at(checkout.own_ref)
            await self._run(checkout.forget())
            if self._mirror.scattered:
                await self._run(checkout.repack())
            return at

    async def _fetch(self) -> None:
        checkout = self._checkout
        alone = await self._run(checkout.fetch_revision())
        if alone.status == 0 and checkout.depth > 0:
            return
        if alone.status != 0:
            self._output.say(
                self._step, f"cannot fetch {checkout.wanted} alone; fetching all branches and tags"
            )
        everything = await self._run(checkout.fetch_all(self._mirror.shallow))
        if everything.status != 0:
            raise self._failed(Reason.SOURCE_UNREACHABLE, "cannot fetch", everything)
        if alone.status == 0:
            return
        if checkout.revision is None:
            raise self._failed(Reason.SETUP_FAILED, "cannot find", alone)
        own = checkout.fetch_ref(self._mirror.shallow)
        if own is not None:
            await self._run(own)
        await self._must(checkout.settle(), "cannot check out")

    async def _must(self, command: Command, what: str) -> None:
        ended = await self._run(command)
        if ended.status != 0:
            raise self._failed(Reason.SETUP_FAILED, what, ended)

    async def _run(self, command: Command) -> Ended:
        ended = await self._executor.run(command, self._step, Stream.SYSTEM, Stream.SYSTEM)
        if ended.stopped:
            raise Stopped
        return ended

    def _failed(self, reason: Reason, what: str, ended: Ended) -> Exception:
        text = ended.said.decode("utf-8", "replace")
        if has_no_room(text):
            reason = Reason.OUT_OF_DISK
        lines = text.strip().splitlines()
        said = next((line for line in reversed(lines) if line.startswith(("fatal:", "error:"))), None)
        said = said or (lines[-1] if lines else f"git ended with status {ended.status}")
        checkout = self._checkout
        detail = f"{what} {checkout.wanted} of {checkout.shown}: {without_password(said)}{checkout.key.shown}"
        return failed(reason, detail, ended.status)
