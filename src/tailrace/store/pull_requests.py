"""The end of a pull request: what waited for leave to run its commits waits no more."""

from __future__ import annotations

from sqlalchemy import Connection, bindparam, select

from tailrace.domain.states import RunState
from tailrace.store.aborts import abort_run
from tailrace.store.jobs import lock_run
from tailrace.store.outdated import RUNS_IN_QUESTION, is_asked
from tailrace.store.tables import run as runs
from tailrace.store.tables import run_planning

_OF_IT = (runs.c.project_id == bindparam("project")) & (runs.c.ref == bindparam("ref")) & runs.c.from_fork
_ASKED = select(runs.c.id).where(runs.c.id.in_(RUNS_IN_QUESTION), _OF_IT)
_WILL_ASK = select(runs.c.id).where(run_planning, _OF_IT)


def end_questions(connection: Connection, project_id: int, ref: str, how: str) -> tuple[int, ...]:
    """A fork's pull request has ended (`how`: closed, merged): abort its runs that nobody has let begin; returns them.

    To be called before the runs that this very end starts are made. What was approved goes on.
    """
    its = {"project": project_id, "ref": ref}
    found = {one for query in (_ASKED, _WILL_ASK) for one in connection.execute(query, its).scalars()}
    ended: list[int] = []
    for run_id in sorted(found):
        if lock_run(connection, run_id) is RunState.PLANNING or is_asked(connection, run_id):
            abort_run(connection, run_id, f"the end of its pull request: it was {how}")
            ended.append(run_id)
    return tuple(ended)
