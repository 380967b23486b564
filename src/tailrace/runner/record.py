"""What an attempt leaves on disk: journal and spool, and the wake-ups that tell the agent of them."""

from __future__ import annotations

import asyncio
from collections.abc import Mapping
from typing import Self

from tailrace.domain.errors import Conflict
from tailrace.domain.facts import Fact, Finished, StepBegan, StepEnded
from tailrace.domain.outcome import Outcome
from tailrace.runner.folder import AttemptFolder
from tailrace.runner.full_disk import FullDisk
from tailrace.runner.journal import JournalReader, JournalWriter
from tailrace.runner.limit import LogLimit
from tailrace.runner.masking import Masker
from tailrace.runner.output import FULL, RETRY_S, Output, now_ms
from tailrace.runner.spool import SpoolWriter
from tailrace.runner.wake import Wake


class Record:
    """An attempt's record, open for writing. `output` is its log. The `masker`'s secrets stay out of both."""

    def __init__(
        self,
        spool: SpoolWriter,
        journal: JournalWriter,
        wake: Wake,
        masker: Masker,
        limit: LogLimit,
        disk: FullDisk,
    ) -> None:
        self._spool = spool
        self._journal = journal
        self._wake = wake
        self._masker = masker
        self.output = Output(spool, wake, masker, limit, disk)

    @classmethod
    def begin(cls, folder: AttemptFolder, masker: Masker, limit: LogLimit, disk: FullDisk) -> Self:
        """A new attempt's record; raises Conflict when the folder holds facts already."""
        if JournalReader(folder).read(0):
            raise Conflict(f"attempt folder {folder.path.name} was begun before: an attempt is carried once")
        return cls(SpoolWriter.open(folder), JournalWriter.open(folder), Wake(folder), masker, limit, disk)

    async def write(self, fact: Fact) -> None:
        """Record a fact, as soon as the disk has room for it."""
        fact = self._masked_fact(fact)
        waited = False
        while True:
            try:
                self._journal.write(fact)
                break
            except OSError as error:
                if error.errno not in FULL:
                    raise
                self.output.tell_stalled(error)
            waited = True
            await asyncio.sleep(RETRY_S)
        if waited and not self.output.full:
            self.output.tell_going_on()
        self._wake.touch()

    async def finish(self, outcome: Outcome, outputs: Mapping[str, str] | None = None) -> None:
        """The log is on the medium before the fact that tells its size."""
        await self.output.settled()
        self._spool.sync()
        spool = self._spool
        await self.write(
            Finished(
                time=now_ms(),
                outcome=outcome,
                size=spool.size,
                crc32=spool.crc32,
                dropped=self.output.dropped,
                outputs=dict(outputs or {}),
            )
        )
        self._wake.now()
        self._journal.sync()

    def masked(self, text: str) -> str:
        """`text` without secrets."""
        return self._masker.text(text)

    def _masked_fact(self, fact: Fact) -> Fact:
        match fact:
            case StepBegan() | StepEnded():
                return fact.model_copy(update={"name": self.masked(fact.name)})
            case Finished(outcome=outcome, outputs=outputs):
                detail = None if outcome.detail is None else self.masked(outcome.detail)
                hidden = {name: self.masked(value) for name, value in outputs.items()}
                outcome = outcome.model_copy(update={"detail": detail})
                return fact.model_copy(update={"outcome": outcome, "outputs": hidden})
            case _:
                return fact

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self._wake.close()
        self._journal.close()
        self._spool.close()
