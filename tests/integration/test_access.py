"""Tokens of people and programs, on a real server: what each role may do, who did what, and the end of a token."""

from __future__ import annotations

import json
import os
import re
import subprocess
import sys
import threading
import uuid
from collections.abc import Generator
from contextlib import contextmanager

import httpx2
import pytest
import websockets.sync.client
from websockets.typing import Origin

from tailrace.api.access import NEEDED, OPEN
from tailrace.domain.access import Role
from tests.integration.test_commands import tailrace
from tests.integration.test_security import stranger
from tests.support.house import House
from tests.support.waiting import wait_for

WAITS = "jobs: {deploy: {environment: production, checkout: false, steps: [{run: echo deployed}]}}"


def make(house: House, role: Role, name: str | None = None, **wish: object) -> tuple[str, str, int]:
    """The value, name and id of a new token."""
    name = name or f"{role}-{uuid.uuid4().hex[:8]}"
    made = house.post("/api/tokens", {"name": name, "role": role, **wish})
    return made["token"], name, made["id"]


@contextmanager
def calling(house: House, token: str) -> Generator[httpx2.Client]:
    with stranger(house) as client:
        client.headers["Authorization"] = f"Bearer {token}"
        yield client


def until_closed(socket: websockets.sync.client.ClientConnection) -> None:
    """Until the server has ended it, which it says nothing but a beat and when to come back before."""
    with pytest.raises(websockets.exceptions.ConnectionClosed):
        _hear(socket)


def _hear(socket: websockets.sync.client.ClientConnection) -> None:
    for _ in range(4):
        socket.recv(timeout=30)


def command(house: House, token: str, *arguments: str):
    return tailrace(house, *arguments, "--token", token)


def test_the_table_has_every_route_and_no_other(home: House) -> None:
    """Whoever adds a route says who may call it: without a line of its own it is there for admins alone."""
    paths = home.get("/openapi.json")["paths"]
    served = {f"{method.upper()} {path}" for path, methods in paths.items() for method in methods}
    listed = {*OPEN, *(route for routes in NEEDED.values() for route in routes)}
    assert paths["/api/runs"]["get"]["x-role"] == "reader"
    assert paths["/api/runs"]["post"]["x-role"] == "member"
    assert "x-role" not in paths["/api/sessions"]["post"]
    assert served - listed == set(), "say in api/access.py which role these need"
    assert listed - served == {"GET /api/live"}, "these are there no more, or are no routes of HTTP"


@pytest.mark.parametrize("role", [Role.READER, Role.MEMBER])
def test_each_role_is_refused_what_needs_a_higher_one(home: House, role: Role) -> None:
    """Route by route: 403 before anything is read of the request, with the role that it needs; the rest is let in."""
    token, name, _ = make(home, role)
    refused = 0
    with calling(home, token) as client:
        for needed, routes in NEEDED.items():
            for route in routes:
                method, _, path = route.partition(" ")
                if role.covers(needed) and (method != "GET" or path == "/api/live"):
                    continue  # it would be done
                path = re.sub(r"\{\w+\}", "999999", path)
                answer = client.request(
                    method, path, content=b"{", headers={"Content-Type": "application/json"}
                )
                assert (answer.status_code == 403) is not role.covers(needed), route
                if answer.status_code == 403:
                    assert answer.headers["content-type"] == "application/problem+json"
                    told = answer.json()["detail"]
                    assert told.startswith(
                        f"{method} {path} needs the role {needed}, and {name} is {role}"
                    ), told
                    refused += 1
        unknown = client.post("/api/tokens/1/raise")
        assert (unknown.status_code, "there is no POST" in unknown.json()["detail"]) == (404, True)
    assert refused > 15


def test_a_reader_sees_badges_as_anybody_who_has_their_key_does(home: House) -> None:
    token, _, _ = make(home, Role.READER)
    project = home.project()
    name = home.get(f"/api/projects/{project}")["name"]
    with calling(home, token) as client, stranger(home) as anybody:
        assert client.get(f"/api/badges/{name}.svg").headers["content-type"] == "image/svg+xml"
        url = client.get("/api/badges", params={"project": project}).json()["url"]
        assert anybody.get(url).status_code == 200
        assert anybody.get(f"/api/badges/{name}.svg").status_code == 401


