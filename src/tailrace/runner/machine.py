"""What this machine is to a step."""

from __future__ import annotations

import os
import pwd
from pathlib import Path

from tailrace.steps.command import Machine

_PATH = "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin"


def this_machine() -> Machine:
    """The machine as this process's user sees it."""
    try:
        entry = pwd.getpwuid(os.getuid())
        user, home = entry.pw_name, entry.pw_dir
    except KeyError:  # a container's user may have no name
        user, home = str(os.getuid()), "/"
    return Machine(
        host=os.uname().nodename,
        path=os.environ.get("PATH", _PATH),
        home=os.environ.get("HOME", home),
        user=user,
        shell="/bin/bash" if Path("/bin/bash").exists() else "/bin/sh",
    )
