"""A journal is a line for each fact; a crash in mid-write costs the torn line and no other."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st
from pydantic import ValidationError

from tailrace.domain.facts import FACT, Fact, Finished, Started, StepBegan, StepEnded, read_facts, write_fact
from tailrace.domain.outcome import Outcome, Reason
from tailrace.domain.states import ATTEMPT_ENDED, AttemptState, StepState

INT32 = st.integers(-(2**31), 2**31 - 1)
TIMES = st.integers(0, 2**63 - 1)
STEPS = st.integers(0, 2**16 - 1)
STEP_ENDS = [StepState.PASSED, StepState.FAILED, StepState.ABORTED, StepState.SKIPPED]
OUTCOMES = st.builds(
    Outcome,
    state=st.sampled_from(sorted(ATTEMPT_ENDED)),
    reason=st.none() | st.sampled_from(Reason) | st.just("image.push_denied"),
    detail=st.none() | st.text(),
    exit_code=st.none() | INT32,
)
FACTS = st.one_of(
    st.builds(Started, time=TIMES),
    st.builds(StepBegan, time=TIMES, step=STEPS, name=st.text()),
    st.builds(
        StepEnded,
        time=TIMES,
        step=STEPS,
        name=st.text(),
        state=st.sampled_from(STEP_ENDS),
        exit_code=st.none() | INT32,
    ),
    st.builds(
        Finished,
        time=TIMES,
        outcome=OUTCOMES,
        size=st.integers(0, 2**63 - 1),
        crc32=st.integers(0, 2**32 - 1),
    ),
)


@given(facts=st.lists(FACTS, max_size=10), data=st.data())
def test_a_journal_round_trips_and_a_torn_last_line_is_left_out(
    facts: list[Fact], data: st.DataObject
) -> None:
    lines = [write_fact(fact) for fact in facts]
    assert all(line.count(b"\n") == 1 and line.endswith(b"\n") for line in lines)
    journal = b"".join(lines)
    assert read_facts(journal) == facts
    cut = data.draw(st.integers(0, len(journal)))
    assert read_facts(journal[:cut]) == facts[: journal[:cut].count(b"\n")]


def test_a_fact_is_told_apart_by_its_kind() -> None:
    assert read_facts(b'{"kind":"started","time":1}\n') == [Started(time=1)]
    with pytest.raises(ValidationError):
        FACT.validate_json('{"kind":"exploded","time":1}')


@pytest.mark.parametrize("state", sorted(set(AttemptState) - ATTEMPT_ENDED))
def test_an_outcome_is_an_end(state: AttemptState) -> None:
    with pytest.raises(ValidationError, match=f"an outcome is aborted, failed, passed; found {state}"):
        Outcome(state=state)


@pytest.mark.parametrize("state", [StepState.WAITING, StepState.RUNNING])
def test_a_step_that_ended_is_at_an_end(state: StepState) -> None:
    with pytest.raises(ValidationError, match=f"found {state}"):
        StepEnded(time=1, step=0, name="make", state=state)


@pytest.mark.parametrize("step", [-1, 2**16])
def test_a_step_has_an_index_that_a_span_has_room_for(step: int) -> None:
    with pytest.raises(ValidationError):
        StepBegan(time=1, step=step, name="make")


def test_what_the_database_could_not_hold_is_refused_or_replaced() -> None:
    assert Outcome(state=AttemptState.FAILED, detail="a\0b\ud800").detail == "a\N{REPLACEMENT CHARACTER}b?"
    assert StepBegan(time=1, step=0, name="\0").name == "\N{REPLACEMENT CHARACTER}"
    with pytest.raises(ValidationError):
        Outcome(state=AttemptState.FAILED, reason="r" * 61)
    with pytest.raises(ValidationError):
        Outcome(state=AttemptState.FAILED, exit_code=2**31)
