"""What a step wants executed, as values that tests can compare without a host."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path


@dataclass(frozen=True)
class Place:
    """Where an attempt works: `workspace` holds the sources, `tmp` is its TMPDIR."""

    workspace: Path
    tmp: Path


@dataclass(frozen=True)
class Machine:
    """What a step may know of the machine it runs on; `shell` is the shell's path."""

    host: str
    path: str
    home: str
    user: str
    shell: str


@dataclass(frozen=True)
class Command:
    """A process to start; `files` are written first (mode 0600), each a path and its bytes. `told` is what it reads.

    `terminal`: it gets a terminal, and nobody who types; its output is one stream then.
    `held` is what it, and what it starts, finds in memory: the first at `/proc/PID/fd/$TAILRACE_HELD_0`.
    `as_agent`: it is executed as the agent's user, also where jobs run as users of their own.
    """

    argv: tuple[str, ...]
    env: Mapping[str, str]
    cwd: Path
    files: tuple[tuple[Path, bytes], ...] = field(default=())
    terminal: bool = False
    as_agent: bool = False
    told: bytes = b""
    held: tuple[bytes, ...] = field(default=(), repr=False)
