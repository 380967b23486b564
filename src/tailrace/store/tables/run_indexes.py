"""The indexes by which lists find runs, see store/run_pages.py.

An ended run enters those of its end once, when its end cannot change any more but by a retry: a run that moves from state to state
costs one index entry, not six.
"""

from __future__ import annotations

from sqlalchemy import Index, text

from tailrace.store.tables.runs import run

_ENDED = text("finished_at IS NOT NULL")

ENDED: dict[tuple[str, ...], Index] = {
    columns: Index(
        f"ix_run_ended_{'_'.join(name.removesuffix('_id') for name in columns)}",
        *(run.c[name] for name in columns),
        run.c.state,
        run.c.id,
        sqlite_where=_ENDED,
        postgresql_where=_ENDED,
    )
    for columns in (
        ("project_id",),
        ("plan_id",),
        ("branch",),
        ("project_id", "branch"),
        ("plan_id", "branch"),
    )
}
"""Ended runs by what is asked for beside their state."""
