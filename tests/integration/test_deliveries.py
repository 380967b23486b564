"""The inbox: every delivery can be found, looked at and replayed, and none that was answered 202 is lost."""

from __future__ import annotations

import asyncio
import hashlib
import hmac
import json
import signal
import uuid
from typing import Any

import httpx2
import pytest

from tailrace.cli.deliveries import replay_deliveries
from tailrace.cli.flags import ClientFlags
from tests.integration.test_triggers import tailrace
from tests.integration.test_webhooks import PAYLOADS, SECRET, deliver
from tests.support.disk import fill, relieve, small_disk
from tests.support.house import ADMIN_TOKEN, House
from tests.support.waiting import wait_for

PUSH = (PAYLOADS / "push_branch.json").read_bytes()


def _numbered(number: int) -> bytes:
    """A push of its own: to another branch."""
    payload = json.loads(PUSH)
    payload["ref"] = f"refs/heads/branch-{number}"
    return json.dumps(payload).encode()


def _delivery(house: House, project: int, body: bytes = PUSH, event: str = "push") -> int:
    answer = deliver(house, body, event, project=project)
    assert answer.status_code == 202, answer.text
    return answer.json()["delivery"]


def test_a_delivery_is_shown_as_it_was_sent(home: House) -> None:
    """Byte for byte, with its headers, but for those that are secrets."""
    project = home.project(secret=SECRET)
    id = _delivery(home, project)
    shown = home.get(f"/api/deliveries/{id}")
    assert (shown["body"].encode(), shown["size"], shown["cut"]) == (PUSH, len(PUSH), False)
    assert shown["headers"]["x-github-event"] == "push"
    assert "authorization" not in shown["headers"]
    raw = home.client.get(f"/api/deliveries/{id}/body")
    assert raw.content == PUSH
    assert raw.headers["content-disposition"].startswith("attachment")


def test_a_body_in_a_file_is_shown_and_replayed_too(house: House) -> None:
    import secrets

    house.server()
    project = house.project(secret=SECRET)
    payload = json.loads(PUSH)
    payload["noise"] = secrets.token_hex(200_000)
    body = json.dumps(payload).encode()
    id = _delivery(house, project, body)
    shown = house.get(f"/api/deliveries/{id}")
    assert (shown["size"], shown["cut"], len(shown["body"])) == (len(body), True, 256 * 1024)
    assert house.client.get(f"/api/deliveries/{id}/body").content == body
    assert house.post(f"/api/deliveries/{id}/replay")["runs"]


def test_deliveries_are_filtered(home: House) -> None:
    project = home.project(secret=SECRET)
    push = _delivery(home, project)
    ping = _delivery(home, project, (PAYLOADS / "ping.json").read_bytes(), "ping")
    assert deliver(home, b"{", project=project).status_code == 400

    def ids(**wanted: Any) -> list[int]:
        return [one["id"] for one in home.get("/api/deliveries", project=project, **wanted)["items"]]

    invalid = ids()[0]
    assert ids() == [invalid, ping, push]
    assert [ids(state=state) for state in ("accepted", "ignored", "invalid")] == [[push], [ping], [invalid]]
    assert ids(event="ping") == [ping]
    assert ids(source="gitlab") == []
    received = home.get(f"/api/deliveries/{push}")["delivery"]["received_at"]
    assert (ids(since=received), ids(until=received)) == ([invalid, ping, push], [])
    assert home.client.get("/api/deliveries", params={"state": "lost"}).status_code == 422
    assert home.client.get("/api/deliveries", params={"since": "yesterday"}).status_code == 400


def test_what_started_nothing_starts_a_run_when_it_is_replayed_later(home: House) -> None:
    """The trigger was disabled when it came: the inbox has kept it."""
    project = home.project(secret=SECRET)
    home.script_plan("true", project=project)
    (webhook,) = home.get("/api/triggers", project=project)["items"]
    home.post(f"/api/triggers/{webhook['id']}/disable")
    id = _delivery(home, project)
    home.post(f"/api/triggers/{webhook['id']}/enable")
    done = home.post(f"/api/deliveries/{id}/replay")
    (run,) = done["runs"]
    assert home.show(run)["trigger"] == {
        "id": webhook["id"],
        "kind": "webhook",
        "by": "admin",
        "event": "push",
        "delivery": id,
    }
    shown = home.get(f"/api/deliveries/{id}")
    assert (shown["delivery"]["runs"], shown["delivery"]["replays"]) == ([run], 1)
    (replayed,) = shown["replayed"]
    assert (replayed["by"], replayed["outcomes"][0]["run"]) == ("admin", run)
    number, name = home.show(run)["number"], home.get(f"/api/projects/{project}")["name"]
    assert (done["project_name"], done["run_numbers"]) == (name, [number])
    assert (shown["delivery"]["project_name"], shown["delivery"]["run_numbers"]) == (name, [number])
    assert replayed["outcomes"][0]["run_number"] == number
    assert shown["delivery"]["outcomes"][0]["run_number"] is None, "there was no run at first"


