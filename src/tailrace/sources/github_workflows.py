"""GitHub Actions' workflows: runs and jobs of theirs, as events that plans can follow."""

from __future__ import annotations

from pydantic import Field

from tailrace.domain.events import Event, EventKind
from tailrace.sources.fields import A_HASH, A_LINK, A_NUMBER, A_STRING, Hash, RefName, WebAddress
from tailrace.sources.github_payloads import Repository, User
from tailrace.sources.home import Home
from tailrace.sources.payload import Payload, first_line

_A_BRANCH = "a branch's name, or null"
_A_WORD = "a word such as completed"
_A_CONCLUSION = "a word such as success, or null"
_WORD = r"^[a-z_]{1,64}$"


class HeadCommit(Payload):
    """The commit that a workflow ran for."""

    message: str = Field(description=A_STRING)


class WorkflowRun(Payload):
    """A run of a workflow; its head repository is null when the fork is gone."""

    id: int = Field(gt=0, description=A_NUMBER)
    run_attempt: int = Field(1, gt=0, description=A_NUMBER)
    name: str | None = Field(None, description="a string, or null")
    event: str = Field(description="a word such as push")
    conclusion: str | None = Field(None, pattern=_WORD, description=_A_CONCLUSION)
    head_branch: RefName | None = Field(None, description=_A_BRANCH)
    head_sha: Hash = Field(description=A_HASH)
    head_commit: HeadCommit | None = Field(None, description="a commit, or null")
    head_repository: Repository | None = Field(description="a repository, or null")
    html_url: WebAddress | None = Field(None, description=A_LINK)
    actor: User | None = Field(None, description="an object with a login, or null")


class Workflow(Payload):
    """What a workflow is called."""

    name: str = Field(description=A_STRING)


class Own(Home, Repository):
    """The repository whose webhook it is, by name."""


class RunChange(Payload):
    """A run of a workflow that was asked for, began or ended."""

    action: str = Field(pattern=_WORD, description=_A_WORD)
    workflow_run: WorkflowRun = Field(description="a workflow's run")
    workflow: Workflow | None = Field(None, description="a workflow, or null")
    repository: Own = Field(description="a repository")


class WorkflowJob(Payload):
    """A job of a workflow's run."""

    id: int = Field(gt=0, description=A_NUMBER)
    run_id: int = Field(gt=0, description=A_NUMBER)
    run_attempt: int = Field(1, gt=0, description=A_NUMBER)
    name: str = Field(description=A_STRING)
    workflow_name: str | None = Field(None, description="a string, or null")
    conclusion: str | None = Field(None, pattern=_WORD, description=_A_CONCLUSION)
    head_branch: RefName | None = Field(None, description=_A_BRANCH)
    head_sha: Hash = Field(description=A_HASH)
    html_url: WebAddress | None = Field(None, description=A_LINK)


class JobChange(Payload):
    """A job of a workflow's run that was queued, began or ended."""

    action: str = Field(pattern=_WORD, description=_A_WORD)
    workflow_job: WorkflowJob = Field(description="a workflow's job")
    repository: Own = Field(description="a repository")
    sender: User | None = Field(None, description="an object with a login, or null")


def run_event(change: RunChange) -> Event:
    """A workflow's run as an event: its title is the workflow's name, its revision the commit that it ran for.

    It has no ref: whether `head_branch` is a branch or a tag, of this repository or of a fork, GitHub does not say.
    """
    run, home = change.workflow_run, change.repository
    name = run.name or (change.workflow.name if change.workflow else None) or ""
    values = {"WORKFLOW": name, "WORKFLOW_EVENT": run.event} | _number(run.id, run.run_attempt)
    return Event(
        kind=EventKind.WORKFLOW,
        branch=run.head_branch,
        revision=run.head_sha,
        title=first_line(name),
        author=first_line(run.actor.login) if run.actor else None,
        action=change.action,
        # A fork that was deleted meanwhile is null: whose code that is nobody can say any more.
        from_fork=run.head_repository is None or run.head_repository.full_name != home.full_name,
        url=run.html_url,
        message=run.head_commit.message if run.head_commit else None,
        default_branch=home.default_branch,
        addresses=home.addresses,
        once=f"workflow run {run.id} attempt {run.run_attempt} {change.action}",
        values=values | _conclusion(run.conclusion),
    )


def job_event(change: JobChange) -> Event:
    """A workflow's job as an event: its title is WORKFLOW / JOB."""
    job, home = change.workflow_job, change.repository
    workflow = job.workflow_name or ""
    values = {"WORKFLOW": workflow, "WORKFLOW_JOB": job.name} | _number(job.run_id, job.run_attempt)
    return Event(
        kind=EventKind.WORKFLOW,
        branch=job.head_branch,
        revision=job.head_sha,
        title=first_line(f"{workflow} / {job.name}" if workflow else job.name),
        author=first_line(change.sender.login) if change.sender else None,
        action=change.action,
        # GitHub does not say here which repository the commit is of: it may be a stranger's.
        from_fork=True,
        url=job.html_url,
        default_branch=home.default_branch,
        addresses=home.addresses,
        once=f"workflow job {job.id} {change.action}",
        values=values | _conclusion(job.conclusion),
    )


def _number(run: int, attempt: int) -> dict[str, str]:
    """Who is run again keeps the number of its run."""
    return {"WORKFLOW_RUN": str(run), "WORKFLOW_ATTEMPT": str(attempt)}


def _conclusion(word: str | None) -> dict[str, str]:
    return {"WORKFLOW_CONCLUSION": word or ""}
