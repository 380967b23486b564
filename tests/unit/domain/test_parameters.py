"""Answers are of the kind that was asked for, or refused with all that is wrong."""

from __future__ import annotations

import pytest

from tailrace.domain.errors import Invalid
from tailrace.domain.parameters import Parameter, as_text, check_names, fault_of, resolve
from tailrace.domain.plan import PlanInvalid, parse_plan
from tailrace.domain.precedence import VariableView, variables_of_job

JOBS = "jobs: {a: {steps: [{run: x}]}}"


def read(text: str) -> dict[str, Parameter]:
    return parse_plan(f"parameters: {text}\n{JOBS}").parameters


def test_values_of_json_are_texts_as_people_write_them() -> None:
    assert [as_text(value) for value in (True, False, 3, 1.5, 2.0, "x")] == [
        "true", "false", "3", "1.5", "2", "x",
    ]  # fmt: skip


def test_parameters_are_read_as_they_are_written() -> None:
    assert read("{A: , B: text, C: {type: choice, choices: [x, y], default: y}}") == {
        "A": Parameter(),
        "B": Parameter(default="text"),
        "C": Parameter(kind="choice", choices=("x", "y"), default="y"),
    }
    assert read("{N: {type: number, min: 1, max: 2.5, description: How many}, S: {type: secret}}") == {
        "N": Parameter(kind="number", least=1, most=2.5, description="How many"),
        "S": Parameter(kind="secret"),
    }


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("[A]", 'p:1:13: "parameters" of the plan must be a mapping of names'),
        ("{1A: x}", '"1A" in "parameters" of the plan cannot name one'),
        ("{TAILRACE_X: x}", "cannot name one"),
        ("{A: [x]}", 'parameter "A" must be a text, its default, or a mapping with "type"; found a list'),
        ("{A: {type: date}}", 'must be one of boolean, choice, number, secret, string; found "date"'),
        ("{A: {typ: choice}}", 'unknown key "typ" in parameter "A"; did you mean "type"?'),
        ("{A: {type: choice}}", '"choices" of parameter "A" must be 1 to 100 different texts; found 0'),
        ("{A: {choices: [x]}}", 'has "choices", which are for type: choice; its type is string'),
        ("{A: {type: choice, choices: [x], default: y}}", "must be x; found 'y'"),
        ("{A: {type: boolean, default: yes}}", "must be true or false; found 'yes'"),
        ("{A: {type: number, min: 3, max: 1}}", '"max" of parameter "A" is less than its "min"'),
        ("{A: {type: number, min: 3, default: 2}}", "must be 3 or more; found '2'"),
        ("{A: {type: secret, default: hushhush}}", "which everybody could read"),
    ],
)
def test_what_is_wrong_is_said_at_its_place(text: str, expected: str) -> None:
    with pytest.raises(PlanInvalid) as caught:
        parse_plan(f"parameters: {text}\n{JOBS}", "p")
    assert expected in str(caught.value)


@pytest.mark.parametrize(
    ("parameter", "text", "fault"),
    [
        (Parameter(kind="choice", choices=("a", "b", "c")), "d", "must be a, b or c; found 'd'"),
        (Parameter(kind="boolean"), "1", "must be true or false; found '1'"),
        (Parameter(kind="number"), "1e3", "must be a number such as 3 or 1.5; found '1e3'"),
        (Parameter(kind="number", least=1, most=3), "4", "must be from 1 to 3; found '4'"),
        (Parameter(kind="number", most=0), "0.5", "must be 0 or less; found '0.5'"),
        (Parameter(kind="secret"), "short", "must have 6 characters or more: a shorter one is not masked"),
        (Parameter(kind="secret"), " ", "cannot be taken: the secret's value is empty: give one that is not,"
            " or remove the secret"),
        (Parameter(kind="number", least=1, most=3), "2.5", None),
        (Parameter(kind="secret"), "long enough", None),
        (Parameter(), "", None),
    ],
)  # fmt: skip
def test_an_answer_is_of_its_kind(parameter: Parameter, text: str, fault: str | None) -> None:
    assert fault_of(parameter, text) == fault


def test_defaults_are_filled_in_and_all_faults_are_told() -> None:
    asked = {
        "A": Parameter(description="which one"),
        "B": Parameter(kind="boolean", default="true"),
        "S": Parameter(kind="secret"),
    }
    assert resolve(asked, {"A": "x", "other": "y"}, asked=True) == ({"A": "x", "B": "true"}, ())
    assert resolve(asked, {"A": "x", "S": "a secret"}, asked=True).secrets == ("S",)
    assert resolve(asked, {}, asked=False).texts == {"B": "true"}
    with pytest.raises(Invalid) as caught:
        resolve(asked, {"B": "no"}, asked=True)
    assert str(caught.value) == (
        "parameter A is missing, and has no default (which one); parameter B must be true or false; found 'no'"
    )
    assert caught.value.errors == (
        {"place": "parameters.A", "message": "is missing, and has no default"},
        {"place": "parameters.B", "message": "must be true or false; found 'no'"},
    )
    with pytest.raises(Invalid, match="the plan has no parameter X; it has A, B, S"):
        check_names(asked, {"X": "1"})


def test_who_says_a_variable_last_is_heard() -> None:
    """And it is told over whom."""
    plan = parse_plan(
        "parameters: {P: x}\nvariables: {A: plan, B: plan, P: plan}\n"
        "jobs: {a: {variables: {B: job, C: job}, secrets: C, steps: [{run: x}]}}"
    )
    assert variables_of_job(plan, plan.jobs["a"], {"P": "y", "A": "run", "R": "run"}) == (
        VariableView(name="A", value="run", of="run", over=("plan",)),
        VariableView(name="B", value="job", of="job", over=("plan",)),
        VariableView(name="C", value=None, of="secret", over=("job",)),
        VariableView(name="P", value="y", of="parameter", over=("plan",)),
        VariableView(name="R", value="run", of="run"),
    )
