"""The git commands that bring a revision into a workspace, by way of a mirror on the same machine."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from pathlib import Path

from tailrace.domain.address import split_login, without_password
from tailrace.domain.lease import Lease
from tailrace.domain.plan import Submodules
from tailrace.domain.unlock import NOTHING, Unlocked, both
from tailrace.steps.command import Command, Place
from tailrace.steps.environment import COOKIE

# Settings of the machine's own git configuration that would change what a checkout does. Its credentials and URL rewrites stay.
_OPTIONS = (
    "advice.detachedHead=false",
    "core.fsmonitor=false",
    "core.hooksPath=/dev/null",
    "core.splitIndex=false",  # an index is kept without what else is in .git
    "fetch.writeCommitGraph=false",
    "gc.auto=0",  # and no maintenance: a daemon would hold the output open
    "init.defaultBranch=main",
    "maintenance.auto=false",
    "safe.directory=*",
    "submodule.recurse=false",  # a kept workspace may hold anything where a submodule was
)
_WHOLE_HISTORY = 2**31 - 1  # what git takes for "no limit", also where there was one
_BRANCHES, _TAGS = "refs/tailrace/heads", "refs/tailrace/tags"


def git_environment(inherited: Mapping[str, str], cookie: str) -> dict[str, str]:
    """The environment of git: the agent's own (proxies, SSH agent, credentials), without what makes git ask somebody."""
    unwanted = ("GIT_", "TAILRACE_", "SSH_ASKPASS")
    kept = {name: value for name, value in inherited.items() if not name.startswith(unwanted)}
    return {**kept, "GIT_TERMINAL_PROMPT": "0", "LC_ALL": "C", COOKIE: cookie}


