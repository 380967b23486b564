"""The loop that reads all watchers' sockets."""

from __future__ import annotations

import errno
import os
import select
import socket
import time

from benchmarks.crowd.forms import Form
from benchmarks.crowd.shared import Broken
from benchmarks.crowd.watcher import Pieces, Watcher

AT_ONCE = 500
"""How many connections may wait for their first bytes: below any server's backlog."""

A_SOURCE = 20_000
"""Connections from one loopback address: its ports (32768 to 60999 by default) are not enough for many more."""

BIND_ADDRESS_NO_PORT = 24
"""linux/in.h: choose the port when connecting, so that ports may be shared by connections to different places."""

RETRY_S = 0.02
PIECE_BYTES = 256 * 1024
"""What is read at once at most, into one space for all: a new one for each read would cost more than the reading."""


class Crowd:
    """Watchers of one log, and the channel (a file descriptor) over which the commands come."""

    def __init__(self, port: int, form: Form, commands: int) -> None:
        self.watchers: list[Watcher] = []
        self._port = port
        self._form = form
        self._pieces = Pieces(form)
        self._commands = commands
        self._space = memoryview(bytearray(PIECE_BYTES))
        self._loop = select.epoll()
        self._loop.register(commands, select.EPOLLIN)
        self._open: dict[int, Watcher] = {}
        self._asking: dict[int, Watcher] = {}  # they are still connecting
        self._silent: set[Watcher] = set()  # they have asked, and heard nothing
        self._lost: list[Watcher] = []
        self._refused: list[Watcher] = []

    def connect(self, count: int) -> float:
        """Watch `count` times; the seconds until all have got something."""
        began = time.perf_counter()
        while len(self.watchers) < count or self._waiting:
            while len(self.watchers) < count and self._waiting < AT_ONCE:
                watcher = Watcher(socket.socket(), self._form, self._pieces)
                self.watchers.append(watcher)
                self._begin(watcher, len(self.watchers) - 1)
            self.turn()
            self.raise_lost()
        return time.perf_counter() - began

    def connect_again(self) -> float:
        """Connect all that were lost, at once; one that is refused tries on. The seconds until all are answered."""
        began = time.perf_counter()
        while self._lost or self._refused or self._waiting:
            again, self._lost, self._refused = [*self._lost, *self._refused], [], []
            for place, watcher in enumerate(again):
                watcher.line.close()
                watcher.renew(socket.socket())
                self._begin(watcher, place)
            self.turn(RETRY_S)
        return time.perf_counter() - began

    def turn(self, timeout_s: float | None = None) -> str:
        """Wait for something and read all that is there; a command, if one came."""
        command = ""
        came: list[tuple[Watcher, bytes, int]] = []
        # First all that is there, each with its own time; only then look inside, which must delay nobody.
        for number, _ in self._loop.poll(timeout_s, maxevents=len(self._open) + len(self._asking) + 1):
            if number == self._commands:
                command = os.read(number, 100).decode().strip() or "end"
            elif number in self._asking:
                self._ask(number)
            else:
                watcher = self._open[number]
                data = self._receive(watcher)
                came.append((watcher, data, time.time_ns()))
        for watcher, data, at_ns in came:
            if data:
                watcher.take(data, at_ns)
                if watcher.heard:
                    self._silent.discard(watcher)
            else:
                self._lose(watcher)
        return command

    def close(self) -> None:
        """End every connection."""
        for watcher in self.watchers:
            watcher.line.close()
        self._loop.close()

    def raise_lost(self) -> None:
        """Raises Broken when a connection has ended that was not to."""
        if self._lost or self._refused:
            raise Broken(f"{len(self._lost) + len(self._refused)} watchers lost their connection at once")

    @property
    def _waiting(self) -> int:
        return len(self._asking) + len(self._silent)

    def _begin(self, watcher: Watcher, place: int) -> None:
        line = watcher.line
        line.setblocking(False)
        if place >= A_SOURCE:
            line.setsockopt(socket.IPPROTO_IP, BIND_ADDRESS_NO_PORT, 1)
            line.bind((f"127.0.0.{1 + place // A_SOURCE}", 0))
        state = line.connect_ex(("127.0.0.1", self._port))
        if state not in (0, errno.EINPROGRESS):
            self._refused.append(watcher)
            return
        self._asking[line.fileno()] = watcher
        self._loop.register(line.fileno(), select.EPOLLOUT)

    def _ask(self, number: int) -> None:
        watcher = self._asking.pop(number)
        if watcher.line.getsockopt(socket.SOL_SOCKET, socket.SO_ERROR):
            self._loop.unregister(number)
            self._refused.append(watcher)
            return
        self._loop.modify(number, select.EPOLLIN)
        self._open[number] = watcher
        self._silent.add(watcher)
        watcher.ask()

    def _receive(self, watcher: Watcher) -> bytes:
        try:
            return bytes(self._space[: watcher.line.recv_into(self._space)])
        except ConnectionError:
            return b""

    def _lose(self, watcher: Watcher) -> None:
        number = watcher.line.fileno()
        self._loop.unregister(number)
        del self._open[number]
        self._silent.discard(watcher)
        self._lost.append(watcher)
