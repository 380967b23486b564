"""What people want of agents, done by the commands, on a real server with a real agent."""

from __future__ import annotations

import asyncio
import json
import uuid
from collections.abc import Generator
from pathlib import Path
from typing import Any

import pytest
from websockets.asyncio.client import connect
from websockets.exceptions import ConnectionClosed

from tailrace.agent.credential import register
from tailrace.domain.wire import OLDEST_PROTOCOL, PROTOCOL
from tests.integration.test_commands import tailrace
from tests.support.house import House
from tests.support.waiting import wait_for


@pytest.fixture(scope="module")
def place(tmp_path_factory: pytest.TempPathFactory) -> Generator[House]:
    """A house with `tailrace up` and no other agent."""
    with House(tmp_path_factory.mktemp("place")) as place:
        place.up()
        yield place


@pytest.fixture(scope="module")
def served(tmp_path_factory: pytest.TempPathFactory) -> Generator[House]:
    """A server with the agents that tests make up."""
    with House(tmp_path_factory.mktemp("served")) as served:
        served.server()
        yield served


def _agent(house: House, name: str = "1") -> dict[str, Any]:
    return json.loads(tailrace(house, "agents", "show", name, "--json").stdout)


def test_a_paused_agent_gets_no_work_until_it_is_resumed(place: House) -> None:
    """And a waiting job says who paused it, and why."""
    tailrace(place, "agents", "pause", "1", "--why", "new disk")
    plan = place.script_plan("echo done")
    run = place.post("/api/runs", {"plan": plan})
    why = wait_for(lambda: place.get(f"/api/runs/{run['id']}")["jobs"][0]["why"], "the job to say why")
    assert (
        why
        == "paused by admin: new disk: the only agent (" + str(_agent(place)["name"]) + ") that could run it"
    )
    tailrace(place, "agents", "resume", "1")
    wait_for(lambda: place.get(f"/api/runs/{run['id']}")["state"] == "passed", "the run to pass")


def test_an_agent_says_what_its_machine_is_and_how_busy(place: House) -> None:
    """The tools with their versions, which are labels too; the load with each beat."""
    wait_for(lambda: place.get("/api/agents/1")["load"], "the agent's first beat")
    agent = _agent(place)
    machine = agent["machine"]
    assert machine["processors"] > 0
    assert machine["tools"]["git"].startswith("2.")
    assert "git" in agent["labels"]
    assert agent["load"]["disk_free"] > 0


def test_labels_are_given_and_taken(place: House) -> None:
    """A job that waits for a label begins when an agent is given it."""
    plan = place.plan("jobs: {a: {checkout: false, labels: [gpu], steps: [{run: 'true'}]}}", name="gpu")
    run = place.post("/api/runs", {"plan": plan})
    why = wait_for(lambda: place.get(f"/api/runs/{run['id']}")["jobs"][0]["why"], "the job to say why")
    assert why == "no agent has label gpu"
    wrong = tailrace(place, "agents", "relabel", "1", "gpu, !")
    assert (wrong.returncode, "body.labels.1: '!' cannot be a label; allowed" in wrong.stderr) == (2, True)
    path = place.client.put("/api/protected-labels/!", json={"projects": []})
    assert "'!' cannot be a label" in path.json()["detail"]
    tailrace(place, "agents", "relabel", "1", "gpu, big")
    wait_for(lambda: place.get(f"/api/runs/{run['id']}")["state"] == "passed", "the run to pass")
    assert _agent(place)["granted_labels"] == ["big", "gpu"]


