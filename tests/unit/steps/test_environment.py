from __future__ import annotations

from pathlib import Path

import pytest

from tailrace.domain.lease import Lease
from tailrace.domain.plan import JobSpec
from tailrace.steps.command import Machine, Place
from tailrace.steps.environment import environment

PLACE = Place(Path("/a/workspace"), Path("/a/tmp"))
MACHINE = Machine(host="host-1", path="/bin", home="/home/kim", user="kim", shell="/bin/sh")


def lease(job: dict[str, str], own: dict[str, str]) -> Lease:
    return Lease(
        attempt=9, number=2, cookie="ab12", log=7, run=12, run_number=5, project="acme", plan="default",
        repository="/r", ref="refs/heads/main", branch="main", event="push", job=JobSpec(name="test", variables=job),
        variables=own,
    )  # fmt: skip


def test_the_whole_environment() -> None:
    """Every variable that a step has, by name and value."""
    assert environment(lease({}, {}), PLACE, MACHINE, "abc", {}) == {
        "PATH": "/bin", "HOME": "/home/kim", "USER": "kim", "LANG": "C.UTF-8", "TMPDIR": "/a/tmp", "CI": "true",
        "TAILRACE": "true", "TAILRACE_RUN_ID": "12", "TAILRACE_RUN_NUMBER": "5", "TAILRACE_PROJECT": "acme",
        "TAILRACE_PLAN": "default", "TAILRACE_JOB": "test", "TAILRACE_ATTEMPT": "2", "TAILRACE_REVISION": "abc",
        "TAILRACE_REF": "refs/heads/main", "TAILRACE_BRANCH": "main", "TAILRACE_EVENT": "push",
        "TAILRACE_TAG": "", "TAILRACE_HEAD": "", "TAILRACE_WORKSPACE": "/a/workspace",
        "TAILRACE_COOKIE": "ab12",
    }  # fmt: skip


@pytest.mark.parametrize(
    ("ref", "from_fork", "names"),
    [
        (None, False, ("main", "", "")),
        ("refs/tags/main", False, ("", "main", "")),
        ("refs/pull/7/head", False, ("", "", "main")),
        ("refs/pull/7/head", True, ("", "", "main")),
    ],
)
def test_only_the_repository_s_own_branch_is_its_branch(
    ref: str | None, from_fork: bool, names: tuple[str, str, str]
) -> None:
    """`test "$TAILRACE_BRANCH" = main && ./deploy` is done for no tag and no pull request of that name."""
    one = lease({}, {}).model_copy(update={"ref": ref, "from_fork": from_fork})
    env = environment(one, PLACE, MACHINE, None, {})
    assert (env["TAILRACE_BRANCH"], env["TAILRACE_TAG"], env["TAILRACE_HEAD"]) == names


def test_who_wins() -> None:
    """A step's own over secrets, those over the run, the run over the job, the job over the defaults, Tailrace's own over all."""
    env = environment(
        lease(
            {"A": "job", "B": "job", "C": "job", "D": "job", "LANG": "de"},
            {"A": "run", "C": "run", "D": "run", "TAILRACE_COOKIE": "forged"},
        ),
        PLACE,
        MACHINE,
        None,
        {"C": "secret", "D": "secret", "TAILRACE_REVISION": "forged"},
        {"D": "step", "TAILRACE_EVENT": "forged"},
    )
    assert (env["A"], env["B"], env["C"], env["D"], env["LANG"]) == ("run", "job", "secret", "step", "de")
    assert env["TAILRACE_EVENT"] == "push"
    assert env["TAILRACE_COOKIE"] == "ab12"
    assert env["TAILRACE_REVISION"] == ""
