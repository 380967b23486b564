"""The JSON Schema for editors never calls a plan wrong that is right, and knows every key."""

from __future__ import annotations

import json
import re
from pathlib import Path
from typing import Any

import pytest
import yaml
from hypothesis import given

from tailrace.domain.plan import Plan, PlanInvalid, parse_plan
from tailrace.domain.plan.errors import Problems, Unreadable
from tailrace.domain.plan.nodes import Items, Mapping, Node, Scalar, read_nodes
from tailrace.domain.plan.schema import plan_schema
from tailrace.domain.plan.source import read_source
from tests.support.json_schema import faults_of
from tests.unit.domain.plan.test_properties import MISSHAPEN, YAMLISH, plans, written
from tests.unit.domain.plan.test_reference import EXAMPLES

DOCS = Path(__file__).parents[4] / "docs"
SCHEMA = plan_schema()


def as_editors_see(node: Node | None) -> Any:
    """By YAML 1.2's core schema."""
    match node:
        case Mapping():
            return {entry.key: as_editors_see(entry.value) for entry in node.entries}
        case Items():
            return [as_editors_see(item) for item in node.items]
        case Scalar() if not node.plain:
            return node.text
        case Scalar() if not node.is_null:
            if node.text.lower() in ("true", "false"):
                return node.text.lower() == "true"
            if re.fullmatch(r"[-+]?[0-9]+", node.text):
                return int(node.text)
            if re.fullmatch(r"[-+]?[0-9]+\.[0-9]+", node.text):
                return float(node.text)
            return node.text
        case _:
            return None


def said(text: str) -> list[str]:
    return faults_of(as_editors_see(read_nodes(read_source(text), Problems())), SCHEMA, SCHEMA)


def test_the_published_schema_is_this_one() -> None:
    """`tailrace plan schema > docs/plan-schema.json` publishes it."""
    assert json.loads((DOCS / "plan-schema.json").read_text()) == SCHEMA


@pytest.mark.parametrize("text", [text for text, refusal in EXAMPLES if refusal is None])
def test_every_plan_of_the_reference_fits(text: str) -> None:
    assert said(text) == []


def test_this_repository_s_own_plan_fits() -> None:
    assert said((DOCS.parent / ".tailrace.yml").read_text()) == []


@given(plan=plans())
def test_every_plan_fits_as_it_is_written(plan: Plan) -> None:
    assert faults_of(written(plan), SCHEMA, SCHEMA) == []
    assert said(yaml.safe_dump(written(plan), sort_keys=False)) == []


@given(MISSHAPEN | YAMLISH.map(lambda text: "jobs:\n  a:\n    steps:\n    - run: x\n" + text))
def test_what_the_schema_refuses_is_no_plan(text: str) -> None:
    try:
        parse_plan(text)
    except PlanInvalid:
        return
    try:
        faults = said(text)
    except Unreadable:
        raise AssertionError("what is a plan can be read") from None
    assert faults == []


@pytest.mark.parametrize(
    ("text", "place"),
    [
        ("jobz: {}", "jobz"),
        ("jobs: {a: {steps: []}}", "/jobs/a/steps"),
        ("jobs: {a: {steps: [{runn: x}]}}", "/jobs/a/steps/0/runn"),
        ("jobs: {a: {stepz: 1, steps: [{run: x}]}}", "/jobs/a/stepz"),
        ("jobs: {a: {steps: [{run: x}], timeout: soon}}", "/jobs/a/timeout"),
        ("on: {pushed: {}}\njobs: {a: {steps: [{run: x}]}}", "/on"),
        ("parameters: {A: {type: date}}\njobs: {a: {steps: [{run: x}]}}", "/parameters/A"),
    ],
)
def test_slips_are_found(text: str, place: str) -> None:
    """And the parser finds them too."""
    assert any(place in fault for fault in said(text))
    with pytest.raises(PlanInvalid):
        parse_plan(text)
