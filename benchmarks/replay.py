"""A process that prints a file as a tool would have: `replay.py FILE`, in at most WRITES pieces with a moment between them.

So its log has the spans that a real one has. It needs nothing but Python, because it runs as a job.
"""

import sys
import time

WRITES = 600
PAUSE_S = 0.006


def main() -> None:
    """Print it."""
    with open(sys.argv[1], "rb") as file:
        lines = file.readlines()
    at_once = len(lines) // WRITES + 1
    for first in range(0, len(lines), at_once):
        sys.stdout.buffer.write(b"".join(lines[first : first + at_once]))
        sys.stdout.buffer.flush()
        time.sleep(PAUSE_S)


if __name__ == "__main__":
    main()
