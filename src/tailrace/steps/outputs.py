"""What steps give to later steps and jobs: the file that `$TAILRACE_OUTPUT` names, read.

Lines `KEY=VALUE`, and values of several lines as `KEY<<END`, the lines, `END`.
"""

from __future__ import annotations

import re
from collections.abc import Mapping

from tailrace.domain.errors import Invalid
from tailrace.domain.references import NAME

MAX_VALUE_BYTES = 64 * 1024
MAX_JOB_BYTES = 256 * 1024
"""The most that the outputs of one job's steps, and its own, may be together: its own travel in one message."""
_KEY = re.compile(rf"(?=.{{1,100}}$){NAME}")
_CONTROL = re.compile(r"[\x00-\x08\x0b\x0c\x0e-\x1f]")


def parse_outputs(data: bytes) -> dict[str, str]:
    """The outputs in a file's bytes, a key that comes twice with its last value; raises Invalid with the line that is wrong."""
    try:
        text = data.decode()
    except UnicodeDecodeError as error:
        line = data[: error.start].count(b"\n") + 1
        raise Invalid(f"line {line} is no UTF-8") from None
    lines = text.replace("\r\n", "\n").split("\n")
    outputs: dict[str, str] = {}
    at = 0
    while at < len(lines):
        number, line = at + 1, lines[at]
        at += 1
        if not line.strip():
            continue
        equals, heredoc = line.find("="), line.find("<<")
        if heredoc >= 0 and (equals < 0 or heredoc < equals):
            key, end = line[:heredoc], line[heredoc + 2 :].strip()
            try:
                stop = lines.index(end, at) if end else -1
            except ValueError:
                raise Invalid(
                    f"line {number}: the end of {line[:100]!r} is missing: a line {end[:100]!r}"
                ) from None
            if stop < 0:
                raise Invalid(f"line {number}: {line[:100]!r} names no end; write KEY<<END, the lines, END")
            value, at = "\n".join(lines[at:stop]), stop + 1
        elif equals >= 0:
            key, value = line[:equals], line[equals + 1 :]
        else:
            raise Invalid(f"line {number}: {line[:100]!r} is neither KEY=VALUE nor KEY<<END")
        outputs[_key(key, number)] = _value(key, value)
    return outputs


def check_size(outputs: Mapping[str, str], whose: str) -> None:
    """Raises Invalid when they are more than MAX_JOB_BYTES together."""
    size = sum(len(key.encode()) + len(value.encode()) for key, value in outputs.items())
    if size > MAX_JOB_BYTES:
        raise Invalid(f"{whose} are {size:,} bytes together; they may be {MAX_JOB_BYTES // 1024} KiB")


def _key(key: str, number: int) -> str:
    if not _KEY.fullmatch(key):
        raise Invalid(
            f"line {number}: {key[:100]!r} cannot name an output; allowed: 1 to 100 letters, digits, _ and -, "
            "beginning with a letter or _"
        )
    return key


def _value(key: str, value: str) -> str:
    size = len(value.encode())
    if size > MAX_VALUE_BYTES:
        raise Invalid(f"the value of {key} is {size:,} bytes; it may be {MAX_VALUE_BYTES // 1024} KiB")
    if _CONTROL.search(value):
        raise Invalid(f"the value of {key} holds control characters; only tabs and line ends may be in it")
    return value
