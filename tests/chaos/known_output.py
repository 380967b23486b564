"""A job's program whose output is known beforehand: `python known_output.py SEED`. Needs the standard library alone."""

from __future__ import annotations

import os
import random
import subprocess
import sys
import time
from collections.abc import Iterator
from typing import NamedTuple


class Piece(NamedTuple):
    """What is written at once, and how long (s) the program rests afterwards."""

    data: bytes
    rest_s: float


def pieces(seed: str) -> Iterator[Piece]:
    """The output that belongs to `seed`: lines, parts of lines, a few large blocks, with and without a newline at the end."""
    source = random.Random(seed)
    for number in range(source.randrange(20, 60)):
        kind = source.randrange(12)
        if kind == 0:
            text = f"block {number} " + source.choice("abc水é") * source.randrange(50_000) + "\n"
        elif kind < 4:
            text = f"part {number} of {seed}; "
        else:
            text = f"line {number} of {seed} 水 {source.random()}\n"
        yield Piece(text.encode(), source.choice((0, 0, 0.01, 0.05)))


def known_output(seed: str) -> bytes:
    """All of it."""
    return b"".join(piece.data for piece in pieces(seed))


def main(seed: str) -> None:
    """Write it; every third job leaves a daemon behind, which nothing but Tailrace will ever end."""
    if random.Random(f"daemon {seed}").randrange(3) == 0:
        subprocess.run(
            ("sh", "-c", "trap '' TERM HUP; setsid sleep 100000 & "), stdout=subprocess.DEVNULL, check=True
        )
    for piece in pieces(seed):
        data = piece.data
        while data:
            data = data[os.write(1, data) :]
        time.sleep(piece.rest_s)


if __name__ == "__main__":
    main(sys.argv[1])