@dataclass(frozen=True)
class Checkout:
    """The commands for one lease, in the order in which they are tried.

    `mirror` is the bare repository whose objects the workspace borrows; `cookie` names this attempt's own ref in it.
    `depth` is how many commits are fetched, 0 for the whole history with branches and tags. `key` lets git into the repository;
    and, where its files are trusted, into what they name on the same machine: submodules, large files. Those of a fork are not:
    a stranger would name what the key opens beside the repository.
    """

    repository: str
    revision: str | None
    ref: str | None
    place: Place
    env: Mapping[str, str]
    mirror: Path
    cookie: str
    depth: int = 1
    submodules: Submodules = "none"
    key: Unlocked = NOTHING
    trusted: bool = True

    @classmethod
    def of(
        cls, lease: Lease, place: Place, env: Mapping[str, str], mirror: Path, key: Unlocked = NOTHING
    ) -> Checkout:
        job = lease.job
        return cls(
            lease.repository,
            lease.revision,
            lease.ref,
            place,
            env,
            mirror,
            lease.cookie,
            job.depth,
            job.submodules,
            key,
            not lease.from_fork,
        )

    @property
    def url(self) -> str:
        """The address that git is given: without user and password."""
        return split_login(self.repository)[0]

    @property
    def shown(self) -> str:
        """The address that people are shown."""
        return without_password(self.repository)

    @property
    def wanted(self) -> str:
        """The revision in words."""
        return self.revision or "the default branch"

    @property
    def commit(self) -> str | None:
        """The revision, where it is a commit's full id: what a mirror may hold already."""
        revision = self.revision or ""
        return revision if len(revision) == 40 and not revision.strip("0123456789abcdef") else None

    @property
    def own_ref(self) -> str:
        """Where the mirror keeps what this attempt checks out."""
        return f"refs/tailrace/attempts/{self.cookie}"

    def refused(self) -> str | None:
        """Why these values cannot be given to git (it would take them for options), or None."""
        for what, value in (("repository", self.repository), ("revision", self.revision), ("ref", self.ref)):
            if value is not None and (value.startswith(("-", "+")) or value == "" or "\0" in value):
                return f"{what} {value!r} is not one: it must not be empty or begin with '-' or '+'"
            if what != "repository" and value is not None and ":" in value:
                return f"{what} {value!r} is not one: it must not hold ':'"
        return None

    # In the mirror

    def make_mirror(self) -> Command:
        """An empty bare repository, without the machine's templates."""
        return self._git(self.mirror.parent, "init", "--quiet", "--bare", "--template=", str(self.mirror))

    def look(self) -> Command | None:
        """Whether the mirror holds the commit: status 0; None where only the repository can tell what is meant."""
        return self._git(self.mirror, "cat-file", "-e", self.commit) if self.commit else None

    def fetch_revision(self) -> Command:
        """Only the revision; servers may refuse a commit that no branch or tag points at."""
        limit = (f"--depth={self.depth or _WHOLE_HISTORY}",)
        return self._fetch(limit, f"+{self.revision or 'HEAD'}:{self.own_ref}")

    def fetch_all(self, shallow: bool) -> Command:
        """Every branch and tag with its history; `shallow`: the mirror lacks some of it."""
        # Only then: git fails, without a word, to deepen what comes from an empty repository.
        return self._fetch(_deepen(shallow), f"+refs/heads/*:{_BRANCHES}/*", f"+refs/tags/*:{_TAGS}/*")

    def fetch_ref(self, shallow: bool) -> Command | None:
        """The run's own ref, which may lie outside branches and tags (`refs/pull/1/head`), where there is one."""
        return self._fetch(_deepen(shallow), f"+{self.ref}:{self.own_ref}") if self.ref else None

    def settle(self) -> Command:
        """Let the attempt's own ref point at the revision; fails when the mirror does not have it."""
        return self._git(self.mirror, "update-ref", self.own_ref, f"{self.revision}^{{commit}}")

    def forget(self) -> Command:
        """Remove the attempt's own ref: what it pointed at stays."""
        return self._git(self.mirror, "update-ref", "-d", self.own_ref)

    def repack(self) -> Command:
        """One pack of all there is, reachable or not: workspaces borrow it."""
        return self._git(self.mirror, "repack", "--quiet", "-a", "-d", "--keep-unreachable")

    # In the workspace

    # What is done there may be done as the job's user, who could not note a machine in the agent's file of known hosts:
    # here are its bytes, and no other one is believed.

    def detach(self, at: str, known_hosts: bytes = b"") -> Command:
        """Put the files of `at` into the workspace."""
        checkout = self._git(self.place.workspace, "checkout", "--quiet", "--force", "--detach", at, "--")
        return self._opened(checkout, self._inner(known_hosts))

    def take_refs(self) -> Command:
        """Branches and tags, out of the mirror."""
        refs = (f"+{_BRANCHES}/*:refs/remotes/origin/*", f"+{_TAGS}/*:refs/tags/*")
        serve = "--upload-pack=git -c safe.directory='*' upload-pack"
        fetch = ("fetch", "--quiet", "--no-recurse-submodules", "--no-tags", serve)
        return self._git(self.place.workspace, *fetch, str(self.mirror), *refs)

    def update_submodules(self, known_hosts: bytes = b"") -> Command | None:
        """The submodules of the revision, where they are wanted."""
        if self.submodules == "none":
            return None
        depth = ("--depth", str(self.depth)) if self.depth else ()
        recursive = ("--recursive",) if self.submodules == "recursive" else ()
        update = ("submodule", "update", "--init", "--force", *recursive, *depth)
        return self._opened(self._git(self.place.workspace, *update), self._inner(known_hosts))

    def _fetch(self, limit: tuple[str, ...], *refs: str) -> Command:
        # A repository on this machine that another user owns is refused by the git that serves it, which takes
        # no option from ours.
        local = self.repository.startswith(("/", ".", "file://"))
        serve = ("--upload-pack=git -c safe.directory='*' upload-pack",) if local else ()
        options = ("--no-recurse-submodules", *limit, *serve, "--no-tags")
        return self._opened(self._git(self.mirror, "fetch", *options, self.url, *refs), self.key)

    def _inner(self, known_hosts: bytes) -> Unlocked:
        return self.key.knowing(known_hosts) if self.trusted else NOTHING

    def _opened(self, command: Command, key: Unlocked) -> Command:
        return replace(command, env=both(command.env, key.env), held=key.held)

    def _git(self, folder: Path, *arguments: str) -> Command:
        options = tuple(part for option in _OPTIONS for part in ("-c", option))
        as_agent = folder != self.place.workspace  # the mirror is shared
        return Command(("git", *options, *arguments), self.env, folder, as_agent=as_agent)


def _deepen(shallow: bool) -> tuple[str, ...]:
    return (f"--depth={_WHOLE_HISTORY}",) if shallow else ()
