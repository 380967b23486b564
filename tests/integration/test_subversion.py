"""A project in Subversion, from its server to a run's end, through real processes."""

from __future__ import annotations

from collections.abc import Generator
from pathlib import Path

import pytest

from tests.support.folders import contents
from tests.support.house import House
from tests.support.svn import PASSWORD, SvnRepository, served, with_login

PLAN = """
workspace: keep
jobs:
  build:
    steps:
      - run: |
          pwd; cat file; ls -d built 2>/dev/null || true; touch built
          echo "$TAILRACE_REVISION $TAILRACE_REF $TAILRACE_BRANCH $(svn info --show-item relative-url)"
          svn status
"""


@pytest.fixture
def repository(tmp_path: Path) -> SvnRepository:
    """2: a plan and a file on trunk; 3: a branch; 4: another file on it."""
    made = SvnRepository(tmp_path / "wheels")
    made.commit("First light", {"trunk/.tailrace.yml": PLAN, "trunk/file": "first\n"})
    made.copy("trunk", "branches/topic")
    made.commit("On topic", {"branches/topic/file": "topic\n"})
    return made


@pytest.fixture
def running(tmp_path: Path) -> Generator[House]:
    """A server and an agent of it."""
    with House(tmp_path / "house", TAILRACE_REPOSITORY_ALLOWED="127.0.0.1") as house:
        house.folder.mkdir(exist_ok=True)
        house.server()
        house.agent()
        house.wait_agent()
        yield house


def output_of(house: House, run: int) -> list[str]:
    house.wait_state(run, "passed")
    return house.output(house.wait_log(run)["log"], "stdout").decode().splitlines()


def test_a_run_is_planned_and_executed_from_a_server_with_a_login(
    running: House, repository: SvnRepository
) -> None:
    """Trunk and branch, with the plan at the revision; the workspace is kept, and the password is nowhere."""
    with served(repository) as address:
        project = running.project(repository=with_login(address))
        made = running.post("/api/plans", {"project": project, "name": "main", "path": ".tailrace.yml"})
        plan: int = made["id"]
        run = running.run(plan)
        place, *rest = output_of(running, run)
        assert rest == ["first", "2 trunk trunk ^/trunk", "?       built"]
        shown = running.show(run)
        assert (shown["revision"], shown["ref"], shown["branch"]) == ("2", "trunk", "trunk")
        third = repository.commit("Third", {"trunk/file": "third\n"})
        again = output_of(running, running.run(plan))
        assert again == [place, "third", "built", f"{third} trunk trunk ^/trunk", "?       built"]
        topic = output_of(running, running.run(plan, revision="topic"))
        assert topic[:2] == [place, "topic"]
        assert topic[3] == "4 branches/topic topic ^/branches/topic"
        log = running.output(running.wait_log(run)["log"], None)
    assert PASSWORD.encode() not in log
    agent = running.data / "agent"
    held = [path for path, data in contents(agent).items() if PASSWORD.encode() in data]
    assert held == []


def test_a_repository_that_is_away_ends_the_run_with_its_reason(
    running: House, repository: SvnRepository
) -> None:
    """As planning finds it; svn's own words say why."""
    plan = running.post(
        "/api/plans",
        {
            "project": running.project(repository="svn://127.0.0.1:1/wheels"),
            "name": "main",
            "path": ".tailrace.yml",
        },
    )["id"]
    shown = running.wait_state(running.run(plan), "failed")
    assert shown["reason"] == "source_unreachable"
    assert "Connection refused" in shown["detail"]
