"""Carrying one attempt, from its folder to its outcome."""

from __future__ import annotations

import asyncio
import os
import signal
from collections.abc import Generator, Mapping
from contextlib import contextmanager, nullcontext

from tailrace.domain.lease import Lease
from tailrace.domain.outcome import Outcome
from tailrace.prctl import adopt_orphans
from tailrace.runner.account import Account
from tailrace.runner.attempt import Attempt, clean
from tailrace.runner.cgroup import NO_CONTROL_GROUPS, ControlGroups
from tailrace.runner.children import Children
from tailrace.runner.command import take_commands
from tailrace.runner.family import Family
from tailrace.runner.folder import AttemptFolder, RunnerLock
from tailrace.runner.full_disk import PATIENCE_S, FullDisk
from tailrace.runner.group import Group
from tailrace.runner.handover import split_access, split_opener
from tailrace.runner.leaf import Leaf
from tailrace.runner.limit import LogLimit
from tailrace.runner.masking import Masker
from tailrace.runner.record import Record
from tailrace.runner.stop import Stop
from tailrace.runner.workspace import workspace_of


async def carry(
    folder: AttemptFolder,
    lock: RunnerLock | None = None,
    secrets: Mapping[str, str] | None = None,
    groups: ControlGroups = NO_CONTROL_GROUPS,
    born_in: Leaf | None = None,
    full_s: float = PATIENCE_S,
) -> Outcome:
    """Execute the folder's lease; returns when its end is on disk and its processes are gone.

    Needs a process of its own: it adopts, reaps and in the end kills every descendant of this process. `lock` is the folder's
    lock where the caller holds it, who then also releases it. `secrets` are those that the lease's job wants, with the access to
    the server (`handover.with_access`) where its steps move artifacts, and with what opens its repository
    (`handover.with_opener`). `groups` is where the attempt gets its control group, and `born_in` the one in which this process
    is already. Where the workspace belongs to another user, the job's processes run as that one. `full_s` is how long the log
    waits for room on a disk that the job's own files fill.

    Raises Conflict when another runner carries the attempt or did, Invalid for a folder without a lease and for secrets that
    cannot be masked: these leave no `Finished`, see `tailrace.runner.recover`.
    """
    adopt_orphans()
    stop = Stop()
    loop = asyncio.get_running_loop()
    for number in (signal.SIGTERM, signal.SIGINT):
        loop.add_signal_handler(number, stop.shut_down)
    with nullcontext(lock) if lock else folder.take_lock() as held:
        held.sign()
        lease = folder.lease()
        rest, opener = split_opener(secrets or {})
        secrets, access = split_access(rest)
        masker = Masker([*secrets.values(), *([] if opener is None else [opener])])
        limit = LogLimit(lease.job.log, stop.fill_log)
        disk = FullDisk(folder, stop, full_s)
        with (
            Record.begin(folder, masker, limit, disk) as record,
            _group(groups, folder, lease, born_in) as group,
        ):
            user = folder.user
            account = None if user is None else Account.numbered(user)
            family = Family(lease.cookie, os.getpid(), group, user)
            with Children(group, account) as children:
                async with take_commands(folder, stop):
                    stop.limit(lease.job.timeout_s)
                    with workspace_of(folder, lease) as workspace:
                        attempt = Attempt(
                            folder,
                            lease,
                            workspace,
                            record,
                            children,
                            family,
                            stop,
                            secrets,
                            account,
                            access,
                            opener,
                        )
                        with attempt.borrowing():
                            outcome = await attempt.run()
                            await attempt.leave_nobody()
                    stop.close()
            await attempt.finish(outcome)
        clean(folder)
    return outcome


@contextmanager
def _group(
    groups: ControlGroups, folder: AttemptFolder, lease: Lease, born_in: Leaf | None
) -> Generator[Group]:
    """The attempt's control group, while it is carried."""
    group = Group.make(groups, folder, lease.job.limits, born_in)
    try:
        yield group
    except BaseException:
        group.kill()
        raise
    finally:
        group.remove()
