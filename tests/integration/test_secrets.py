"""Secrets through a real Tailrace: jobs have them, and nothing that is kept, sent or shown has."""

from __future__ import annotations

import io
import json
import os
import pty
import subprocess
import sys
import threading
from collections.abc import Callable
from pathlib import Path
from typing import Any

from backports import zstd
from websockets.sync.client import connect

from tailrace.domain.secrets import masked_parts
from tailrace.runner.masking_forms import forms_of
from tests.integration.test_commands import tailrace
from tests.support.folders import contents
from tests.support.house import ADMIN_TOKEN, House
from tests.support.waiting import wait_for
from tests.unit.runner.test_secrets import PRINT_ALL

SECRETS = {
    "TOKEN": "ghp_0aBcD1eFgH2iJkL3mNoP4qRsT5uVwX6yZ7890",
    "PASSWORD": "p@ss 'w0rd\"$/\\é",
    "KEY": "-----BEGIN KEY-----\nMIIEowIBAAKCAQEAx7/Qq+2\n-----END KEY-----",
}
FORMS = sorted(
    {form for value in SECRETS.values() for part in masked_parts(value) for form in forms_of(part)}
)
ZSTD = b"\x28\xb5\x2f\xfd"


def unpacked(data: bytes) -> bytes:
    """What a file holds as it is, and behind it what it holds packed."""
    if ZSTD in data[:64]:
        with zstd.open(io.BytesIO(data)) as file:
            data += file.read()
    return data


def assert_no_secret(where: str, data: bytes | str) -> None:
    data = data.encode() if isinstance(data, str) else data
    # JSON escapes what it carries: a secret in it stands in that form, or after that in its own
    texts = [data, data.decode(errors="replace").encode("utf-8", "replace").replace(b'\\"', b'"')]
    assert [form for form in FORMS for text in texts if form in text] == [], where


class Listener:
    """A watcher in a thread: keeps all that it is sent, as bytes."""

    def __init__(self, listen: Callable[[bytearray], None]) -> None:
        self.heard = bytearray()
        self._thread = threading.Thread(target=listen, args=(self.heard,), daemon=True)
        self._thread.start()

    def end(self) -> bytes:
        self._thread.join(60)
        assert not self._thread.is_alive()
        return bytes(self.heard)


