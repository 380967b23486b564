"""The reference for users, docs/plan-file.md, says what is so."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from tailrace.domain.plan import PlanInvalid, parse_plan
from tailrace.domain.plan.keys import JOB_KEYS, PLAN_KEYS, STEP_KEYS, Keys

REFERENCE = (Path(__file__).parents[4] / "docs" / "plan-file.md").read_text(encoding="utf-8")
EXAMPLES = [
    (match["yaml"], match["refusal"])
    for match in re.finditer(
        r"^```yaml\n(?P<yaml>.*?)^```\n(?:```text\n(?P<refusal>.*?)^```\n)?",
        REFERENCE,
        re.DOTALL | re.MULTILINE,
    )
]


def test_there_are_examples_of_both_kinds():
    assert len(EXAMPLES) == REFERENCE.count("```yaml")
    assert {refusal is None for _, refusal in EXAMPLES} == {True, False}


@pytest.mark.parametrize("text", [text for text, refusal in EXAMPLES if refusal is None])
def test_an_example_is_a_plan(text: str):
    assert parse_plan(text).jobs


@pytest.mark.parametrize(("text", "refusal"), [example for example in EXAMPLES if example[1] is not None])
def test_an_example_of_faults_is_refused_with_the_messages_shown(text: str, refusal: str):
    with pytest.raises(PlanInvalid) as caught:
        parse_plan(text)
    assert f"{caught.value}\n" == refusal


@pytest.mark.parametrize(
    ("keys", "heading", "place"),
    [(PLAN_KEYS, "The plan", "plan"), (JOB_KEYS, "A job", "job"), (STEP_KEYS, "A step", "step")],
    ids=["plan", "job", "step"],
)
def test_each_key_is_explained_or_listed_as_not_supported_yet(keys: Keys, heading: str, place: str):
    table = REFERENCE.split(f"\n## {heading}\n")[1].split("\n## ")[0]
    assert sorted(re.findall(r"^\| `(\w+)` \|", table, re.MULTILINE)) == sorted(keys.allowed)
    (later,) = re.findall(rf"^- in (?:the|a) {place}: (.*)[;.]$", REFERENCE, re.MULTILINE)
    assert later.split(", ") == [f"`{key}`" for key in sorted(keys.not_yet)]
