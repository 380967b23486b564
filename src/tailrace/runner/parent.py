"""The warm parent's place: its socket, the agents on it, and the runners that it forked.

On its socket it greets with `{"version", "pid"}`, then answers each line of JSON: `{"start": folder}` by `{"pid"}` or `{"error"}`,
`{"leave": true}` by `{"runners": n}`, and, as a service, `{"renew": true}` by the `{"pid"}` of the parent that takes its place.
With `"secrets": true` in a start comes the descriptor of a pipe (SCM_RIGHTS), which only the runner reads: secrets are never in
this process, from which others are forked.
"""

from __future__ import annotations

import fcntl
import json
import os
import selectors
import signal
import socket
from collections.abc import Generator
from contextlib import ExitStack, contextmanager, suppress
from pathlib import Path
from types import FrameType
from typing import cast

from tailrace.domain.errors import Conflict, TailraceError
from tailrace.runner.births import Births
from tailrace.runner.crew import Crew, Forked
from tailrace.runner.family import children_of
from tailrace.runner.folder import AttemptFolder, RunnerLock
from tailrace.runner.service import END, HAS_PLACE, Service, start_successor
from tailrace.runner.sockets import listen
from tailrace.runner.task import Task

FIRST_AGENT_S = 30.0
"""How long a new parent waits for its first agent."""
_MAX_LINE = 64 * 1024


class Agent:
    """A connection, with the part of a line that has arrived, and the descriptors that came with lines."""

    def __init__(self, connection: socket.socket) -> None:
        self.connection = connection
        self._buffer = b""
        self._passed: list[int] = []

    def lines(self) -> list[bytes] | None:
        """The whole lines that have arrived, None when the agent is gone."""
        try:
            data, passed, _, _ = socket.recv_fds(self.connection, _MAX_LINE, 8)
        except BlockingIOError:
            return []
        except OSError:
            return None
        self._passed += passed
        if not data or len(self._buffer) > _MAX_LINE:
            return None
        *lines, self._buffer = (self._buffer + data).split(b"\n")
        return lines

    def take_passed(self) -> int | None:
        """The oldest descriptor that came, if one did."""
        return self._passed.pop(0) if self._passed else None

    def close_passed(self) -> None:
        """Close the descriptors that nobody took."""
        while self._passed:
            os.close(self._passed.pop())

    def answer(self, **words: object) -> None:
        with suppress(OSError):  # an agent that does not read its answers is as good as gone
            self.connection.sendall(json.dumps(words).encode() + b"\n")


