"""Carrying one attempt, from its folder to its outcome."""

from __future__ import annotations

import asyncio
import signal
from collections.abc import Mapping
from contextlib import nullcontext

from tailrace.domain.outcome import Outcome
from tailrace.runner.attempt import Attempt, clean
from tailrace.runner.children import Children
from tailrace.runner.command import take_commands
from tailrace.runner.family import adopt_orphans
from tailrace.runner.folder import AttemptFolder, RunnerLock
from tailrace.runner.handover import split_access
from tailrace.runner.limit import LogLimit
from tailrace.runner.masking import Masker
from tailrace.runner.record import Record
from tailrace.runner.stop import Stop


async def carry(
    folder: AttemptFolder, lock: RunnerLock | None = None, secrets: Mapping[str, str] | None = None
) -> Outcome:
    """Execute the folder's lease; returns when its end is on disk and its processes are gone.

    Needs a process of its own: it adopts, reaps and in the end kills every descendant of this process. `lock` is the folder's
    lock where the caller holds it, who then also releases it. `secrets` are those that the lease's job wants, with the access to
    the server (`handover.with_access`) where its steps move artifacts.

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
        secrets, access = split_access(secrets or {})
        masker = Masker(secrets.values())
        limit = LogLimit(lease.job.log, stop.fill_log)
        with Record.begin(folder, masker, limit) as record, Children() as children:
            async with take_commands(folder, stop):
                stop.limit(lease.job.timeout_s)
                attempt = Attempt(folder, lease, record, children, stop, secrets, access)
                with attempt.borrowing():
                    outcome = await attempt.run()
                    await attempt.leave_nobody()
                stop.close()
            await attempt.finish(outcome)
        clean(folder)
    return outcome
