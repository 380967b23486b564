"""Artifacts: what may be one, and what runners and servers tell each other of them.

A runner announces files; the server answers which of them it wants; each is sent by itself and checked against what was
announced, so that whatever dies in between costs no more than one file's bytes, sent again.
"""

from __future__ import annotations

from typing import Annotated

from pydantic import AfterValidator, BaseModel, ConfigDict, Field

from tailrace.domain.sizes import GIB

MAX_FILES = 10_000
"""Of one attempt."""
MAX_PATH_BYTES = 1024
MAX_BYTES = 1024 * GIB
MAX_KEEP_S = 3650 * 24 * 3600
AGENT_PATH = "/agent/v1/artifacts"
"""Where runners call: `POST …/ATTEMPT` announces, `PUT …/ATTEMPT/ID` sends a file, `GET …/ATTEMPT/of/JOB` lists those of a job
that the attempt's job needs, `GET …/ATTEMPT/ID` has the bytes of one. Each with the token that came with the lease."""


def upload_claim(attempt: int, cookie: str, agent: int) -> str:
    """What the token of a lease claims; its signature by the server's key is the token."""
    return f"artifacts of attempt {attempt}/{cookie} on agent {agent}"


def fault_of_path(path: str) -> str | None:
    """Why this cannot be a path below a folder, in words that follow the path; None when it can.

    What it lets through means the same to every system that may unpack it: `/` alone separates.
    """
    if not path:
        return "is empty"
    try:
        size = len(path.encode())
    except UnicodeEncodeError:
        return "is not UTF-8"
    if size > MAX_PATH_BYTES:
        return f"is longer than the {MAX_PATH_BYTES} bytes that a path may have"
    if path.startswith("/"):
        return "begins with /"
    if "\\" in path or any(ord(character) < 32 or ord(character) == 127 for character in path):
        return "holds a backslash or a control character"
    parts = path.split("/")
    if ".." in parts:
        return "leaves its folder (..)"
    if "" in parts or "." in parts:
        return "has a part that is empty or ."
    return None


def _checked(path: str) -> str:
    fault = fault_of_path(path)
    if fault is not None:
        raise ValueError(f"the path {path[:200]!r} {fault}")
    return path


SafePath = Annotated[str, AfterValidator(_checked)]
"""A path that stays below its folder, wherever that is."""
Sha256 = Annotated[str, Field(pattern=r"^[0-9a-f]{64}$")]


class _Message(BaseModel):
    model_config = ConfigDict(frozen=True)


class FileSpec(_Message):
    """A file as it is: `size` in bytes; `executable` for its owner."""

    path: SafePath
    size: int = Field(ge=0, le=MAX_BYTES)
    sha256: Sha256
    executable: bool = False


class Announcement(_Message):
    """Files that a step wants kept, for `keep_s` seconds (None: as long as the server's settings say)."""

    files: tuple[FileSpec, ...] = Field(max_length=MAX_FILES)
    keep_s: int | None = Field(default=None, gt=0, le=MAX_KEEP_S)


class Kept(_Message):
    """A file of an announcement, by its id; `wanted`: its bytes are not here yet."""

    id: int
    path: str
    wanted: bool


class Taken(_Message):
    """The answer to an announcement, in its order."""

    files: tuple[Kept, ...]


class Offered(FileSpec):
    """An artifact of a needed job."""

    id: int


class Offering(_Message):
    """All artifacts of a needed job's last attempt."""

    files: tuple[Offered, ...]