def test_a_member_does_the_daily_work_and_touches_no_secret(home: House) -> None:
    token, name, _ = make(home, Role.MEMBER)
    with calling(home, token) as client:
        body = {"name": f"p-{uuid.uuid4().hex[:8]}", "repository": "/nowhere"}
        refused = client.post("/api/projects", json={**body, "webhook_secret": "a-secret-of-hooks"})
        assert refused.status_code == 403
        assert "the webhook secret of a project needs the role admin" in refused.json()["detail"]
        project = client.post("/api/projects", json=body).json()["id"]
        address = f"/api/projects/{project}"
        for secret in ("a-secret-of-hooks", None):
            assert client.patch(address, json={"webhook_secret": secret}).status_code == 403
        assert client.patch(address, json={"name": body["name"] + "x"}).status_code == 200
        opened = {"repository": "https://git.example.com/a.git", "credentials": {"secret": "TOKEN"}}
        refused = client.post("/api/projects", json={"name": "opened", **opened})
        assert (
            "the credentials of a project or the address that they open needs the role"
            in refused.json()["detail"]
        )
        assert client.patch(address, json={"credentials": None}).status_code == 403
        assert home.client.patch(address, json=opened).status_code == 200
        assert (
            client.patch(address, json={"repository": "https://elsewhere.example.com/a.git"}).status_code
            == 403
        )
        same = {"name": body["name"], "repository": opened["repository"]}
        assert client.patch(address, json=same).status_code == 200, "the address stays as it is"
        assert client.delete(address).status_code == 403
        wish = {"project": project, "name": "plan", "definition": WAITS}
        assert client.post("/api/plans", json=wish).status_code == 201
        channel = home.post(
            "/api/channels",
            {
                "name": f"c-{uuid.uuid4().hex[:8]}",
                "settings": {"kind": "webhook", "url": "https://example.org/x"},
                "secrets": {"key": "whsec_" + "YWJjZGVmZ2hpamtsbW5vcHFyc3R1dnd4"},
            },
        )
        address = f"/api/channels/{channel['id']}"
        refused = client.patch(address, json={"secrets": {"key": "whsec_" + "YWJj" * 8}})
        assert (refused.status_code, "needs the role admin" in refused.json()["detail"]) == (403, True)
        assert client.patch(address, json={"enabled": False}).json()["enabled"] is False
        assert client.get("/api/session").json()["role"] == "member"
        assert client.get("/api/session").json()["name"] == name


def test_who_did_it_is_the_name_of_the_token(home: House) -> None:
    """Of two members: who wrote the plan, disabled its trigger, aborted its run, approved its job."""
    (one, ada, _), (two, bob, _) = make(home, Role.MEMBER), make(home, Role.MEMBER)
    project = home.project()
    terms = {"project": project, "name": "production", "approvers": [bob]}
    home.post("/api/environments", terms)
    with calling(home, one) as first, calling(home, two) as second:
        wish = {"project": project, "name": "plan", "definition": WAITS}
        plan = first.post("/api/plans", json=wish).json()["id"]
        versions = home.get(f"/api/plans/{plan}/versions")["items"]
        assert [version["author"] for version in versions] == [ada]
        trigger = {"plan": plan, "name": "t", "settings": {"kind": "cron", "expression": "0 0 1 1 *"}}
        id = first.post("/api/triggers", json=trigger).json()["id"]
        assert second.post(f"/api/triggers/{id}/disable", json={"why": "x"}).json()["mode_by"] == bob
        run = first.post("/api/runs", json={"plan": plan}).json()["id"]
        assert home.show(run)["trigger"]["by"] == ada

        def asked() -> int | None:
            found = home.get("/api/approvals", state="open", run=run)["items"]
            return found[0]["id"] if found else None

        approval = wait_for(asked, "an approval to be asked for")
        refused = first.post(f"/api/approvals/{approval}", json={"approve": True})
        assert refused.status_code == 403
        assert f"{ada} may not decide for environment production; allowed: {bob}" in refused.json()["detail"]
        decided = second.post(f"/api/approvals/{approval}", json={"approve": True, "why": "go"}).json()
        assert (decided["state"], decided["by"]) == ("approved", bob)
        home.wait_state(run, "passed")
        other = second.post("/api/runs", json={"plan": plan}).json()["id"]
        first.post(f"/api/runs/{other}/abort")
        ended = home.wait_state(other, "aborted")
        assert ada in ended["detail"]
        assert ended["trigger"]["by"] == bob
        second.post("/api/queue/pause", json={"project": project, "why": "x"})
        paused = {pause["scope"]: pause["by"] for pause in home.get("/api/queue/pauses")["items"]}
        second.post("/api/queue/resume", json={"project": project})
        assert paused[f"project/{project}"] == bob


def test_a_reader_cannot_be_named_to_approve(home: House) -> None:
    """It could not decide, and the job would wait for ever."""
    _, name, _ = make(home, Role.READER)
    wish = {"project": home.project(), "name": "production", "approvers": [name]}
    refused = home.client.post("/api/environments", json=wish)
    assert refused.status_code == 400
    assert f"found '{name}'" in refused.json()["detail"]


