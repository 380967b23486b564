"""A process that prints the time: `writer.py CHUNKS SEED FIRST_MS LAST_MS GO [SIZE]`.

Once the file GO is there it writes CHUNKS chunks, each `@NANOSECONDS;` since the epoch and then text up to SIZE bytes, FIRST_MS
to LAST_MS after each other; none after GO has gone. It needs nothing but Python, because it runs as a job.
"""

import os
import random
import sys
import time

TEXT = b"".join(
    b"#%d [builder %d/9] %d.%03d Collecting package-%d==2.%d.%d from the index, cached %d kB\n"
    % (
        number % 23,
        number % 9,
        number * 7,
        number * 311 % 1000,
        number * 37 % 101,
        number,
        number % 5,
        number * 53,
    )
    for number in range(30)
)


def chunk(size: int) -> bytes:
    """Lines that begin with the time of now; `size` bytes, or as few as the time takes."""
    stamp = b"@%d;" % time.time_ns()
    return stamp + TEXT[: max(size - len(stamp) - 1, 0)] + b"\n"


def main() -> None:
    """Wait for the watchers, then print."""
    chunks, seed, first_ms, last_ms = (int(argument) for argument in sys.argv[1:5])
    size = int(sys.argv[6]) if len(sys.argv) > 6 else 0
    random.seed(seed)
    while not os.path.exists(sys.argv[5]):  # noqa: PTH110 -- pathlib would have to be imported
        time.sleep(0.01)
    for _ in range(chunks):
        time.sleep(random.uniform(first_ms, last_ms) / 1000)
        if not os.path.exists(sys.argv[5]):  # noqa: PTH110
            return
        os.write(1, chunk(size))


if __name__ == "__main__":
    main()
