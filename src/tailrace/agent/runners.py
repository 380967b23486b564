"""What is done to attempts' runners and folders: started, aborted, finished for dead ones, removed."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable, Coroutine
from contextlib import suppress
from typing import Any

import structlog

from tailrace.agent.attempt import Attempt
from tailrace.domain.errors import Conflict
from tailrace.runner.command import send_abort
from tailrace.runner.folder import AttemptFolder
from tailrace.runner.handover import Access, with_access, with_opener
from tailrace.runner.recover import finish_dead
from tailrace.runner.trees import Undeletable
from tailrace.runner.warm import RunnerNotStarted, WarmParent

_AGAIN_S = 0.05
_log = structlog.get_logger("agent")


def now_ms() -> int:
    """This machine's clock, in ms since the epoch."""
    return time.time_ns() // 1_000_000


class Runners:
    """One thing at a time is done to an attempt (`busy`), each in a task of its own; `done` is told when one has ended.

    `trouble` is told what people must know, once for an attempt: what fails is tried again on the next look.
    """

    def __init__(
        self,
        warm: WarmParent,
        done: Callable[[Attempt], None],
        trouble: Callable[[str, Attempt], None],
        server_url: str = "",
    ) -> None:
        """`server_url` is where runners call the server, with the token that came with the lease."""
        self._warm = warm
        self._server_url = server_url
        self._done = done
        self._trouble = trouble
        self._tasks: set[asyncio.Task[None]] = set()

    def start(self, attempt: Attempt, folder: AttemptFolder) -> None:
        """Start the attempt's runner; where that fails, the journal says so."""
        attempt.runner = True
        self._do(attempt, lambda: self._start(attempt, folder))

    def finish(self, attempt: Attempt, folder: AttemptFolder) -> None:
        """End the attempt for its dead runner."""
        self._do(attempt, lambda: self._finish(attempt, folder))

    def free(self, attempt: Attempt, durable: int) -> None:
        """Give back to the disk what the server holds durably."""
        self._do(attempt, lambda: asyncio.to_thread(attempt.free, durable))

    def remove(self, attempt: Attempt, folder: AttemptFolder, removed: Callable[[Attempt], None]) -> None:
        """Remove the folder of an attempt whose runner is gone, then tell `removed`."""
        self._do(attempt, lambda: self._remove(attempt, folder, removed))

    def abort(self, attempt: Attempt, folder: AttemptFolder, by: str, grace_s: float | None = None) -> None:
        """Tell the runner, as soon as it listens, unless it ends before: once for each of the attempt's `aborts`."""
        if attempt.aborts > attempt.ordered:
            attempt.ordered = attempt.aborts
            self._run(self._abort(attempt, folder, by, grace_s, attempt.aborts))

    async def close(self) -> None:
        """Leave undone what is under way: the next agent finds it on disk."""
        for task in self._tasks:
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)

    async def _start(self, attempt: Attempt, folder: AttemptFolder) -> None:
        try:
            pid = await self._warm.start(folder, self._handed(attempt))
        except (RunnerNotStarted, OSError) as error:
            self._trouble(str(error), attempt)
            with suppress(OSError), folder.errors.open("a", encoding="utf-8") as file:
                file.write(f"{error}\n")  # it becomes the outcome's detail
            await self._finish(attempt, folder)
        else:
            attempt.secrets = None
            _log.info("started", attempt=folder.path.name, job=attempt.lease.job.name, pid=pid)

    def _handed(self, attempt: Attempt) -> dict[str, str] | None:
        if attempt.secrets is None:
            return None
        handed, token, opener = attempt.secrets.values, attempt.secrets.token, attempt.secrets.opener
        if opener is not None:
            handed = with_opener(handed, opener)
        if token is None or not self._server_url:
            return handed
        return with_access(handed, Access(self._server_url, token))

    async def _finish(self, attempt: Attempt, folder: AttemptFolder) -> None:
        with suppress(Conflict):  # it lives after all
            finished = await asyncio.to_thread(finish_dead, folder, now_ms())
            _log.warning("its runner is dead", attempt=folder.path.name, outcome=finished.outcome.detail)

    async def _remove(
        self, attempt: Attempt, folder: AttemptFolder, removed: Callable[[Attempt], None]
    ) -> None:
        try:
            await asyncio.to_thread(folder.remove)
        except Undeletable as error:
            self._trouble(str(error), attempt)
        attempt.close()
        removed(attempt)

    async def _abort(
        self, attempt: Attempt, folder: AttemptFolder, by: str, grace_s: float | None, times: int
    ) -> None:
        _log.info("aborting", attempt=folder.path.name, by=by)
        while attempt.finished is None:
            if not attempt.busy:
                if not folder.is_alive():
                    return
                with suppress(OSError):
                    if await send_abort(folder, by, grace_s, times):
                        return
            await asyncio.sleep(_AGAIN_S)
            attempt.look()

    def _do(self, attempt: Attempt, work: Callable[[], Coroutine[Any, Any, None]]) -> None:
        attempt.busy = True
        self._run(self._guard(attempt, work))

    async def _guard(self, attempt: Attempt, work: Callable[[], Coroutine[Any, Any, None]]) -> None:
        try:
            await work()
        except OSError as error:
            self._trouble(f"attempt {attempt.lease.folder}: {error}; trying again", attempt)
        finally:
            attempt.busy = False
        self._done(attempt)

    def _run(self, work: Coroutine[Any, Any, None]) -> None:
        task = asyncio.create_task(work)
        self._tasks.add(task)
        task.add_done_callback(self._ended)

    def _ended(self, task: asyncio.Task[None]) -> None:
        self._tasks.discard(task)
        if not task.cancelled() and (error := task.exception()) is not None:
            _log.error("an error of the agent's own", exc_info=error)
