"""What a process asks for itself holds."""

from __future__ import annotations

import signal
import subprocess
import sys
from pathlib import Path

import pytest

SRC = Path(__file__).parents[2] / "src"
# Root would see through everything: as an ordinary user, and as open as a program of that user begins.
NOBODY = """
import ctypes, os, sys
if os.geteuid() == 0:
    os.setgroups([])
    os.setgid(65534)
    os.setuid(65534)
    ctypes.CDLL(None).prctl(4, 1, 0, 0, 0)
"""
HOLDER = f"""
import sys
sys.path.insert(0, sys.argv[1])
from tailrace.prctl import hide_memory
{NOBODY}
if sys.argv[2] == "hide":
    hide_memory()
print("ready", flush=True)
sys.stdin.read()
"""
READER = f"""
{NOBODY}
for name in ("environ", "mem", "maps"):
    try:
        open("/proc/" + sys.argv[1] + "/" + name, "rb").close()
        print(name)
    except OSError:
        pass
"""
ORPHAN = """
import os, signal, subprocess, sys
sys.path.insert(0, sys.argv[1])
from tailrace.prctl import die_with_parent
signal.signal(signal.SIGTERM, lambda *_: (print("told", flush=True), os._exit(0)))
die_with_parent(signal.SIGTERM)
print("ready", flush=True)
signal.pause()
"""
PARENT = """
import subprocess, sys
subprocess.Popen((sys.executable, "-c", sys.argv[2], sys.argv[1]))
sys.stdin.read()
"""


@pytest.mark.parametrize(("how", "seen"), [("show", ["environ", "mem", "maps"]), ("hide", [])])
def test_memory_and_environment_are_hidden_from_the_same_user(how: str, seen: list[str]) -> None:
    """And only then: what is not hidden is open to each process of the user."""
    with subprocess.Popen(
        (sys.executable, "-c", HOLDER, str(SRC), how),
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
    ) as holder:
        assert holder.stdout is not None
        assert holder.stdout.readline() == "ready\n"
        read = subprocess.run(
            (sys.executable, "-c", READER, str(holder.pid)), stdout=subprocess.PIPE, text=True, check=True
        )
        assert read.stdout.split() == seen
        holder.kill()


def test_a_process_ends_with_its_parent() -> None:
    """By the signal that it asked for."""
    with subprocess.Popen(
        (sys.executable, "-c", PARENT, str(SRC), ORPHAN),
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
    ) as parent:
        assert parent.stdout is not None
        assert parent.stdout.readline() == "ready\n"
        parent.send_signal(signal.SIGKILL)
        assert parent.stdout.readline() == "told\n"
