"""Steps that move artifacts, against a server that answers as it is told."""

from __future__ import annotations

import asyncio
import hashlib
import json
from collections.abc import AsyncGenerator, Callable
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any
from urllib.parse import unquote

import pytest

from tailrace.domain.outcome import Reason
from tailrace.domain.plan import ArtifactsStep, FetchStep, RunStep
from tailrace.runner.artifacts import ArtifactsPlace, move_artifacts
from tailrace.runner.failure import StepFailed
from tailrace.runner.handover import Access, put_into_pipe, split_access, take_from_pipe, with_access
from tailrace.runner.shelf import Shelf
from tailrace.runner.stop import Stop
from tests.unit.runner.bench import Bench

Answer = Callable[[str, str, bytes], tuple[int, bytes]]
KEEP = ArtifactsStep(name="keep", paths=("**",))
FETCH = FetchStep(name="fetch", job="build")


@asynccontextmanager
async def server(answer: Answer) -> AsyncGenerator[tuple[Access, list[str]]]:
    """An HTTP server; what it was asked, in order."""
    asked: list[str] = []

    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        try:
            while head := await reader.readuntil(b"\r\n\r\n"):
                method, path = head.decode().split(" ")[:2]
                length = next(
                    (
                        int(line.split(":")[1])
                        for line in head.decode().lower().splitlines()
                        if line.startswith("content-length")
                    ),
                    0,
                )
                body = await reader.readexactly(length)
                asked.append(f"{method} {path.removeprefix('/agent/v1/artifacts/7')}")
                status, content = answer(method, path, body)
                kind = b"application/problem+json" if status >= 400 else b"application/json"
                writer.write(
                    b"HTTP/1.1 %d X\r\nContent-Type: %b\r\nContent-Length: %d\r\n\r\n%b"
                    % (status, kind, len(content), content)
                )
                await writer.drain()
        except (asyncio.IncompleteReadError, ConnectionError):
            writer.close()

    listening = await asyncio.start_server(serve, "127.0.0.1", 0)
    async with listening:
        port = listening.sockets[0].getsockname()[1]
        yield Access(f"http://127.0.0.1:{port}", "token"), asked


async def moved(step: ArtifactsStep | FetchStep, place: ArtifactsPlace) -> tuple[bool, list[str]]:
    said: list[str] = []
    return await move_artifacts(step, place, Stop(), said.append), said


def always(content: object) -> Answer:
    return lambda _method, _path, _body: (200, json.dumps(content).encode())


def all_wanted(body: bytes) -> bytes:
    files = json.loads(body)["files"]
    return json.dumps(
        {"files": [{"id": number, "path": file["path"], "wanted": True} for number, file in enumerate(files)]}
    ).encode()


async def test_a_file_that_changed_while_it_was_kept_is_said_to_have(tmp_path: Path) -> None:
    """Not tried again: it would never be what was announced."""
    (tmp_path / "f").write_text("first")

    def answer(method: str, path: str, body: bytes) -> tuple[int, bytes]:
        if method == "POST":
            (tmp_path / "f").write_text("other")
            return 200, all_wanted(body)
        return 422, b'{"detail": "other bytes came"}'

    async with server(answer) as (access, asked):
        with pytest.raises(StepFailed, match="f changed while it was being kept: other bytes came") as caught:
            await moved(KEEP, ArtifactsPlace(tmp_path, 7, access))
    assert caught.value.outcome.reason == Reason.ARTIFACTS_UNREADABLE
    assert asked == ["POST ", "PUT /0"]


async def test_a_file_that_became_shorter_is_said_to_have(tmp_path: Path) -> None:
    (tmp_path / "f").write_text("first")

    def answer(method: str, path: str, body: bytes) -> tuple[int, bytes]:
        (tmp_path / "f").write_text("")
        return 200, all_wanted(body)

    async with server(answer) as (access, _):
        with pytest.raises(StepFailed, match="has become shorter"):
            await moved(KEEP, ArtifactsPlace(tmp_path, 7, access))


