"""Runs of the repository's own branches, apart from pull requests whose head branch has the same name, tags and forks.

As `domain/branches.py` says it of one run.
"""

from __future__ import annotations

from sqlalchemy import ColumnElement, false, literal_column, or_

from tailrace.domain.branches import refs_of_branch
from tailrace.store.tables import run as runs

_OWN_REFS = or_(
    runs.c.ref.is_(None),
    runs.c.ref == literal_column("'refs/heads/'") + runs.c.branch,
    runs.c.ref == literal_column("'branches/'") + runs.c.branch,
    runs.c.ref == runs.c.branch,
)
run_of_own_branch = (runs.c.from_fork == false()) & _OWN_REFS
"""Of one of its branches, or of no branch at all."""


def run_of_branch(branch: str) -> ColumnElement[bool]:
    """Of this branch of the repository itself."""
    refs = or_(runs.c.ref.is_(None), runs.c.ref.in_(refs_of_branch(branch)))
    return (runs.c.branch == branch) & (runs.c.from_fork == false()) & refs
