"""`environment` of a job: where it deploys to."""

from __future__ import annotations

import re

from tailrace.domain.plan.errors import Problems, shown
from tailrace.domain.plan.nodes import Entry
from tailrace.domain.plan.values import read_text

ENVIRONMENT_RULE = "1 to 100 letters, digits, _ . / and -, beginning with a letter or a digit"
ENVIRONMENT = re.compile(r"[A-Za-z0-9][A-Za-z0-9_./-]{0,99}")


def read_environment(entry: Entry | None, subject: str, problems: Problems) -> str | None:
    """Read the environment's name."""
    if entry is None:
        return None
    what = f'"environment" of {subject}'
    name = read_text(entry.value, what, problems)
    if name is None or ENVIRONMENT.fullmatch(name):
        return name
    problems.add(entry.value.place, f"{what} cannot be {shown(name)}; allowed: {ENVIRONMENT_RULE}")
    return None
