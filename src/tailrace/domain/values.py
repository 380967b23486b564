"""What names stand for in one run, wherever it is asked: in the server, in a runner, in a terminal."""

from __future__ import annotations

from collections.abc import Collection, Mapping
from dataclasses import dataclass, field

from tailrace.domain.lease import Need
from tailrace.domain.matrix import together
from tailrace.domain.references import Reference


@dataclass(frozen=True)
class RunValues:
    """`own` holds the run's own values (`tailrace.domain.references.OF_RUN`), `variables` those of the job and over them those of
    the run, `needs` the jobs that may be named, `matrix` the values of the job's combination, `matrices` those that it needs, each
    with its jobs."""

    own: Mapping[str, str | None]
    variables: Mapping[str, str]
    needs: Mapping[str, Need]
    matrix: Mapping[str, str] = field(default_factory=dict[str, str])
    matrices: Mapping[str, Collection[str]] = field(default_factory=dict[str, Collection[str]])

    def value(self, reference: Reference) -> str:
        """What a name stands for; empty where the run has nothing of the kind."""
        match reference:
            case (word,):
                return self.own.get(word) or ""
            case ("variables", name):
                return self.variables.get(name, "")
            case ("matrix", name):
                return self.matrix.get(name, "")
            case ("needs", job, "outcome") if job in self.matrices:
                needed = (self.needs.get(name) for name in self.matrices[job])
                return together("" if need is None else need.outcome for need in needed)
            case ("needs", job, "outcome") if job in self.needs:
                return self.needs[job].outcome
            case ("needs", job, "outputs", key) if job in self.needs:
                return self.needs[job].outputs.get(key, "")
            case _:
                return ""
