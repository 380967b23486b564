"""The git commands that bring a revision into a workspace."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass

from tailrace.domain.lease import Lease
from tailrace.steps.command import Command, Place
from tailrace.steps.environment import COOKIE

# Settings of the machine's own git configuration that would change what a checkout does. Its credentials and URL rewrites stay.
_OPTIONS = (
    "advice.detachedHead=false",
    "core.fsmonitor=false",
    "core.hooksPath=/dev/null",
    "gc.auto=0",  # and no maintenance: a daemon would hold the output open
    "init.defaultBranch=main",
    "maintenance.auto=false",
    "safe.directory=*",
)
_CREDENTIALS = re.compile(r"(https?://)[^/@\s]+@")


def git_environment(inherited: Mapping[str, str], cookie: str) -> dict[str, str]:
    """The environment of git: the agent's own (proxies, SSH agent, credentials), without what makes git ask somebody."""
    unwanted = ("GIT_", "TAILRACE_", "SSH_ASKPASS")
    kept = {name: value for name, value in inherited.items() if not name.startswith(unwanted)}
    return {**kept, "GIT_TERMINAL_PROMPT": "0", "LC_ALL": "C", COOKIE: cookie}


def without_credentials(text: str) -> str:
    """`text` with the user part of http URLs hidden: it often holds a token."""
    return _CREDENTIALS.sub(r"\1***@", text)


@dataclass(frozen=True)
class Checkout:
    """The commands for one lease, in the order in which they are tried."""

    repository: str
    revision: str | None
    ref: str | None
    place: Place
    env: Mapping[str, str]

    @classmethod
    def of(cls, lease: Lease, place: Place, env: Mapping[str, str]) -> Checkout:
        return cls(lease.repository, lease.revision, lease.ref, place, env)

    @property
    def wanted(self) -> str:
        """The revision in words."""
        return self.revision or "the default branch"

    def refused(self) -> str | None:
        """Why these values cannot be given to git (it would take them for options), or None."""
        for what, value in (("repository", self.repository), ("revision", self.revision), ("ref", self.ref)):
            if value is not None and (value.startswith("-") or value == "" or "\0" in value):
                return f"{what} {value!r} is not one: it must not be empty or begin with '-'"
        return None

    def prepare(self) -> tuple[Command, ...]:
        """An empty repository (without the machine's templates) that knows where the sources are."""
        return (
            self._git("init", "--quiet", "--template="),
            self._git("remote", "add", "origin", self.repository),
        )

    def fetch_revision(self) -> Command:
        """Only the revision; servers may refuse a commit that no branch or tag points at."""
        return self._fetch("--depth=1", "--no-tags", "origin", self.revision or "HEAD")

    def fetch_all(self) -> Command:
        """Everything, and the run's own ref, which may lie outside branches and tags (`refs/pull/1/head`)."""
        refs = ("+refs/heads/*:refs/remotes/origin/*", "+refs/tags/*:refs/tags/*")
        return self._fetch("origin", *refs)

    def fetch_ref(self) -> Command | None:
        """The run's own ref, where there is one."""
        return self._fetch("--no-tags", "origin", self.ref) if self.ref else None

    def detach(self, at: str) -> Command:
        """Put the files of `at` into the workspace."""
        return self._git("checkout", "--quiet", "--detach", at, "--")

    def _fetch(self, *arguments: str) -> Command:
        # A repository on this machine that another user owns is refused by the git that serves it, which takes
        # no option from ours.
        local = self.repository.startswith(("/", ".", "file://"))
        serve = ("--upload-pack=git -c safe.directory='*' upload-pack",) if local else ()
        return self._git("fetch", "--no-recurse-submodules", *serve, *arguments)

    def _git(self, *arguments: str) -> Command:
        options = tuple(part for option in _OPTIONS for part in ("-c", option))
        return Command(("git", *options, *arguments), self.env, self.place.workspace)
