"""The key `workspace`: whether a job finds what its last attempt left."""

from __future__ import annotations

import pytest

from tailrace.domain.plan import PlanInvalid, parse_plan

JOBS = "jobs:\n  a:\n    steps: [run: make]\n"


def test_a_workspace_is_clean_unless_the_plan_or_the_job_keeps_it() -> None:
    """The job wins."""
    assert parse_plan(JOBS).jobs["a"].workspace == "clean"
    assert parse_plan("workspace: keep\n" + JOBS).jobs["a"].workspace == "keep"
    assert parse_plan(JOBS + "    workspace: keep\n").jobs["a"].workspace == "keep"
    assert parse_plan("workspace: keep\n" + JOBS + "    workspace: clean\n").jobs["a"].workspace == "clean"


@pytest.mark.parametrize(("text", "found"), [("kept", '"kept"'), ("[keep]", "a list"), ("", "nothing")])
def test_anything_else_is_refused(text: str, found: str) -> None:
    """With its place, and what is allowed."""
    with pytest.raises(PlanInvalid) as caught:
        parse_plan(JOBS + f"    workspace: {text}\n", "p")
    assert str(caught.value).startswith("p:4:")
    assert str(caught.value).endswith(
        '"workspace" of job "a" must be clean (each attempt begins with an empty one) or keep '
        f"(it finds what the last one left); found {found}"
    )


@pytest.mark.parametrize("submodules", ["true", "recursive"])
def test_submodules_and_a_kept_workspace_exclude_each_other(submodules: str) -> None:
    """Wherever it is kept; what to write instead is said."""
    wanted = JOBS + f"    checkout: {{submodules: {submodules}}}\n"
    for text, place in (("workspace: keep\n" + wanted, "p:5:5"), (wanted + "    workspace: keep\n", "p:4:5")):
        with pytest.raises(PlanInvalid) as caught:
            parse_plan(text, "p")
        assert str(caught.value) == (
            f'{place}: job "a" keeps its workspace and wants submodules: what it leaves in them would be trusted by git '
            "and svn; write workspace: clean, or leave submodules to a step"
        )
    parse_plan("workspace: keep\n" + wanted + "    workspace: clean\n")
