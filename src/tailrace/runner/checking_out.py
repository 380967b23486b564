"""What a checkout of any kind of repository has in common: it is refused, stopped early, or fails with words."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from typing import Protocol

from tailrace.domain.outcome import Reason
from tailrace.runner.failure import failed
from tailrace.runner.trees import Undeletable


class Stopped(Exception):
    """Somebody asked for the attempt's end."""


class Wanted(Protocol):
    """What is to be checked out: the revision and the address in words, and why these cannot be given to a program."""

    @property
    def wanted(self) -> str: ...

    @property
    def shown(self) -> str: ...

    def refused(self) -> str | None: ...


_FULL = ("No space left on device", "Disk quota exceeded", "database or disk is full")


def has_no_room(said: str) -> bool:
    """Whether git or svn says that the disk of this machine is full, in the words of the C locale."""
    own = [line for line in said.splitlines() if not line.startswith("remote:")]  # the repository's machine
    return any(words in line for line in own for words in _FULL)


async def checked_out(what: Wanted, go: Callable[[], Awaitable[str]]) -> str | None:
    """The revision that `go` gives; None when it raises Stopped. Raises StepFailed."""
    refused = what.refused()
    if refused is not None:
        raise failed(Reason.SETUP_FAILED, f"cannot check out {what.wanted} of {what.shown}: {refused}")
    try:
        return await go()
    except Stopped:
        return None
    except Undeletable as error:
        raise failed(
            Reason.SETUP_FAILED, f"cannot check out {what.wanted} of {what.shown}: {error}"
        ) from error
