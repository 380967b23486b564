"""Jobs move each other on until all have ended, whatever their graph and whatever becomes of each."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tailrace.domain.outcome import Reason
from tailrace.domain.progress import JobProgress, Moves, progress
from tailrace.domain.states import JOB, JOB_ENDED, RUN, RUN_ENDED, JobState, RunState, derive_run_state

Graph = dict[str, tuple[str, ...]]


@st.composite
def graphs(draw: st.DrawFn) -> Graph:
    """Needs by name, without a cycle, in an order of their own."""
    names = [f"job-{n}" for n in range(draw(st.integers(1, 8)))]
    needs = {
        name: tuple(draw(st.lists(st.sampled_from(names[:n]), unique=True, max_size=3))) if n else ()
        for n, name in enumerate(names)
    }
    return {name: needs[name] for name in draw(st.permutations(names))}


def _progress(graph: Graph, states: dict[str, JobState]) -> Moves:
    return progress([JobProgress(name, needs, states[name]) for name, needs in graph.items()])


def _settle(graph: Graph, states: dict[str, JobState]) -> None:
    """Do what progress says, and check that it may be said."""
    before = dict(states)
    moves = _progress(graph, states)
    for name in moves.ready:
        assert all(before[need] is JobState.PASSED for need in graph[name])
        states[name] = JOB.after(states[name], "ready")
    for name, need in moves.skip:
        states[name] = JOB.after(states[name], "skip")
        assert need in graph[name]
    for name, state in states.items():
        broken = {need for need in graph[name] if states[need] in JOB_ENDED - {JobState.PASSED}}
        assert (state is JobState.SKIPPED) <= bool(broken)
        if state is JobState.WAITING:
            assert not broken, "a job with a broken need is skipped in the same answer"
            assert any(states[need] is not JobState.PASSED for need in graph[name])
    assert all(states[need] in JOB_ENDED - {JobState.PASSED} for _, need in moves.skip)
    assert _progress(graph, states) == Moves((), ()), "one answer says all"


@given(graph=graphs(), data=st.data())
def test_whatever_happens_all_jobs_end_and_the_run_follows_its_table(
    graph: Graph, data: st.DataObject
) -> None:
    states = dict.fromkeys(graph, JobState.WAITING)
    run = RunState.PENDING
    _settle(graph, states)
    while active := [name for name, state in states.items() if state not in JOB_ENDED | {JobState.WAITING}]:
        name = data.draw(st.sampled_from(active))
        verbs = sorted(verb for state, verb in JOB.moves if state is states[name] and verb != "retry")
        states[name] = JOB.after(states[name], data.draw(st.sampled_from(verbs)))
        _settle(graph, states)
        now = derive_run_state(states.values())
        if now is not run:
            assert now in {after for (before, _), after in RUN.moves.items() if before is run}
            run = now
    assert all(state in JOB_ENDED for state in states.values())
    assert run in RUN_ENDED


@given(graph=graphs())
def test_where_everything_passes_nothing_is_skipped(graph: Graph) -> None:
    states = dict.fromkeys(graph, JobState.WAITING)
    for _ in graph:
        moves = _progress(graph, states)
        assert moves.skip == ()
        states |= dict.fromkeys(moves.ready, JobState.PASSED)
    assert set(states.values()) == {JobState.PASSED}


def test_who_never_begins_is_told_why() -> None:
    """In one sentence, the same on a server and in a terminal."""
    moves = Moves((), (("after", "bad"),), (("deploy", "`failure`"),))
    assert moves.skipped == (
        ("after", Reason.NEEDS_FAILED, "it needs job bad, which did not pass"),
        ("deploy", Reason.CONDITION_NOT_MET, "its condition does not hold: `failure`"),
    )


def test_a_skipped_job_skips_those_that_need_it_and_each_knows_its_own_need() -> None:
    graph: Graph = {"deploy": ("image",), "image": ("lint", "test"), "test": (), "lint": ()}
    states = {
        "deploy": JobState.WAITING,
        "image": JobState.WAITING,
        "test": JobState.FAILED,
        "lint": JobState.RUNNING,
    }
    assert _progress(graph, states) == Moves((), (("image", "test"), ("deploy", "image")))


def test_an_aborted_need_is_a_broken_one() -> None:
    graph: Graph = {"a": (), "b": ("a",)}
    assert _progress(graph, {"a": JobState.ABORTED, "b": JobState.WAITING}).skip == (("b", "a"),)


PASSED, FAILED, SKIPPED, ABORTED, WAITING, RUNNING = (
    JobState.PASSED, JobState.FAILED, JobState.SKIPPED, JobState.ABORTED, JobState.WAITING, JobState.RUNNING,
)  # fmt: skip


def after(condition: str, *needs: JobState, branch: str = "main") -> str | None:
    """What becomes of a job with this condition whose needs stand so: ready, skip, unmet; None: it waits on."""
    jobs = [JobProgress(f"n{index}", (), state) for index, state in enumerate(needs)]
    jobs.append(JobProgress("job", tuple(job.name for job in jobs), WAITING, condition))
    moves = progress(jobs, lambda _name: lambda reference: branch if reference == ("branch",) else "")
    return next(
        (
            word
            for word, names in (
                ("ready", moves.ready),
                ("skip", [name for name, _ in moves.skip]),
                ("unmet", [name for name, _ in moves.unmet]),
            )
            if "job" in names
        ),
        None,
    )


@pytest.mark.parametrize(
    ("condition", "needs", "becomes"),
    [
        ("", (PASSED, RUNNING), None),
        ("", (FAILED, RUNNING), "skip"),
        ("success", (FAILED, RUNNING), "skip"),
        ("branch == 'main'", (FAILED, RUNNING), "skip"),
        ("branch == 'main'", (), "ready"),
        ("branch == 'dev'", (), "unmet"),
        ("branch == 'main'", (PASSED, RUNNING), None),
        ("branch == 'main'", (PASSED, PASSED), "ready"),
        ("branch == 'dev'", (PASSED, PASSED), "unmet"),
        ("failure", (FAILED, RUNNING), None),
        ("failure", (FAILED, PASSED), "ready"),
        ("failure", (PASSED, PASSED), "unmet"),
        ("failure", (SKIPPED, PASSED), "unmet"),
        ("failure", (ABORTED,), "unmet"),
        ("aborted", (ABORTED,), "ready"),
        ("always", (RUNNING,), None),
        ("always", (FAILED, ABORTED, SKIPPED), "ready"),
        ("always and branch == 'dev'", (FAILED,), "unmet"),
        ("success or failure", (PASSED,), "ready"),
        ("success or failure", (SKIPPED,), "unmet"),
        ("not success", (SKIPPED,), "ready"),
        ("always and needs.n0.outcome == 'failed' and needs.n1.outcome == 'skipped'", (FAILED, SKIPPED), "ready"),
    ],
)  # fmt: skip
def test_a_condition_decides_what_becomes_of_a_job(
    condition: str, needs: tuple[JobState, ...], becomes: str | None
) -> None:
    """As soon as it can be told, and not before."""
    assert after(condition, *needs) == becomes


def test_a_failure_is_heard_of_through_jobs_that_were_skipped_for_it() -> None:
    """Who waits for the end of a chain is told of a failure at its beginning."""
    jobs = [
        JobProgress("test", (), FAILED),
        JobProgress("image", ("test",), WAITING),
        JobProgress("deploy", ("image",), WAITING),
        JobProgress("tell", ("deploy",), WAITING, "failure"),
        JobProgress("praise", ("deploy",), WAITING, "success"),
    ]
    assert progress(jobs) == Moves(
        ("tell",), (("image", "test"), ("deploy", "image"), ("praise", "deploy")), ()
    )


def test_a_condition_that_does_not_hold_is_told_with_its_values() -> None:
    """And skips who needs the job in the same answer."""
    jobs = [
        JobProgress("deploy", (), WAITING, 'branch == "main"'),
        JobProgress("check", ("deploy",), WAITING),
    ]
    moves = progress(jobs, lambda _name: lambda _reference: "dev")
    assert moves == Moves((), (("check", "deploy"),), (("deploy", '`branch == "main"` (branch is "dev")'),))
