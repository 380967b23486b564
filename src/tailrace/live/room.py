"""How many connections this process can hold: each is a file descriptor, and the system limits those."""

from __future__ import annotations

import resource

import structlog

OTHER_FILES = 1000
"""Kept for agents, requests, logs and the database, so that a crowd of watchers keeps nobody else out."""

_log = structlog.get_logger("server")


def make_room(most: int, *, asked: bool = True) -> int:
    """Raise the limit of open files as far as `most` watchers need it; returns how many watchers there is room for.

    `asked`: somebody wants so many, and is told when there is less room.

    Not further than that: what this process starts inherits the limit, and some programs close every number up to it.
    """
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    wanted = most + OTHER_FILES
    if soft != resource.RLIM_INFINITY and soft < wanted:
        soft = wanted if hard == resource.RLIM_INFINITY else min(wanted, hard)
        try:
            resource.setrlimit(resource.RLIMIT_NOFILE, (soft, hard))
        except (OSError, ValueError) as error:  # macOS names a limit that it does not grant
            soft = resource.getrlimit(resource.RLIMIT_NOFILE)[0]
            _log.warning("the limit of open files could not be raised", error=str(error), limit=soft)
    if soft == resource.RLIM_INFINITY or soft >= wanted:
        return most
    room = max(soft - OTHER_FILES, soft // 2)
    tell = _log.warning if asked else _log.debug
    tell(
        "the limit of open files leaves room for fewer watchers than max_watchers; raise it (LimitNOFILE, ulimit -n)",
        limit=soft,
        watchers=room,
        max_watchers=most,
    )
    return room
