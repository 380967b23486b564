"""A machine's boot has a name of its own."""

from __future__ import annotations

import subprocess
import sys

import pytest

from tailrace.runner.boot import this_boot

_SAY = "from tailrace.runner.boot import this_boot; print(this_boot())"


def test_a_boot_keeps_its_name() -> None:
    assert this_boot() == this_boot()
    assert subprocess.check_output((sys.executable, "-c", _SAY), text=True).strip() == this_boot()


def test_a_container_s_start_is_a_boot() -> None:
    """Each has a process 1 of its own, although the kernel is the same."""
    unshare = ("unshare", "--fork", "--pid", "--mount-proc")
    if subprocess.run((*unshare, "true"), capture_output=True, check=False).returncode != 0:
        pytest.skip("this user may not make a process namespace")
    names = {subprocess.check_output((*unshare, sys.executable, "-c", _SAY), text=True) for _ in range(2)}
    assert len(names) == 2
    assert this_boot() not in {name.strip() for name in names}
