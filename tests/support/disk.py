"""Small disks that can be filled: a full one is tested by filling it."""

from __future__ import annotations

import errno
import os
import subprocess
import tempfile
from collections.abc import Generator
from contextlib import contextmanager
from pathlib import Path

import pytest

_BALLAST = "ballast"


@contextmanager
def small_disk(size: int) -> Generator[Path]:
    """A file system of `size` bytes of its own (a tmpfs), which only root can mount.

    Where it cannot be, the calling test is skipped, or fails when TAILRACE_REQUIRE_SERVICES=1 says that this machine has all
    that tests need.
    """
    place = Path(tempfile.mkdtemp(prefix="tailrace-disk-"))
    mount = ("mount", "-t", "tmpfs", "-o", f"size={size}", "tmpfs", str(place))
    why = "only root can mount a small disk" if os.geteuid() != 0 else ""
    if not why and subprocess.run(mount, check=False, capture_output=True).returncode != 0:
        why = "this machine does not let root mount a tmpfs"
    if why:
        place.rmdir()
        if os.environ.get("TAILRACE_REQUIRE_SERVICES") == "1":
            pytest.fail(f"{why}, and TAILRACE_REQUIRE_SERVICES=1 forbids to skip", pytrace=False)
        pytest.skip(why)
    try:
        yield place
    finally:
        subprocess.run(("umount", "-l", str(place)), check=True)
        place.rmdir()


def fill(disk: Path) -> None:
    """Leave no room on a small disk."""
    with (disk / _BALLAST).open("ab", buffering=0) as ballast:
        for piece in (1 << 20, 1 << 12, 1):
            try:
                while True:
                    ballast.write(bytes(piece))
            except OSError as error:
                if error.errno != errno.ENOSPC:
                    raise


def relieve(disk: Path) -> None:
    """Make room again."""
    (disk / _BALLAST).unlink()
