"""Allow-lists of projects and protected labels, by the commands, on a real server with a real agent."""

from __future__ import annotations

import json
from typing import Any

from tests.integration.test_commands import tailrace
from tests.support.house import House
from tests.support.waiting import wait_for


def _why(house: House, run: int) -> str:
    return wait_for(lambda: house.show(run)["jobs"][0]["why"], "the job to say why")


def _agent(house: House) -> dict[str, Any]:
    return json.loads(tailrace(house, "agents", "show", "1", "--json").stdout)


def _well(house: House, *arguments: str) -> str:
    done = tailrace(house, *arguments)
    assert done.returncode == 0, done.stderr
    return done.stdout


def test_an_agent_takes_work_of_the_projects_that_people_allow(house: House) -> None:
    """Others wait and say why, and go on when the list is taken away."""
    house.up()
    ours, theirs = house.project("ours"), house.project("theirs")
    _well(house, "agents", "allow", "1", "ours")
    assert _agent(house)["projects"] == [ours]
    waiting = house.run(house.script_plan("true", project=theirs))
    assert _why(house, waiting).endswith("takes no work of project theirs")
    house.wait_state(house.run(house.script_plan("true", project=ours)), "passed")
    assert house.show(waiting)["state"] == "pending"
    assert tailrace(house, "agents", "allow", "1").returncode == 2
    assert tailrace(house, "agents", "allow", "1", "nobody").returncode == 2
    house.client.patch("/api/agents/1", json={"name": "renamed"})
    assert _agent(house)["projects"] == [ours], "what is not named stays"
    _well(house, "agents", "allow", "1", "--all")
    house.wait_state(waiting, "passed")


def test_an_agent_is_registered_for_some_projects_and_says_so_itself(house: House) -> None:
    """By its token, and by its own setting: both hold."""
    house.server()
    ours, both = house.project("ours"), house.project("both")
    token = _well(house, "agent-token", "--projects", "ours,both").strip()
    house.start("agent", "--token", token, "--projects", "both,later")
    house.wait_agent()
    agent = _agent(house)
    assert (agent["projects"], agent["own_projects"]) == ([ours, both], ["both", "later"])
    waiting = house.run(house.script_plan("true", project=ours))
    house.wait_state(house.run(house.script_plan("true", project=both)), "passed")
    assert _why(house, waiting).endswith("takes no work of project ours")
    refused = tailrace(house, "agent-token", "--projects", "nobody")
    assert "there is no project 'nobody'" in refused.stderr
    nothing = tailrace(house, "agent", "--projects", " , ")
    assert nothing.returncode == 2
    assert "projects (TAILRACE_PROJECTS)" in nothing.stderr


def test_a_protected_label_is_for_some_projects(house: House) -> None:
    """A job of another waits, also one that asks for no label, on the agent that has it; unprotected, all go on."""
    house.up()
    ours, theirs = house.project("ours"), house.project("theirs")
    _well(house, "agents", "relabel", "1", "zone/prod")
    _well(house, "labels", "protect", "zone/prod", "ours", "--why", "it deploys")
    (label,) = json.loads(_well(house, "labels", "--json"))
    assert (label["name"], label["projects"], label["by"], label["why"]) == (
        "zone/prod",
        [ours],
        "admin",
        "it deploys",
    )
    wanting = house.run(house.script_plan("true", project=theirs, labels=["zone/prod"]))
    plain = house.run(house.script_plan("true", project=theirs, name="plain"))
    house.wait_state(house.run(house.script_plan("true", project=ours, labels=["zone/prod"])), "passed")
    assert _why(house, wanting) == "label zone/prod is protected: project theirs may not use it"
    assert "has label zone/prod, which is protected" in _why(house, plain)
    _well(house, "labels", "unprotect", "zone/prod")
    house.wait_state(wanting, "passed")
    house.wait_state(plain, "passed")
    assert tailrace(house, "labels", "unprotect", "zone/prod").returncode == 2
    assert house.client.put("/api/protected-labels/a b", json={"projects": []}).status_code == 422
    assert house.client.put("/api/protected-labels/a", json={"projects": [999]}).status_code == 404
