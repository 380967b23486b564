"""The words of messages: Tailrace's own, or a channel's template."""

from __future__ import annotations

from string import Template
from typing import NamedTuple

from tailrace.domain.branches import track_of
from tailrace.domain.model import AttemptView, JobView, RunView, StepView
from tailrace.domain.notifications import What
from tailrace.domain.states import AttemptState, JobState, StepState
from tailrace.notify.base import Message

_SAID = {
    What.PASSED: "passed",
    What.FAILED: "failed",
    What.ABORTED: "was aborted",
    What.SKIPPED: "was skipped",
    What.RECOVERED: "passed again",
    What.WAITING: "waits for approval",
}


class Failure(NamedTuple):
    """The job on which a run failed, its last attempt, and the step; as far as there are any."""

    job: JobView
    attempt: AttemptView | None
    step: StepView | None


def failure_of(run: RunView) -> Failure | None:
    """The job that failed first, of those whose failure is the run's too."""
    failed = [job for job in run.jobs if job.state is JobState.FAILED and not job.allow_failure]
    if not failed:
        return None
    job = min(failed, key=lambda one: (one.finished_at or 0, one.id))
    attempt = job.attempts[-1] if job.attempts else None
    if attempt is None or attempt.state is not AttemptState.FAILED:
        return Failure(job, attempt, None)
    ended = [step for step in attempt.steps if step.state is StepState.FAILED]
    going = [step for step in attempt.steps if step.state is StepState.RUNNING]
    found = ended[:1] or going[-1:]
    return Failure(job, attempt, found[0] if found else None)


class Occasion(NamedTuple):
    """What is told: `id` is the notification's, `at` when it happened (ms), `lines` the end of the failing step's log."""

    id: str
    what: What
    detail: str | None
    at: int
    lines: str


def write_message(run: RunView, occasion: Occasion, server_url: str, template: str | None) -> Message:
    """The message of an occasion of this run."""
    failure = failure_of(run) if occasion.what is What.FAILED else None
    url = f"{server_url}/runs/{run.id}"
    subject = f"{run.project_name} #{run.number} {_SAID[occasion.what]}{_of(run)}"
    values = {
        "subject": subject,
        "what": occasion.what.value,
        "project": run.project_name,
        "plan": run.plan_name,
        "number": str(run.number),
        "state": run.state.value,
        "reason": "" if occasion.detail else run.reason or "",
        "detail": occasion.detail or run.detail or "",
        "branch": run.branch or "",
        "revision": (run.revision or "")[:12],
        "title": run.title or "",
        "author": run.author or "",
        "job": failure.job.name if failure else "",
        "step": failure.step.name if failure and failure.step else "",
        "lines": occasion.lines,
        "url": url,
    }
    if template is None:
        text, lines = _own_words(values), occasion.lines
    else:
        text, lines = Template(template).substitute(values), ""
    return Message(
        id=occasion.id,
        what=occasion.what,
        subject=subject,
        text=text,
        lines=lines,
        url=url,
        at=occasion.at,
        data={
            "run": {
                name: values[name]
                for name in ("project", "plan", "state", "reason", "branch", "title", "author")
            }
            | {"id": run.id, "number": run.number, "revision": run.revision, "detail": run.detail}
            | {"ref": run.ref, "from_fork": run.from_fork},
            "job": values["job"] or None,
            "step": values["step"] or None,
            "detail": occasion.detail,
        },
    )


def trial_message(channel: str, by: str, at: int, server_url: str) -> Message:
    """What a channel is tried with."""
    text = f"{by} tries the channel {channel}: it works.\n{server_url}"
    return Message(f"test-{at}", None, f"Tailrace: {channel} works", text, "", server_url, at)


def _of(run: RunView) -> str:
    track = track_of(run.ref, run.branch, run.from_fork)
    if track is None:
        return " (of a fork)" if run.from_fork else ""
    return f" ({track} of a fork)" if run.from_fork else f" ({track})"


def _own_words(values: dict[str, str]) -> str:
    commit = " ".join(part for part in (values["revision"], _short(values["title"], 200)) if part)
    place = ", ".join(f"{name} {values[name]}" for name in ("plan", "job", "step") if values[name])
    told = (
        values["subject"],
        f"{commit} ({values['author']})" if commit and values["author"] else commit,
        place,
        f"{values['reason']}: {values['detail']}" if values["reason"] else values["detail"],
        values["url"],
    )
    return "\n".join(_short(part, 600) for part in told if part)


def _short(text: str, most: int) -> str:
    line = " ".join(text.split())
    return line if len(line) <= most else line[: most - 1] + "…"
