"""What `tailrace exec` shows."""

from __future__ import annotations

import sys
from collections.abc import Mapping

from tailrace.agent.local_jobs import JobEnd
from tailrace.agent.snapshot import Sources
from tailrace.cli.log_targets import Source
from tailrace.cli.run_printing import RunPrinter
from tailrace.cli.stretches import Stretch
from tailrace.cli.texts import say
from tailrace.domain.lease import Lease
from tailrace.domain.spans import Span
from tailrace.domain.states import JobState


class ExecViewer:
    """Prints the logs of the `jobs` as they come; its own words go to standard error. Raises what `Out` does."""

    def __init__(self, jobs: tuple[str, ...]) -> None:
        self._jobs = jobs
        self._printer = RunPrinter(jobs)

    def announce(self, sources: Sources) -> None:
        """What is checked out, where that is not simply a commit."""
        if sources.uncommitted:
            self.notice(f"{sources.repository} as it is here, with what is not committed")

    def begin(self, lease: Lease) -> None:
        name = lease.job.name if lease.number == 1 else f"{lease.job.name}/{lease.number}"
        self._printer.begin(Source(lease.log, lease.job.name, lease.number, name, {}))

    def take(self, lease: Lease, offset: int, spans: list[Span], data: bytes) -> None:
        self._printer.take(Stretch(lease.log, offset, data, spans))

    def end(self, lease: Lease) -> None:
        self._printer.end(lease.log)

    def notice(self, text: str) -> None:
        say(f"tailrace: {text}", to=sys.stderr)

    def summarise(self, ends: Mapping[str, JobEnd]) -> None:
        """A line for each job, where there are several: one alone has said it all."""
        if len(ends) < 2:
            return
        width = max(map(len, ends))
        for name, end in ends.items():
            took = f" in {end.took_s:.1f} s" if end.took_s is not None else ""
            why = f": {end.detail}" if end.detail else ""
            why += " (allowed)" if _is_allowed(end) else ""
            say(f"{name:<{width}}  {end.state}{took}{why}", to=sys.stderr)


def exit_status(ends: Mapping[str, JobEnd], *, aborted: bool) -> int:
    """What stands for how the jobs ended: 0 passed, 130 aborted, else the exit code of one that failed, or 1.

    `aborted`: somebody ended the run; else what was aborted is so because another job of its matrix failed.
    """
    states = {end.state for end in ends.values() if not _is_allowed(end)}
    if JobState.ABORTED in states and (aborted or JobState.FAILED not in states):
        return 130
    if JobState.FAILED in states:
        return next((end.exit_code for end in ends.values() if end.exit_code and not _is_allowed(end)), 1)
    return 0


def _is_allowed(end: JobEnd) -> bool:
    return end.allowed and end.state is JobState.FAILED
