"""Where commands write bytes."""

from __future__ import annotations

import os
from typing import BinaryIO

from tailrace.cli.client import CallFailed


class ReaderGone(Exception):
    """Whoever read our output has gone, as `head` does: nothing more is to be said, and nothing is wrong."""


class Out:
    """A standard stream. What goes wrong with it is told apart from what goes wrong with a connection: both are OSErrors.

    Every method raises ReaderGone, and CallFailed when nothing can be written, for instance to a full disk.
    """

    def __init__(self, file: BinaryIO) -> None:
        self._file = file

    @property
    def colours(self) -> bool:
        """Whether this is a terminal whose user has not asked for no colours (https://no-color.org)."""
        return self._file.isatty() and not os.environ.get("NO_COLOR")

    def write(self, data: bytes) -> None:
        try:
            self._file.write(data)
        except OSError as error:
            raise _told(error) from error

    def flush(self) -> None:
        try:
            self._file.flush()
        except OSError as error:
            raise _told(error) from error


def _told(error: OSError) -> Exception:
    if isinstance(error, BrokenPipeError):
        return ReaderGone()
    return CallFailed(f"the output cannot be written: {error.strerror}")
