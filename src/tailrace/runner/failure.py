"""A step that did not pass, with the outcome that it gives the attempt."""

from __future__ import annotations

import errno
import signal

from tailrace.domain.errors import TailraceError
from tailrace.domain.outcome import Outcome, Reason
from tailrace.domain.states import AttemptState


class StepFailed(TailraceError):
    """The attempt ends here, as `outcome` says."""

    def __init__(self, outcome: Outcome) -> None:
        super().__init__(outcome.detail or outcome.state)
        self.outcome = outcome


def failed(reason: Reason, detail: str, exit_code: int | None = None) -> StepFailed:
    """A failure with its reason and a sentence for people."""
    return StepFailed(
        Outcome(state=AttemptState.FAILED, reason=reason, detail=detail, exit_code=exit_code),
    )


def ended_badly(name: str, status: int) -> StepFailed:
    """A step whose process ended with `status`: an exit code, or a negative signal."""
    if status >= 0:
        return failed(Reason.EXIT_CODE, f"step '{name}' ended with exit code {status}", status)
    try:
        word = signal.Signals(-status).name
    except ValueError:
        word = f"signal {-status}"
    return failed(Reason.SIGNAL, f"step '{name}' was killed by {word}")


def overdue(name: str, timeout_s: float) -> StepFailed:
    """A step that ran longer than it may."""
    return failed(Reason.TIMEOUT, f"step '{name}' ran longer than its timeout of {timeout_s:g} s")


def cannot_start(name: str, program: str, host: str, error: OSError | ValueError) -> StepFailed:
    """A step whose process could not be started."""
    if isinstance(error, FileNotFoundError) and error.filename == program:
        return failed(Reason.SETUP_FAILED, f"step '{name}' needs {program}, which is not installed on {host}")
    if isinstance(error, OSError) and error.errno in (errno.ENOSPC, errno.EDQUOT):
        return failed(Reason.OUT_OF_DISK, f"step '{name}' could not be started on {host}: the disk is full")
    if isinstance(error, OSError) and error.errno == errno.EAGAIN:
        refused = "the kernel refused its user another process"
        return failed(Reason.OUT_OF_PROCESSES, f"step '{name}' could not be started on {host}: {refused}")
    if isinstance(error, OSError) and error.errno == errno.ENOMEM:
        return failed(
            Reason.OUT_OF_MEMORY, f"step '{name}' could not be started on {host}: no memory is left"
        )
    return failed(Reason.SETUP_FAILED, f"step '{name}' could not be started on {host}: {error}")
