"""What this machine is to a step."""

from __future__ import annotations

import os
import pwd
from pathlib import Path

from tailrace.runner.account import Account
from tailrace.steps.command import Machine

_PATH = "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin"


def this_machine(account: Account | None = None) -> Machine:
    """The machine as this process's user sees it, or the one as whom a job runs."""
    home = os.environ.get("HOME")
    if account is not None:
        user, home = account.name, account.home
    else:
        try:
            entry = pwd.getpwuid(os.getuid())
            user, home = entry.pw_name, home or entry.pw_dir
        except KeyError:  # a container's user may have no name
            user = str(os.getuid())
    return Machine(
        host=os.uname().nodename,
        path=os.environ.get("PATH", _PATH),
        home=home or "/",
        user=user,
        shell="/bin/bash" if Path("/bin/bash").exists() else "/bin/sh",
    )
