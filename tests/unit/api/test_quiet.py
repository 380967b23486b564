"""A server starts without warnings of its parts: they would stand between people and the address that they look for."""

from __future__ import annotations

import subprocess
import sys


def test_the_application_is_made_without_a_warning() -> None:
    done = subprocess.run(
        [sys.executable, "-W", "error", "-c", "import tailrace.api.app"],
        capture_output=True,
        text=True,
        check=False,
    )
    assert (done.returncode, done.stderr) == (0, "")
