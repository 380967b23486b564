"""An agent's supervisor and connection in this process, with a real warm parent and real runners."""

from __future__ import annotations

import asyncio
import os
import signal
from contextlib import suppress
from pathlib import Path
from typing import Self

from tailrace.agent.connection import Connection
from tailrace.agent.job_users import JobUsers
from tailrace.agent.supervisor import Supervisor
from tailrace.domain.lease import Lease
from tailrace.domain.plan.model import NO_LIMITS, LimitsSpec
from tailrace.runner.family import Family
from tailrace.runner.folder import AttemptFolder
from tailrace.runner.warm import WarmParent
from tests.unit.agent.peer import Peer, until


def end_runners(agent_folder: Path) -> None:
    """Kill what tests left running in an agent's folder; its warm parent leaves with its last runner."""
    for folder in AttemptFolder.all(agent_folder / "attempts"):
        pid = folder.signed_pid()
        if pid is not None and folder.is_alive():
            with suppress(ProcessLookupError):
                os.kill(pid, signal.SIGKILL)
        Family(folder.cookie, None).end_now()


class Bench:
    """One agent at a time in `folder`, connected to `peer`."""

    def __init__(
        self,
        folder: Path,
        peer: Peer,
        capacity: int = 2,
        limits: LimitsSpec = NO_LIMITS,
        users: tuple[str, ...] = (),
        projects: tuple[str, ...] | None = None,
    ) -> None:
        self.folder = folder
        self.peer = peer
        self.capacity = capacity
        self.limits = limits
        self.users = users
        self.projects = projects
        self._tasks: list[asyncio.Task[None]] = []

    async def __aenter__(self) -> Self:
        await self.start()
        return self

    async def __aexit__(self, *_: object) -> None:
        await self.stop()
        end_runners(self.folder)

    async def start(self) -> None:
        """A new agent; it is connected."""
        self.folder.mkdir(exist_ok=True)
        self.warm = WarmParent(self.folder)
        users = JobUsers.named(self.users, self.capacity, self.folder)
        self.supervisor = Supervisor(
            self.folder,
            ("linux",),
            self.capacity,
            self.warm,
            limits=self.limits,
            users=users,
            projects=self.projects,
        )
        self.supervisor.adopt()
        connection = Connection(self.peer.url, self.peer.identity, self.supervisor)
        self._tasks = [asyncio.create_task(self.supervisor.run()), asyncio.create_task(connection.run())]
        hellos = len(self.peer.hellos)
        await until(lambda: len(self.peer.hellos) > hellos and self.peer.connected, "the agent to connect")

    async def stop(self) -> None:
        """The agent goes, its runners stay."""
        for task in self._tasks:
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)
        await self.supervisor.close()
        await self.warm.close(leave=False)

    def folder_of(self, lease: Lease) -> AttemptFolder:
        return AttemptFolder(self.folder / "attempts" / lease.folder)

    async def gone(self, lease: Lease) -> None:
        """Until the attempt's folder is removed."""
        await until(
            lambda: not self.folder_of(lease).path.exists(), f"the folder of attempt {lease.attempt} to go"
        )
