"""Finishing attempts whose runner is dead."""

from __future__ import annotations

from tailrace.domain.errors import Invalid
from tailrace.domain.facts import Fact, Finished, Started, StepBegan, StepEnded
from tailrace.domain.outcome import Outcome, Reason
from tailrace.domain.spans import Stream
from tailrace.domain.states import AttemptState, StepState
from tailrace.runner.family import Family
from tailrace.runner.folder import AttemptFolder
from tailrace.runner.group import Group
from tailrace.runner.journal import JournalReader, JournalWriter
from tailrace.runner.spool import SpoolWriter


def finish_dead(folder: AttemptFolder, now_ms: int) -> Finished:
    """End an attempt for its dead runner: kill its processes, say so in its log, record what is missing up to `Finished`.

    Returns the `Finished` of the journal, whoever wrote it. Raises Conflict when a runner lives, OSError when the disk is full:
    then nothing is lost, call again.
    """
    with folder.take_lock():
        facts = JournalReader(folder).read(0)
        if facts and isinstance(facts[-1], Finished):
            return facts[-1]
        group = Group.left_in(folder)
        Family(folder.cookie, None, group, folder.user, folder.kept).end_now()
        group.remove()
        outcome = _outcome(folder, facts)
        spool, journal = SpoolWriter.open(folder), JournalWriter.open(folder)
        try:
            begin = "" if spool.at_line_start else "\n"
            step = max((fact.step for fact in facts if isinstance(fact, StepBegan)), default=0)
            text = f"{begin}tailrace: failed: {outcome.detail}\n".encode("utf-8", "replace")
            spool.write(now_ms, Stream.SYSTEM, step, text)
            if not spool.flush():
                raise spool.trouble or OSError(f"{folder.spool} takes no bytes")
            spool.sync()
            for fact in _missing(folder, facts, now_ms):
                journal.write(fact)
            finished = Finished(time=now_ms, outcome=outcome, size=spool.size, crc32=spool.crc32)
            journal.write(finished)
            journal.sync()
        finally:
            spool.close()
            journal.close()
    return finished


def _outcome(folder: AttemptFolder, facts: list[Fact]) -> Outcome:
    if folder.outlived_by_machine():
        detail = "its machine was restarted before the attempt had ended"
        return Outcome(state=AttemptState.FAILED, reason=Reason.AGENT_LOST, detail=detail)
    detail = _what_happened(folder, facts)
    return Outcome(state=AttemptState.FAILED, reason=Reason.RUNNER_DIED, detail=detail)


def _what_happened(folder: AttemptFolder, facts: list[Fact]) -> str:
    what = "the runner died before the attempt had ended" if facts else "the runner could not begin"
    try:
        lines = folder.errors.read_text(encoding="utf-8", errors="replace").strip().splitlines()
    except OSError:
        lines = []
    return f"{what}: {lines[-1]}" if lines else f"{what} (killed, or its machine ran out of memory)"


def _missing(folder: AttemptFolder, facts: list[Fact], now_ms: int) -> list[Fact]:
    """The facts that a living runner would have recorded before its end."""
    missing: list[Fact] = [] if facts else [Started(time=now_ms)]
    begun = {fact.step: fact for fact in facts if isinstance(fact, StepBegan)}
    ended = {fact.step for fact in facts if isinstance(fact, StepEnded)}
    try:
        names = folder.lease().step_names
    except Invalid:
        names = tuple(fact.name for fact in begun.values())
    for index, name in enumerate(names):
        if index not in ended:
            state = StepState.FAILED if index in begun else StepState.SKIPPED
            missing.append(StepEnded(time=now_ms, step=index, name=name, state=state))
    return missing
