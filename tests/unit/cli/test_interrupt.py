"""Ctrl-C ends a command that waits, also when what it waits for will not let go."""

from __future__ import annotations

import signal
import subprocess
import sys

import pytest

WILLING = "await asyncio.Event().wait()"
UNWILLING = """
    while True:
        try:
            await asyncio.Event().wait()
        except asyncio.CancelledError:
            pass
"""
_COMMAND = """
import asyncio, sys
from tailrace.cli import interrupt

async def work():
    print("on", flush=True)
    {work}

try:
    interrupt.run(work())
except KeyboardInterrupt:
    sys.exit(130)
"""


@pytest.mark.parametrize("work", [WILLING, UNWILLING], ids=["willing", "unwilling"])
def test_one_ctrl_c_is_enough(work: str) -> None:
    """Exit status 130, and nothing is said."""
    command = subprocess.Popen(
        (sys.executable, "-c", _COMMAND.format(work=work)), stdout=subprocess.PIPE, stderr=subprocess.PIPE
    )
    assert command.stdout is not None
    assert command.stdout.readline() == b"on\n"
    command.send_signal(signal.SIGINT)
    _, errors = command.communicate(timeout=30)
    assert (command.returncode, errors) == (130, b"")
