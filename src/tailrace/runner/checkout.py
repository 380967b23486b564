"""Bringing the sources into the workspace."""

from __future__ import annotations

from tailrace.domain.outcome import Reason
from tailrace.domain.spans import Stream
from tailrace.runner.execute import Ended, Executor
from tailrace.runner.failure import failed
from tailrace.runner.output import Output
from tailrace.steps.checkout import Checkout, without_credentials


async def check_out(checkout: Checkout, executor: Executor, output: Output, step: int) -> str | None:
    """Check out what `checkout` names; returns the commit, or None when it was stopped early.

    Raises StepFailed: `source_unreachable` when nothing can be fetched from the repository, `setup_failed` otherwise.
    """
    repository = without_credentials(checkout.repository)
    refused = checkout.refused()
    if refused is not None:
        raise failed(Reason.SETUP_FAILED, f"cannot check out {checkout.wanted} of {repository}: {refused}")
    for command in checkout.prepare():
        prepared = await executor.run(command, step, Stream.SYSTEM, Stream.SYSTEM)
        if prepared.stopped:
            return None
        if prepared.status != 0:
            raise _failed(Reason.SETUP_FAILED, "cannot prepare a workspace for", checkout, prepared)
    at = await _fetch(checkout, executor, output, step)
    if at is None:
        return None
    detached = await executor.run(checkout.detach(at), step, Stream.SYSTEM, Stream.SYSTEM)
    if detached.stopped:
        return None
    if detached.status != 0:
        raise _failed(Reason.SETUP_FAILED, "cannot check out", checkout, detached)
    commit = (checkout.place.workspace / ".git" / "HEAD").read_text(encoding="ascii").strip()
    output.say(step, f"checked out {commit} of {repository}")
    return commit


async def _fetch(checkout: Checkout, executor: Executor, output: Output, step: int) -> str | None:
    """What to check out of that which was fetched; None when it was stopped early."""
    alone = await executor.run(checkout.fetch_revision(), step, Stream.SYSTEM, Stream.SYSTEM)
    if alone.stopped:
        return None
    if alone.status == 0:
        return "FETCH_HEAD"
    output.say(step, f"cannot fetch {checkout.wanted} alone; fetching all branches and tags")
    everything = await executor.run(checkout.fetch_all(), step, Stream.SYSTEM, Stream.SYSTEM)
    if everything.stopped:
        return None
    if everything.status != 0:
        raise _failed(Reason.SOURCE_UNREACHABLE, "cannot fetch", checkout, everything)
    if checkout.revision is None:
        raise _failed(Reason.SETUP_FAILED, "cannot find", checkout, alone)
    own = checkout.fetch_ref()
    if own is not None and (await executor.run(own, step, Stream.SYSTEM, Stream.SYSTEM)).stopped:
        return None
    return checkout.revision


def _failed(reason: Reason, what: str, checkout: Checkout, ended: Ended) -> Exception:
    lines = ended.said.decode("utf-8", "replace").strip().splitlines()
    said = next((line for line in reversed(lines) if line.startswith(("fatal:", "error:"))), None)
    said = said or (lines[-1] if lines else f"git ended with status {ended.status}")
    repository = without_credentials(checkout.repository)
    return failed(
        reason, f"{what} {checkout.wanted} of {repository}: {without_credentials(said)}", ended.status
    )
