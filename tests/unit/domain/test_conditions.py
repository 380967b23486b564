"""The language of `if`."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tailrace.domain.conditions import WORDS, parse_condition
from tailrace.domain.errors import Invalid
from tailrace.domain.references import Reference, fault_of, fill, parse_reference, references_in

VALUES: dict[Reference, str] = {
    ("branch",): "release/1.2",
    ("event",): "push",
    ("variables", "EMPTY"): "",
    ("needs", "3.11", "outputs", "tag"): "v1",
}


def value(reference: Reference) -> str:
    return VALUES.get(reference, "")


@pytest.mark.parametrize(
    ("condition", "status", "holds"),
    [
        ("", "success", True),
        ("", "failure", False),
        ("success", "success", True),
        ("failure", "success", False),
        ("failure", "failure", True),
        ("aborted", "aborted", True),
        ("always", "aborted", True),
        ("true", "success", True),
        ("true", "failure", False),
        ("false", "success", False),
        ("not failure", "success", True),
        ("! ! failure", "failure", True),
        ('event == "push"', "success", True),
        ('event == "push"', "failure", False),
        ("event == 'push' and always", "failure", True),
        ("event != 'tag'", "success", True),
        ("'push' == event", "success", True),
        ("event == branch", "success", False),
        ("branch matches 'release/*'", "success", True),
        ("branch matches 'release/?.?'", "success", True),
        ("branch matches 'release'", "success", False),
        ("branch matches '*[1]*'", "success", False),
        ("not branch matches 'release/*'", "success", False),
        ("variables.EMPTY == ''", "success", True),
        ("variables.UNKNOWN == ''", "success", True),
        ("needs['3.11'].outputs.tag == 'v1'", "success", True),
        ('needs["3.11"].outputs.tag == "v1"', "success", True),
        # and binds more than or, not more than both
        ("true or false and false", "success", True),
        ("(true or false) and false", "success", False),
        ("not false and false", "success", False),
        ("not (false and false)", "success", True),
        ("event == 'push' && !(branch == 'main') || false", "success", True),
        ("success or failure", "failure", True),
        ("event\n  ==\n  'push'", "success", True),
    ],
)
def test_what_holds(condition: str, status: str, holds: bool) -> None:
    assert parse_condition(condition).holds({status}, value) is holds


@pytest.mark.parametrize(
    ("condition", "fault"),
    [
        ("branch", "branch alone is neither true nor false; compare it: branch == 'a text' (allowed: ==, !=, matches), "
         "or use success, failure, aborted, always"),
        ("branch = 'x'", "\"= 'x'\" cannot stand in a condition; to compare, write =="),
        ("${{ github.ref }} == 'x'", "\"${{ github.ref }} ==\" cannot stand in a condition; write it without ${{ }}"),
        ("(success", "a bracket is not closed"),
        ("success failure", "'failure' stands where 'and', 'or' or the end was expected"),
        ("branch ==", "the end stands where a name or a text in quotes was expected"),
        ("branch == main == x", "'==' stands where 'and', 'or' or the end was expected"),
        ("branch == success", "'success' stands where a name or a text in quotes was expected"),
        ("and", "'and' stands where a name or a text in quotes was expected"),
        ("branch == 'x", "\"'x\" cannot stand in a condition"),
        ("a.b. == 'x'", "\". == 'x'\" cannot stand in a condition"),
        ("(" * 30 + "success" + ")" * 30, "a condition may be nested 20 levels deep"),
        ("x" * 1001, "a condition may have 1000 characters; found 1001"),
    ],
)  # fmt: skip
def test_what_is_refused(condition: str, fault: str) -> None:
    with pytest.raises(Invalid) as caught:
        parse_condition(condition)
    assert str(caught.value) == fault.replace('"${{ github.ref }} =="', "'${{ github.ref }} =='")


@given(
    st.lists(
        st.sampled_from([*WORDS, "and", "or", "not", "(", ")", "==", "!=", "branch", "'x'", "matches", "true", "!", "."])
    ).map(" ".join)
    | st.text(max_size=50)
)  # fmt: skip
def test_any_text_is_a_condition_or_refused(text: str) -> None:
    """And a condition always has an answer."""
    try:
        condition = parse_condition(text)
    except Invalid:
        return
    assert condition.holds({"success"}, value) in (True, False)
    if condition.wants_success:
        assert not condition.holds({"failure"}, value)


def test_a_pattern_is_matched_in_little_time() -> None:
    """However many stars it has: nobody can make a server compare for ever."""
    assert not parse_condition(f"branch matches '{'*a' * 40}b'").holds({"success"}, lambda _: "a" * 5000)


def test_texts_name_what_they_are_filled_with() -> None:
    text = "<${ branch }> $${branch} ${needs['3.11'].outputs.tag}$ {x} $5"
    assert references_in(text) == (("branch",), ("needs", "3.11", "outputs", "tag"))
    assert fill(text, value) == "<release/1.2> ${branch} v1$ {x} $5"
    assert fill("${branch}", lambda _: "${event}") == "${event}", "once"


@pytest.mark.parametrize("text", ["${", "a ${branch", "${}", "${a b}", "${a.}", "${1}", "${a['b]}"])
def test_a_text_with_a_name_that_is_none(text: str) -> None:
    with pytest.raises(Invalid):
        references_in(text)


@pytest.mark.parametrize(
    ("name", "fault"),
    [
        ("branch", None),
        ("variables.ANY", None),
        ("needs.build.outcome", None),
        ("needs.build.outputs.tag", None),
        ("steps.unit.outcome", None),
        ("steps.unit.outputs.any", None),
        ("needs.build.outputs.z",
         "needs.build.outputs.z names an output that job 'build' does not declare in its outputs; it has name, tag"),
        ("needs.test.outputs.z",
         "needs.test.outputs.z names an output that job 'test' does not declare in its outputs; it has none"),
        ("needs['3.11'].outcome", "needs['3.11'].outcome names job '3.11', which is not among the job's needs"),
        ("steps.later.outcome", "steps.later.outcome names step 'later', but no step before this one has that id"),
    ],
)  # fmt: skip
def test_whether_a_name_is_known(name: str, fault: str | None) -> None:
    assert fault_of(parse_reference(name), {"build": ("tag", "name"), "test": ()}, ("unit",)) == fault


@pytest.mark.parametrize(
    "name", ["HOME", "branch.x", "variables", "needs", "needs.build", "needs.build.state", "steps.unit"]
)
def test_a_name_of_another_kind_is_told_what_is_allowed(name: str) -> None:
    fault = fault_of(parse_reference(name), {"build": ()}, None)
    assert fault is not None
    assert fault.startswith(f"{name} is not known here; allowed: branch, event, head, ")
    assert "needs.JOB.outputs.KEY" in fault
    assert "steps.ID" not in fault
