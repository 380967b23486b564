"""Where a job's sources come from: one contract for the systems that keep repositories."""

from __future__ import annotations

import os
from contextlib import AbstractContextManager
from typing import Protocol

from tailrace.domain.credentials import Opener, Remote
from tailrace.domain.lease import Lease
from tailrace.domain.unlock import unlock
from tailrace.runner.checkout import check_out
from tailrace.runner.checkout_svn import check_out_svn
from tailrace.runner.execute import Executor
from tailrace.runner.folder import AttemptFolder
from tailrace.runner.inventory import Inventory
from tailrace.runner.known_hosts import KnownHosts
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
    folder: AttemptFolder,
    lease: Lease,
    place: Place,
    inventory: Inventory | None = None,
    opener: str | None = None,
) -> Sources:
    """Git's or Subversion's, as the address tells; `inventory` is a kept workspace's, `opener` the secret that opens it."""
    remote = Remote(lease.repository)
    if lease.credentials is not None and opener is not None:
        opened = Opener(lease.credentials, lease.project, lease.opened_by, opener)
        remote = Remote(lease.repository, opened)
    return (_Svn if remote.is_subversion else _Git)(folder, lease, remote, place, inventory)


class _Git:
    program = "git"

    def __init__(
        self, folder: AttemptFolder, lease: Lease, remote: Remote, place: Place, inventory: Inventory | None
    ) -> None:
        self._mirror = Mirror(folder.mirrors, remote.address, remote.opened_by)
        self._known_hosts = KnownHosts(folder.mirrors)
        key = unlock(remote, self._known_hosts.path)
        env = git_environment(os.environ, lease.cookie)
        self._checkout = Checkout.of(lease, place, env, self._mirror.path, key)
        self._inventory = inventory
        self.borrowing = self._mirror.used

    async def check_out(self, executor: Executor, output: Output, step: int) -> str | None:
        return await check_out(
            self._checkout, self._mirror, self._inventory, executor, output, step, self._known_hosts.read
        )


class _Svn:
    program = "svn"

    def __init__(
        self, folder: AttemptFolder, lease: Lease, remote: Remote, place: Place, inventory: Inventory | None
    ) -> None:
        self._mirror = SvnMirror(folder.mirrors, f"{lease.repository}/{lease.ref or ''}", remote.opened_by)
        self._known_hosts = KnownHosts(folder.mirrors)
        key = unlock(remote, self._known_hosts.path)
        self._checkout = SvnCheckout.of(lease, remote, place, os.environ, self._mirror.path, folder.svn, key)
        self._inventory = inventory
        self.borrowing = self._mirror.used

    async def check_out(self, executor: Executor, output: Output, step: int) -> str | None:
        return await check_out_svn(
            self._checkout, self._mirror, self._inventory, executor, output, step, self._known_hosts.read
        )
