"""The last lines of a log, fit for a message."""

from __future__ import annotations

import re

from tailrace.domain.errors import TailraceError
from tailrace.domain.settled import settle
from tailrace.logs.base import LogReader

LINES = 15
MOST_BYTES = 32 * 1024
LOOK_BACK_BYTES = 1024 * 1024
"""How much `finally` may have written after the step that failed."""
LONGEST = 300
"""Characters of a line."""
_ESCAPES = re.compile(r"\x1b\[[0-9;:]*m")
_CONTROLS = re.compile(r"[\x00-\x08\x0b-\x1f\x7f-\x9f\u202a-\u202e\u2066-\u2069]")


def last_lines(reader: LogReader, log: int, step: int | None = None) -> str:
    """The last lines, as a terminal would show them, without colours: of the step with this index, or of the whole log.

    Empty when it cannot be read. Blocks: to be called in a worker thread.
    """
    try:
        stop = _end_of_step(reader, log, step)
        data = reader.read(log, max(0, stop - MOST_BYTES), stop)
    except (TailraceError, OSError):
        return ""
    shown = settle(data).decode(errors="replace")
    lines = [_CONTROLS.sub("", _ESCAPES.sub("", line)).rstrip() for line in shown.split("\n")]
    if len(data) == MOST_BYTES and len(lines) > 1:
        del lines[0]  # it is cut
    last = [line if len(line) <= LONGEST else line[: LONGEST - 1] + "…" for line in lines if line]
    return "\n".join(last[-LINES:])


def _end_of_step(reader: LogReader, log: int, step: int | None) -> int:
    """Where the step's last byte is; the log's end where that is not near it."""
    end = reader.end(log)
    if step is None:
        return end
    stop = end
    for span in reversed(reader.spans(log, max(0, end - LOOK_BACK_BYTES), end)):
        if span.step == step:
            return stop
        stop = span.offset
    return end