async def test_bytes_that_went_wrong_on_their_way_are_sent_again(tmp_path: Path) -> None:
    """Some times; then the step fails."""
    (tmp_path / "f").write_text("first")
    good = 0

    def answer(method: str, path: str, body: bytes) -> tuple[int, bytes]:
        nonlocal good
        if method == "POST":
            return 200, all_wanted(body)
        good -= 1
        return (204, b"") if good == 0 else (422, b'{"detail": "other bytes came"}')

    async with server(answer) as (access, asked):
        good = 3
        assert await moved(KEEP, ArtifactsPlace(tmp_path, 7, access)) == (True, ["kept 1 file, 5 bytes"])
        assert asked.count("PUT /0") == 3
        with pytest.raises(StepFailed) as caught:
            await moved(KEEP, ArtifactsPlace(tmp_path, 7, access))
    assert caught.value.outcome.reason == Reason.ARTIFACTS_DAMAGED


async def test_a_server_that_is_busy_is_asked_again_and_one_that_refuses_is_not(tmp_path: Path) -> None:
    """A 500 that is no problem document is a failure of the server's own; one with words is meant."""
    (tmp_path / "f").write_text("first")
    answers = [(503, b'{"detail": "the archive is away"}'), (401, b'{"detail": "this token is unknown"}')]

    async with server(lambda _method, _path, _body: answers.pop(0)) as (access, _):
        said: list[str] = []
        with pytest.raises(StepFailed, match="the server refused: this token is unknown") as caught:
            await move_artifacts(KEEP, ArtifactsPlace(tmp_path, 7, access), Stop(), said.append)
    assert caught.value.outcome.reason == Reason.ARTIFACTS_REFUSED
    assert said == ["the server cannot move artifacts now: the archive is away; trying again"]


async def test_an_abort_is_heard_while_the_server_is_away(tmp_path: Path) -> None:
    (tmp_path / "f").write_text("first")
    stop = Stop()
    said: list[str] = []

    def say(text: str) -> None:
        said.append(text)
        stop.abort("Kim")

    place = ArtifactsPlace(tmp_path, 7, Access("http://127.0.0.1:9", "token"))
    assert not await move_artifacts(KEEP, place, stop, say)
    assert "does not answer" in said[0]


async def test_a_step_waits_no_longer_than_its_timeout(tmp_path: Path) -> None:
    (tmp_path / "f").write_text("first")
    place = ArtifactsPlace(tmp_path, 7, Access("http://127.0.0.1:9", "token"))
    with pytest.raises(StepFailed) as caught:
        await moved(KEEP.model_copy(update={"timeout_s": 1}), place)
    assert caught.value.outcome.reason == Reason.TIMEOUT


@pytest.mark.parametrize("sent", [b"", b"righ", b"wrong", b"right and more"])
async def test_what_is_fetched_is_what_was_kept_or_nothing(tmp_path: Path, sent: bytes) -> None:
    """No part of a file is left in the workspace."""
    offered: dict[str, Any] = {
        "id": 3,
        "path": "d/f",
        "size": 5,
        "sha256": hashlib.sha256(b"right").hexdigest(),
    }

    def answer(method: str, path: str, body: bytes) -> tuple[int, bytes]:
        return 200, json.dumps({"files": [offered]}).encode() if path.endswith("/of/build") else sent

    async with server(answer) as (access, asked):
        with pytest.raises(StepFailed) as caught:
            await moved(FETCH, ArtifactsPlace(tmp_path, 7, access))
    assert caught.value.outcome.reason == Reason.ARTIFACTS_DAMAGED
    assert asked.count("GET /3") == 3
    assert list((tmp_path / "d").iterdir()) == []


async def test_what_the_jobs_of_a_matrix_kept_comes_into_a_folder_for_each(tmp_path: Path) -> None:
    """Also where their names mean something in an address."""
    step = FetchStep(name="fetch", job="build", jobs=("build (a/b?)", "build (c)"), to="got", paths=("d/*",))
    kept = {"build (a/b?)": (1, b"first"), "build (c)": (2, b"second")}

    def answer(method: str, path: str, body: bytes) -> tuple[int, bytes]:
        of = path.partition("/of/")[2]
        if not of:
            return 200, next(data for id, data in kept.values() if path.endswith(f"/{id}"))
        assert "/" not in of
        id, data = kept[unquote(of)]
        file = {"id": id, "path": "d/f", "size": len(data), "sha256": hashlib.sha256(data).hexdigest()}
        return 200, json.dumps({"files": [file, {**file, "id": 9, "path": "other"}]}).encode()

    async with server(answer) as (access, _):
        passed, said = await moved(step, ArtifactsPlace(tmp_path, 7, access))
    assert passed
    assert said == ["fetched 2 files, 11 bytes, from 2 jobs of matrix build"]
    assert (tmp_path / "got/build (a/b?)/d/f").read_bytes() == b"first"
    assert (tmp_path / "got/build (c)/d/f").read_bytes() == b"second"


