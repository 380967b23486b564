from __future__ import annotations

import json
import threading
from collections.abc import Generator
from http.server import BaseHTTPRequestHandler, HTTPServer
from pathlib import Path
from typing import Any

import pytest

from tailrace.agent.credential import (
    Credential,
    CredentialFile,
    FarewellUnheard,
    farewell,
    is_loopback,
    register,
)
from tailrace.domain.errors import Invalid, Unauthorised


class Registry(HTTPServer):
    """A server that answers registrations with what a test prepared, one after the other; the last answer stays."""

    def __init__(self) -> None:
        super().__init__(("127.0.0.1", 0), _Registration)
        self.answers: list[tuple[int, dict[str, Any]]] = []
        self.wishes: list[tuple[str, dict[str, Any]]] = []

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.server_port}"


class _Registration(BaseHTTPRequestHandler):
    def do_POST(self) -> None:
        assert isinstance(self.server, Registry)
        body = self.rfile.read(int(self.headers["Content-Length"]))
        self.server.wishes.append((self.path, json.loads(body or b"{}")))
        answers = self.server.answers
        status, answer = answers.pop(0) if len(answers) > 1 else answers[0]
        text = json.dumps(answer).encode()
        self.send_response(status)
        self.send_header("Content-Type", "application/json")
        self.send_header("Content-Length", str(len(text)))
        self.end_headers()
        self.wfile.write(text)

    def log_message(self, format: str, *args: object) -> None:
        pass


@pytest.fixture
def registry() -> Generator[Registry]:
    registry = Registry()
    thread = threading.Thread(target=registry.serve_forever, kwargs={"poll_interval": 0.01})
    thread.start()
    yield registry
    registry.shutdown()
    thread.join()
    registry.server_close()


async def test_a_token_becomes_a_credential(registry: Registry) -> None:
    """The agent says what it is."""
    registry.answers = [(201, {"id": 4, "credential": "secret"})]
    credential = await register(registry.url, "token", "host", ("git", "linux"), 2)
    assert credential == Credential(server=registry.url, id=4, credential="secret")
    ((path, wish),) = registry.wishes
    assert path == "/api/agents/register"
    assert {**wish, "version": ""} == {
        "token": "token",
        "name": "host",
        "labels": ["git", "linux"],
        "capacity": 2,
        "version": "",
    }


async def test_a_refused_token_is_told_in_the_servers_words(registry: Registry) -> None:
    """And not tried again: it is used up or too old."""
    registry.answers = [(401, {"detail": "this registration token is used: make a new one"})]
    with pytest.raises(Unauthorised, match="token is used: make a new one"):
        await register(registry.url, "token", "host", (), 2)
    assert len(registry.wishes) == 1


async def test_what_the_server_does_not_take_is_told(registry: Registry) -> None:
    """A label, say."""
    registry.answers = [(422, {"detail": "labels: not a label: 'ü'"})]
    with pytest.raises(Invalid, match="labels: not a label"):
        await register(registry.url, "token", "host", ("ü",), 2)


@pytest.mark.parametrize("last", [204, 401])
async def test_a_farewell_is_said_until_it_is_heard(registry: Registry, last: int) -> None:
    """An agent that the server does not know any more needs none."""
    registry.answers = [(503, {"detail": "no room"}), (last, {})]
    await farewell(registry.url, Credential(server="http://before", id=4, credential="secret"))
    assert [path for path, _ in registry.wishes] == ["/api/agents/farewell"] * 2


async def test_a_farewell_that_is_not_understood_is_told(registry: Registry) -> None:
    """By a server of another version, say."""
    registry.answers = [(404, {"detail": "nothing is here"})]
    with pytest.raises(FarewellUnheard, match="HTTP 404: nothing is here"):
        await farewell(registry.url, Credential(server=registry.url, id=4, credential="secret"))


async def test_a_server_in_trouble_is_asked_again(registry: Registry) -> None:
    """It may be starting."""
    registry.answers = [(503, {"detail": "starting"}), (201, {"id": 4, "credential": "secret"})]
    assert (await register(registry.url, "token", "host", (), 2)).id == 4


async def test_an_answer_from_something_else_is_told(registry: Registry) -> None:
    """It is not a Tailrace that answers there."""
    registry.answers = [(200, {"hello": "world"})]
    with pytest.raises(Invalid, match="did not register this agent"):
        await register(registry.url, "token", "host", (), 2)


def test_a_credential_is_kept_for_this_user_alone(tmp_path: Path) -> None:
    """And read back as it was; a newer one replaces it."""
    file = CredentialFile(tmp_path)
    assert file.read() is None
    for number in (1, 2):
        credential = Credential(server="http://127.0.0.1:8000", id=number, credential="secret")
        file.keep(credential)
        assert file.read() == credential
    assert (tmp_path / "credential.json").stat().st_mode & 0o777 == 0o600
    assert [path.name for path in tmp_path.iterdir()] == ["credential.json"]


def test_a_damaged_credential_is_told(tmp_path: Path) -> None:
    """With the way out."""
    (tmp_path / "credential.json").write_text("{")
    with pytest.raises(Invalid, match="register again"):
        CredentialFile(tmp_path).read()


@pytest.mark.parametrize(
    ("url", "here"),
    [
        ("http://127.0.0.1:8000", True),
        ("http://localhost", True),
        ("http://[::1]:8000", True),
        ("https://ci.example.org", False),
        ("http://127.example.org", False),
    ],
)
def test_this_machine_is_reached_without_a_proxy(url: str, here: bool) -> None:
    """Whatever the environment says."""
    assert is_loopback(url) is here
