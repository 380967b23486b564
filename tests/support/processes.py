"""What there is of processes."""

from __future__ import annotations

from pathlib import Path


def ended(pid: int) -> bool:
    """Whether it is dead; whoever adopted it may not have asked how it ended yet."""
    try:
        return Path(f"/proc/{pid}/stat").read_bytes().rpartition(b") ")[2][:1] == b"Z"
    except OSError:
        return True
