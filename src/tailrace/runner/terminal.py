"""A terminal for a step that wants one: what it writes is read like a pipe, and nobody types."""

from __future__ import annotations

import fcntl
import os
import pty
import struct
import termios

ROWS, COLUMNS = 40, 120


def open_terminal() -> tuple[int, int]:
    """A new terminal's reading end and its processes' end; what is written arrives as it is, byte by byte."""
    reader, writer = pty.openpty()
    for fd in (reader, writer):
        os.set_inheritable(fd, False)
    modes = termios.tcgetattr(writer)
    modes[1] &= ~termios.OPOST  # no carriage return is put before a newline
    modes[3] &= ~termios.ECHO
    termios.tcsetattr(writer, termios.TCSANOW, modes)
    fcntl.ioctl(writer, termios.TIOCSWINSZ, struct.pack("HHHH", ROWS, COLUMNS, 0, 0))
    return reader, writer


def control_terminal() -> None:
    """In a new session's first process: its standard input becomes the session's terminal."""
    fcntl.ioctl(0, termios.TIOCSCTTY, 0)
