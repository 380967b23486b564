"""Where a job's sources come from: one contract for the systems that keep repositories."""

from __future__ import annotations

import os
from contextlib import AbstractContextManager
from typing import Protocol

from tailrace.domain.address import is_subversion
from tailrace.domain.lease import Lease
from tailrace.runner.checkout import check_out
from tailrace.runner.checkout_svn import check_out_svn
from tailrace.runner.execute import Executor
from tailrace.runner.folder import AttemptFolder
from tailrace.runner.inventory import Inventory
from tailrace.runner.mirrors import Mirror
from tailrace.runner.mirrors_svn import SvnMirror
from tailrace.runner.output import Output
from tailrace.steps.checkout import Checkout, git_environment
from tailrace.steps.checkout_svn import SvnCheckout
from tailrace.steps.command import Place


class Sources(Protocol):
    """The repository that a lease names, and the workspace that its files go to."""

    @property
    def program(self) -> str:
        """What must be installed."""
        ...

    def borrowing(self) -> AbstractContextManager[None]:
        """While this lasts, nobody removes what this machine keeps of the repository."""
        ...

    async def check_out(self, executor: Executor, output: Output, step: int) -> str | None:
        """Put the files of the revision into the workspace; the revision, or None when it was stopped early.

        A workspace that was kept then has the revision's files as they are there, and every file that is not the repository's.
        Raises StepFailed (`source_unreachable`, `out_of_disk`, `setup_failed`), and OSError when the program cannot be started.
        """
        ...


def sources_of(
    folder: AttemptFolder, lease: Lease, place: Place, inventory: Inventory | None = None
) -> Sources:
    """Git's or Subversion's, as the address tells; `inventory` is a kept workspace's."""
    return (_Svn if is_subversion(lease.repository) else _Git)(folder, lease, place, inventory)


class _Git:
    program = "git"

    def __init__(
        self, folder: AttemptFolder, lease: Lease, place: Place, inventory: Inventory | None
    ) -> None:
        self._mirror = Mirror(folder.mirrors, lease.repository)
        env = git_environment(os.environ, lease.cookie, lease.repository)
        self._checkout = Checkout.of(lease, place, env, self._mirror.path)
        self._inventory = inventory
        self.borrowing = self._mirror.used

    async def check_out(self, executor: Executor, output: Output, step: int) -> str | None:
        return await check_out(self._checkout, self._mirror, self._inventory, executor, output, step)


class _Svn:
    program = "svn"

    def __init__(
        self, folder: AttemptFolder, lease: Lease, place: Place, inventory: Inventory | None
    ) -> None:
        self._mirror = SvnMirror(folder.mirrors, f"{lease.repository}/{lease.ref or ''}")
        self._checkout = SvnCheckout.of(lease, place, os.environ, self._mirror.path, folder.svn)
        self._inventory = inventory
        self.borrowing = self._mirror.used

    async def check_out(self, executor: Executor, output: Output, step: int) -> str | None:
        return await check_out_svn(self._checkout, self._mirror, self._inventory, executor, output, step)
