"""A process that prints the time: `writer.py LINES SEED FIRST_MS LAST_MS GO`.

Once the file GO is there it prints LINES lines, each `@NANOSECONDS;` since the epoch, FIRST_MS to LAST_MS after each other.
It needs nothing but Python, because it runs as a job.
"""

import os
import random
import sys
import time


def main() -> None:
    """Wait for the watchers, then print."""
    lines, seed, first_ms, last_ms = (int(argument) for argument in sys.argv[1:5])
    random.seed(seed)
    while not os.path.exists(sys.argv[5]):  # noqa: PTH110 -- pathlib would have to be imported
        time.sleep(0.01)
    for _ in range(lines):
        time.sleep(random.uniform(first_ms, last_ms) / 1000)
        os.write(1, b"@%d;\n" % time.time_ns())


if __name__ == "__main__":
    main()
