"""kill -9 of a house's processes, one after the other, whoever it hits."""

from __future__ import annotations

import os
import random
import signal
import time
from contextlib import suppress
from pathlib import Path
from typing import Any

import httpx2
import psutil

from tailrace.domain.facts import Finished
from tailrace.runner.folder import AttemptFolder
from tailrace.runner.journal import JournalReader
from tests.support.house import House, Process
from tests.support.waiting import wait_for

KINDS = ("server", "agent", "warm parent", "runner")


class Storm:
    """A server and two agents that are killed and started again.

    `away_s`: the longest time for which a killed agent stays away. `struck` counts what was hit, by kind.
    """

    def __init__(self, house: House, chance: random.Random, away_s: float) -> None:
        self._house = house
        self._chance = chance
        self._away_s = away_s
        self._due = chance.sample(KINDS, len(KINDS))  # each kind once, then whatever comes
        self._server = house.server()
        self._homes = [house.folder / name for name in ("first", "second")]
        self._agents = [self._agent(home, house.post("/api/agent-tokens")["token"]) for home in self._homes]
        # A token is good once: who is killed while it registers needs another, which is a person's work.
        wait_for(
            lambda: all((home / "agent" / "credential.json").exists() for home in self._homes),
            "the agents to register",
        )
        self._back = [0.0 for _ in self._homes]
        self.struck = dict.fromkeys(KINDS, 0)

    @property
    def attempts(self) -> list[Path]:
        """The attempts' folders that lie on the agents' disks, whole or half removed."""
        return [path for home in self._homes for path in sorted((home / "agent" / "attempts").glob("*"))]

    def strike(self) -> None:
        """Kill one process, and start what is to be started again."""
        self._start_again(time.monotonic())
        kind = self._due.pop() if self._due else self._chance.choice((*KINDS, "runner"))
        place = self._chance.randrange(len(self._homes))
        if not self._strike(kind, place):
            self._due.insert(0, kind)  # there is none at the moment
            return
        self.struck[kind] += 1

    def end(self) -> None:
        """Nobody stays away any longer."""
        self._start_again(float("inf"))

    def ended(self, runs: set[int], states: tuple[str, ...]) -> bool:
        """Whether all these runs are in one of these states; False while the server is away."""
        found: set[int] = set()
        cursor: dict[str, Any] = {}
        with suppress(httpx2.HTTPError):
            while True:
                page = self._house.get("/api/runs", limit=100, **cursor)
                found |= {run["id"] for run in page["items"] if run["state"] in states}
                if page["next"] is None:
                    return runs <= found
                cursor = {"cursor": page["next"]}
        return False

    def _strike(self, kind: str, place: int) -> bool:
        """False when there was nothing to hit."""
        if kind == "server":
            self._server.kill()
            self._server = self._house.start("server")
        elif kind == "agent":
            if not self._agents[place].alive:
                return False
            self._agents[place].kill()
            self._back[place] = time.monotonic() + self._chance.choice((0, 0, self._away_s))
            self._start_again(time.monotonic())
        else:
            return self._strike_parent(place) if kind == "warm parent" else self._strike_runner(place)
        return True

    def _start_again(self, now: float) -> None:
        for place, agent in enumerate(self._agents):
            if not agent.alive and now >= self._back[place]:
                self._agents[place] = self._agent(self._homes[place])

    def _agent(self, home: Path, token: str | None = None) -> Process:
        return self._house.start(
            "agent", "--data-dir", str(home), *(() if token is None else ("--token", token))
        )

    def _strike_runner(self, place: int) -> bool:
        """A runner is known by its lock: whoever signed one that is held lives, and the number is nobody else's."""
        agent = self._homes[place] / "agent"
        folders = [AttemptFolder(path) for path in (agent / "attempts").glob("[0-9]*")]
        for folder in self._chance.sample(folders, len(folders)):
            with suppress(OSError):
                if (pid := folder.signed_pid()) and folder.is_alive() and _kill(pid, agent):
                    return self._was_at_work(folder)
        return False

    def _was_at_work(self, folder: AttemptFolder) -> bool:
        """Whether the runner that was killed had not recorded the end of its attempt yet."""
        wait_for(lambda: not folder.is_alive(), "a killed runner to be gone")
        with suppress(OSError):
            return not any(isinstance(fact, Finished) for fact in JournalReader(folder).read(0))
        return False

    def _strike_parent(self, place: int) -> bool:
        """A parent looks like the runners that it forked, but its own parent does not."""
        agent = self._homes[place] / "agent"
        same: dict[int, int] = {}
        for process in psutil.process_iter():
            with suppress(psutil.Error):
                if process.cmdline()[-2:] == ["tailrace.runner.warm", str(agent)]:
                    same[process.pid] = process.ppid()
        parents = [pid for pid, parent in same.items() if parent not in same]
        return bool(parents) and _kill(self._chance.choice(parents), agent)


def left_processes(mark: str) -> list[str]:
    """The processes that carry `mark` in their environment or on their command line, but not this one."""
    found: list[str] = []
    for process in psutil.process_iter():
        with suppress(psutil.Error, OSError):
            seen = [*process.cmdline(), *(f"{key}={value}" for key, value in process.environ().items())]
            if process.pid != os.getpid() and any(mark in word for word in seen):
                found.append(f"{process.pid} {process.status()} {process.cmdline()}")
    return found


def _kill(pid: int, agent: Path) -> bool:
    """SIGKILL to a process of this agent's warm parent's family; a descriptor holds it while it is looked at."""
    try:
        held = os.pidfd_open(pid)
    except OSError:
        return False
    try:
        line = Path(f"/proc/{pid}/cmdline").read_bytes().split(b"\0")
        if line[-3:] != [b"tailrace.runner.warm", str(agent).encode(), b""]:
            return False
        signal.pidfd_send_signal(held, signal.SIGKILL)
    except OSError:
        return False
    finally:
        os.close(held)
    return True
