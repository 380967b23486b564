"""The users as whom jobs run where the agent is root: each job has one to itself."""

from __future__ import annotations

import os
from collections.abc import Collection, Sequence
from pathlib import Path

from tailrace.domain.errors import Invalid
from tailrace.runner.account import Account
from tailrace.runner.folder import AttemptFolder

_MAY_PASS = 0o711
"""Others may go through a folder to what they know the name of, and list nothing."""


class JobUsers:
    """Gives attempts' workspaces to users, whose processes then carry the jobs' steps; none: everything is the agent's own."""

    def __init__(self, accounts: tuple[Account, ...] = ()) -> None:
        self._accounts = accounts

    @classmethod
    def named(cls, names: Sequence[str], places: int, folder: Path) -> JobUsers:
        """Users for so many places of an agent in `folder`, which is made passable for them.

        Raises Invalid for what cannot work: an agent that is not root, a user twice or unknown or root, too few of them, a
        folder that they cannot reach.
        """
        if not names:
            return cls()
        if os.geteuid() != 0:
            raise Invalid("job_users: only an agent that runs as root can run jobs as other users")
        accounts = tuple(Account.named(name) for name in names)
        if len({account.uid for account in accounts}) < len(accounts):
            raise Invalid(f"job_users: {', '.join(names)} names a user twice; each job needs one of its own")
        if any(account.uid == 0 for account in accounts):
            raise Invalid("job_users: root may read what the agent may; jobs need users without rights")
        if len(accounts) < places:
            raise Invalid(
                f"job_users: {len(accounts)} users are too few for {places} jobs at once: name more, or lower the capacity"
            )
        _open_way(folder)
        return cls(accounts)

    def give(self, folder: AttemptFolder, taken: Collection[int]) -> int | None:
        """Give the attempt's workspace to a user whose id is not taken; returns the id. Raises OSError when none is free."""
        if not self._accounts:
            return None
        account = next((account for account in self._accounts if account.uid not in taken), None)
        if account is None:
            raise OSError("no user is free to run the job as")
        for path in (folder.workspace, folder.tmp):
            path.chmod(0o700)
            os.chown(path, account.uid, account.gid)
        folder.path.chmod(_MAY_PASS)
        return account.uid


NO_USERS = JobUsers()


def _open_way(folder: Path) -> None:
    for path in (folder, folder / "attempts", folder / "mirrors"):
        path.mkdir(exist_ok=True)
        path.chmod(_MAY_PASS)
    for path in folder.parents:
        if not path.stat().st_mode & 0o001:
            raise Invalid(
                f"job_users: {path} lets nobody through to {folder}: give the agent a data_dir of its own whose parents do,"
                " such as /var/lib/tailrace-agent"
            )
