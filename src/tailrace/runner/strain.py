"""What the kernel did to the processes of a step, told as the reason of its end."""

from __future__ import annotations

from pathlib import Path

from tailrace.domain.outcome import Outcome, Reason
from tailrace.domain.sizes import size_words
from tailrace.runner.group import Group, Strain

_KILLED = 128 + 9
_EXPLAINED = (Reason.EXIT_CODE, Reason.SIGNAL, Reason.SETUP_FAILED, Reason.SOURCE_UNREACHABLE)


class StrainedStep:
    """One step under the eyes of the kernel, from its beginning on."""

    def __init__(self, name: str, group: Group) -> None:
        self._name = name
        self._group = group
        self._before = group.strain()
        self._machine_before = _machine_kills()

    @property
    def notice(self) -> str | None:
        """What the log says of a step that passed all the same."""
        strain = self._strain
        if strain.killed:
            return f"the kernel killed {_processes(strain.killed)} of step '{self._name}' {self._where}"
        if strain.refused:
            return f"the kernel refused step '{self._name}' another process {_times(strain.refused)}: {self._most}"
        return None

    def explain(self, outcome: Outcome) -> Outcome:
        """The outcome of a step that failed, with what the kernel did as its reason, where it did something."""
        if outcome.reason not in _EXPLAINED:
            return outcome
        strain = self._strain
        said = outcome.detail or f"step '{self._name}' failed"
        if strain.killed:
            killed = f"the kernel killed {_processes(strain.killed)} of it {self._where}"
            return _because(outcome, Reason.OUT_OF_MEMORY, f"step '{self._name}' ran out of memory: {killed}")
        if strain.refused:
            refused = f"the kernel had refused it another process {_times(strain.refused)}: {self._most}"
            return _because(outcome, Reason.OUT_OF_PROCESSES, f"{said}; {refused}")
        was_killed = outcome.exit_code == _KILLED or (outcome.reason == Reason.SIGNAL and "SIGKILL" in said)
        if was_killed and self._group.held.memory is None and _machine_kills() > self._machine_before:
            why = "the machine ran out of memory, and the kernel killed processes"
            return _because(outcome, Reason.OUT_OF_MEMORY, f"{said}; {why}")
        return outcome

    @property
    def _strain(self) -> Strain:
        return self._group.strain().since(self._before)

    @property
    def _where(self) -> str:
        memory = self._group.held.memory
        if self._group.filled and memory is not None:
            return f"at the job's limit of {size_words(memory)} of memory"
        return "because the machine, or the service in which the agent runs, had no memory left"

    @property
    def _most(self) -> str:
        return f"the job's limit is {self._group.held.processes:,} processes and threads at a time"


def _because(outcome: Outcome, reason: Reason, detail: str) -> Outcome:
    return outcome.model_copy(update={"reason": reason, "detail": detail})


def _processes(count: int) -> str:
    return "a process" if count == 1 else f"{count} processes"


def _times(count: int) -> str:
    return "once" if count == 1 else f"{count:,} times"


def _machine_kills() -> int:
    """How many processes the kernel has killed on this machine for lack of memory."""
    try:
        for line in Path("/proc/vmstat").read_text(encoding="ascii").splitlines():
            if line.startswith("oom_kill "):
                return int(line.split()[1])
    except OSError:
        pass
    return 0
