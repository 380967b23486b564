"""Masking a hundred secrets in every form in which programs print them, beside replacing the hundred values alone.

The baseline is what one would write first: `bytes.replace` for each value in each block that was read. It knows no other form,
and misses a value that two blocks share.
"""

from __future__ import annotations

import base64
import random
import string
import time
from collections.abc import Awaitable, Callable
from pathlib import Path

from benchmarks.corpus.made import made_log
from benchmarks.harness import Report, Row, median, take_turns
from tailrace.runner.masking import Masker

SECRETS = 100
READ_BYTES = 64 * 1024
FULL_BYTES = 16_000_000
QUICK_BYTES = 200_000
EVERY_BYTES = 10_000

Feed = Callable[[bytes], bytes]
"""Takes the next block of a stream, gives what of it can be shown."""


async def measure(folder: Path, quick: bool) -> Report:
    """MB/s on one processor: a log, the same with secrets in it, and base64 text."""
    size, rounds = (QUICK_BYTES, 1) if quick else (FULL_BYTES, 5)
    secrets = make_secrets()
    values = [secret.encode() for secret in secrets]
    masker = Masker(secrets)
    log = made_log(size)
    texts = {
        "a log": log,
        f"a log with one every {EVERY_BYTES // 1000} kB": strew(log, values),
        "base64 text": base64.encodebytes(random.Random(3).randbytes(size * 3 // 4)),
    }

    def plain(block: bytes) -> bytes:
        for value in values:
            block = block.replace(value, b"***")
        return block

    rows: list[Row] = []
    for name, text in texts.items():
        ours, baseline = await take_turns(
            rounds, _speed(text, lambda: masker.stream().feed), _speed(text, lambda: plain)
        )
        who = f"masking: {SECRETS} secrets, {name}"
        rows.append(Row(who, median(ours), median(baseline), "MB/s", len(ours), "≥ 100 MB/s"))
    return Report(tuple(rows))


def make_secrets() -> list[str]:
    """Tokens and passwords of 20 to 60 characters, among them some that shells, URLs and JSON quote."""
    draw = random.Random(1)
    plain = string.ascii_letters + string.digits
    return [
        "".join(draw.choices(plain if number % 4 else plain + "!$&/\\\"'+= ", k=draw.randint(20, 60)))
        for number in range(SECRETS)
    ]


def strew(text: bytes, values: list[bytes]) -> bytes:
    """The text with a value now and then."""
    draw = random.Random(2)
    pieces = (text[at : at + EVERY_BYTES] for at in range(0, len(text), EVERY_BYTES))
    return b"".join(piece + draw.choice(values) for piece in pieces)


def _speed(text: bytes, begin: Callable[[], Feed]) -> Callable[[], Awaitable[float]]:
    blocks = [text[at : at + READ_BYTES] for at in range(0, len(text), READ_BYTES)]

    async def run() -> float:
        feed = begin()
        began = time.process_time()
        for block in blocks:
            feed(block)
        return len(text) / 1e6 / (time.process_time() - began)

    return run
