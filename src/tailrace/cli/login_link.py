"""`tailrace login-link`."""

from __future__ import annotations

from typing import Annotated

from cyclopts import Parameter

from tailrace.cli.client import connect, tell
from tailrace.cli.flags import NO_CLIENT_FLAGS, ClientFlags


def login_link(
    *,
    page: str = "/",
    name: Annotated[str | None, Parameter(name="--as")] = None,
    json: bool = False,
    flags: ClientFlags = NO_CLIENT_FLAGS,
) -> int:
    """Print a sign-in link: good once, for ten minutes.

    Parameters
    ----------
    page:
        Where the link leads after signing in.
    name:
        The token as which it signs in; the one that the command calls with if not given. Another's needs an admin.
    """
    made = connect(flags).post("/api/login-codes", {"next": page, "name": name})
    tell(made, as_json=json, plain=made["url"])
    return 0
