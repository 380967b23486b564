"""`tailrace login-link`."""

from __future__ import annotations

from pathlib import Path

from tailrace.cli.client import connect


def login_link(
    *, page: str = "/", server: str | None = None, token: str | None = None, data_dir: Path | None = None
) -> int:
    """Print a sign-in link: good once, for ten minutes.

    Parameters
    ----------
    page:
        Where the link leads after signing in.
    """
    print(connect(server, token, data_dir).post("/api/login-codes", {"next": page})["url"])
    return 0
