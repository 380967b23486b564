"""What opens a project's repository, as commands are given it."""

from __future__ import annotations

import sys
from collections.abc import Mapping
from pathlib import Path

from tailrace.cli.client import CallFailed, Client


def credentials_wish(secret: str | None, user: str | None, known_hosts: Path | None) -> dict[str, str] | None:
    """What the API is told; None for none. Raises CallFailed."""
    if secret is None:
        if user is not None or known_hosts is not None:
            raise CallFailed("--user and --known-hosts go with --credentials: name the secret too")
        return None
    wish = {
        "secret": secret,
        "user": user,
        "known_hosts": None if known_hosts is None else _read(known_hosts),
    }
    return {key: value for key, value in wish.items() if value is not None}


def warn_of_login(client: Client, project: Mapping[str, object]) -> None:
    """Say, on standard error, what of a project's login is not as it should be."""
    name, repository = project["name"], str(project["repository"])
    credentials = project.get("credentials")
    if "***@" in repository:
        print(
            f"tailrace: project {name}: a password or token stands in the address of its repository, where it is not sealed."
            f" Better: `tailrace secret set REPOSITORY --project {name}`, then `tailrace project edit {name}"
            " --repository ADDRESS --credentials REPOSITORY`, with the address without it",
            file=sys.stderr,
        )
    if isinstance(credentials, Mapping):
        secret = str(credentials["secret"])  # pyright: ignore[reportUnknownArgumentType]
        known = {one["name"] for one in client.items("/api/secrets", project=project["id"])}
        if secret not in known:
            print(
                f"tailrace: project {name}: secret {secret} is not set yet: `tailrace secret set {secret} --project {name}`",
                file=sys.stderr,
            )


def _read(file: Path) -> str:
    try:
        return sys.stdin.read() if str(file) == "-" else file.read_text(encoding="utf-8")
    except (OSError, UnicodeDecodeError) as error:
        raise CallFailed(f"--known-hosts {file} cannot be read: {error}") from None