@pytest.mark.parametrize("path", ["../f", "/f", "a/../../f"])
async def test_a_server_cannot_name_a_path_outside_the_workspace(tmp_path: Path, path: str) -> None:
    """Its answer is not understood; nothing is asked for, and nothing is written."""
    offered = {"id": 3, "path": path, "size": 0, "sha256": "0" * 64}
    workspace = tmp_path / "workspace"
    workspace.mkdir()
    async with server(always({"files": [offered]})) as (access, asked):
        with pytest.raises(StepFailed, match=r"leaves its folder|begins with /"):
            await moved(FETCH, ArtifactsPlace(workspace, 7, access))
    assert asked == ["GET /of/build"]
    assert list(tmp_path.rglob("*")) == [workspace]


async def test_more_than_the_disk_holds_is_not_begun_with(tmp_path: Path) -> None:
    offered = {"id": 3, "path": "f", "size": 1 << 40, "sha256": "0" * 64}
    async with server(always({"files": [offered] * 1000})) as (access, asked):
        with pytest.raises(StepFailed) as caught:
            await moved(FETCH, ArtifactsPlace(tmp_path, 7, access))
    assert caught.value.outcome.reason == Reason.OUT_OF_DISK
    assert asked == ["GET /of/build"]


async def test_names_that_cannot_be_kept_are_told(tmp_path: Path) -> None:
    """A file of such a name that no pattern means is nobody's business."""
    (tmp_path / "d").mkdir()
    (tmp_path / "d" / "a\\b").touch()
    (tmp_path / "f").touch()
    (tmp_path / "shelves").mkdir()
    place = ArtifactsPlace(tmp_path, 7, None, "job", tmp_path / "shelves")
    assert (await moved(ArtifactsStep(name="keep", paths=("f",)), place))[0]
    with pytest.raises(StepFailed, match=r"the file 'd/a\\\\b' cannot be kept: its name holds a backslash"):
        await moved(KEEP, place)


async def test_without_a_server_the_run_keeps_them_itself(own: Bench) -> None:
    """Where it has a place for them; a name with a slash or dots leads nowhere else."""
    made = own.attempt("echo one > f; ln -s f l", steps=(KEEP,))
    assert (await own.carry(made)).outcome.reason == "setup_failed"
    (own.folder / "artifacts").mkdir()
    made = own.attempt("echo one > f; ln -s f l", steps=(KEEP,))
    assert (await own.carry(made)).outcome.state == "passed"
    assert "kept 1 file, 4 bytes, for this run alone" in made.system
    assert "left out: 'l' is a link, which is not followed" in made.system
    made = own.attempt("true", steps=(FetchStep(name="fetch", job="test"), RunStep(name="look", run="cat f")))
    assert (await own.carry(made)).outcome.state == "passed"
    assert made.stdout == b"one\n"
    made = own.attempt("true", steps=(FETCH,))
    assert (await own.carry(made)).outcome.reason == "artifacts.missing"


@pytest.mark.parametrize("job", ["..", ".", "...", "../other", "a/b", "/tmp"])
def test_a_shelf_is_a_folder_of_its_own(tmp_path: Path, job: str) -> None:
    place = Shelf(tmp_path, job).path
    assert place.resolve().parent == place.parent == tmp_path.resolve()


async def test_no_step_gets_the_runners_token(bench: Bench) -> None:
    """It comes by the pipe of the secrets, and goes no further."""
    made = bench.attempt("env; cat /proc/$PPID/environ | tr '\\0' '\\n'")
    access = Access("http://127.0.0.1:9", "the-token-of-this-attempt")
    assert (await bench.carry(made, with_access({}, access))).outcome.state == "passed"
    assert b"TAILRACE_ACCESS" not in made.stdout
    assert b"the-token" not in made.stdout


def test_access_is_handed_over_beside_secrets() -> None:
    access = Access("https://ci.example.org", "token")
    handed = take_from_pipe(put_into_pipe(with_access({"A": "1"}, access)))
    assert split_access(handed) == ({"A": "1"}, access)
    assert split_access({"A": "1"}) == ({"A": "1"}, None)
