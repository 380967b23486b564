"""Every state and every move between states, as tables; SQL guards the same moves.

A state's comment says when it holds and what moves it on.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from enum import StrEnum
from typing import Generic, TypeVar

from tailrace.domain.errors import MoveRefused

S = TypeVar("S", bound=StrEnum)

REOPEN = "reopen"
"""The verb by which people let what has ended go on."""


class AttemptState(StrEnum):
    PENDING = "pending"  # in the queue, until an agent leases it
    LEASED = "leased"  # an agent has it, its runner has not begun; begins, or expires back into the queue
    RUNNING = "running"  # its runner has begun; ends by the runner's word, or is lost with its agent
    PASSED = "passed"
    FAILED = "failed"
    ABORTED = "aborted"


class JobState(StrEnum):
    WAITING = (
        "waiting"  # for the jobs it needs, its run's turn or its own, room in its matrix, or an approval
    )
    PENDING = "pending"  # its newest attempt is pending or leased, or its next one waits for its time
    RUNNING = "running"  # its newest attempt is running
    PASSED = "passed"
    FAILED = "failed"
    ABORTED = "aborted"
    SKIPPED = "skipped"  # it will never run: what it needs did not pass, its condition does not hold, its environment refuses it


class RunState(StrEnum):
    PLANNING = "planning"  # its plan file is being read; it has no jobs yet
    PENDING = "pending"  # no job has begun
    RUNNING = "running"  # some job has begun, not all have ended
    PASSED = "passed"
    FAILED = "failed"
    ABORTED = "aborted"
    SKIPPED = "skipped"


class StepState(StrEnum):
    WAITING = "waiting"
    RUNNING = "running"
    PASSED = "passed"
    FAILED = "failed"
    ABORTED = "aborted"
    SKIPPED = "skipped"


class LogState(StrEnum):
    OPEN = "open"  # its writer may still send bytes
    CLOSED = "closed"  # whole: size and CRC-32 are what the writer declared
    SEALED = "sealed"  # whole, compressed, in the archive
    TRUNCATED = "truncated"  # its writer was lost: it ends where the last byte arrived
    REMOVED = "removed"  # retention took it


class NotificationState(StrEnum):
    PENDING = "pending"  # to be sent, or to be tried again
    SENT = "sent"  # its receiver took it
    FAILED = "failed"  # its receiver refused it for good, or did not answer however often it was tried
    UNSURE = (
        "unsure"  # it may have arrived: whoever sent it heard no answer, and to send it again might be twice
    )


class AgentMode(StrEnum):
    """What people want of an agent; no machine: any mode may follow any."""

    ACTIVE = "active"  # it gets work
    PAUSED = "paused"  # it gets none for a while
    DRAINING = "draining"  # it gets none, because it is to go when its last attempt has ended


@dataclass(frozen=True)
class Machine(Generic[S]):
    """A state machine: `moves` maps (state, verb) to the next state. Only `reopen` leaves a state that is an end."""

    name: str
    initial: S
    moves: Mapping[tuple[S, str], S]

    def after(self, state: S, verb: str) -> S:
        """The state after `verb`; raises MoveRefused when the table has no such move."""
        try:
            return self.moves[state, verb]
        except KeyError:
            raise MoveRefused(self.name, state, verb) from None

    def sources(self, verb: str) -> tuple[S, ...]:
        """The states that `verb` may leave, for the guard in SQL."""
        return tuple(state for state, said in self.moves if said == verb)

    def target(self, verb: str) -> S:
        """The one state that `verb` leads to (a verb never leads to two)."""
        (state,) = {state for (_, said), state in self.moves.items() if said == verb}
        return state

    def final(self) -> frozenset[S]:
        """The ends: the states that nothing leaves by itself."""
        leaving = {state for state, verb in self.moves if verb != REOPEN}
        return frozenset(set(self.moves.values()) - leaving)


_A, _J, _R, _L, _N = AttemptState, JobState, RunState, LogState, NotificationState

ATTEMPT: Machine[AttemptState] = Machine(
    "attempt",
    _A.PENDING,
    {
        (_A.PENDING, "lease"): _A.LEASED,
        (_A.LEASED, "expire"): _A.PENDING,
        (_A.LEASED, "start"): _A.RUNNING,
        (_A.RUNNING, "pass"): _A.PASSED,
        (_A.RUNNING, "fail"): _A.FAILED,
        (_A.RUNNING, "lose"): _A.FAILED,
        (_A.PENDING, "give_up"): _A.FAILED,
        (_A.PENDING, "abort"): _A.ABORTED,
        (_A.LEASED, "abort"): _A.ABORTED,
        (_A.RUNNING, "abort"): _A.ABORTED,
    },
)

JOB: Machine[JobState] = Machine(
    "job",
    _J.WAITING,
    {
        (_J.WAITING, "ready"): _J.PENDING,
        (_J.WAITING, "skip"): _J.SKIPPED,
        (_J.WAITING, "abort"): _J.ABORTED,
        (_J.PENDING, "start"): _J.RUNNING,
        (_J.PENDING, "give_up"): _J.FAILED,
        (_J.PENDING, "abort"): _J.ABORTED,
        (_J.RUNNING, "pass"): _J.PASSED,
        (_J.RUNNING, "fail"): _J.FAILED,
        (_J.RUNNING, "abort"): _J.ABORTED,
        (_J.RUNNING, "retry"): _J.PENDING,
        (_J.PASSED, REOPEN): _J.WAITING,
        (_J.FAILED, REOPEN): _J.WAITING,
        (_J.ABORTED, REOPEN): _J.WAITING,
        (_J.SKIPPED, REOPEN): _J.WAITING,
    },
)

RUN: Machine[RunState] = Machine(
    "run",
    _R.PLANNING,
    {
        (_R.PLANNING, "plan"): _R.PENDING,
        (_R.PLANNING, "skip"): _R.SKIPPED,
        (_R.PLANNING, "fail"): _R.FAILED,
        (_R.PLANNING, "abort"): _R.ABORTED,
        (_R.PENDING, "start"): _R.RUNNING,
        (_R.PENDING, "skip"): _R.SKIPPED,
        (_R.PENDING, "fail"): _R.FAILED,
        (_R.PENDING, "abort"): _R.ABORTED,
        (_R.RUNNING, "pass"): _R.PASSED,
        (_R.RUNNING, "fail"): _R.FAILED,
        (_R.RUNNING, "abort"): _R.ABORTED,
        (_R.PASSED, REOPEN): _R.PENDING,
        (_R.FAILED, REOPEN): _R.PENDING,
        (_R.ABORTED, REOPEN): _R.PENDING,
    },
)

LOG: Machine[LogState] = Machine(
    "log",
    _L.OPEN,
    {
        (_L.OPEN, "close"): _L.CLOSED,
        (_L.OPEN, "truncate"): _L.TRUNCATED,
        (_L.CLOSED, "seal"): _L.SEALED,
        (_L.TRUNCATED, "remove"): _L.REMOVED,
        (_L.SEALED, "remove"): _L.REMOVED,
    },
)

NOTIFICATION: Machine[NotificationState] = Machine(
    "notification",
    _N.PENDING,
    {
        (_N.PENDING, "send"): _N.SENT,
        (_N.PENDING, "fail"): _N.FAILED,
        (_N.PENDING, "doubt"): _N.UNSURE,
        (_N.SENT, REOPEN): _N.PENDING,
        (_N.FAILED, REOPEN): _N.PENDING,
        (_N.UNSURE, REOPEN): _N.PENDING,
    },
)

ATTEMPT_ENDED = ATTEMPT.final()
JOB_ENDED = JOB.final()
RUN_ENDED = RUN.final()
NOTIFICATION_ENDED = NOTIFICATION.final()


def derive_run_state(jobs: Iterable[JobState]) -> RunState:
    """The state of a planned run from the states of its jobs; a failure outweighs an abort, an abort a skip."""
    states = set(jobs)
    if states <= JOB_ENDED:
        if JobState.FAILED in states:
            return RunState.FAILED
        if JobState.ABORTED in states:
            return RunState.ABORTED
        return RunState.PASSED if JobState.PASSED in states else RunState.SKIPPED
    if states <= {JobState.WAITING, JobState.PENDING, JobState.SKIPPED}:
        return RunState.PENDING
    return RunState.RUNNING
