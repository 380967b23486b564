"""Telling the server of one attempt: its facts, and when its log is whole."""

from __future__ import annotations

from collections.abc import Callable

from tailrace.agent.attempt import Attempt
from tailrace.agent.link import Link
from tailrace.agent.uploader import Upload
from tailrace.domain.facts import Finished
from tailrace.domain.wire import CloseLog, Gap, Said, Stalled


def report(attempt: Attempt, link: Link, complain: Callable[[str, Attempt], None], now: float) -> None:
    """Say what this connection's server has not been told; the bytes follow by themselves."""
    if attempt.stalled != attempt.told_stalled:
        attempt.told_stalled = attempt.stalled
        link.say(Stalled(attempt=attempt.id, why=attempt.stalled))
    if now >= attempt.hush_until:
        _say_facts(attempt, link)
    if attempt.unreadable is not None:
        complain(f"the spool of attempt {attempt.lease.folder}: {attempt.unreadable}; trying again", attempt)
    upload = link.uploader.get(attempt.log)
    if upload is not None:
        _upload(attempt, upload, link, complain, now)


def _say_facts(attempt: Attempt, link: Link) -> None:
    for index in range(max(attempt.said, attempt.noted), len(attempt.facts)):
        link.say(Said(attempt=attempt.id, index=index, fact=attempt.facts[index]))
    attempt.said = len(attempt.facts)


def _upload(
    attempt: Attempt, upload: Upload, link: Link, complain: Callable[[str, Attempt], None], now: float
) -> None:
    finished, size = attempt.finished, attempt.size()
    upload.grew(size, min(finished.size, size) if finished else None)
    if now < upload.hold_until:
        return
    if upload.gap is not None:
        end, begin = upload.gap
        upload.gap = None
        complain(
            f"attempt {attempt.lease.folder}: the server lost bytes of its log that it had called durable; those from {end} to"
            f" {begin} are freed here: the log lacks them",
            attempt,
        )
        link.say(Gap(attempt=attempt.id, log=attempt.log, end=begin))
    if finished is not None and upload.whole and not upload.closing:
        size, crc32 = _declared(attempt, upload, finished, complain)
        upload.closing = True
        link.say(CloseLog(attempt=attempt.id, log=attempt.log, size=size, crc32=crc32, freed=attempt.freed))
    link.nudge()


def _declared(
    attempt: Attempt, upload: Upload, finished: Finished, complain: Callable[[str, Attempt], None]
) -> tuple[int, int]:
    """The log's size and CRC-32: the runner's word, unless this machine's disk lost or changed what the runner wrote."""
    size = min(finished.size, attempt.size())
    if size == finished.size and not upload.rewound_from_close:
        return finished.size, finished.crc32
    crc32 = attempt.crc32(size)
    if (size, crc32) != (finished.size, finished.crc32):
        complain(
            f"the spool of attempt {attempt.lease.folder} is damaged: its runner wrote {finished.size} bytes with CRC-32"
            f" {finished.crc32:08x}, the disk holds {size} with {crc32:08x}; the log is what the disk holds",
            attempt,
        )
    return size, crc32