def test_a_removed_token_is_out_at_once(home: House) -> None:
    """Its next call, its sessions, its sign-in links, and what it watches; others go on watching."""
    token, name, id = make(home, Role.READER)
    run = home.run(home.script_plan("echo begun; sleep 600"))
    home.wait_output(run, b"begun")
    log = home.attempt(run)["log"]
    live = home.url.replace("http", "ws") + "/api/live"
    ended = threading.Event()

    def follow() -> None:
        with calling(home, token) as client, client.stream("GET", f"/api/logs/{log}/stream") as answer:
            for line in answer.iter_lines():
                if line.startswith("data:"):
                    following.set()
        ended.set()

    following = threading.Event()
    thread = threading.Thread(target=follow)
    bearer = {"Authorization": f"Bearer {token}"}
    with (
        stranger(home) as browser,
        websockets.sync.client.connect(live, additional_headers=bearer) as socket,
        websockets.sync.client.connect(
            live, additional_headers={"Authorization": home.client.headers["Authorization"]}
        ) as admins,
    ):
        browser.headers["Origin"] = home.url
        assert browser.post("/api/sessions", json={"token": token}).json()["name"] == name
        code = home.post("/api/login-codes", {"name": name})["code"]
        cookie = "; ".join(f"{key}={value}" for key, value in browser.cookies.items())
        with websockets.sync.client.connect(
            live, additional_headers={"Cookie": cookie}, origin=Origin(home.url)
        ) as of_session:
            thread.start()
            assert following.wait(30)
            assert home.client.delete(f"/api/tokens/{id}").status_code == 204
            for ending in (socket, of_session):
                until_closed(ending)
        assert ended.wait(30)
        thread.join(30)
        admins.send(json.dumps({"op": "watch", "topic": "agents"}))
        assert json.loads(admins.recv(timeout=30))["topic"] == "agents"
        assert browser.get("/api/session").status_code == 401
        with calling(home, token) as client:
            refused = client.get("/api/runs")
            assert (refused.status_code, "was removed" in refused.json()["detail"]) == (401, True)
            assert client.post("/api/sessions", json={"token": token}).status_code == 401
            assert client.post("/api/sessions", json={"code": code}).status_code == 401
    home.post(f"/api/runs/{run}/abort")
    home.wait_state(run, "aborted")
    assert home.client.delete(f"/api/tokens/{id}").status_code == 404


def test_a_follower_whose_token_is_removed_says_so_and_ends(home: House) -> None:
    """It does not come back for ever: the server tells it why it is refused."""
    token, _, id = make(home, Role.READER)
    run = home.run(home.script_plan("echo begun; sleep 600"))
    home.wait_output(run, b"begun")
    follower = subprocess.Popen(
        [sys.executable, "-m", "tailrace", "logs", str(run), "--follow", "--token", token],
        env={**os.environ, **home.environment},
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
    )
    try:
        assert follower.stdout is not None
        assert any(b"begun" in line for line in follower.stdout)
        assert home.client.delete(f"/api/tokens/{id}").status_code == 204
        _, told = follower.communicate(timeout=60)
    finally:
        follower.kill()
        follower.wait()
    assert follower.returncode == 2
    assert b"refuses: this token is not known here, or it was removed or has expired" in told
    home.post(f"/api/runs/{run}/abort")
    home.wait_state(run, "aborted")


def test_what_is_watched_ends_when_its_token_expires(home: House) -> None:
    """Nobody says so then: it is looked after."""
    token, _, id = make(home, Role.READER, life_s=3600)
    live = home.url.replace("http", "ws") + "/api/live"
    bearer = {"Authorization": f"Bearer {token}"}
    with websockets.sync.client.connect(live, additional_headers=bearer) as socket:
        home.change("UPDATE token SET expires_at = 1 WHERE id = ?", id)
        until_closed(socket)
    with calling(home, token) as client:
        assert client.get("/api/runs").status_code == 401


def test_a_token_signs_in_by_its_value_in_the_body(home: House) -> None:
    """As a code does: the answer says who, the cookie is all that the browser keeps; one of both, not both."""
    token, name, _ = make(home, Role.MEMBER)
    with stranger(home) as client:
        client.headers["Origin"] = home.url
        signed = client.post("/api/sessions", json={"token": token})
        assert (signed.status_code, signed.json()["name"], signed.json()["role"]) == (200, name, "member")
        assert re.search(r"HttpOnly.*SameSite=strict", signed.headers["set-cookie"], re.IGNORECASE)
        assert token not in signed.headers["set-cookie"]
        assert client.get("/api/session").json()["name"] == name
        assert client.post("/api/tokens", json={"name": "x", "role": "admin"}).status_code == 403
        assert client.get("/api/tokens").status_code == 403
        for wish in ({}, {"token": token, "code": "x"}):
            answer = client.post("/api/sessions", json=wish)
            assert (answer.status_code, token in answer.text) == (422, False)
        client.headers["Origin"] = "https://elsewhere.example"
        assert client.post("/api/sessions", json={"token": token}).status_code == 401
        assert client.delete("/api/session").status_code == 401


