"""A CI server runs other people's code: who may do what, from the first start."""

from __future__ import annotations

import re
import stat
from collections.abc import Generator
from contextlib import contextmanager

import httpx2
import pytest
import websockets.sync.client

from tests.support.house import ADMIN_TOKEN, House
from tests.support.waiting import wait_for

# Editors read the schema of plan files without a token; it is the same for everybody.
OPEN = {
    ("POST", "/api/sessions"),
    ("POST", "/api/agents/register"),
    ("POST", "/api/agents/farewell"),
    ("GET", "/api/plan-schema.json"),
}


def stranger(house: House) -> httpx2.Client:
    """A client without a token."""
    return httpx2.Client(base_url=house.url, timeout=30)


@contextmanager
def signed_in(house: House) -> Generator[httpx2.Client]:
    """A client with a session, as a browser has it."""
    with stranger(house) as client:
        client.headers["Origin"] = house.url
        code = house.post("/api/login-codes")["code"]
        assert client.post("/api/sessions", json={"code": code}).status_code == 200
        yield client


def test_every_route_of_the_api_asks_who_calls(home: House) -> None:
    """By the list of routes itself: whoever adds one cannot forget it."""
    paths = home.get("/openapi.json")["paths"]
    asked = 0
    with stranger(home) as client:
        for path, methods in paths.items():
            for method in methods:
                if not path.startswith("/api/") or (method.upper(), path) in OPEN:
                    continue
                answer = client.request(method.upper(), re.sub(r"\{\w+\}", "1", path))
                assert answer.status_code == 401, (method, path)
                assert "login-link" in answer.json()["detail"]
                asked += 1
        assert client.post("/api/agents/farewell").status_code == 401, "it asks for an agent's credential"
    assert asked > 20


@pytest.mark.parametrize("path", ["/api/live", "/agent/v1"])
def test_websockets_ask_too(home: House, path: str) -> None:
    """The handshake itself is refused."""
    address = home.url.replace("http", "ws") + path
    with pytest.raises(websockets.exceptions.InvalidStatus):
        websockets.sync.client.connect(address).close()
    headers = {"Authorization": "Bearer wrong"}
    with pytest.raises(websockets.exceptions.InvalidStatus):
        websockets.sync.client.connect(address, additional_headers=headers).close()


def test_a_sign_in_link_works_once(home: House) -> None:
    """The code is in the fragment, which no server log sees; the second use is refused."""
    link = home.post("/api/login-codes", {"next": "/runs/1"})
    assert re.fullmatch(re.escape(home.url) + r"/login#code=[\w-]{40,}&next=/runs/1", link["url"])
    with stranger(home) as client:
        first = client.post("/api/sessions", json={"code": link["code"]})
        assert first.status_code == 200
        cookie = first.headers["set-cookie"].lower()
        assert "httponly" in cookie
        assert "samesite=strict" in cookie
        assert client.get("/api/session").json()["name"] == "admin"
        assert client.get("/api/runs").status_code == 200
    with stranger(home) as client:
        assert client.post("/api/sessions", json={"code": link["code"]}).status_code == 401


def test_a_sign_in_link_leads_to_our_own_pages_only(home: House) -> None:
    """No open redirect."""
    for target in ("https://evil.example", "//evil.example", "/\\evil.example"):
        assert home.client.post("/api/login-codes", json={"next": target}).status_code == 422


def test_a_session_acts_for_our_own_pages_only(home: House) -> None:
    """The cookie alone is not enough for anything that changes something, nor for a WebSocket."""
    wish = {"name": "of-a-session", "repository": "/r"}
    with signed_in(home) as client:
        for origin in ("https://evil.example", "null", f"http://localhost:{home.port}"):
            assert client.post("/api/projects", json=wish, headers={"Origin": origin}).status_code == 401
        del client.headers["Origin"]
        assert client.post("/api/projects", json=wish).status_code == 401
        assert client.post("/api/projects", json=wish, headers={"Origin": home.url}).status_code == 201
        cookie = f"tailrace_session={client.cookies['tailrace_session']}"
        address = home.url.replace("http", "ws") + "/api/live"
        with pytest.raises(websockets.exceptions.InvalidStatus):
            websockets.sync.client.connect(
                address,
                additional_headers={"Cookie": cookie},
                origin="https://evil.example",  # type: ignore[arg-type]
            )
        with websockets.sync.client.connect(
            address,
            additional_headers={"Cookie": cookie},
            origin=home.url,  # type: ignore[arg-type]
        ) as live:
            live.send('{"op": "watch", "topic": "agents"}')
            assert "agents" in str(live.recv(timeout=30))


def test_signing_out_ends_the_session(home: House) -> None:
    """Also for whoever copied the cookie."""
    with signed_in(home) as client:
        cookie = client.cookies["tailrace_session"]
        assert client.delete("/api/session").status_code == 204
    with stranger(home) as client:
        assert client.get("/api/runs", headers={"Cookie": f"tailrace_session={cookie}"}).status_code == 401


def test_secrets_are_kept_for_their_owner_alone(house: House) -> None:
    """Tokens and keys in files of mode 0600, in folders of mode 0700; nothing in clear in the database."""
    del house.environment["TAILRACE_ADMIN_TOKEN"]
    del house.environment["TAILRACE_TOKEN"]
    house.start("up")
    token_file = house.data / "admin-token"
    wait_for(lambda: token_file.exists() and token_file.read_text().strip(), "the admin's token")
    token = token_file.read_text().strip()
    house.client.headers["Authorization"] = f"Bearer {token}"
    credential = house.data / "agent" / "credential.json"
    wait_for(credential.exists, "the agent to register")
    house.project(secret="a-webhook-secret-in-clear")
    for file in (token_file, house.data / "secret-key", credential, house.data / "tailrace.db"):
        assert stat.S_IMODE(file.stat().st_mode) == 0o600, file
    assert stat.S_IMODE(house.data.stat().st_mode) == 0o700
    for file in house.data.glob("tailrace.db*"):
        content = file.read_bytes()
        assert b"a-webhook-secret-in-clear" not in content
        assert token.encode() not in content