def test_no_secret_is_kept_sent_or_shown(house: House, tmp_path: Path) -> None:
    """Every form of every secret is printed, in pieces; then every place where output and words end up is searched."""
    house.up()
    project = house.project("shop")
    for name, value in SECRETS.items():
        whose = [] if name == "KEY" else ["--project", "shop"]
        assert tailrace(house, "secret", "set", name, *whose, given=f"{value}\n").returncode == 0
    go, listed = tmp_path / "go", tmp_path / "forms"
    listed.write_text(" ".join(form.hex() for form in FORMS))
    program = tmp_path / "program.sh"
    program.write_text(PRINT_ALL.replace("SEED", "7"))
    plan = house.script_plan(
        f"while [ ! -e {go} ]; do sleep 0.01; done; export FORMS={listed}; bash {program}",
        'set -x; : "$TOKEN" "$PASSWORD" "$KEY"; printf "%q\\n" "$PASSWORD" "$KEY"; ls "/$TOKEN" "$PASSWORD"',
        project=project,
        secrets=list(SECRETS),
    )
    run = house.run(plan)
    house.wait_state(run, "running")
    log = house.attempt(run)["log"]

    def by_sse(heard: bytearray) -> None:
        with house.client.stream("GET", f"/api/logs/{log}/stream?from=0", timeout=60) as stream:
            for block in stream.iter_raw():
                heard.extend(block)

    def by_socket(heard: bytearray) -> None:
        url = house.url.replace("http", "ws") + "/api/live"
        headers = {"Authorization": f"Bearer {ADMIN_TOKEN}"}
        with connect(url, additional_headers=headers, compression=None, proxy=None) as socket:
            for topic in (f"run/{run}", "runs", "agents"):
                socket.send(json.dumps({"op": "watch", "topic": topic}))
            socket.send(json.dumps({"op": "watch", "topic": f"log/{log}", "from": 0}))
            while True:
                frame = socket.recv(timeout=60)
                assert isinstance(frame, str)
                heard.extend(frame.encode())
                if "end" in json.loads(frame):
                    return

    listeners = {"SSE": Listener(by_sse), "WebSocket": Listener(by_socket)}
    wait_for(lambda: all(listener.heard for listener in listeners.values()), "both watchers to listen")
    go.touch()
    shown = house.wait_state(run, "failed")
    assert shown["reason"] == "exit_code" or shown["jobs"][0]["reason"] == "exit_code"
    attempt = house.wait_log(run)
    printed = [house.output(log, stream).count(b"<***> and ") for stream in ("stdout", "stderr")]
    assert sum(printed) == len(FORMS), "all of it was printed, and all of it masked"

    for where, listener in listeners.items():
        heard = listener.end()
        assert b"***" in heard
        assert_no_secret(where, heard)
    for path in (
        f"/api/runs/{run}",
        "/api/runs",
        "/api/secrets",
        f"/api/jobs/{shown['jobs'][0]['id']}",
        "/api/agents",
    ):
        assert_no_secret(path, house.client.get(path).content)
    assert_no_secret("raw log", house.output(log, None))
    assert_no_secret("tailrace logs", tailrace(house, "logs", str(run)).stdout)
    wait_for(lambda: house.attempt(run)["log_state"] == "sealed", "the log to be in the archive")
    assert_no_secret("archived log", house.output(log, None))
    kept = {path: unpacked(data) for path, data in contents(house.folder).items() if path != listed}
    assert any(path.name == "tailrace.db" for path in kept)
    assert any(b"<***> and " in data for path, data in kept.items() if "archive" in path.parts)
    for path, data in kept.items():
        assert_no_secret(str(path), data)
    assert attempt["exit_code"] == 2


def test_a_job_with_a_secret_that_is_not_set_ends_and_says_what_to_do(home: House) -> None:
    """It hangs nowhere; once the secret is set, the next run passes."""
    project = home.project()
    name = home.get(f"/api/projects/{project}")["name"]
    plan = home.script_plan('test "$MISSING_ONE" = "here now"', project=project, secrets=["MISSING_ONE"])
    job = home.wait_state(home.run(plan), "failed")["jobs"][0]
    assert job["reason"] == "setup_failed"
    assert "not set: MISSING_ONE;" in job["detail"]
    assert f"tailrace secret set NAME --project {name}" in job["detail"]
    assert tailrace(home, "secret", "set", "MISSING_ONE", "--project", name, given="here now").returncode == 0
    home.wait_state(home.run(plan), "passed")


def test_a_project_s_own_secret_wins(home: House) -> None:
    """And no other project gets it."""
    one, two = home.project(), home.project()
    for project, value in ((None, "for all of them"), (one, "of one alone")):
        body = {"name": "WHOSE", "value": value, "project": project}
        answer = home.client.post("/api/secrets", json=body)
        assert answer.status_code == 201, answer.text
    for project, value in ((one, "of one alone"), (two, "for all of them")):
        plan = home.script_plan(f'test "$WHOSE" = "{value}"', project=project, secrets=["WHOSE"])
        home.wait_state(home.run(plan), "passed")


