"""A whole agent, from its configuration to its end."""

from __future__ import annotations

import asyncio
import signal
from collections.abc import Coroutine
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import structlog

from tailrace.agent.connection import Connection, socket_url
from tailrace.agent.credential import Credential, CredentialFile, FarewellUnheard, farewell, register
from tailrace.agent.job_users import JobUsers
from tailrace.agent.lifetime import until_over
from tailrace.agent.lock import hold_folder
from tailrace.agent.machine import describe
from tailrace.agent.supervisor import Supervisor
from tailrace.domain.errors import TailraceError, Unauthorised
from tailrace.domain.plan.model import NO_LIMITS, LimitsSpec
from tailrace.prctl import die_with_parent
from tailrace.runner.shared import remove_unused
from tailrace.runner.strays import end_strays
from tailrace.runner.warm import RunnerNotStarted, WarmParent

WIND_UP_S = 5.0
"""After Ctrl-C, how long outcomes and logs of the aborted attempts may take to reach the server."""
HURRY_S = 2.0
"""After Ctrl-C, how long a job that was told to end may take before it is killed: a person waits."""
TIDY_S = 3600.0
"""How often what nobody uses any more is removed."""
DAY_S = 86_400.0
_log = structlog.get_logger("agent")


@dataclass(frozen=True)
class AgentConfig:
    """What an agent needs to know. `folder` is its alone; `token` is needed until it is registered; `follow_parent` lets it
    detach when the process that started it dies. With `once` it takes one attempt and ends; `idle_timeout_s` without one also
    end it. `warm_service`: its warm parent is a service of its own. `limits` are those of any of its jobs; `job_users` are those as
    whom jobs run, its own user where there are none. It takes work of `projects` alone (names; None: of all)."""

    folder: Path
    server_url: str
    name: str
    token: str | None
    labels: tuple[str, ...]
    capacity: int
    follow_parent: bool = False
    mirror_days: float = 14
    mirror_gib: float = 20
    once: bool = False
    idle_timeout_s: float | None = None
    warm_service: bool = False
    limits: LimitsSpec = NO_LIMITS
    job_users: tuple[str, ...] = ()
    projects: tuple[str, ...] | None = None
    workspace_days: float = 14
    workspace_gib: float = 20


async def run_agent(config: AgentConfig) -> int:
    """Be an agent until a signal, or until it has done what it was to do (0); returns the exit status.

    SIGTERM detaches: runners go on for the next agent; 0. SIGINT aborts all attempts and waits up to WIND_UP_S until the server
    knows how they ended (a second signal does not wait); 130. 1, with a message, when it cannot be an agent here: the folder is
    another agent's, the token or the credential is refused.
    """
    try:
        if config.follow_parent:
            die_with_parent(signal.SIGTERM)
        with hold_folder(config.folder):
            return await _Running(config).run()
    except (TailraceError, OSError) as error:
        _log.error(str(error))
        return 1


