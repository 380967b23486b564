"""An attempt that this agent holds: what its runner left on disk, and how much of that the server has."""

from __future__ import annotations

from dataclasses import dataclass, field

from tailrace.domain.facts import Fact, Finished, Started, StepEnded
from tailrace.domain.lease import Lease
from tailrace.domain.outcome import Outcome, Reason
from tailrace.domain.spans import Span
from tailrace.domain.states import AttemptState, StepState
from tailrace.domain.wire import JobSecrets
from tailrace.runner.folder import AttemptFolder
from tailrace.runner.journal import JournalReader, JournalWriter
from tailrace.runner.spool import SpoolReader


@dataclass
class Attempt:
    """`folder` is None for one that could not even get a folder: its facts are in memory alone.

    `runner`: whether a runner was started, now or in an earlier agent's time. `busy`: whether something is being done to the
    folder, so that nothing else may be. `resumed`: whether this connection's server knows that we hold it. `said` and `noted`
    count facts: sent on this connection, and stored by the server. `abort_by` and `dropped` are orders, with their cause;
    `aborts` is how often its end was wanted, `ordered` how much of that the runner is being told. `complained`: people were told
    of a trouble with it. `unreadable`: why its spool could not be read the last time. `secrets`: what its job gets, from the
    server's word until its runner has started; on no disk, so that an agent which was restarted meanwhile waits for the server
    to say it again.
    `user` is the id of the user as whom its steps run, None for the agent's own.
    `freeable`: its disk can give back a part of a file. `hush_until`: no fact is said before it. `stalled` is why its runner
    cannot write, last said at `stalled_at`; `told_stalled` is what this connection's server was told of that. Times are seconds
    of the loop's clock.
    """

    lease: Lease
    folder: AttemptFolder | None
    runner: bool = False
    busy: bool = False
    resumed: bool = False
    said: int = 0
    noted: int = 0
    log_closed: bool = False
    abort_by: str | None = None
    dropped: str | None = None
    aborts: int = 0
    ordered: int = 0
    complained: bool = False
    unreadable: OSError | None = None
    secrets: JobSecrets | None = field(default=None, repr=False)
    user: int | None = None
    freeable: bool = True
    hush_until: float = 0.0
    stalled: str | None = None
    stalled_at: float = 0.0
    told_stalled: str | None = None

    def __post_init__(self) -> None:
        self.facts: list[Fact] = []
        self._journal = JournalReader(self.folder) if self.folder else None
        self._spool = SpoolReader(self.folder) if self.folder else None

    @property
    def id(self) -> int:
        return self.lease.attempt

    @property
    def log(self) -> int:
        return self.lease.log

    @property
    def finished(self) -> Finished | None:
        """The journal's last line, once it is there."""
        last = self.facts[-1] if self.facts else None
        return last if isinstance(last, Finished) else None

    @property
    def begun(self) -> bool:
        """Whether it left anything: then it must not be started again."""
        return bool(self.facts) or self.size() > 0

    @property
    def alive(self) -> bool:
        """Whether its runner lives."""
        return self.folder is not None and self.folder.is_alive()

    @property
    def settled(self) -> bool:
        """Whether the server has all of it."""
        return self.finished is not None and self.log_closed and self.noted >= len(self.facts)

    @property
    def equipped(self) -> bool:
        """Whether we have what its runner must be handed."""
        job = self.lease.job
        wanted = bool(job.secrets) or job.moves_artifacts or self.lease.credentials is not None
        return not wanted or self.secrets is not None

    @property
    def hopeless(self) -> Outcome | None:
        """How it ends without a runner: somebody wants it to end, or its job cannot have its secrets."""
        if self.abort_by is not None:
            detail = f"aborted by {self.abort_by} before it began"
            return Outcome(state=AttemptState.ABORTED, reason=Reason.ABORTED_BY, detail=detail)
        if self.secrets is not None and self.secrets.refused is not None:
            detail = self.secrets.refused
            return Outcome(state=AttemptState.FAILED, reason=Reason.SETUP_FAILED, detail=detail)
        return None

    def look(self) -> None:
        """Read what the runner has added to its journal."""
        if self._journal is not None:
            self.facts += self._journal.read(len(self.facts))

    def size(self) -> int:
        """Bytes in the spool."""
        return self._spool.size() if self._spool else 0

    @property
    def freed(self) -> int:
        """Bytes at the spool's beginning that are not on disk any more."""
        return self._spool.freed if self._spool else 0

    def free(self, durable: int) -> None:
        """Give back to the disk what the server holds durably; for a thread, and not beside a dead runner's finishing."""
        if self._spool is not None:
            self.freeable = self._spool.free(durable)

    def read(self, offset: int, max_bytes: int, max_spans: int) -> tuple[list[Span], bytes]:
        """Bytes of the spool from `offset` on and the spans that begin within them; none while the disk refuses to read them."""
        try:
            return self._spool.read(offset, max_bytes, max_spans) if self._spool else ([], b"")
        except OSError as error:  # the other logs of the connection go on
            self.unreadable = error
            return [], b""

    def crc32(self, upto: int) -> int:
        """The CRC-32 of the spool as the disk has it now."""
        return self._spool.crc32(upto) if self._spool else 0

    def never_begin(self, outcome: Outcome, now_ms: int) -> None:
        """Record, for a runner that is never started, how it ended. Raises OSError, Conflict when a runner lives after all."""
        steps = enumerate(self.lease.step_names)
        facts: list[Fact] = [
            Started(time=now_ms),
            *(StepEnded(time=now_ms, step=i, name=name, state=StepState.SKIPPED) for i, name in steps),
            Finished(time=now_ms, outcome=outcome, size=0, crc32=0),
        ]
        if self.folder is None:
            self.facts = facts
            return
        with self.folder.take_lock():
            journal = JournalWriter.open(self.folder)
            try:
                for fact in facts:
                    journal.write(fact)
                journal.sync()
            finally:
                journal.close()
        self.look()

    def close(self) -> None:
        """Let go of the files."""
        if self._spool is not None:
            self._spool.close()