def test_a_sign_in_link_as_somebody_else_is_an_admins(home: House) -> None:
    """Each may have one of his own."""
    token, name, _ = make(home, Role.READER)
    _, other, _ = make(home, Role.READER)
    own = command(home, token, "login-link", "--page", "/runs")
    assert (own.returncode, "#code=" in own.stdout) == (0, True)
    refused = command(home, token, "login-link", "--as", other)
    assert refused.returncode == 2
    assert f"a sign-in link as {other} needs the role admin, and {name} is reader" in refused.stderr
    link = tailrace(home, "login-link", "--as", name).stdout
    code = re.search(r"code=(\w+)", link)
    assert code is not None
    with stranger(home) as client:
        signed = client.post("/api/sessions", json={"code": code[1]}).json()
        assert (signed["name"], signed["role"]) == (name, "reader")
    nobody = tailrace(home, "login-link", "--as", "nobody")
    assert (nobody.returncode, "there is no token 'nobody'" in nobody.stderr) == (2, True)


def test_tokens_by_the_commands(home: House) -> None:
    """The value goes to standard output, once; nobody can read it afterwards, not even in the database."""
    name = f"bot-{uuid.uuid4().hex[:8]}"
    made = tailrace(home, "token", "create", name, "--expires", "30d")
    assert made.returncode == 0, made.stderr
    assert re.fullmatch(r"trt_[0-9a-f]{64}\n", made.stdout)
    assert "cannot be shown again" in made.stderr
    value = made.stdout.strip()
    (shown,) = [
        one for one in json.loads(tailrace(home, "token", "list", "--json").stdout) if one["name"] == name
    ]
    assert (shown["role"], shown["author"]) == ("reader", "admin")
    assert shown["expires_at"] > shown["created_at"]
    assert "token" not in shown
    assert (
        home.change(
            "UPDATE token SET expires_at = created_at + 2592000000 WHERE id = ? AND expires_at = created_at + 2592000000",
            shown["id"],
        )
        == 1
    )
    for file in home.data.glob("tailrace.db*"):
        assert value.encode() not in file.read_bytes()
    assert command(home, value, "runs").returncode == 0
    refused = command(home, value, "token", "list")
    assert (refused.returncode, "needs the role admin" in refused.stderr) == (2, True)

    def used() -> bool:
        listed = home.get("/api/tokens", limit=500)["items"]
        return any(one["name"] == name and one["used_at"] is not None for one in listed)

    wait_for(used, "its use to be written")
    again = tailrace(home, "token", "create", name)
    assert (again.returncode, "remove it first" in again.stderr) == (2, True)
    wrong = tailrace(home, "token", "create", "other", "--expires", "soon")
    assert (wrong.returncode, "30d, 12h or 90m" in wrong.stderr) == (2, True)
    gone = tailrace(home, "token", "remove", name, "--json")
    assert (gone.returncode, json.loads(gone.stdout)["name"]) == (0, name)
    assert command(home, value, "runs").returncode == 2
    assert tailrace(home, "token", "remove", name).returncode == 2
    own = tailrace(home, "token", "remove", "admin")
    assert (own.returncode, "the server's own" in own.stderr) == (2, True)
    as_json = json.loads(tailrace(home, "token", "create", name, "--role", "member", "--json").stdout)
    assert (as_json["role"], as_json["expires_at"], as_json["token"][:4]) == ("member", None, "trt_")


def test_a_new_servers_own_token_is_listed_as_such(home: House) -> None:
    (own,) = [one for one in home.get("/api/tokens", limit=500)["items"] if one["author"] is None]
    assert (own["name"], own["role"], own["expires_at"]) == ("admin", "admin", None)


@pytest.mark.parametrize(
    ("wish", "where"),
    [
        ({"name": "two words", "role": "reader"}, "name"),
        ({"name": "a", "role": "owner"}, "role"),
        ({"name": "a"}, "role"),
        ({"name": "a", "role": "reader", "life_s": 1}, "life_s"),
        ({"name": "a", "role": "reader", "secret": "x"}, "secret"),
    ],
)
def test_a_wrong_wish_for_a_token_says_what_is_wrong(
    home: House, wish: dict[str, object], where: str
) -> None:
    answer = home.client.post("/api/tokens", json=wish)
    assert (answer.status_code, answer.json()["errors"][0]["place"]) == (422, f"body.{where}")