class _Running:
    def __init__(self, config: AgentConfig) -> None:
        self._config = config
        self._warm = WarmParent(config.folder, service=config.warm_service)
        self._supervisor = Supervisor(
            config.folder,
            config.labels,
            config.capacity,
            self._warm,
            describe(config.folder),
            most=1 if config.once else None,
            server_url=config.server_url,
            limits=config.limits,
            users=JobUsers.named(config.job_users, config.capacity, config.folder),
            projects=config.projects,
        )
        self._credentials = CredentialFile(config.folder)
        self._signals: asyncio.Queue[signal.Signals] = asyncio.Queue()

    async def run(self) -> int:
        socket_url(self._config.server_url)
        loop = asyncio.get_running_loop()
        for number in (signal.SIGTERM, signal.SIGINT):
            loop.add_signal_handler(number, self._signals.put_nowait, number)
        if strays := await asyncio.to_thread(end_strays, self._config.folder.absolute() / "attempts"):
            _log.warning("ended processes whose attempts are gone", processes=strays)
        self._supervisor.adopt()
        work = [asyncio.create_task(one) for one in self._work()]
        stop = asyncio.create_task(self._signals.get())
        over = asyncio.create_task(until_over(self._supervisor, self._config.idle_timeout_s))
        number = None
        try:
            await asyncio.wait((*work, stop, over), return_when=asyncio.FIRST_COMPLETED)
            try:
                for task in work:
                    if task.done():
                        task.result()
            except Unauthorised:
                await self._end_all("the server, which does not know this agent any more")
                raise
            if stop.done():
                number = stop.result()
            else:
                _log.info("ending", why=over.result())
            if number == signal.SIGINT:
                await self._wind_up()
        finally:
            for task in (*work, stop, over):
                task.cancel()
            await asyncio.gather(*work, return_exceptions=True)
            await self._supervisor.close()
            await self._warm.close(leave=number == signal.SIGINT or _came_to_its_end(over))
        if self._config.once and _came_to_its_end(over):
            await self._take_leave()
        _log.info("the agent has ended", left=self._supervisor.unfinished)
        return 130 if number == signal.SIGINT else 0

    def _work(self) -> list[Coroutine[Any, Any, None]]:
        return [self._supervisor.run(), self._stay_connected(), self._warm_up(), self._tidy_up()]

    async def _warm_up(self) -> None:
        """The first attempt need not wait for a parent."""
        try:
            await self._warm.ensure()
        except (RunnerNotStarted, OSError) as error:
            self._supervisor.complain(str(error))
        await asyncio.Event().wait()

    async def _tidy_up(self) -> None:
        """Remove mirrors and kept workspaces that nobody uses any more, now and then."""
        config = self._config
        limits = (
            ("mirrors", config.mirror_days, config.mirror_gib),
            ("workspaces", config.workspace_days, config.workspace_gib),
        )
        while True:
            for kind, days, gib in limits:
                removed = await asyncio.to_thread(
                    remove_unused, config.folder / kind, days * DAY_S, int(gib * 2**30)
                )
                for path in removed:
                    _log.info(f"removed one of the {kind}: not used, or no room for it", path=path.name)
            await asyncio.sleep(TIDY_S)

    async def _stay_connected(self) -> None:
        credential, token = self._credentials.read(), self._config.token
        while True:
            if credential is None:
                credential, token = await self._register(token), None
            try:
                await Connection(self._config.server_url, credential, self._supervisor).run()
            except Unauthorised as error:
                if token is None:
                    raise
                _log.warning(f"{error}; registering with the token given")
                credential = None

    async def _register(self, token: str | None) -> Credential:
        config = self._config
        if token is None:
            raise Unauthorised(
                f"this agent is not registered with {config.server_url}: make a token with `tailrace agent-token`"
                " and give it with --token"
            )
        credential = await register(config.server_url, token, config.name, config.labels, config.capacity)
        self._credentials.keep(credential)
        _log.info("registered", server=config.server_url, agent=credential.id)
        return credential

    async def _take_leave(self) -> None:
        """The machine lived for one job: nobody is to look for its agent any more."""
        credential = self._credentials.read()
        if credential is None:
            return
        try:
            await farewell(self._config.server_url, credential)
        except FarewellUnheard as error:
            _log.warning(
                "the server still lists this agent: remove it with `tailrace agents remove`", why=str(error)
            )
        else:
            self._credentials.forget()

    async def _end_all(self, by: str) -> None:
        """End what runs: nobody will ever hear of it."""
        self._supervisor.abort_all(by, HURRY_S)
        while self._supervisor.unfinished:  # noqa: ASYNC110 -- runners are looked at, they tell nobody
            await asyncio.sleep(0.02)

    async def _wind_up(self) -> None:
        """Abort all, until the server knows all, or for as long as a person at a terminal waits."""
        supervisor = self._supervisor
        supervisor.abort_all("the agent (Ctrl-C)", HURRY_S)
        loop = asyncio.get_running_loop()
        end, said = loop.time() + WIND_UP_S, (0, 0)
        while supervisor.unsettled and self._signals.empty() and loop.time() < end:
            left = (supervisor.unfinished, supervisor.unsettled)
            if left != said:
                _log.info("ending", attempts_to_end=left[0], attempts_to_report=left[1])
                said = left
            await asyncio.sleep(0.02)
        if supervisor.unsettled:
            _log.warning(
                "leaving attempts to the next agent",
                to_end=supervisor.unfinished,
                to_report=supervisor.unsettled,
            )


def _came_to_its_end(over: asyncio.Task[str]) -> bool:
    return over.done() and not over.cancelled() and over.exception() is None
