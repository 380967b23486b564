"""Commit statuses: a forge shows beside a commit how each job of its run stands."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import NamedTuple
from urllib.parse import quote

from tailrace.domain.channels import ChannelKind, ForgeSettings
from tailrace.domain.events import EventKind
from tailrace.domain.model import JobView, RunView
from tailrace.domain.outcome import Reason
from tailrace.domain.states import JobState, RunState
from tailrace.notify.base import Answer, Request, Undelivered, check_status, encode, retry_after
from tailrace.store.spoken import Voice

MOST_CHARACTERS = 140
"""Of a description: GitHub's limit."""

_STATES: Mapping[JobState, tuple[str, str]] = {
    # Tailrace's, then GitHub's and Gitea's, GitLab's
    JobState.WAITING: ("pending", "pending"),
    JobState.PENDING: ("pending", "pending"),
    JobState.RUNNING: ("pending", "running"),
    JobState.PASSED: ("success", "success"),
    JobState.FAILED: ("failure", "failed"),
    JobState.ABORTED: ("error", "canceled"),
    JobState.SKIPPED: ("success", "skipped"),
}


class Status(NamedTuple):
    """How one job stands: `name` is unique among those of the commit, `url` where people see it.

    `kept_back`: it was skipped because something that it needs failed or was aborted, which is no success.
    """

    name: str
    state: JobState
    words: str
    url: str
    kept_back: bool = False

    @property
    def said(self) -> str:
        """What is remembered of it, to tell it again only when it is another."""
        return f"{self.state.value}: {Reason.NEEDS_FAILED.value}" if self.kept_back else self.state.value


def statuses_of(run: RunView, server_url: str, voice: Voice) -> list[Status]:
    """How each job of a run stands, of which no other run tells; of a run that ended before it had jobs, how it ended.

    A push's are called `tailrace/PLAN/JOB`; of another event its kind follows, so that none says anything about a push.
    """
    url = f"{server_url}/runs/{run.id}"
    suffix = "" if run.trigger.event == EventKind.PUSH else f" ({run.trigger.event})"
    whole = f"tailrace/{run.plan_name}{suffix}"
    if not run.jobs:
        if run.state not in (RunState.FAILED, RunState.ABORTED):
            return []
        words = run.detail or run.reason or run.state.value
        return [Status(whole, JobState(run.state.value), _short(words), url)]
    kept_back = _kept_back(run.jobs)
    planned = Status(whole, JobState.PASSED, "its plan could be read: see its jobs", url)
    return [planned] * voice.first_planned + [
        Status(
            f"tailrace/{run.plan_name}/{job.name}{suffix}",
            job.state,
            _short(job.state.value + (f": {job.detail or job.reason}" if job.detail or job.reason else "")),
            f"{url}/jobs/{job.id}",
            job.name in kept_back,
        )
        for job in run.jobs
        if job.name not in voice.spoken
    ]


def _kept_back(jobs: Sequence[JobView]) -> set[str]:
    """Jobs that were skipped because one that they need failed or was aborted, not because it was skipped itself."""
    broken = {
        job.name
        for job in jobs
        if job.state is JobState.ABORTED or (job.state is JobState.FAILED and not job.allow_failure)
    }
    skipped = [job for job in jobs if job.reason == Reason.NEEDS_FAILED]
    found: set[str] = set()
    while more := {
        job.name for job in skipped if job.name not in found and not (broken | found).isdisjoint(job.needs)
    }:
        found |= more
    return found


def _short(words: str) -> str:
    line = " ".join(words.split())
    return line if len(line) <= MOST_CHARACTERS else line[: MOST_CHARACTERS - 1] + "…"


def make(settings: ForgeSettings, token: str, revision: str, status: Status) -> Request:
    """The request that sets a commit's status."""
    for_github, for_gitlab = _STATES[status.state]
    if status.kept_back:
        for_github = "failure"  # GitHub takes `success` for leave to merge; GitLab asks the other jobs
    if settings.kind is ChannelKind.GITLAB:
        body = {
            "state": for_gitlab,
            "name": status.name,
            "target_url": status.url,
            "description": status.words,
        }
    else:
        body = {
            "state": for_github,
            "context": status.name,
            "target_url": status.url,
            "description": status.words,
        }
    return Request(f"{_repository(settings)}/statuses/{revision}", encode(body), headers_of(settings, token))


def look(settings: ForgeSettings, token: str) -> Request:
    """The request that shows whether the repository is there and the token is good."""
    return Request(_repository(settings), b"", headers_of(settings, token))


def headers_of(settings: ForgeSettings, token: str) -> dict[str, str]:
    match settings.kind:
        case ChannelKind.GITLAB:
            return {"PRIVATE-TOKEN": token}
        case ChannelKind.GITEA:
            return {"Authorization": f"token {token}"}
        case _:
            return {
                "Authorization": f"Bearer {token}",
                "Accept": "application/vnd.github+json",
                "X-GitHub-Api-Version": "2022-11-28",
            }


def check(settings: ForgeSettings, answer: Answer) -> None:
    """Raises Undelivered unless the forge took it, or knew it already."""
    words = answer.words()
    if settings.kind is ChannelKind.GITLAB and answer.status == 400 and "Cannot transition status" in words:
        return  # it says so of a status that it has already
    limited = answer.status == 403 and (
        answer.headers.get("x-ratelimit-remaining") == "0" or "retry-after" in answer.headers
    )
    if limited:
        raise Undelivered(f"HTTP 403: {words}", after_s=retry_after(answer) or 60.0)
    check_status(answer)


def _repository(settings: ForgeSettings) -> str:
    api = settings.api.rstrip("/")
    match settings.kind:
        case ChannelKind.GITLAB:
            return f"{api}/api/v4/projects/{quote(settings.repository, safe='')}"
        case ChannelKind.GITEA:
            return f"{api}/api/v1/repos/{settings.repository}"
        case _:
            return f"{api}/repos/{settings.repository}"