def test_a_removed_agent_loses_what_it_does(house: House, tmp_path: Path) -> None:
    """Its run ends as agent_lost in a moment, with the reason; it cannot come back without a token."""
    house.server()
    house.agent()
    house.wait_agent()
    pid = tmp_path / "pid"
    plan = house.script_plan(f"echo $$ > {pid}.new; mv {pid}.new {pid}; sleep 1000")
    run = house.post("/api/runs", {"plan": plan})
    wait_for(pid.exists, "the job to begin")
    name = str(_agent(house)["name"])
    tailrace(house, "agents", "remove", name, "--why", "sold")
    ended = wait_for(
        lambda: (found := house.get(f"/api/runs/{run['id']}"))["state"] == "failed" and found,
        "the run to end",
    )
    assert (ended["reason"], ended["jobs"][0]["detail"]) == ("agent_lost", f"agent {name} was removed")
    assert house.get("/api/agents")["items"] == []
    told = json.loads(tailrace(house, "agents", "changes", "1", "--json").stdout)
    assert [(one["what"], one["by"], one["why"]) for one in told] == [("removed", "admin", "sold")]
    process = Path(f"/proc/{pid.read_text().strip()}")
    wait_for(lambda: not process.exists(), "what the job started to end")


def test_an_agent_for_one_job_takes_its_leave(house: House, tmp_path: Path) -> None:
    """It is listed no longer, and nobody waits for it; its credential is good for nothing, and it has forgotten it."""
    house.server()
    gate = tmp_path / "gate"
    run = house.run(house.script_plan(f"until test -e {gate}; do sleep 0.01; done"))
    agent = house.start("agent", "--once", "--token", house.post("/api/agent-tokens")["token"])
    house.wait_state(run, "running")
    credential = json.loads((house.data / "agent" / "credential.json").read_text())["credential"]
    gate.touch()
    assert agent.wait() == 0
    [attempt] = house.show(run)["jobs"][0]["attempts"]
    assert house.get("/api/agents")["items"] == []
    assert attempt["agent"], "the run keeps its name"
    assert not (house.data / "agent" / "credential.json").exists()
    again = house.client.post("/api/agents/farewell", headers={"Authorization": f"Bearer {credential}"})
    assert again.status_code == 401
    other = house.run(house.script_plan("echo well"))
    why = wait_for(lambda: house.show(other)["jobs"][0]["why"], "the job to say why")
    assert why.startswith("no agent is registered")


@pytest.mark.parametrize(
    ("protocol", "which", "more"),
    [
        (OLDEST_PROTOCOL - 1, "upgrade the agent", {"labels": [], "capacity": 1}),
        (PROTOCOL + 1, "upgrade the server", {"labels": [], "capacity": 1}),
        (PROTOCOL + 1, "upgrade the server", {"labels": {"os": "linux"}, "places": 1}),
    ],
)
def test_who_speaks_another_protocol_gets_no_work_and_is_told_which_to_upgrade(
    served: House, protocol: int, which: str, more: dict[str, Any]
) -> None:
    """The connection ends with the cause, and the agent's trouble says it to people, whatever else that protocol's hello has."""
    name = f"old-{uuid.uuid4().hex[:8]}"
    token = served.post("/api/agent-tokens")["token"]
    hello = json.dumps({"kind": "hello", "protocol": protocol, "version": "0.1", **more})

    async def greet() -> ConnectionClosed:
        credential = (await register(served.url, token, name, (), 1)).credential
        url = served.url.replace("http", "ws") + "/agent/v1"
        async with connect(url, additional_headers={"Authorization": f"Bearer {credential}"}) as socket:
            await socket.send(hello)
            with pytest.raises(ConnectionClosed) as closed:
                await socket.recv()
            return closed.value

    closed = asyncio.run(greet())
    said = f"{which}: agent 0.1 speaks protocol {protocol}, server "
    assert closed.rcvd is not None
    assert (closed.rcvd.code, closed.rcvd.reason[: len(said)]) == (1002, said)

    def troubled() -> bool:
        return any(one["name"] == name and one["trouble"] for one in served.get("/api/agents")["items"])

    wait_for(troubled, "the agent's trouble")
    assert _agent(served, name)["trouble"].startswith(said)
