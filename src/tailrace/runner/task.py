"""What a warm parent gives a runner to do, and the line on which an idle runner gets its next task.

On the line goes one message for each task, `{"carry": folder}`, with the descriptor of the folder's lock (SCM_RIGHTS) and that of
the secrets' pipe where there is one; back go TAKEN, from when on the runner alone has these, and FREE when it waits for another
task. The end of the line, in whatever way, ends an idle runner.
"""

from __future__ import annotations

import json
import os
import socket
from contextlib import suppress
from pathlib import Path
from typing import NamedTuple, cast

from tailrace.runner.folder import AttemptFolder, RunnerLock

TAKEN, FREE = b"t", b"f"
_MAX_TASK = 64 * 1024


class Task(NamedTuple):
    """An attempt to carry; `secrets` is the pipe that holds the job's, None where it wants none."""

    folder: AttemptFolder
    lock: RunnerLock
    secrets: int | None

    def let_go(self) -> None:
        """Close this process's hold on the lock and the pipe."""
        self.lock.release()
        if self.secrets is not None:
            os.close(self.secrets)


def line() -> tuple[socket.socket, socket.socket]:
    """The parent's end, which never blocks, and the runner's."""
    ours, theirs = socket.socketpair(socket.AF_UNIX, socket.SOCK_SEQPACKET)
    ours.setblocking(False)
    return ours, theirs


def send_task(to: socket.socket, task: Task) -> None:
    """Give an idle runner a task, which the caller lets go of when it is taken. Raises OSError when the runner is gone."""
    passed = [task.lock.fd] if task.secrets is None else [task.lock.fd, task.secrets]
    socket.send_fds(to, [json.dumps({"carry": str(task.folder.path)}).encode()], passed)


def next_task(of: socket.socket) -> Task | None:
    """Wait for it; None when there will be none."""
    try:
        data, passed, _, _ = socket.recv_fds(of, _MAX_TASK, 2, socket.MSG_CMSG_CLOEXEC)
    except OSError:
        return None
    if not data:
        return None
    with suppress(OSError):  # the parent has died since
        of.send(TAKEN)
    folder = cast(dict[str, str], json.loads(data))["carry"]
    return Task(AttemptFolder(Path(folder)), RunnerLock(passed[0]), passed[1] if len(passed) > 1 else None)
