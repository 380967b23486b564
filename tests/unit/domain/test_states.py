"""Every machine is a table: what it does not list is refused."""

from __future__ import annotations

from collections.abc import Iterable
from enum import StrEnum
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tailrace.domain.errors import MoveRefused
from tailrace.domain.states import (
    ATTEMPT,
    ATTEMPT_ENDED,
    JOB,
    JOB_ENDED,
    LOG,
    REOPEN,
    RUN,
    RUN_ENDED,
    AttemptState,
    JobState,
    LogState,
    Machine,
    RunState,
    derive_run_state,
)

MACHINES: list[tuple[Machine[Any], type[StrEnum]]] = [
    (ATTEMPT, AttemptState),
    (JOB, JobState),
    (RUN, RunState),
    (LOG, LogState),
]
VERBS = sorted({verb for machine, _ in MACHINES for _, verb in machine.moves})
each_machine = pytest.mark.parametrize(("machine", "states"), MACHINES, ids=[m.name for m, _ in MACHINES])


@each_machine
@given(verbs=st.lists(st.sampled_from([*VERBS, "", "dance"])))
def test_only_moves_in_the_table_are_made(
    machine: Machine[Any], states: type[StrEnum], verbs: list[str]
) -> None:
    state = machine.initial
    for verb in verbs:
        expected = machine.moves.get((state, verb))
        if expected is None:
            with pytest.raises(MoveRefused) as refused:
                machine.after(state, verb)
            assert (refused.value.subject, refused.value.state, refused.value.verb) == (
                machine.name,
                state,
                verb,
            )
            assert str(refused.value) == f"{machine.name} is {state}: it cannot {verb}"
        else:
            state = machine.after(state, verb)
            assert state is expected


@each_machine
def test_every_state_is_reached_and_only_ends_are_final(machine: Machine[Any], states: type[StrEnum]) -> None:
    reached = {machine.initial}
    while more := {after for (before, _), after in machine.moves.items() if before in reached} - reached:
        reached |= more
    assert reached == set(states)
    leaving = {before for before, verb in machine.moves if verb != REOPEN}
    assert leaving == set(states) - machine.final()
    reopened = {before for before, verb in machine.moves if verb == REOPEN}
    # A run can pass with a job that failed and may; what needs that job follows again when it is tried again.
    stays = set[str]() if machine in (JOB, RUN) else {"passed"}
    assert reopened <= machine.final() - stays, "what passed stays"


@each_machine
def test_a_verb_leads_to_one_state_from_all_its_sources(machine: Machine[Any], states: type[StrEnum]) -> None:
    for verb in {verb for _, verb in machine.moves}:
        target = machine.target(verb)
        assert {state for state in states if (state, verb) in machine.moves} == set(machine.sources(verb))
        assert all(machine.after(source, verb) is target for source in machine.sources(verb))


def test_the_ends_are_those_of_the_design() -> None:
    assert {"passed", "failed", "aborted"} == ATTEMPT_ENDED
    assert {"passed", "failed", "aborted", "skipped"} == JOB_ENDED
    assert {"passed", "failed", "aborted", "skipped"} == RUN_ENDED
    assert LOG.final() == {"removed"}


JOBS = st.lists(st.sampled_from(JobState), min_size=1)


@given(jobs=JOBS)
def test_a_run_has_ended_exactly_when_all_its_jobs_have(jobs: list[JobState]) -> None:
    assert (derive_run_state(jobs) in RUN_ENDED) == all(job in JOB_ENDED for job in jobs)


@given(jobs=JOBS)
def test_a_run_is_pending_exactly_while_none_of_its_jobs_has_begun_or_ended(jobs: list[JobState]) -> None:
    """One that is skipped at once, for its condition, has not begun."""
    untouched = all(job in (JobState.WAITING, JobState.PENDING, JobState.SKIPPED) for job in jobs)
    over = all(job is JobState.SKIPPED for job in jobs)
    assert (derive_run_state(jobs) is RunState.PENDING) == (untouched and not over)


@given(jobs=JOBS.flatmap(lambda jobs: st.tuples(st.just(jobs), st.permutations(jobs + jobs[:1]))))
def test_neither_order_nor_number_of_jobs_matters(jobs: tuple[list[JobState], list[JobState]]) -> None:
    assert derive_run_state(jobs[0]) is derive_run_state(jobs[1])


@given(jobs=st.lists(st.sampled_from(sorted(JOB_ENDED)), min_size=1))
def test_a_failure_outweighs_an_abort_an_abort_a_pass_and_a_pass_a_skip(jobs: list[JobState]) -> None:
    order = [JobState.FAILED, JobState.ABORTED, JobState.PASSED, JobState.SKIPPED]
    assert derive_run_state(jobs) == min(jobs, key=order.index)


def test_a_run_without_jobs_is_skipped() -> None:
    assert derive_run_state(()) is RunState.SKIPPED


def test_states_may_come_from_any_iterable() -> None:
    jobs: Iterable[JobState] = (job for job in (JobState.PASSED, JobState.PENDING))
    assert derive_run_state(jobs) is RunState.RUNNING