class Parent:
    """The parent's state: its sockets and its runners."""

    def __init__(
        self,
        path: Path,
        stack: ExitStack,
        edition: str,
        births: Births,
        service: Service | None = None,
        *,
        follows: bool = False,
    ) -> None:
        self._path = path
        self._follows = follows
        self._stack = stack
        self._edition = edition
        self._service = service
        self._stays = service is not None  # until another has its place
        self._after: socket.socket | None = None  # the line to that one
        self._before = None if service is None else service.before
        self._ending = False
        self._selector = stack.enter_context(
            selectors.PollSelector()
        )  # epoll would be shared with the forked
        self._wake, wake = socket.socketpair()
        for end in (self._wake, wake):
            end.setblocking(False)
            stack.enter_context(end)
        self._crew = Crew(births, self._selector)
        signal.set_wakeup_fd(wake.fileno(), warn_on_full_buffer=False)
        self._selector.register(self._wake, selectors.EVENT_READ)
        self._server: socket.socket | None = _take_place(path)
        self._server.setblocking(False)
        self._inode = path.stat().st_ino
        self._selector.register(self._server, selectors.EVENT_READ)
        stack.callback(self.close_server)
        self._agents: dict[int, Agent] = {}
        self._successors: set[int] = set()
        self._met = service is not None
        if service is not None:
            signal.signal(signal.SIGTERM, self._told_to_end)
            service.has_place()
        if self._before is not None:
            self._before.setblocking(False)
            stack.enter_context(self._before)
            self._selector.register(self._before, selectors.EVENT_READ)

    def serve(self) -> Forked | None:
        """Serve until nobody needs this process any more: None; or, in a forked child: what it is to do."""
        while self._is_needed():
            ready = self._selector.select(self._crew.dismiss_idle() if self._met else FIRST_AGENT_S)
            if not ready and not self._met:
                break
            # Who is free said so before an agent could know: it is heard before the agent's next task is forked for.
            for key, _ in sorted(ready, key=lambda one: one[0].data is not self._crew):
                if key.fileobj is self._wake:
                    with suppress(BlockingIOError):
                        self._wake.recv(4096)
                elif key.fileobj is self._server:
                    self._accept()
                elif key.data is self._crew:
                    self._crew.hear(key.fd)
                elif self._after is not None and key.fileobj is self._after:
                    self._hear_after(self._after)
                elif self._before is not None and key.fileobj is self._before:
                    self._forget(self._before)  # it says nothing: it has gone
                    self._before = None
                elif key.fd in self._agents:  # not what an earlier one of this round has closed
                    forked = self._hear(self._agents[key.fd])
                    if forked is not None:
                        return self._become(forked)
            self._reap()
            if (forked := self._crew.carry_lost()) is not None:
                return self._become(forked)
        self._crew.close()
        self._give_up_place()
        return None

    def _is_needed(self) -> bool:
        if self._ending:
            return bool(self._crew.busy) or self._before is not None
        return bool(self._agents or self._crew.busy) or self._stays or not self._met

    def close_server(self) -> None:
        if self._server is not None:
            self._server.close()
            self._server = None

    def _accept(self) -> None:
        assert self._server is not None
        try:
            connection, _ = self._server.accept()
        except OSError:
            return
        connection.settimeout(5)  # for answers; reading happens when there is something
        agent = Agent(connection)
        self._agents[connection.fileno()] = agent
        self._selector.register(connection, selectors.EVENT_READ)
        self._met = True
        agent.answer(version=self._edition, pid=os.getpid())

    def _hear(self, agent: Agent) -> Forked | None:
        lines = agent.lines()
        if lines is None:
            self._selector.unregister(agent.connection)
            del self._agents[agent.connection.fileno()]
            agent.connection.close()
            agent.close_passed()
            if self._follows and not self._agents:
                self._crew.abort()
            return None
        for line in lines:
            try:
                message = cast(dict[str, object], json.loads(line))
            except ValueError:
                agent.answer(error=f"not JSON: {line[:80]!r}")
                continue
            if "start" in message:
                secrets = agent.take_passed() if message.get("secrets") is True else None
                forked = self._start(agent, AttemptFolder(Path(str(message["start"]))), secrets)
                if forked is not None:
                    return forked
            elif message.get("leave") is True:
                self._leave(agent)
            elif message.get("renew") is True and self._stays:
                self._renew(agent)
            else:
                agent.answer(error=f"unknown request {line[:80]!r}; known: start, leave, renew of a service")
        return None

    def _start(self, agent: Agent, folder: AttemptFolder, secrets: int | None) -> Forked | None:
        """Have an attempt carried. The lock is taken before, so that its runner is alive when the agent hears of it."""
        try:
            lock = self._lock(folder)
        except (TailraceError, OSError) as error:
            if secrets is not None:
                os.close(secrets)
            agent.answer(error=str(error))
            return None
        try:
            carried = self._crew.carry(Task(folder, lock, secrets))
        except OSError as error:
            agent.answer(error=f"cannot fork: {error}")
            return None
        if isinstance(carried, Forked):
            return carried
        if self._ending:  # it was told while it forked
            os.kill(carried, signal.SIGTERM)
        agent.answer(pid=carried)
        return None

    def _lock(self, folder: AttemptFolder) -> RunnerLock:
        if self._ending:
            raise Conflict("the warm parent was told to end")
        return folder.take_lock(patience_s=0.2)

    def _become(self, forked: Forked) -> Forked:
        """In the forked child: what is to be closed of the agents; the rest is in the stack."""
        for other in self._agents.values():
            self._stack.enter_context(other.connection)
            other.close_passed()
        return forked

    def _leave(self, agent: Agent) -> None:
        """Make room for another parent at once, and end with the last runner."""
        if not self._stays:
            self._make_room()
        agent.answer(runners=self._crew.busy)

    def _make_room(self) -> None:
        self._crew.keep_nobody()
        if self._server is not None:
            self._give_up_place()
            self._selector.unregister(self._server)
            self.close_server()

    def _renew(self, agent: Agent) -> None:
        """Start the parent of the code that is on disk now; this one serves until that one has its place."""
        try:
            pid, line = start_successor(self._path.parent)
        except OSError as error:
            agent.answer(error=f"cannot start another warm parent: {error}")
            return
        self._successors.add(pid)
        if self._after is not None:
            self._forget(self._after)
        self._after = self._stack.enter_context(line)
        self._selector.register(line, selectors.EVENT_READ)
        agent.answer(pid=pid)

    def _hear_after(self, line: socket.socket) -> None:
        """The parent that comes speaks; its end, where it has not taken the place, changes nothing."""
        words = b""
        with suppress(OSError):
            words = line.recv(16)
        if HAS_PLACE in words:
            self._stays = False
            self._make_room()
        if END in words:
            self._end()
        if not words:
            self._forget(line)
            self._after = None

    def _forget(self, line: socket.socket) -> None:
        self._selector.unregister(line)
        line.close()

    def _told_to_end(self, _number: int, _frame: FrameType | None) -> None:
        self._end()

    def _end(self) -> None:
        """The unit is being stopped, mostly because the machine is: runners are told, and record how they end."""
        if self._ending:
            return
        self._ending = True
        self._crew.keep_nobody()
        if self._service is not None:
            self._service.end()
        self._crew.abort()

    def _give_up_place(self) -> None:
        if self._server is None:
            return  # given up before: the inode's number may be another socket's by now
        with (
            suppress(FileNotFoundError),
            _place_lock(self._path),
        ):  # the folder may be gone: it is not made again
            if self._path.stat().st_ino == self._inode:  # else another version's parent has taken it
                self._path.unlink()

    def _reap(self) -> None:
        reaped = False
        with suppress(ChildProcessError):
            while pid := os.waitpid(-1, os.WNOHANG)[0]:
                self._successors.discard(pid)
                self._crew.ended(pid)
                reaped = True
        self._crew.remove_groups()
        if reaped:
            self._end_orphans()

    def _end_orphans(self) -> None:
        """Kill what a dead runner left: who is our child, and nobody that we started. Each that dies leaves its own children."""
        for pid in children_of(os.getpid()) - self._crew.pids - self._successors:
            with suppress(ProcessLookupError, PermissionError):
                os.kill(pid, signal.SIGKILL)


def _take_place(path: Path) -> socket.socket:
    """Listen on `path`, in place of another parent that may listen there: it keeps its connections."""
    with _place_lock(path, os.O_CREAT):
        new = path.with_name(f".{path.name}.{os.getpid()}")
        server = listen(new)
        new.rename(path)
    return server


@contextmanager
def _place_lock(path: Path, flags: int = 0) -> Generator[None, None, None]:
    """Held while the socket's place changes hands; raises FileNotFoundError where there is none and `flags` do not make it."""
    fd = os.open(path.with_suffix(".lock"), os.O_RDWR | os.O_CLOEXEC | flags, 0o600)
    try:
        fcntl.flock(fd, fcntl.LOCK_EX)
        yield
    finally:
        os.close(fd)
