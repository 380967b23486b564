"""Secrets go through a pipe, whole."""

from __future__ import annotations

import fcntl
import os

import pytest

from tailrace.domain.errors import Invalid
from tailrace.domain.secrets import MAX_JOB_BYTES
from tailrace.runner.handover import put_into_pipe, take_from_pipe


@pytest.mark.parametrize(
    "secrets",
    [
        {},
        {"A": "value"},
        {"A": "a=b\nc\n", "B": " ", "C": "水\r\n"},
        {f"S{n}": "x" * (MAX_JOB_BYTES // 100) for n in range(100)},
    ],
)
def test_what_goes_in_comes_out(secrets: dict[str, str]) -> None:
    """Although nobody reads while it is written, and nobody has the writing end when it is read."""
    assert take_from_pipe(put_into_pipe(secrets)) == secrets


def test_too_much_is_refused_and_leaves_nothing_open(monkeypatch: pytest.MonkeyPatch) -> None:
    """A machine may allow no larger pipes; then nobody waits for a reader that is not there yet."""
    kernel = fcntl.fcntl

    def small(fd: int, what: int, size: int = 0) -> int:
        return 4096 if what == fcntl.F_SETPIPE_SZ else kernel(fd, what, size)

    monkeypatch.setattr(fcntl, "fcntl", small)
    before = len(os.listdir("/proc/self/fd"))
    with pytest.raises(OSError, match="no pipe of this machine holds so many"):
        put_into_pipe({"A": "x" * 100_000})
    assert len(os.listdir("/proc/self/fd")) == before


def test_what_is_no_secret_is_not_taken() -> None:
    reader, writer = os.pipe()
    os.write(writer, b"something else\0")
    os.close(writer)
    with pytest.raises(Invalid, match="another version") as caught:
        take_from_pipe(reader)
    assert "something" not in str(caught.value)
