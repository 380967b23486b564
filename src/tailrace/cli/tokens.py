"""`tailrace token …`: who may call the server."""

from __future__ import annotations

import re
import sys
from typing import Literal

from tailrace.cli.client import CallFailed, connect, is_id, show, tell
from tailrace.cli.flags import NO_CLIENT_FLAGS, ClientFlags

_DAYS = re.compile(r"([0-9]{1,5})d")


def create_token(
    name: str,
    *,
    role: Literal["admin", "member", "reader"] = "reader",
    expires: str | None = None,
    json: bool = False,
    flags: ClientFlags = NO_CLIENT_FLAGS,
) -> int:
    """Make a token and print its value, which is shown this once.

    Parameters
    ----------
    name:
        Whose it is: a person or a program. What is done with it is recorded under this name.
    role:
        reader: look and watch; member: also start, abort, approve, pause, and change plans and triggers; admin: everything.
    expires:
        After how long it is good no more, such as 30d or 12h; it is good until it is removed if not given.
    """
    body = {"name": name, "role": role, "life_s": None if expires is None else _seconds(expires)}
    made = connect(flags).post("/api/tokens", body)
    tell(made, as_json=json, plain=made["token"])
    if not json:
        print(f"tailrace: token {name}: keep its value, it cannot be shown again", file=sys.stderr)
    return 0


def list_tokens(*, json: bool = False, flags: ClientFlags = NO_CLIENT_FLAGS) -> int:
    """List the tokens: whose, what they may do, who made them and when, when they were used last (to a minute)."""
    found = connect(flags).items("/api/tokens")
    columns = {
        "ID": "id",
        "NAME": "name",
        "ROLE": "role",
        "BY": "author",
        "MADE": "created_at",
        "USED": "used_at",
        "EXPIRES": "expires_at",
    }
    shown = found if json else [{**one, "author": one["author"] or "(the server)"} for one in found]
    show(shown, as_json=json, columns=columns)
    return 0


def remove_token(name: str, *, json: bool = False, flags: ClientFlags = NO_CLIENT_FLAGS) -> int:
    """Remove a token, at once: sessions that began with it end, and so does what they watch.

    Parameters
    ----------
    name:
        Its name or id.
    """
    client = connect(flags)
    found = client.items("/api/tokens")
    # A name may look like an id, and is meant then.
    same = [one for one in found if one["name"] == name] or [
        one for one in found if is_id(name) and one["id"] == int(name)
    ]
    if not same:
        raise CallFailed(f"there is no token {name!r}: `tailrace token list` shows them")
    client.call("DELETE", f"/api/tokens/{same[0]['id']}")
    tell(same[0], as_json=json)
    return 0


def _seconds(text: str) -> int:
    from tailrace.domain.plan.durations import parse_duration

    days = _DAYS.fullmatch(text)
    seconds = int(days[1]) * 24 * 3600 if days else parse_duration(text)
    if seconds is None:
        raise CallFailed(f"--expires {text!r}: expected a duration such as 30d, 12h or 90m")
    return seconds
