"""`tailrace login-link`."""

from __future__ import annotations

from tailrace.cli.client import connect
from tailrace.cli.flags import NO_CLIENT_FLAGS, ClientFlags


def login_link(*, page: str = "/", flags: ClientFlags = NO_CLIENT_FLAGS) -> int:
    """Print a sign-in link: good once, for ten minutes.

    Parameters
    ----------
    page:
        Where the link leads after signing in.
    """
    print(connect(flags).post("/api/login-codes", {"next": page})["url"])
    return 0
