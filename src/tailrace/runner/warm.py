"""The agent's side of the warm parent, and the way it is started: `python -m tailrace.runner.warm FOLDER [follow]`."""

from __future__ import annotations

import asyncio
import json
import os
import socket
import subprocess
import sys
from collections.abc import Mapping
from contextlib import suppress
from pathlib import Path
from typing import cast

from tailrace.domain.errors import TailraceError
from tailrace.runner.edition import this_edition
from tailrace.runner.folder import AttemptFolder
from tailrace.runner.handover import put_into_pipe
from tailrace.runner.sockets import connect
from tailrace.steps.environment import COOKIE

START_PATIENCE_S = 20.0
"""How long a new parent may take to greet: it imports everything, on a machine that may be busy."""
ANSWER_PATIENCE_S = 10.0
TRIES = 3
"""How often a new parent that is killed while it starts is started again."""


class RunnerNotStarted(TailraceError):
    """No runner was started for an attempt: its folder is as it was."""


class WarmParent:
    """Starts runners through an agent's warm parent, which it starts itself where none of this edition lives.

    `service`: the parent is a unit of its own, which is waited for, and told to renew itself where it has another edition.
    `follows`: the runners are aborted when this process is gone; else they go on for the next agent.
    """

    def __init__(self, agent_folder: Path, *, service: bool = False, follows: bool = False) -> None:
        self._folder = agent_folder.absolute()
        self._follows = follows
        self._service = service
        self._editions = {this_edition()}
        self._renewing: int | None = None  # the process id of the one that is to come
        self._turn = asyncio.Lock()
        self._streams: tuple[asyncio.StreamReader, asyncio.StreamWriter] | None = None
        self._connection: socket.socket | None = None  # the streams' own: only it can pass descriptors
        self._process: subprocess.Popen[bytes] | None = None

    async def ensure(self) -> None:
        """Connect to a living parent or start one; raises RunnerNotStarted when neither works."""
        async with self._turn:
            await self._ensure()

    async def start(self, folder: AttemptFolder, secrets: Mapping[str, str] | None = None) -> int:
        """Start a runner for the folder, and hand it the secrets that its job wants; returns its process id.

        Raises RunnerNotStarted with the cause.
        """
        request = {"start": str(folder.path.absolute()), "secrets": bool(secrets)}
        async with self._turn:
            await self._ensure()
            answer = await self._ask(request, secrets)
            if answer is None:  # the parent died: perhaps before, perhaps after it forked
                if folder.is_alive():
                    return folder.signed_pid() or 0
                await self._ensure()
                answer = await self._ask(request, secrets)
        if answer is None or "pid" not in answer:
            cause = answer.get("error") if answer else f"the warm parent died; {self._last_error()}"
            raise RunnerNotStarted(f"attempt {folder.path.name}: no runner was started: {cause}")
        return int(cast(int, answer["pid"]))

    async def close(self, leave: bool) -> None:
        """Let go of the parent, which ends with its last runner once no agent is connected.

        `leave`: it must also make room for another at once; when it has no runner, this waits for its end.
        """
        async with self._turn:
            answer = await self._ask({"leave": True}) if leave and self._streams else None
            self._disconnect()
            if self._process is not None and answer is not None and answer.get("runners") == 0:
                with suppress(TimeoutError):
                    async with asyncio.timeout(ANSWER_PATIENCE_S):
                        while self._process.poll() is None:  # noqa: ASYNC110 -- no child watcher needed for one process
                            await asyncio.sleep(0.005)

    async def _ensure(self) -> None:
        if self._streams is not None and not self._streams[0].at_eof():
            return
        self._disconnect()
        if await self._greeted():
            return
        for tries_left in reversed(range(TRIES)):
            deadline = asyncio.get_running_loop().time() + START_PATIENCE_S
            if not self._service:
                self._start_own()
            while not (await self._renewed() if self._service else await self._greeted(self._own_pid)):
                killed = self._process is not None and (self._process.poll() or 0) < 0
                if killed and tries_left:  # it has done nothing yet
                    break
                ended = self._process is not None and self._process.poll() is not None
                if ended or asyncio.get_running_loop().time() > deadline:
                    raise RunnerNotStarted(self._why_not())
                await asyncio.sleep(0.01)
            else:
                return

    @property
    def _own_pid(self) -> int | None:
        return self._process.pid if self._process is not None else None

    def _start_own(self) -> None:
        with (self._folder / "warm.err").open("ab") as errors:
            self._process = subprocess.Popen(
                (
                    *(sys.executable, "-P", "-m", "tailrace.runner.warm", str(self._folder)),
                    *(["follow"] if self._follows else []),
                ),
                stdin=subprocess.DEVNULL,
                stdout=errors,
                stderr=errors,
                env=_environment(os.environ),
                start_new_session=True,
            )

    async def _renewed(self) -> bool:
        """Connected to the service's parent: to the one that takes its place, where it has another edition."""
        if await self._greeted():
            return True
        if self._renewing is None and await self._connected() is not None:
            answer = await self._ask({"renew": True})
            self._renewing = cast(int, answer["pid"]) if answer and "pid" in answer else None
            self._disconnect()
        if self._renewing is None or not await self._greeted(self._renewing):
            return False
        self._renewing = None
        return True

    async def _greeted(self, pid: int | None = None) -> bool:
        """Connect; True when a parent greeted of an edition that we know, or the one with this process id.

        What we started ourselves may be of a newer edition than we are: it is what is on disk now.
        """
        greeting = await self._connected()
        if greeting is None:
            return False
        edition = str(greeting.get("version"))
        if pid is not None and greeting.get("pid") == pid:
            self._editions.add(edition)
        if edition in self._editions and pid in (None, greeting.get("pid")):
            return True
        self._disconnect()
        return False

    async def _connected(self) -> dict[str, object] | None:
        """The greeting of whoever listens, None where nobody does."""
        try:
            connection = connect(self._folder / "warm.sock")
        except OSError:
            return None
        connection.setblocking(False)
        self._connection = connection
        self._streams = await asyncio.open_unix_connection(sock=connection)
        greeting = await self._hear()
        if greeting is None:
            self._disconnect()
        return greeting

    async def _ask(
        self, request: Mapping[str, object], secrets: Mapping[str, str] | None = None
    ) -> dict[str, object] | None:
        """The parent's answer, None when it is gone; raises OSError when the secrets do not fit into a pipe."""
        if self._streams is None or self._connection is None:
            return None
        line = json.dumps(request).encode() + b"\n"
        if secrets:
            pipe = put_into_pipe(secrets)
            try:
                with suppress(OSError):  # every request was answered: nothing stands before this one
                    socket.send_fds(self._connection, [line], [pipe])
            finally:
                os.close(pipe)
        else:
            with suppress(OSError):
                self._streams[1].write(line)
                await self._streams[1].drain()
        answer = await self._hear()
        if answer is None:
            self._disconnect()
        return answer

    async def _hear(self) -> dict[str, object] | None:
        assert self._streams is not None
        with suppress(OSError, ValueError, TimeoutError):
            async with asyncio.timeout(ANSWER_PATIENCE_S):
                message: object = json.loads(await self._streams[0].readline())
            if isinstance(message, dict):
                return cast(dict[str, object], message)
        return None

    def _disconnect(self) -> None:
        if self._streams is not None:
            self._streams[1].close()
            self._streams = self._connection = None
        if self._process is not None:
            self._process.poll()  # reaps it when it has ended

    def _why_not(self) -> str:
        if self._service:
            return f"no warm parent answers in {self._folder}: look after the unit that runs it (warm_service is set)"
        return f"the warm parent of {self._folder} did not start: {self._last_error()}"

    def _last_error(self) -> str:
        with suppress(OSError):
            lines = (
                (self._folder / "warm.err").read_text(encoding="utf-8", errors="replace").strip().splitlines()
            )
            if lines:
                return lines[-1]
        return "it left no message"


def _environment(inherited: Mapping[str, str]) -> dict[str, str]:
    """Without Tailrace's settings, which may hold tokens; with the cookie, where this agent itself runs in an attempt."""
    return {
        name: value for name, value in inherited.items() if not name.startswith("TAILRACE_") or name == COOKIE
    }


if __name__ == "__main__":
    from tailrace.runner.forking import run
    from tailrace.runner.service import Service

    run(Path(sys.argv[1]), Service.of(sys.argv[2:]), follows="follow" in sys.argv[2:])