def test_a_preset_token_is_the_admins_and_no_file_holds_it(home: House) -> None:
    """`TAILRACE_ADMIN_TOKEN` instead of a generated one."""
    assert not (home.data / "admin-token").exists()
    assert home.client.get("/api/runs").status_code == 200
    for file in home.data.glob("tailrace.db*"):
        assert ADMIN_TOKEN.encode() not in file.read_bytes()


def test_an_agents_credential_opens_nothing_but_its_own_socket(home: House) -> None:
    """It is no token of the API; a registration token works once."""
    token = home.post("/api/agent-tokens")["token"]
    body: dict[str, object] = {"token": token, "name": "other", "capacity": 1, "version": "1"}
    with stranger(home) as client:
        credential = client.post("/api/agents/register", json=body).json()["credential"]
        assert client.post("/api/agents/register", json=body).status_code == 401
        headers = {"Authorization": f"Bearer {credential}"}
        assert client.get("/api/runs", headers=headers).status_code == 401


def test_jobs_see_nothing_of_the_servers_environment(home: House) -> None:
    """Neither tokens nor keys of the processes above."""
    run = home.run(home.script_plan("env"))
    home.wait_state(run, "passed")
    environment = home.output(home.wait_log(run)["log"], "stdout").decode()
    assert ADMIN_TOKEN not in environment
    assert "TAILRACE_ADMIN_TOKEN" not in environment
    assert "TAILRACE_RUN_ID=" in environment


def test_the_page_may_load_nothing_from_elsewhere(home: House) -> None:
    """Content-Security-Policy, nosniff, no referrer."""
    headers = home.client.get("/").headers
    assert "default-src 'self'" in headers["content-security-policy"]
    assert "frame-ancestors 'none'" in headers["content-security-policy"]
    assert headers["x-content-type-options"] == "nosniff"


def test_log_text_is_never_html(home: House) -> None:
    """A log is plain text, whatever is in it."""
    run = home.run(home.script_plan("echo '<script>alert(1)</script>'"))
    home.wait_state(run, "passed")
    answer = home.client.get(f"/api/logs/{home.wait_log(run)['log']}")
    assert answer.headers["content-type"] == "text/plain; charset=utf-8"
    assert answer.headers["x-content-type-options"] == "nosniff"


@pytest.mark.parametrize("wish", ["ext::sh -c id", "--upload-pack=id", "file://\0"])
def test_a_repository_that_would_run_something_is_refused(home: House, wish: str) -> None:
    """An address is an address."""
    answer = home.client.post("/api/projects", json={"name": "x", "repository": wish})
    assert answer.status_code == 400


def test_a_malformed_origin_and_a_code_that_is_no_text_are_refused(home: House) -> None:
    """Answered, not failed at: strangers can send either."""
    with stranger(home) as client:
        headers = {"Cookie": "tailrace_session=x", "Origin": "http://[x"}
        assert client.post("/api/runs", headers=headers).status_code == 401
        headers = {"Content-Type": "application/json"}
        answer = client.post("/api/sessions", content=b'{"code":"\\ud800"}', headers=headers)
        assert answer.status_code == 401


@pytest.mark.parametrize("path", ["/api/sessions", "/api/agents/register"])
@pytest.mark.parametrize("declared", [True, False])
def test_a_stranger_cannot_fill_the_memory(home: House, path: str, declared: bool) -> None:
    """Whether the body's length is said beforehand or not."""
    body = b'{"code":"' + b"a" * 100_000 + b'"}'
    with stranger(home) as client:
        headers = {"Content-Type": "application/json"}
        answer = client.post(path, content=body if declared else iter([body]), headers=headers)
        assert answer.status_code == 413


@pytest.mark.parametrize("path", ["/healthz", "/readyz", "/api/runs", "/api/none"])
def test_head_is_not_answered_by_the_page(home: House, path: str) -> None:
    """A balancer that asks with HEAD whether the store answers must not be told that the page is there."""
    answer = home.client.head(path)
    assert answer.headers["content-type"] != "text/html; charset=utf-8"
    assert answer.is_success == path.endswith("z")


def test_an_address_longer_than_a_file_name_shows_the_page(home: House) -> None:
    """No file can have it, and to look for one would fail."""
    with stranger(home) as client:
        short, long = client.get("/there-is-no-such-file"), client.get("/" + "a" * 300)
        assert (long.status_code, long.text) == (short.status_code, short.text)


def test_an_agent_keeps_the_labels_of_its_token(home: House) -> None:
    """Those that its machine gives come on top."""
    token = home.post("/api/agent-tokens", {"labels": ["gpu"]})["token"]
    with House(home.folder / "second", TAILRACE_SERVER=home.url) as second:
        second.folder.mkdir()
        second.start("agent", "--token", token, "--name", "labelled")

        def labels() -> list[str] | None:
            found = [agent for agent in home.get("/api/agents")["items"] if agent["name"] == "labelled"]
            return found[0]["labels"] if found and found[0]["state"] == "online" else None

        assert {"gpu", "linux"} <= set(wait_for(labels, "the agent"))
