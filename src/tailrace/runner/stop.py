"""Why an attempt must end before its steps have: the first cause counts."""

from __future__ import annotations

import asyncio

from tailrace.domain.outcome import Outcome, Reason
from tailrace.domain.sizes import GIB, MIB
from tailrace.domain.states import AttemptState

HURRIED_S = 2.0
"""How long the steps of `finally` may take together when whoever wants the end is in a hurry."""


class Stop:
    """`asked` is done as soon as what runs now has to end. `outcome` is how the attempt ends by the first cause.

    The steps of `finally` follow on what ended the others: `begin_last` gives them an `asked` of their own, which a second abort
    or the end of their time makes done. `filled` is done when the attempt's own files must make room: then no step follows.
    """

    def __init__(self) -> None:
        self._loop = asyncio.get_running_loop()
        self._hurry_s: float | None = None
        self._aborts = 0
        self._last = False
        self.filled: asyncio.Future[None] = self._loop.create_future()
        self._limit: asyncio.TimerHandle | None = None
        self.outcome: Outcome | None = None
        self.asked: asyncio.Future[Outcome] = self._loop.create_future()

    @property
    def why(self) -> str:
        """Why what runs now has to end."""
        return (self.asked.result().detail if self.asked.done() else None) or "stopping"

    def limit(self, timeout_s: float) -> None:
        """The steps may take this long together."""
        self._limit = self._loop.call_later(timeout_s, self._time_out, timeout_s)

    def begin_last(self, timeout_s: float) -> None:
        """From now on the steps of `finally` run, for so long at most."""
        self._last = True
        if self._limit is not None:
            self._limit.cancel()
        ended, self.asked = self.asked, self._loop.create_future()
        if self._aborts > 1 or self.filled.done():
            self.asked.set_result(ended.result())
        if self._hurry_s is not None:
            timeout_s = min(timeout_s, HURRIED_S)
        self._limit = self._loop.call_later(timeout_s, self._time_out, timeout_s)

    def close(self) -> None:
        """Nothing runs any more."""
        if self._limit is not None:
            self._limit.cancel()

    def abort(self, by: str, grace_s: float | None = None, times: int | None = None) -> None:
        """Somebody wants it, and may be in a hurry. `times` is how often it was wanted: an order may be told twice."""
        times = self._aborts + 1 if times is None else times
        if times <= self._aborts:
            return
        self._aborts = times
        if grace_s is not None:
            self._hurry_s = grace_s
        outcome = Outcome(state=AttemptState.ABORTED, reason=Reason.ABORTED_BY, detail=f"aborted by {by}")
        self._ask(outcome, ends=not self._last or times > 1 or grace_s is not None)

    def grace_s(self, usual_s: float) -> float:
        """The time between SIGTERM and SIGKILL: the usual one, or less when whoever asked is in a hurry."""
        return usual_s if self._hurry_s is None else min(usual_s, self._hurry_s)

    def fill_log(self, limit: int) -> None:
        """The job has written more than its log may have."""
        detail = f"the job wrote more than the {limit:,} bytes that its log may have"
        self._ask(Outcome(state=AttemptState.FAILED, reason=Reason.LOG_LIMIT, detail=detail))

    def fill_disk(self, host: str, for_s: float, size: int) -> None:
        """There has been no room for the log for so long, because of so many bytes of the job's files."""
        taken = f"{size / GIB:,.1f} GiB" if size >= GIB else f"{size / MIB:,.0f} MiB"
        detail = f"the disk of {host} was full for {for_s:.0f} s, and the job's own files hold {taken} of it"
        if not self.filled.done():
            self.filled.set_result(None)
        self._ask(Outcome(state=AttemptState.FAILED, reason=Reason.OUT_OF_DISK, detail=detail))

    def fall_silent(self, idle_s: float) -> None:
        """The job has printed nothing for so long."""
        if self._last:
            return  # they have a time of their own
        detail = f"the job printed nothing for {idle_s:g} s, its idle timeout"
        self._ask(Outcome(state=AttemptState.FAILED, reason=Reason.IDLE_TIMEOUT, detail=detail))

    def shut_down(self) -> None:
        """The machine, or the unit of its warm parent, is being stopped: the job may be tried again elsewhere."""
        detail = "the agent's machine was shut down before the attempt had ended"
        self._ask(Outcome(state=AttemptState.FAILED, reason=Reason.AGENT_LOST, detail=detail))

    def _time_out(self, timeout_s: float) -> None:
        whose = "the steps of `finally`" if self._last else "the job"
        detail = f"{whose} ran longer than {'their' if self._last else 'its'} timeout of {timeout_s:g} s"
        self._ask(Outcome(state=AttemptState.FAILED, reason=Reason.TIMEOUT, detail=detail))

    def _ask(self, outcome: Outcome, *, ends: bool = True) -> None:
        if self.outcome is None:
            self.outcome = outcome
        if ends and not self.asked.done():
            self.asked.set_result(outcome)
