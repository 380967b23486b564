"""A real Tailrace in processes of its own: `tailrace up`, or a server and agents apart."""

from __future__ import annotations

import os
import signal
import sqlite3
import subprocess
import sys
import uuid
from collections.abc import Mapping
from contextlib import closing
from pathlib import Path
from types import TracebackType
from typing import Any

import httpx2

from tests.services import SESSION_FOLDER
from tests.support.databases import migrated
from tests.support.ports import free_port
from tests.support.waiting import wait_for

ADMIN_TOKEN = "the-admin-token-of-the-tests"
ENDED = ("passed", "failed", "aborted", "skipped")


class Process:
    """A `tailrace` command that runs until it is told otherwise; its messages go to a file. `under` starts it."""

    def __init__(
        self, arguments: list[str], environment: Mapping[str, str], output: Path, under: tuple[str, ...] = ()
    ) -> None:
        self.output = output
        with output.open("ab") as file:
            self._process = subprocess.Popen(
                [*under, sys.executable, "-m", "tailrace", *arguments],
                env={**os.environ, **environment},
                stdin=subprocess.DEVNULL,
                stdout=file,
                stderr=subprocess.STDOUT,
                start_new_session=True,
            )

    @property
    def pid(self) -> int:
        return self._process.pid

    @property
    def alive(self) -> bool:
        return self._process.poll() is None

    def send(self, sign: signal.Signals) -> None:
        self._process.send_signal(sign)

    def wait(self, seconds: float = 60) -> int:
        """The exit status."""
        try:
            return self._process.wait(seconds)
        except subprocess.TimeoutExpired:
            raise AssertionError(
                f"still running after {seconds} s; its messages:\n{self.messages()}"
            ) from None

    def kill(self) -> None:
        """kill -9, this process alone."""
        self._process.kill()
        self._process.wait()

    def messages(self) -> str:
        return self.output.read_text(errors="replace")


