"""Who may do what: the roles of tokens, and who calls."""

from __future__ import annotations

from enum import StrEnum
from typing import NamedTuple

from tailrace.domain.errors import Forbidden
from tailrace.domain.model import Model, Time

TOKEN_PREFIX = "trt_"
"""What the value of every token begins with that was made here: scanners of repositories can look for it."""

TOKEN_NAME = r"[A-Za-z0-9][A-Za-z0-9_.@-]{0,99}"


class Role(StrEnum):
    """What a token may do. Each may all that those below it may."""

    ADMIN = "admin"
    """Everything."""
    MEMBER = "member"
    """What is done day by day: start, abort, approve, pause; change plans and triggers."""
    READER = "reader"
    """Read and watch, but no secret."""

    def covers(self, needed: Role) -> bool:
        """Whether who has this role may do what `needed` may."""
        return _ORDER.index(self) <= _ORDER.index(needed)


_ORDER = (Role.ADMIN, Role.MEMBER, Role.READER)


class Caller(NamedTuple):
    """Who calls: the id, name and role of a token, also of one with which a session began."""

    token: int
    name: str
    role: Role

    def check(self, needed: Role, what: str) -> None:
        """Raises Forbidden unless the role covers the `needed` one; `what` is what was asked for."""
        if not self.role.covers(needed):
            raise Forbidden(refusal(self, needed, what))


def refusal(caller: Caller, needed: Role, what: str) -> str:
    """What one is told who may not."""
    return (
        f"{what} needs the role {needed}, and {caller.name} is {caller.role}: nothing was done;"
        " call with a token of that role, or ask an admin"
    )


class TokenView(Model):
    """A token without its value. `author` null: the server's own, made at its first start or preset in its settings.

    `used_at` is exact to a minute.
    """

    id: int
    name: str
    role: Role
    author: str | None
    created_at: Time
    used_at: Time | None
    expires_at: Time | None
