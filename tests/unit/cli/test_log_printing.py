"""How logs look: on a terminal, and where somebody else reads."""

from __future__ import annotations

from io import BytesIO

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tailrace.cli.client import CallFailed
from tailrace.cli.log_targets import Source
from tailrace.cli.log_wish import LogWish
from tailrace.cli.out import Out, ReaderGone
from tailrace.cli.stretches import Piece
from tailrace.domain.spans import Stream

OUT, SYSTEM = Stream.STDOUT, Stream.SYSTEM
JOBS = ("test", "deploy")


class Terminal(BytesIO):
    def isatty(self) -> bool:
        return True


class Full(BytesIO):
    def __init__(self, error: OSError) -> None:
        super().__init__()
        self._error = error

    def write(self, _: object, /) -> int:
        raise self._error


def printed(wish: LogWish, file: BytesIO, jobs: tuple[str, ...], *pieces: Piece) -> bytes:
    printer = wish.printer(Out(file), jobs)
    for log, job in enumerate(jobs):
        printer.begin(Source(log, job, 1, job, {}))
    for piece in pieces:
        printer.take(piece)
    for log in range(len(jobs)):
        printer.end(log)
    return file.getvalue()


def piece(log: int, data: bytes, stream: Stream = OUT) -> Piece:
    return Piece(log, 0, 0, stream, 1, data)


def test_on_a_terminal(monkeypatch: pytest.MonkeyPatch) -> None:
    """What Tailrace says is dim; each job's name has its colour, and a colour in a line does not reach the next name."""
    monkeypatch.delenv("NO_COLOR", raising=False)
    said = piece(0, b"tailrace: step\n", SYSTEM)
    assert printed(LogWish(), Terminal(), ("test",), piece(0, b"a"), said) == (
        b"a\x1b[2mtailrace: step\n\x1b[22m"
    )
    assert printed(LogWish(), Terminal(), JOBS, piece(0, b"\x1b[31mred\n"), piece(1, b"two")) == (
        b"\x1b[36mtest   |\x1b[0m \x1b[31mred\x1b[0m\n\x1b[33mdeploy |\x1b[0m two\n"
    )
    monkeypatch.setenv("NO_COLOR", "1")
    assert printed(LogWish(), Terminal(), JOBS, piece(1, b"two")) == b"deploy | two\n"


def test_elsewhere() -> None:
    """The bytes, and what was asked for."""
    said = piece(0, b"tailrace: step\n", SYSTEM)
    assert printed(LogWish(), BytesIO(), ("test",), piece(0, b"\xff"), said) == b"\xfftailrace: step\n"
    assert printed(LogWish(), BytesIO(), JOBS, piece(0, b"a"), piece(1, b"b\n"), piece(0, b"c")) == (
        b"deploy | b\ntest   | ac\n"
    )
    assert printed(LogWish(raw=True), BytesIO(), JOBS, piece(0, b"a"), piece(1, b"b")) == b"ab"
    assert printed(LogWish(timestamps=True), BytesIO(), ("test",), piece(0, b"a\n")) == (
        b"1970-01-01T00:00:00.000Z a\n"
    )
    assert printed(LogWish(settled=True), BytesIO(), JOBS, piece(0, b"1%\r2%\n"), piece(1, b"x\n")) == (
        b"test   | 2%\ndeploy | x\n"
    )


def test_output_that_cannot_be_written_is_told_apart() -> None:
    """A reader that has gone is no fault; a full disk is one, and neither is a lost connection."""
    with pytest.raises(ReaderGone):
        Out(Full(BrokenPipeError())).write(b"x")
    with pytest.raises(CallFailed, match="No space left"):
        Out(Full(OSError(28, "No space left on device"))).write(b"x")


@given(
    st.lists(
        st.tuples(
            st.sampled_from([OUT, Stream.STDERR]),
            st.sampled_from([b"a", b"b\n", b"\n", b"c\n\nd", b"e\nf\n"]),
        )
    )
)
def test_lines_written_in_one_go_are_as_if_written_one_by_one(written: list[tuple[Stream, bytes]]) -> None:
    """Wherever the pieces begin and end."""
    pieces = [piece(0, data, stream) for stream, data in written]
    together = printed(LogWish(timestamps=True), BytesIO(), ("job",), *pieces)
    apart = printed(LogWish(timestamps=True, grep=""), BytesIO(), ("job",), *pieces)
    assert together == apart
