"""The svn commands that bring a revision into a workspace, by way of a mirror on the same machine."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from pathlib import Path

from tailrace.domain.address import Login, without_password
from tailrace.domain.credentials import Remote
from tailrace.domain.lease import Lease
from tailrace.domain.subversion import (
    is_folder_name,
    server_settings,
    split_svn_login,
    svn_environment,
    target,
)
from tailrace.domain.unlock import NOTHING, Unlocked
from tailrace.steps.command import Command, Place
from tailrace.steps.environment import COOKIE


@dataclass(frozen=True)
class SvnCheckout:
    """The commands for one lease.

    `ref` is the folder below the address, None for the address itself; `revision` is a number, None for the newest. `mirror` is a
    working copy of that folder; `config` is a folder for what svn is told of the `login`. `externals` are other folders that the
    repository's own want inside them. `key` lets svn in by ssh; and, where the files are `trusted`, into externals on the same
    machine.
    """

    repository: str
    revision: str | None
    ref: str | None
    place: Place
    env: Mapping[str, str]
    mirror: Path
    config: Path
    login: Login | None
    externals: bool = False
    key: Unlocked = NOTHING
    trusted: bool = True

    @classmethod
    def of(
        cls,
        lease: Lease,
        remote: Remote,
        place: Place,
        inherited: Mapping[str, str],
        mirror: Path,
        config: Path,
        key: Unlocked = NOTHING,
    ) -> SvnCheckout:
        env = {**svn_environment(inherited), COOKIE: lease.cookie}
        externals = lease.job.submodules != "none"
        return cls(
            lease.repository,
            lease.revision,
            lease.ref,
            place,
            env,
            mirror,
            config,
            remote.login,
            externals,
            key,
            not lease.from_fork,
        )

    @property
    def shown(self) -> str:
        """What is checked out, as people are shown it."""
        return without_password(f"{self.repository.rstrip('/')}/{self.ref}" if self.ref else self.repository)

    @property
    def wanted(self) -> str:
        """The revision in words."""
        return f"revision {self.revision}" if self.revision else "the newest revision"

    def refused(self) -> str | None:
        """Why these values cannot be given to svn, or None."""
        if self.revision is not None and not (self.revision.isascii() and self.revision.isdigit()):
            return f"revision {self.revision!r} is not a number"
        if self.ref is not None and not is_folder_name(self.ref):
            return f"ref {self.ref!r} is not the path of a folder in the repository"
        if self.externals and self.login is not None:
            return (
                "its externals are wanted, and svn would give the password to every server that they name;"
                " keep the login in the agent's own Subversion settings, and neither in the address nor in a secret"
            )
        return None

    def make(self) -> Command:
        """The mirror's working copy, anew."""
        options = ("--quiet", "--ignore-externals")
        return self._remote("checkout", *options, self._source, f"{self.mirror}")

    def change(self, folder: Path) -> Command:
        """Make a working copy one of the wanted folder and revision, whatever it was of."""
        options = (
            "--quiet",
            "--ignore-externals",
            "--ignore-ancestry",
            "--force",
            "--accept=theirs-full",
            "--set-depth=infinity",
        )
        return self._remote("switch", *options, self._source, f"{folder}")

    def recover(self, folder: Path) -> Command:
        """Finish what an svn that was killed left half done."""
        return self._local("cleanup", f"{folder}")

    def tell(self) -> Command:
        """Print the mirror's revision."""
        return self._local("info", "--show-item=revision", f"{self.mirror}")

    def copy(self) -> Command:
        """Copy the mirror into the workspace, which is empty; times stay, by which svn knows files that were not changed."""
        to = self.place.workspace
        return Command(
            ("cp", "-dR", "--preserve=mode,timestamps,links", "--reflink=auto", f"{self.mirror}/.", f"{to}"),
            self.env,
            self.mirror,
            as_agent=True,
        )

    def take_externals(self, revision: str, known_hosts: bytes = b"") -> Command | None:
        """The externals, where they are wanted."""
        if not self.externals:
            return None
        update = self._remote("update", "--quiet", f"--revision={revision}", f"{self.place.workspace}")
        key = self.key.knowing(known_hosts) if self.trusted else NOTHING
        return replace(update, env={**self.env, **key.env}, held=key.held, as_agent=False)

    @property
    def _source(self) -> str:
        return target(split_svn_login(self.repository)[0], self.ref, self.revision)

    def _remote(self, word: str, *arguments: str) -> Command:
        """With the login that there is, and then with no other; otherwise with what the agent's user has."""
        options: tuple[str, ...] = ("--non-interactive", "--no-auth-cache")
        if self.login is None:
            env = {**self.env, **self.key.env}
            command = ("svn", word, *options, *arguments)
            return Command(command, env, self.mirror.parent, as_agent=True, held=self.key.held)
        options += (f"--config-dir={self.config}", "--password-from-stdin")
        return Command(
            ("svn", word, *options, *arguments),
            self.env,
            self.mirror.parent,
            files=((self.config / "servers", server_settings(self.login).encode()),),
            told=self.login.password.encode(),
            as_agent=True,
        )

    def _local(self, word: str, *arguments: str) -> Command:
        return Command(
            ("svn", word, "--non-interactive", *arguments), self.env, self.mirror.parent, as_agent=True
        )