def test_many_are_replayed_at_once(home: House) -> None:
    """Those that the filters let through; the dry run says which and does nothing."""
    project = home.project(secret=SECRET)
    ids = [_delivery(home, project, _numbered(number)) for number in range(5)]
    ping = _delivery(home, project, (PAYLOADS / "ping.json").read_bytes(), "ping")
    before = len(home.get("/api/runs", project=project)["items"])
    dry = home.post("/api/deliveries/replay", {"project": project, "event": "push", "dry_run": True})
    assert (dry["deliveries"], dry["replayed"]) == (ids, [])
    assert len(home.get("/api/runs", project=project)["items"]) == before
    done = home.post("/api/deliveries/replay", {"project": project, "event": "push"})
    assert [one["delivery"] for one in done["replayed"]] == ids, "the oldest first"
    assert all(one["runs"] for one in done["replayed"])
    some = home.post("/api/deliveries/replay", {"ids": [ping, ids[0], 10**9]})
    assert [one["delivery"] for one in some["replayed"]] == [ids[0], ping]
    assert [one["delivery"] for one in some["failed"]] == [10**9]
    assert home.client.post("/api/deliveries/replay", json={}).status_code == 422


def test_more_than_fit_into_one_call_are_replayed_each_once(
    home: House, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """The answer says where to go on, and the command goes on by itself."""
    project = home.project(secret=SECRET)
    ids = [_delivery(home, project, _numbered(number)) for number in range(5)]
    first = home.post("/api/deliveries/replay", {"project": project, "limit": 2})
    assert ([one["delivery"] for one in first["replayed"]], first["next"]) == (ids[:2], ids[1])
    rest = home.post("/api/deliveries/replay", {"project": project, "after": first["next"], "limit": 3})
    assert ([one["delivery"] for one in rest["replayed"]], rest["next"]) == (ids[2:], None)
    monkeypatch.setattr("tailrace.cli.deliveries.AT_ONCE", 2)
    flags = ClientFlags(server=home.url, token=ADMIN_TOKEN)
    assert replay_deliveries(project=str(project), json=True, flags=flags) == 0
    said = json.loads(capsys.readouterr().out)
    assert [one["delivery"] for one in said["replayed"]] == said["deliveries"] == ids
    assert {home.get(f"/api/deliveries/{id}")["delivery"]["replays"] for id in ids} == {2}
    assert replay_deliveries(*ids, 10**9, json=True, flags=flags) == 1
    said = json.loads(capsys.readouterr().out)
    assert [one["delivery"] for one in said["replayed"]] == ids
    assert [one["delivery"] for one in said["failed"]] == [10**9], (
        "and of those that come later nothing is said"
    )
    late = _delivery(home, project, _numbered(9))
    rest = home.post(
        "/api/deliveries/replay", {"project": project, "after": ids[1], "through": first["through"]}
    )
    assert (rest["deliveries"], late in rest["deliveries"]) == (ids[2:], False)


def test_a_delivery_that_retention_took_cannot_be_replayed_and_still_tells_duplicates(house: House) -> None:
    """It shows what came of it, and says when its body went."""
    house.environment["TAILRACE_DELIVERY_DAYS"] = "1"
    house.server()
    project = house.project(secret=SECRET)
    key = str(uuid.uuid4())
    first = deliver(house, PUSH, project=project, key=key).json()
    house.change("UPDATE delivery SET received_at = received_at - ?", 2 * 24 * 3600 * 1000)
    dry = house.post("/api/retention", {"dry_run": True})
    assert [one["delivery"] for one in dry["deliveries"]] == [first["delivery"]]
    assert f"  {house.get(f'/api/projects/{project}')['name']}  " in tailrace(house, "retention", "--dry-run")
    assert "1 delivery and 0 notifications removed" in tailrace(house, "retention")
    shown = house.get(f"/api/deliveries/{first['delivery']}")
    assert (shown["headers"], shown["body"], shown["delivery"]["runs"]) == ({}, None, first["runs"])
    assert shown["delivery"]["removed_at"] is not None
    refused = house.client.post(f"/api/deliveries/{first['delivery']}/replay")
    assert refused.status_code == 409
    assert "retention took" in refused.json()["detail"]
    assert deliver(house, PUSH, project=project, key=key).json()["delivery"] == first["delivery"]


def test_the_commands_do_what_the_api_does(home: House) -> None:
    project = home.project("commands-of-deliveries", secret=SECRET)
    id = _delivery(home, project)
    (listed,) = json.loads(
        tailrace(home, "delivery", "list", "--project", "commands-of-deliveries", "--json")
    )
    assert listed["id"] == id
    (first,) = listed["run_numbers"]
    table = tailrace(home, "delivery", "list", "--project", "commands-of-deliveries")
    assert f"commands-of-deliveries#{first}" in table
    assert tailrace(home, "delivery", "show", str(id), "--body").encode() == PUSH
    assert f"default/webhook: run commands-of-deliveries#{first}\n" in tailrace(
        home, "delivery", "show", str(id)
    )
    dry = tailrace(home, "delivery", "replay", "--project", "commands-of-deliveries", "--dry-run")
    assert dry == f"{id}\n"
    again = tailrace(home, "delivery", "replay", str(id))
    assert again == f"delivery {id}: runs commands-of-deliveries#{first + 1}\n"
    assert json.loads(tailrace(home, "delivery", "show", str(id), "--json"))["delivery"]["replays"] == 1
    assert "say which deliveries" in tailrace(home, "delivery", "replay", status=2)


def test_a_burst_while_the_server_is_killed_loses_none_that_was_answered(house: House) -> None:
    """1,000 deliveries at once, kill -9 in the middle, the rest to the next server: 202 means that it is kept, once."""
    server = house.server()
    project = house.project(secret=SECRET)
    house.script_plan("true", project=project)
    bodies = {str(uuid.uuid4()): _numbered(number) for number in range(1000)}
    answered: dict[str, dict[str, Any]] = {}

    async def send(client: httpx2.AsyncClient, key: str) -> int | None:
        body = bodies[key]
        headers = {
            "Content-Type": "application/json",
            "X-GitHub-Event": "push",
            "X-GitHub-Delivery": key,
            "X-Hub-Signature-256": "sha256=" + hmac.new(SECRET.encode(), body, hashlib.sha256).hexdigest(),
        }
        try:
            answer = await client.post(f"/hooks/github/{project}", content=body, headers=headers)
        except httpx2.HTTPError:
            return None
        if answer.status_code == 202:
            answered[key] = answer.json()
            if len(answered) == 300 and server.alive:
                server.kill()
        return answer.status_code

    async def burst(keys: list[str]) -> list[int | None]:
        limits = httpx2.Limits(max_connections=100)
        async with httpx2.AsyncClient(base_url=house.url, timeout=60, limits=limits) as client:
            return list(await asyncio.gather(*(send(client, key) for key in keys)))

    first = asyncio.run(burst(list(bodies)))
    assert set(first) <= {202, 503, None}
    assert not server.alive
    assert 300 <= len(answered) < 1000
    house.server()
    kept = dict(answered)
    assert set(asyncio.run(burst([key for key in bodies if key not in kept]))) == {202}
    assert asyncio.run(burst(list(kept)[:50])) == [202] * 50, "sent again, they are known"
    runs = [run for answer in answered.values() for run in answer["runs"]]
    assert len(runs) == len(set(runs)) == 1000
    deliveries: dict[str, list[int]] = {}
    cursor = None
    while True:
        wanted = {"limit": 500} if cursor is None else {"limit": 500, "cursor": cursor}
        page = house.get("/api/deliveries", project=project, **wanted)
        deliveries |= {one["key"]: one["runs"] for one in page["items"]}
        cursor = page["next"]
        if cursor is None:
            break
    assert deliveries == {key: answer["runs"] for key, answer in answered.items()}
    wait_for(lambda: house.client.get("/readyz").status_code == 200, "the server to be well")


def test_a_delivery_that_a_full_disk_has_no_room_for_is_refused_and_can_come_again(house: House) -> None:
    """503, for a small body and a large one; nothing of either is kept, and later the same is accepted."""
    import secrets

    payload = json.loads(PUSH)
    payload["noise"] = secrets.token_hex(200_000)
    bodies = {"small": PUSH, "large": json.dumps(payload).encode()}
    with small_disk(24 << 20) as disk:
        house.environment["TAILRACE_DATA_DIR"] = str(disk / "data")
        server = house.server()
        project = house.project(secret=SECRET)
        fill(disk)
        for key, body in bodies.items():
            answer = deliver(house, body, project=project, key=key)
            assert answer.status_code == 503, key
            assert "the server's disk is full" in answer.json()["detail"]
        relieve(disk)
        wait_for(lambda: house.client.get("/readyz").status_code == 200, "the server to have room")
        assert house.get("/api/deliveries", project=project)["items"] == []
        for key, body in bodies.items():
            assert deliver(house, body, project=project, key=key).status_code == 202
        assert len(house.get("/api/deliveries", project=project)["items"]) == 2
        server.send(signal.SIGINT)
        server.wait()
