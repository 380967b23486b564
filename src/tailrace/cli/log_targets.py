"""What `tailrace logs` is asked for: the logs of a run, a job or an attempt."""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import Any, NamedTuple

from tailrace.cli.client import CallFailed, Client
from tailrace.cli.projects import find_project

ENDED = {"passed", "failed", "aborted", "skipped"}
FORMS = "RUN, RUN/JOB, RUN/JOB/ATTEMPT (RUN is an id or PROJECT#NUMBER), job/ID or log/ID"

_RUN = re.compile(r"(?:([0-9]{1,18})|(.+)#([0-9]{1,18}))\Z", re.ASCII)
_ID = re.compile(r"(job|log)/([0-9]{1,18})\Z", re.ASCII)


class Source(NamedTuple):
    """A log to show. `name` tells it apart from the run's others; `steps` are the names that its spans' steps have."""

    log: int
    job: str
    attempt: int
    name: str
    steps: dict[int, str]


@dataclass(frozen=True)
class Target:
    """A run, or one job of it, or one attempt; or a log by itself, where `run` is None."""

    run: int | None
    job: str | None = None
    attempt: int | None = None
    log: int | None = None

    def jobs(self, run: dict[str, Any]) -> list[dict[str, Any]]:
        """The jobs of the run that are asked for; raises CallFailed when it has jobs, and none of that name."""
        jobs = [job for job in run["jobs"] if self.job in (None, job["name"])]
        if run["jobs"] and not jobs:
            names = ", ".join(job["name"] for job in run["jobs"])
            raise CallFailed(f"run {run['id']} has no job {self.job!r}: it has {names}")
        return jobs

    def check_attempt(self, run: dict[str, Any]) -> None:
        """Raise CallFailed, which names the attempts that there are, when the one that is asked for is not among them."""
        if self.attempt is None:
            return
        for job in self.jobs(run):
            numbers = [attempt["number"] for attempt in job["attempts"]]
            if self.attempt not in numbers:
                there = f"attempts {numbers[0]} to {numbers[-1]}" if len(numbers) > 1 else "attempt 1 alone"
                raise CallFailed(
                    f"job {job['name']} of run {run['id']} has no attempt {self.attempt}:"
                    f" it has {there if numbers else 'none yet'}"
                )

    def sources(self, run: dict[str, Any], shown: set[int]) -> list[Source]:
        """The logs that have begun: of each job the newest one, those `shown`, and what came after them."""
        found: list[Source] = []
        for job in self.jobs(run):
            begun = [a for a in job["attempts"] if a["state"] not in ("pending", "leased")]
            if self.attempt is not None:
                wanted = [attempt for attempt in begun if attempt["number"] == self.attempt]
            else:
                first = next((at for at, a in enumerate(begun) if a["log"] in shown), len(begun) - 1)
                wanted = begun[max(first, 0) :]
            found += [_source(job, attempt) for attempt in wanted]
        return found

    def ended(self, run: dict[str, Any]) -> bool:
        """Whether no more logs will come."""
        if self.attempt is not None:
            attempts = [a for job in self.jobs(run) for a in job["attempts"] if a["number"] == self.attempt]
            return any(a["state"] in ENDED for a in attempts) or run["state"] in ENDED
        if self.job is not None and run["jobs"]:
            return all(job["state"] in ENDED for job in self.jobs(run))
        return run["state"] in ENDED


def find_target(client: Client, text: str) -> Target:
    """What `text` names; raises CallFailed, which says what is allowed."""
    if match := _ID.match(text):
        number = int(match[2])
        if match[1] == "log":
            return Target(None, log=number)
        job = client.get(f"/api/jobs/{number}")
        return Target(job["run"], job["name"])
    parts = text.split("/")
    # A project's name may have slashes; then the run's number ends it.
    at = next((at for at, part in enumerate(parts) if "#" in part), 0)
    run = _run_of(client, "/".join(parts[: at + 1]), f"{text!r} names no log: expected {FORMS}")
    rest = parts[at + 1 :]
    if len(rest) > 1 and rest[-1].isascii() and rest[-1].isdigit():
        return Target(run, "/".join(rest[:-1]), int(rest[-1]))
    return Target(run, "/".join(rest) if rest else None)


def find_run(client: Client, text: str) -> int:
    """The id of the run that `text` names, an id or PROJECT#NUMBER; raises CallFailed."""
    return _run_of(client, text, f"{text!r} names no run: expected an id, or PROJECT#NUMBER")


def exit_status(jobs: list[dict[str, Any]]) -> int:
    """What stands for how the jobs ended: 0 passed, 130 aborted, else the exit code of one that failed, or 1.

    A failure that its plan allows counts only where there is nothing else.
    """
    jobs = [job for job in jobs if not (job["state"] == "failed" and job.get("allow_failure"))] or jobs
    states = {job["state"] for job in jobs}
    if states <= {"passed", "skipped"}:
        return 0
    if "failed" not in states:
        return 130
    codes = [attempt["exit_code"] for job in jobs for attempt in job["attempts"][-1:]]
    return next((code for code in codes if code), 1)


def _run_of(client: Client, text: str, refusal: str) -> int:
    match = _RUN.match(text)
    if match is None:
        raise CallFailed(refusal)
    if match[1]:
        return int(match[1])
    project, number = find_project(client, match[2]), int(match[3])
    cursor: str | None = None
    while True:
        page = client.get("/api/runs", project=project["id"], limit=500, cursor=cursor)
        for run in page["items"]:
            if run["number"] == number:
                return run["id"]
        cursor = page["next"]
        if cursor is None or page["items"][-1]["number"] < number:
            raise CallFailed(f"project {match[2]} has no run {number}")


def _source(job: dict[str, Any], attempt: dict[str, Any]) -> Source:
    number = attempt["number"]
    name = job["name"] if number == 1 else f"{job['name']}/{number}"
    steps = {step["index"]: step["name"] for step in attempt["steps"]}
    return Source(attempt["log"], job["name"], number, name, steps)
