"""What names stand for in one run, wherever it is asked: in the server, in a runner, in a terminal."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from tailrace.domain.lease import Need
from tailrace.domain.references import Reference


@dataclass(frozen=True)
class RunValues:
    """`own` holds the run's own values (`tailrace.domain.references.OF_RUN`), `variables` those of the job and over them those of
    the run, `needs` the jobs that may be named."""

    own: Mapping[str, str | None]
    variables: Mapping[str, str]
    needs: Mapping[str, Need]

    def value(self, reference: Reference) -> str:
        """What a name stands for; empty where the run has nothing of the kind."""
        match reference:
            case (word,):
                return self.own.get(word) or ""
            case ("variables", name):
                return self.variables.get(name, "")
            case ("needs", job, "outcome") if job in self.needs:
                return self.needs[job].outcome
            case ("needs", job, "outputs", key) if job in self.needs:
                return self.needs[job].outputs.get(key, "")
            case _:
                return ""
