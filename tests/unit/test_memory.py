"""Files in memory: whoever inherits them reads them, others do not, and nothing is left."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

from tailrace.memory import in_memory, names_of


def test_a_process_and_what_it_starts_read_them_as_files() -> None:
    """Each time from the beginning, whoever read them before."""
    with in_memory([b"one", b"two"]) as fds:
        env = {**os.environ, **names_of(fds)}
        read = "cat /proc/$PPID/fd/$TAILRACE_HELD_1 /proc/$$/fd/$TAILRACE_HELD_0"
        script = f"{read}; {read}"
        # Python stands between, as git does between us and ssh.
        command = [
            sys.executable,
            "-c",
            "import subprocess, sys; subprocess.run(sys.argv[1:], close_fds=False)",
        ]
        done = subprocess.run([*command, "sh", "-c", script], env=env, pass_fds=fds, capture_output=True)
    assert done.stdout == b"twoonetwoone"


def test_they_are_the_owners_alone_and_gone_at_the_end() -> None:
    """And no process gets them that is not given them."""
    with in_memory([b"one"]) as (fd,):
        told = os.fstat(fd)
        assert (told.st_mode & 0o777, told.st_uid, os.get_inheritable(fd)) == (0o600, os.geteuid(), False)
        assert str(Path(f"/proc/self/fd/{fd}").readlink()).startswith("/memfd:")
    assert not Path(f"/proc/self/fd/{fd}").exists()


def test_another_owner() -> None:
    """A job's user must be able to open what root gives it."""
    if os.geteuid() != 0:
        return
    with in_memory([b"one"], 65534) as (fd,):
        assert os.fstat(fd).st_uid == 65534
        read = ["sh", "-c", f"cat /proc/self/fd/{fd}"]
        done = subprocess.run(read, pass_fds=(fd,), user=65534, group=65534, capture_output=True)
    assert done.stdout == b"one"
