"""Handing secrets, and the way to the server, to a runner.

It is done through a pipe, whose reading end goes from process to process as a file descriptor.

The pipe holds all of them before its end is passed on, so that nobody waits for anybody and no runner gets a part. What is in a
pipe is on no disk, in no process's arguments or environment, and goes when the last who has it open does.
"""

from __future__ import annotations

import fcntl
import os
from collections.abc import Mapping
from typing import NamedTuple

from tailrace.domain.errors import Invalid

_BLOCK = 1 << 20
# No secret can have a name that begins so.
_SERVER, _TOKEN = "TAILRACE_ACCESS_SERVER", "TAILRACE_ACCESS_TOKEN"
_OPENER = "TAILRACE_OPENER"


class Access(NamedTuple):
    """How a runner calls the server about its attempt's artifacts: its address, and a token for this attempt alone."""

    server: str
    token: str


def with_access(secrets: Mapping[str, str], access: Access) -> dict[str, str]:
    """What is handed to a runner that may call the server."""
    return {**secrets, _SERVER: access.server, _TOKEN: access.token}


def with_opener(secrets: Mapping[str, str], opener: str) -> dict[str, str]:
    """What is handed to a runner whose repository is opened by a secret."""
    return {**secrets, _OPENER: opener}


def split_opener(handed: Mapping[str, str]) -> tuple[dict[str, str], str | None]:
    """The rest, and the secret that opens the repository, which no step gets."""
    rest = dict(handed)
    return rest, rest.pop(_OPENER, None)


def split_access(handed: Mapping[str, str]) -> tuple[dict[str, str], Access | None]:
    """The job's secrets, and the runner's own access, which no step gets."""
    secrets = dict(handed)
    server, token = secrets.pop(_SERVER, None), secrets.pop(_TOKEN, None)
    return secrets, Access(server, token) if server and token else None


def put_into_pipe(secrets: Mapping[str, str]) -> int:
    """A descriptor from which `take_from_pipe` reads them; the caller closes it. Raises OSError when no pipe holds so much."""
    data = b"".join(f"{name}={value}\0".encode() for name, value in secrets.items())
    reader, writer = os.pipe2(os.O_CLOEXEC | os.O_NONBLOCK)
    try:
        if len(data) > fcntl.fcntl(writer, fcntl.F_GETPIPE_SZ):
            fcntl.fcntl(writer, fcntl.F_SETPIPE_SZ, len(data))
        if data and os.write(writer, data) < len(data):
            raise OSError(
                f"the job's secrets are {len(data)} bytes, and no pipe of this machine holds so many"
            )
    except BaseException:
        os.close(reader)
        raise
    finally:
        os.close(writer)
    return reader


def take_from_pipe(reader: int) -> dict[str, str]:
    """The secrets; closes the descriptor. Raises Invalid for anything else."""
    with os.fdopen(reader, "rb", buffering=0) as file:
        data = b""
        while block := file.read(_BLOCK):
            data += block
    secrets: dict[str, str] = {}
    for entry in data.split(b"\0")[:-1]:
        name, equals, value = entry.partition(b"=")
        if not equals:
            raise Invalid("what a runner was handed are no secrets: the agent is of another version")
        secrets[name.decode()] = value.decode()
    return secrets
