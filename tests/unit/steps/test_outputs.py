from __future__ import annotations

import pytest

from tailrace.domain.errors import Invalid
from tailrace.steps.outputs import MAX_JOB_BYTES, check_size, parse_outputs


@pytest.mark.parametrize(
    ("data", "outputs"),
    [
        (b"", {}),
        (b"\n  \n", {}),
        (b"a=1", {"a": "1"}),
        (b"a=1\nb-c_2= x = y \n", {"a": "1", "b-c_2": " x = y "}),
        (b"a=\n", {"a": ""}),
        (b"a=1\r\nb=2\r\n", {"a": "1", "b": "2"}),
        (b"a=1\na=2\n", {"a": "2"}),
        (b"a=1<<2\n", {"a": "1<<2"}),
        (b"a<<END\n1\n\nb=2\nEND\nc=3\n", {"a": "1\n\nb=2", "c": "3"}),
        (b"a<<E\nE\n", {"a": ""}),
        (b"a<< E=F \nx\nE=F\n", {"a": "x"}),
        ("a=語\t\n".encode(), {"a": "語\t"}),
    ],
)
def test_what_a_file_gives(data: bytes, outputs: dict[str, str]) -> None:
    assert parse_outputs(data) == outputs


@pytest.mark.parametrize(
    ("data", "fault"),
    [
        (b"a=1\noops", "line 2: 'oops' is neither KEY=VALUE nor KEY<<END"),
        (b"=1", "line 1: '' cannot name an output; allowed: 1 to 100 letters, digits, _ and -, beginning with a letter or _"),
        (b"a b=1", "line 1: 'a b' cannot name an output; allowed: 1 to 100 letters, digits, _ and -, beginning with a letter or _"),
        (b"a<<END\n1\n2", "line 1: the end of 'a<<END' is missing: a line 'END'"),
        (b"a<<\n1\n", "line 1: 'a<<' names no end; write KEY<<END, the lines, END"),
        (b"a=1\nb=\xff", "line 2 is no UTF-8"),
        (b"a=1\x1b[0m", "the value of a holds control characters; only tabs and line ends may be in it"),
        (b"a=" + b"x" * 65537, "the value of a is 65,537 bytes; it may be 64 KiB"),
    ],
)  # fmt: skip
def test_what_cannot_be_read(data: bytes, fault: str) -> None:
    with pytest.raises(Invalid) as caught:
        parse_outputs(data)
    assert str(caught.value) == fault


def test_how_much_they_may_be_together() -> None:
    check_size({"a": "x" * (MAX_JOB_BYTES - 1)}, "they")
    with pytest.raises(Invalid, match="they are 262,145 bytes together; they may be 256 KiB"):
        check_size({"a": "x" * MAX_JOB_BYTES}, "they")
