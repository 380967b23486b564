"""The user as whom an attempt's processes run, where that is not the agent's own."""

from __future__ import annotations

import os
import pwd
from collections.abc import Mapping
from dataclasses import dataclass

from tailrace.domain.errors import Invalid


@dataclass(frozen=True)
class Account:
    """A user of this machine, with all groups that it belongs to."""

    name: str
    uid: int
    gid: int
    groups: tuple[int, ...]
    home: str

    @classmethod
    def named(cls, name: str) -> Account:
        """The user of this name; raises Invalid when there is none."""
        try:
            return _account(pwd.getpwnam(name))
        except KeyError:
            raise Invalid(f"there is no user {name!r} on {os.uname().nodename}") from None

    @classmethod
    def numbered(cls, uid: int) -> Account:
        """The user of this id; raises Invalid when there is none."""
        try:
            return _account(pwd.getpwuid(uid))
        except KeyError:
            raise Invalid(f"there is no user with the id {uid} on {os.uname().nodename}") from None

    def environment(self, env: Mapping[str, str]) -> dict[str, str]:
        """These variables for this user: a home that is the agent's own is not, and its files are closed to others."""
        own = {"HOME": self.home, "USER": self.name, "LOGNAME": self.name}
        return {
            name: own[name] if name in own and value == os.environ.get(name) else value
            for name, value in env.items()
        }


def _account(entry: pwd.struct_passwd) -> Account:
    groups = tuple(os.getgrouplist(entry.pw_name, entry.pw_gid))
    return Account(entry.pw_name, entry.pw_uid, entry.pw_gid, groups, entry.pw_dir)
