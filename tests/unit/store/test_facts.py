"""Facts may come again, any number of times: what they say is noted once, and nothing goes back."""

from __future__ import annotations

from collections.abc import Sequence

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from sqlalchemy import Connection, Engine, select

from tailrace.domain.errors import LeaseLost
from tailrace.domain.facts import Fact, Started, StepBegan, StepEnded
from tailrace.domain.states import AttemptState, RunState, StepState
from tailrace.store.clock import read_clock
from tailrace.store.facts import apply_fact
from tailrace.store.runs import get_run
from tailrace.store.tables import attempt as attempts
from tests.unit.store.conftest import undone
from tests.unit.store.world import a_job, a_run, an_agent, finished, lease, start

# In the future for every clock, so that only the bound counts; and in the past for every lease.
TIMES = st.sampled_from([0, 2**50])

PARTS = st.floats(0, 1)  # where an agent begins again, and how far it comes


@st.composite
def journals(draw: st.DrawFn) -> list[Fact]:
    """A whole journal: started, some steps, finished."""
    facts: list[Fact] = [Started(time=draw(TIMES))]
    state = draw(st.sampled_from([AttemptState.PASSED, AttemptState.FAILED, AttemptState.ABORTED]))
    for step in range(draw(st.integers(0, 3))):
        name = f"step {step}"
        skipped = draw(st.booleans())
        if not skipped:
            facts.append(StepBegan(time=draw(TIMES), step=step, name=name))
        end = StepState.SKIPPED if skipped else draw(st.sampled_from([StepState.PASSED, StepState.FAILED]))
        facts.append(StepEnded(time=draw(TIMES), step=step, name=name, state=end, exit_code=step))
    return [*facts, finished(state, time=draw(TIMES))]


def _apply(connection: Connection, facts: Sequence[Fact], agent: int, attempt: int) -> None:
    for fact in facts:
        apply_fact(connection, agent, attempt, fact)


@settings(max_examples=25, suppress_health_check=[HealthCheck.too_slow, HealthCheck.function_scoped_fixture])
@given(journal=journals(), data=st.data())
def test_any_prefix_sent_again_and_again_ends_in_the_same_state(
    engine: Engine, journal: list[Fact], data: st.DataObject
) -> None:
    with undone(engine) as connection:
        agent = an_agent(connection)
        run = a_run(connection, a_job("test"))
        (held,) = lease(connection, agent)
        ranks = {"pending": 0, "running": 1}
        rank, known = 0, 0
        for part in [*data.draw(st.lists(st.tuples(PARTS, PARTS), max_size=3)), (0.0, 1.0)]:
            begin, known = int(part[0] * known), known + int(part[1] * (len(journal) - known))
            _apply(connection, journal[begin:known], agent, held.attempt)
            view = get_run(connection, run)
            assert ranks.get(view.state, 2) >= rank, "a run never goes back"
            rank = ranks.get(view.state, 2)
            _apply(connection, journal[begin:known], agent, held.attempt)
            _apply(connection, journal[:known], agent, held.attempt)
            assert get_run(connection, run) == view, "what comes again changes nothing"
        view = get_run(connection, run)
        last = journal[-1]
        assert last.kind == "finished"
        assert view.state == RunState(last.outcome.state)
        assert [step.state for step in view.jobs[0].attempts[0].steps] == [
            fact.state for fact in journal if isinstance(fact, StepEnded)
        ]


def test_facts_show_what_happened(connection: Connection) -> None:
    agent = an_agent(connection)
    run = a_run(connection)
    (held,) = lease(connection, agent)
    at = read_clock(connection)
    facts: list[Fact] = [
        Started(time=at),
        StepBegan(time=at, step=0, name="checkout"),
        StepEnded(time=at, step=0, name="checkout", state=StepState.PASSED, exit_code=0),
        StepBegan(time=at, step=1, name="make"),
        StepEnded(time=at, step=1, name="make", state=StepState.FAILED, exit_code=2),
        StepEnded(time=at, step=2, name="publish", state=StepState.SKIPPED),
        finished(AttemptState.FAILED, time=at),
    ]
    _apply(connection, facts, agent, held.attempt)
    attempt = get_run(connection, run).jobs[0].attempts[0]
    assert (attempt.state, attempt.reason, attempt.exit_code) == ("failed", "exit_code", 2)
    assert [(step.index, step.name, step.state, step.exit_code) for step in attempt.steps] == [
        (0, "checkout", "passed", 0),
        (1, "make", "failed", 2),
        (2, "publish", "skipped", None),
    ]
    assert (attempt.steps[2].began_at, attempt.steps[0].began_at) == (None, at)
    until = connection.execute(
        select(attempts.c.lease_until).where(attempts.c.id == held.attempt)
    ).scalar_one()
    assert until is None


@pytest.mark.parametrize("shift", [-(10**10), 10**10])
def test_a_runner_whose_clock_is_wrong_says_no_impossible_times(connection: Connection, shift: int) -> None:
    agent = an_agent(connection)
    run = a_run(connection)
    (held,) = lease(connection, agent)
    wrong = read_clock(connection) + shift
    leased = connection.execute(
        select(attempts.c.leased_at).where(attempts.c.id == held.attempt)
    ).scalar_one()
    _apply(connection, [Started(time=wrong), finished(time=wrong)], agent, held.attempt)
    attempt = get_run(connection, run).jobs[0].attempts[0]
    assert attempt.started_at is not None
    assert attempt.finished_at is not None
    assert leased <= attempt.started_at <= attempt.finished_at <= read_clock(connection)


def test_a_runner_whose_clock_goes_back_ends_no_sooner_than_it_began(connection: Connection) -> None:
    agent = an_agent(connection)
    run = a_run(connection)
    (held,) = lease(connection, agent)
    began = read_clock(connection)
    while read_clock(connection) <= began + 1:
        pass
    _apply(connection, [Started(time=began + 2), finished(time=began - 5000)], agent, held.attempt)
    attempt = get_run(connection, run).jobs[0].attempts[0]
    assert attempt.started_at == attempt.finished_at


def test_an_attempt_may_end_before_its_start_was_told(connection: Connection) -> None:
    agent = an_agent(connection)
    run = a_run(connection)
    (held,) = lease(connection, agent)
    apply_fact(connection, agent, held.attempt, finished())
    view = get_run(connection, run)
    assert (view.state, view.jobs[0].state) == ("passed", "passed")
    assert view.started_at is not None


def test_an_agent_speaks_only_for_what_it_holds(connection: Connection) -> None:
    agent, other = an_agent(connection), an_agent(connection)
    run = a_run(connection, a_job("a"), a_job("b"))
    (held,) = lease(connection, agent)
    queued = get_run(connection, run).jobs[1].attempts[0].id
    for who, attempt in ((other, held.attempt), (agent, queued), (agent, 10**9)):
        with pytest.raises(LeaseLost) as lost:
            start(connection, who, attempt)
        assert lost.value.attempt == attempt
    assert get_run(connection, run).state is RunState.PENDING


def test_an_end_is_said_once(connection: Connection) -> None:
    """What comes after it changes nothing, not even another end."""
    agent = an_agent(connection)
    run = a_run(connection)
    (held,) = lease(connection, agent)
    _apply(connection, [Started(time=1), finished(AttemptState.PASSED)], agent, held.attempt)
    before = get_run(connection, run)
    later: list[Fact] = [Started(time=1), StepBegan(time=1, step=0, name="s"), finished(AttemptState.FAILED)]
    _apply(connection, later, agent, held.attempt)
    assert get_run(connection, run) == before
