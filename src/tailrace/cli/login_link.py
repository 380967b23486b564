"""`tailrace login-link`."""

from __future__ import annotations

from tailrace.cli.client import connect, tell
from tailrace.cli.flags import NO_CLIENT_FLAGS, ClientFlags


def login_link(*, page: str = "/", json: bool = False, flags: ClientFlags = NO_CLIENT_FLAGS) -> int:
    """Print a sign-in link: good once, for ten minutes.

    Parameters
    ----------
    page:
        Where the link leads after signing in.
    """
    made = connect(flags).post("/api/login-codes", {"next": page})
    tell(made, as_json=json, plain=made["url"])
    return 0
