"""The last lines of a log, fit for a message."""

from __future__ import annotations

from pathlib import Path

from tailrace.domain.spans import Span, Stream
from tailrace.logs.tail_file import FileLogStore
from tailrace.notify.excerpt import LINES, LONGEST, last_lines


def write(folder: Path, *parts: tuple[int, bytes]) -> FileLogStore:
    logs = FileLogStore(folder / "logs")
    logs.create(7)
    offset = 0
    for step, data in parts:
        logs.append(7, offset, [Span(offset, 1, Stream.STDOUT, step)], data)
        offset += len(data)
    return logs


def test_a_steps_lines_end_where_it_ended(tmp_path: Path) -> None:
    """What `finally` printed afterwards is not why it failed."""
    logs = write(tmp_path, (0, b"clone\n"), (1, b"why\n"), (2, b"tidy\n"))
    assert last_lines(logs, 7, 1) == "clone\nwhy"
    assert last_lines(logs, 7) == "clone\nwhy\ntidy"
    assert last_lines(logs, 7, 9) == "clone\nwhy\ntidy"
    logs.close()


def test_lines_are_few_short_and_plain(tmp_path: Path) -> None:
    """No colours, no controls, no progress bars, no signs that turn a line around."""
    bar = b"".join(b"\r%d%%" % n for n in range(100))
    odd = "\x1b[31mred\x1b[0m \u202egnol\x07".encode()
    logs = write(tmp_path, (0, b"old\n" * 99 + bar + b"\n" + odd + b"\n" + b"x" * 999 + b"\n\xff\n"))
    lines = last_lines(logs, 7, 0).split("\n")
    assert len(lines) == LINES
    assert lines[-4:-2] == ["99%", "red gnol"]
    assert len(lines[-2]) == LONGEST
    assert lines[-1] == "\N{REPLACEMENT CHARACTER}"
    logs.close()


def test_a_log_of_one_endless_line_is_cut_and_a_log_that_is_not_there_is_empty(tmp_path: Path) -> None:
    """Neither costs memory, nor keeps the message from leaving."""
    logs = write(tmp_path, *((0, b"y" * 65536) for _ in range(4)))
    assert len(last_lines(logs, 7, 0)) == LONGEST
    assert last_lines(logs, 8) == ""
    logs.close()