class House:
    """A data directory with the processes that use it, and a client of its API."""

    def __init__(self, folder: Path, **settings: str) -> None:
        self.folder = folder
        self.data = folder / "data"
        self.port = free_port()
        self.url = f"http://127.0.0.1:{self.port}"
        self.environment = {
            "TAILRACE_DATA_DIR": str(self.data),
            "TAILRACE_LISTEN": f"127.0.0.1:{self.port}",
            "TAILRACE_SERVER": self.url,
            "TAILRACE_ADMIN_TOKEN": ADMIN_TOKEN,
            "TAILRACE_TOKEN": ADMIN_TOKEN,
            "TAILRACE_CAPACITY": "4",
            **settings,
        }
        self.client = httpx2.Client(
            base_url=self.url, headers={"Authorization": f"Bearer {ADMIN_TOKEN}"}, timeout=60
        )
        self.processes: list[Process] = []

    def __enter__(self) -> House:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        for process in self.processes:
            if process.alive:
                process.send(signal.SIGINT)
        for process in self.processes:
            try:
                process.wait(15)
            except AssertionError:
                process.kill()
        if error is not None:
            for process in self.processes:
                print(f"--- {process.output.name}\n{process.messages()[-4000:]}")
        self.client.close()

    def start(self, *arguments: str, under: tuple[str, ...] = ()) -> Process:
        """A command beside this house's data."""
        output = self.folder / f"{len(self.processes)}-{arguments[0]}.txt"
        process = Process(list(arguments), self.environment, output, under)
        self.processes.append(process)
        return process

    def up(self, *arguments: str) -> Process:
        """`tailrace up`, once it answers and its agent is there."""
        self._prepare()
        process = self.start("up", *arguments)
        self.wait_until_up(process)
        self.wait_agent()
        return process

    def wait_agent(self) -> None:
        """Until an agent is connected."""
        wait_for(
            lambda: any(agent["state"] == "online" for agent in self.get("/api/agents")["items"]), "an agent"
        )

    def server(self) -> Process:
        """`tailrace server`, once it answers."""
        self._prepare()
        process = self.start("server")
        self.wait_until_up(process)
        return process

    def _prepare(self) -> None:
        """Spare a first server of tests the migrations, which others try; benchmarks measure them too."""
        if SESSION_FOLDER in os.environ and not self.data.exists():
            self.data.mkdir(mode=0o700, parents=True)
            migrated(self.data / "tailrace.db")

    def agent(self) -> Process:
        """`tailrace agent`, registered the first time."""
        if (self.data / "agent" / "credential.json").exists():
            return self.start("agent")
        return self.start("agent", "--token", self.post("/api/agent-tokens")["token"])

    def wait_until_up(self, process: Process) -> None:
        def answers() -> bool:
            if not process.alive:
                raise AssertionError(f"it ended with {process.wait()}:\n{process.messages()}")
            try:
                return self.client.get("/readyz").status_code == 200
            except httpx2.HTTPError:
                return False

        wait_for(answers, f"{self.url} to answer")

    def change(self, statement: str, *values: Any) -> int:
        """Change what is in the store beside a server, which may run; how many rows that were."""
        with closing(sqlite3.connect(self.data / "tailrace.db", timeout=60)) as database, database:
            return database.execute(statement, values).rowcount

    def let_leases_run_out(self) -> None:
        """As if the agents had been away for longer than their leases, as soon as all are away."""
        wait_for(
            lambda: all(agent["state"] != "online" for agent in self.get("/api/agents")["items"]),
            "the agents to be away",
        )
        self.change("UPDATE attempt SET lease_until = 1 WHERE lease_until IS NOT NULL")

    def get(self, path: str, **query: Any) -> Any:
        answer = self.client.get(path, params=query)
        assert answer.is_success, answer.text
        return answer.json()

    def post(self, path: str, body: Mapping[str, Any] | None = None) -> Any:
        answer = self.client.post(path, json=body)
        assert answer.is_success, answer.text
        return answer.json()

    def project(
        self, name: str | None = None, repository: str = "/nowhere", secret: str | None = None
    ) -> int:
        """The id of a new project; tests that share a house each have their own."""
        body: dict[str, Any] = {"name": name or f"demo-{uuid.uuid4().hex[:8]}", "repository": repository}
        return self.post("/api/projects", body | ({"webhook_secret": secret} if secret else {}))["id"]

    def plan(self, definition: str, project: int | None = None, name: str = "plan") -> int:
        """The id of a plan kept in the server."""
        project = self.project() if project is None else project
        return self.post("/api/plans", {"project": project, "name": name, "definition": definition})["id"]

    def script_plan(self, *steps: str, name: str = "plan", project: int | None = None, **job: Any) -> int:
        """A plan of one job without checkout."""
        import yaml

        spec = {"checkout": False, "steps": [{"run": step} for step in steps], **job}
        return self.plan(yaml.safe_dump({"jobs": {"job": spec}}), project, name)

    def run(self, plan: int, **wish: Any) -> int:
        return self.post("/api/runs", {"plan": plan, **wish})["id"]

    def show(self, run: int) -> dict[str, Any]:
        return self.get(f"/api/runs/{run}")

    def attempt(self, run: int, job: int = 0) -> dict[str, Any]:
        return self.show(run)["jobs"][job]["attempts"][-1]

    def wait_state(self, run: int, *states: str, seconds: float = 60) -> dict[str, Any]:
        """The run once it is in one of these states; servers that are away are waited for."""

        def reached() -> dict[str, Any] | None:
            try:
                shown = self.show(run)
            except httpx2.HTTPError:
                return None
            if shown["state"] in ENDED and shown["state"] not in states:
                raise AssertionError(f"run {run} is {shown['state']}: {shown['reason']} {shown['detail']}")
            return shown if shown["state"] in states else None

        return wait_for(reached, f"run {run} to be {' or '.join(states)}", seconds)

    def wait_log(self, run: int, job: int = 0) -> dict[str, Any]:
        """The attempt once its log is closed."""

        def closed() -> dict[str, Any] | None:
            try:
                attempt = self.attempt(run, job)
            except (httpx2.HTTPError, IndexError):
                return None
            return attempt if attempt["log_state"] != "open" else None

        return wait_for(closed, f"the log of run {run} to be closed")

    def output(self, log: int, streams: str | None = "stdout,stderr") -> bytes:
        """The bytes of a log; all of them, or of some streams."""
        answer = self.client.get(f"/api/logs/{log}", params={"stream": streams} if streams else {})
        assert answer.is_success, answer.text
        return answer.content

    def wait_output(self, run: int, wanted: bytes, job: int = 0) -> None:
        """Until the run's output contains `wanted`."""

        def seen() -> bool:
            try:
                attempts = self.show(run)["jobs"][job]["attempts"]
                return bool(attempts) and wanted in self.output(attempts[-1]["log"])
            except (httpx2.HTTPError, IndexError):
                return False

        wait_for(seen, f"{wanted!r} in the output of run {run}")
