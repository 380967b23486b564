"""Which run of the machine this is: what was signed with another boot's name did not survive to this one."""

from __future__ import annotations

from pathlib import Path

_PROC = Path("/proc")


def this_boot() -> str:
    """A name that the machine, or the container, has had since its start: the kernel's boot id, and when process 1 began.

    The second tells a container's restarts apart; where a machine hides process 1 it is left out.
    """
    id = (_PROC / "sys/kernel/random/boot_id").read_text(encoding="ascii").strip()
    try:
        # The name in brackets may hold anything, even brackets: fields are counted from the last one.
        began = (_PROC / "1/stat").read_bytes().rpartition(b")")[2].split()[19].decode("ascii")
    except OSError:
        return id
    return f"{id}/{began}"
