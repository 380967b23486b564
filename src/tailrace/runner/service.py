"""A warm parent as a unit of its own: what it says to systemd, and how its next version takes its place.

The unit is delegated and its children's control groups may live on, so systemd could not restart it: the parent that is to go
starts the one that comes, in the same unit, and leaves with its own last runner. A line joins the two: the one that comes says
HAS_PLACE, and END when the unit is stopped; its end tells it that the one before is gone.
"""

from __future__ import annotations

import os
import socket
import subprocess
import sys
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path

FLAG = "--service"
HAS_PLACE, END = b"p", b"e"
_LINE = "--line="


@dataclass(frozen=True)
class Service:
    """`before`: the line to the parent that was there before; None for the unit's first one."""

    before: socket.socket | None = None

    @classmethod
    def of(cls, arguments: list[str]) -> Service | None:
        """What stands behind the folder on a parent's command line: None when it is no service."""
        if FLAG not in arguments:
            return None
        told = [argument.removeprefix(_LINE) for argument in arguments if argument.startswith(_LINE)]
        return cls(socket.socket(fileno=int(told[0])) if told else None)

    def has_place(self) -> None:
        """Tell systemd, and the parent before, that agents are heard from now on."""
        _notify(f"MAINPID={os.getpid()}\nREADY=1")
        self._tell(HAS_PLACE)

    def end(self) -> None:
        """Tell them that the unit is being stopped."""
        _notify("STOPPING=1")
        self._tell(END)

    def _tell(self, word: bytes) -> None:
        if self.before is not None:
            with suppress(OSError):
                self.before.send(word)


def start_successor(folder: Path) -> tuple[int, socket.socket]:
    """Start a parent from what is on disk now: its process id, and the line to it. Raises OSError."""
    ours, theirs = socket.socketpair()
    try:
        process = subprocess.Popen(
            (
                *(sys.executable, "-P", "-m", "tailrace.runner.warm"),
                *(str(folder), FLAG, f"{_LINE}{theirs.fileno()}"),
            ),
            stdin=subprocess.DEVNULL,
            pass_fds=(theirs.fileno(),),
        )
    except BaseException:
        ours.close()
        raise
    finally:
        theirs.close()
    ours.setblocking(False)
    process.returncode = 0  # reaped with the runners, not by Popen
    return process.pid, ours


def _notify(words: str) -> None:
    """Say it on systemd's socket (sd_notify), where there is one."""
    address = os.environ.get("NOTIFY_SOCKET")
    if not address:
        return
    with suppress(OSError), socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as line:
        line.connect(f"\0{address[1:]}" if address.startswith("@") else address)
        line.sendall(words.encode())