def test_the_api_takes_secrets_and_never_gives_them(home: House) -> None:
    """Made, replaced, listed, removed; what cannot be is refused without a word of the value."""
    project = home.project()

    def post(**body: Any) -> tuple[int, dict[str, Any], str]:
        answer = home.client.post("/api/secrets", json={"project": project, **body})
        return answer.status_code, answer.json(), answer.text

    status, made, text = post(name="A_TOKEN", value="hush hush")
    assert (status, made["name"], made["project"], made["warnings"]) == (201, "A_TOKEN", project, [])
    assert "hush" not in text
    status, again, _ = post(name="A_TOKEN", value="hush\nlonger line")
    assert (status, again["id"]) == (200, made["id"])
    assert again["warnings"] == ["line 1 has fewer than 6 characters: not masked where it is printed alone"]
    listed = home.get("/api/secrets", project=project)
    assert again in listed["items"]
    assert listed["next"] is None
    for body in (
        {"name": "A-B", "value": "hush hush"},
        {"name": "TAILRACE_A", "value": "hush hush"},
        {"name": "A" * 101, "value": "hush hush"},
        {"name": "A", "value": "hush\0hush"},
        {"name": "A", "value": ""},
        {"name": "A", "value": "hush" * 20_000},
        {"name": "A", "value": ["hush"]},
        {"name": "A", "value": "hush hush", "hush": "hush"},
    ):
        status, _, text = post(**body)
        assert status in (400, 422), body["name"]
        assert "hush hush" not in text
    assert (
        home.client.post(
            "/api/secrets", json={"name": "A", "value": "hush hush", "project": 10**9}
        ).status_code
        == 404
    )
    assert home.client.delete(f"/api/secrets/{made['id']}").status_code == 204
    assert home.client.delete(f"/api/secrets/{made['id']}").status_code == 404
    assert home.client.get("/api/secrets", headers={"Authorization": "Bearer no"}).status_code == 401


def test_the_commands(home: House) -> None:
    """Set from standard input, listed, removed; exit statuses as a shell wants them."""
    project = home.project()
    name = home.get(f"/api/projects/{project}")["name"]
    of = ("--project", name)
    done = tailrace(home, "secret", "set", "SHORT", *of, "--json", given="abc\n")
    assert done.returncode == 0
    assert json.loads(done.stdout)["warnings"] == ["it has fewer than 6 characters: it is not masked"]
    assert "SHORT: it has fewer than 6 characters" in done.stderr
    listed = json.loads(tailrace(home, "secret", "list", *of, "--json").stdout)
    assert [one["name"] for one in listed if one["project"] == project] == ["SHORT"]
    assert "SHORT" in tailrace(home, "secret", "list").stdout
    wrong = tailrace(home, "secret", "remove", "OTHER", *of)
    assert (wrong.returncode, "there is no secret 'OTHER'" in wrong.stderr) == (2, True)
    assert tailrace(home, "secret", "remove", "SHORT").returncode == 2, "it is no secret for all"
    assert tailrace(home, "secret", "remove", "SHORT", *of).returncode == 0
    assert tailrace(home, "secret", "set", "1X", given="value").returncode == 2
    assert tailrace(home, "secret", "set", "X", "the-value", given="").returncode != 0, "never an argument"


def test_a_prompt_does_not_echo(home: House) -> None:
    """At a terminal the value is asked for, and does not appear."""
    terminal, end = pty.openpty()
    process = subprocess.Popen(
        [sys.executable, "-m", "tailrace", "secret", "set", "PROMPTED"],
        env={**os.environ, **home.environment},
        stdin=end,
        stdout=end,
        stderr=end,
        start_new_session=True,
        preexec_fn=lambda: __import__("fcntl").ioctl(0, __import__("termios").TIOCSCTTY, 0),
    )
    os.close(end)
    seen = bytearray()

    def asked() -> bool:
        seen.extend(os.read(terminal, 1000))
        return b"Value of PROMPTED: " in seen

    wait_for(asked, "the prompt")
    os.write(terminal, b"typed by hand\n")
    assert process.wait(60) == 0
    try:
        while block := os.read(terminal, 1000):
            seen.extend(block)
    except OSError:
        pass  # the terminal is gone with its last process
    os.close(terminal)
    assert b"typed" not in seen
    assert "PROMPTED" in [one["name"] for one in home.get("/api/secrets")["items"]]
