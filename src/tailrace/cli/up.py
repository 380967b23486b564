"""`tailrace up`: the whole product on one machine, a server and an agent."""

from __future__ import annotations

import asyncio
import signal
import sys
from contextlib import suppress
from pathlib import Path
from typing import TYPE_CHECKING

from tailrace.cli.flags import NO_SERVER_FLAGS, ServerFlags, given
from tailrace.cli.importing import for_good

if TYPE_CHECKING:
    from tailrace.server import RunningServer

STOP_S = 8.0
"""How long Ctrl-C waits for the agent to report how the aborted jobs ended."""


def up(
    *,
    project: Path | None = None,
    capacity: int | None = None,
    flags: ServerFlags = NO_SERVER_FLAGS,
) -> int:
    """Start a server and an agent on this machine.

    Ctrl-C aborts the jobs and ends both; SIGTERM lets the jobs go on: the next start takes them up.

    Parameters
    ----------
    project:
        A git repository on this machine: registered as a project, and its .tailrace.yml run.
    capacity:
        How many jobs at once; the number of processors if not set.
    """
    with for_good():
        import uvloop

        from tailrace.cli.messages import configure_messages
        from tailrace.prctl import hide_memory
        from tailrace.server import serve
        from tailrace.settings import load_agent, load_server

    hide_memory()
    settings = load_server(**given(flags))
    load_agent(capacity=capacity, data_dir=flags.data_dir, log_level=flags.log_level)
    configure_messages(settings.log_level)
    for_agent = ["--data-dir", str(settings.data_dir), "--log-level", settings.log_level]
    if capacity is not None:
        for_agent += ["--capacity", str(capacity)]
    companion = Companion(for_agent, project)
    with asyncio.Runner(loop_factory=uvloop.new_event_loop) as runner:
        runner.run(serve(settings, companion.begin, companion.end))
    return 0


class Companion:
    """The agent beside a server: started when the server answers, started again when it dies, ended with it."""

    def __init__(self, flags: list[str], project: Path | None) -> None:
        self._flags = flags
        self._project = project
        self._process: asyncio.subprocess.Process | None = None
        self._tasks: list[asyncio.Task[None]] = []
        self._ending = False

    def begin(self, running: RunningServer) -> None:
        """The server answers."""
        self._tasks = [asyncio.create_task(self._keep(running)), asyncio.create_task(self._greet(running))]
        for task in self._tasks:
            task.add_done_callback(_tell_failure)

    async def end(self, sign: int) -> None:
        """Pass the signal on, and wait for the agent to go: after SIGINT it still has outcomes to report."""
        self._ending = True
        process = self._process
        if process is not None and process.returncode is None:
            if sign == signal.SIGINT:
                print(
                    "\nstopping: jobs are aborted (Ctrl-C again does not wait)", file=sys.stderr, flush=True
                )
            with suppress(ProcessLookupError):
                process.send_signal(sign)
            try:
                await asyncio.wait_for(process.wait(), STOP_S)
            except TimeoutError:
                print("the agent still has jobs to end: they end without this server", file=sys.stderr)
        for task in self._tasks:
            task.cancel()

    async def _keep(self, running: RunningServer) -> None:
        wait = 0.2
        while not self._ending:
            token = await running.make_agent_token()
            self._process = process = await asyncio.create_subprocess_exec(
                *(sys.executable, "-m", "tailrace", "agent", "--token", "-", "--follow-parent"),
                *("--server", running.local_url, *self._flags),
                stdin=asyncio.subprocess.PIPE,
                start_new_session=True,  # Ctrl-C in the terminal is for us: the agent is told in order
            )
            assert process.stdin is not None
            process.stdin.write(token.encode() + b"\n")
            process.stdin.close()
            status = await process.wait()
            if self._ending:
                return
            print(f"the agent ended with status {status}; starting it again", file=sys.stderr, flush=True)
            await asyncio.sleep(wait)
            wait = min(wait * 2, 10)

    async def _greet(self, running: RunningServer) -> None:
        page = "/"
        if self._project is not None:
            from tailrace.cli.client import Client
            from tailrace.cli.first_project import start_first_run
            from tailrace.domain.errors import TailraceError

            client = Client(running.local_url, running.admin_token)
            try:
                page = await asyncio.to_thread(start_first_run, client, self._project)
            except TailraceError as error:
                print(f"tailrace: {error}", file=sys.stderr, flush=True)
        link = await running.make_login_link(page)
        print(f"Tailrace is ready: {link}", flush=True)


def _tell_failure(task: asyncio.Task[None]) -> None:
    if not task.cancelled() and (error := task.exception()) is not None:
        print(f"tailrace: {error!r}", file=sys.stderr, flush=True)
