"""Why an attempt must end before its steps have: the first cause counts."""

from __future__ import annotations

import asyncio

from tailrace.domain.outcome import Outcome, Reason
from tailrace.domain.states import AttemptState


class Stop:
    """At most one cause; `asked` is done as soon as there is one."""

    def __init__(self) -> None:
        self._hurry_s: float | None = None
        self.asked: asyncio.Future[Outcome] = asyncio.get_running_loop().create_future()

    @property
    def outcome(self) -> Outcome | None:
        """How the attempt ends by this cause, where there is one."""
        return self.asked.result() if self.asked.done() else None

    def abort(self, by: str, grace_s: float | None = None) -> None:
        """Somebody wants it, and may be in a hurry."""
        if grace_s is not None:
            self._hurry_s = grace_s
        self._ask(
            Outcome(state=AttemptState.ABORTED, reason=Reason.ABORTED_BY, detail=f"aborted by {by}"),
        )

    def grace_s(self, usual_s: float) -> float:
        """The time between SIGTERM and SIGKILL: the usual one, or less when whoever asked is in a hurry."""
        return usual_s if self._hurry_s is None else min(usual_s, self._hurry_s)

    def time_out(self, timeout_s: float) -> None:
        """The job has used up its time."""
        detail = f"the job ran longer than its timeout of {timeout_s:g} s"
        self._ask(Outcome(state=AttemptState.FAILED, reason=Reason.TIMEOUT, detail=detail))

    def fill_log(self, limit: int) -> None:
        """The job has written more than its log may have."""
        detail = f"the job wrote more than the {limit:,} bytes that its log may have"
        self._ask(Outcome(state=AttemptState.FAILED, reason=Reason.LOG_LIMIT, detail=detail))

    def shut_down(self) -> None:
        """The machine, or the unit of its warm parent, is being stopped: the job may be tried again elsewhere."""
        detail = "the agent's machine was shut down before the attempt had ended"
        self._ask(Outcome(state=AttemptState.FAILED, reason=Reason.AGENT_LOST, detail=detail))

    def _ask(self, outcome: Outcome) -> None:
        if not self.asked.done():
            self.asked.set_result(outcome)
