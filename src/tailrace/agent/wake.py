"""Where runners wake the agent: a datagram names the attempt's folder and means "look at it". Losing one costs latency only."""

from __future__ import annotations

import asyncio
import os
import socket
from collections.abc import Callable, Generator
from contextlib import contextmanager
from pathlib import Path

_MOST = 256
"""Datagrams taken in one go: the rest is left for the loop's next turn, so that nothing else starves."""


@contextmanager
def wakes(
    folder: Path, woken: Callable[[set[str]], None], stalled: Callable[[str, str | None], None]
) -> Generator[None]:
    """While the context lasts, `woken` gets the names of attempts' folders to look at, each once a turn, and `stalled` the
    name of one whose runner cannot write, with the reason; or, when it can again, with None."""
    made = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)
    made.setblocking(False)
    place = os.open(folder, os.O_PATH | os.O_DIRECTORY | os.O_CLOEXEC)
    try:
        name = f"/proc/self/fd/{place}/wake.sock"  # any length of path fits
        Path(name).unlink(missing_ok=True)
        before = os.umask(0o177)
        try:
            made.bind(name)
        finally:
            os.umask(before)
    except BaseException:
        made.close()
        raise
    finally:
        os.close(place)

    def take() -> None:
        names: set[str] = set()
        try:
            for _ in range(_MOST):
                name, found, why = made.recv(2048).decode("utf-8", "replace").partition("\0")
                if found:
                    stalled(name, why or None)
                else:
                    names.add(name)
        except BlockingIOError:
            pass
        woken(names)

    loop = asyncio.get_running_loop()
    loop.add_reader(made, take)
    try:
        yield
    finally:
        loop.remove_reader(made)
        made.close()
