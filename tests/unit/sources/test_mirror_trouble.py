"""Mirrors when things go wrong: damage on disk, servers that refuse, hang or ask for a password."""

from __future__ import annotations

import asyncio
import contextlib
import os
import shutil
import threading
from collections.abc import Callable, Iterator
from functools import partial
from http.server import SimpleHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import psutil
import pytest

from tailrace.domain.errors import SourceUnreachable
from tailrace.sources.git import run_git
from tailrace.sources.mirror import Mirrors

from .conftest import Repository


class _Server(ThreadingHTTPServer):
    def handle_error(self, request: object, client_address: object) -> None:
        """A git that was ended does not hear the answer."""


class Web:
    """A web server that serves repositories as files, and counts who asks what is there."""

    def __init__(self, folder: Path) -> None:
        self.asked = 0
        self.status = 200
        self.hang = False
        self.hang_objects = False
        self.sending = threading.Event()
        self.asking = threading.Event()
        self.released = threading.Event()
        web = self

        class Handler(SimpleHTTPRequestHandler):
            def do_GET(self) -> None:
                if "/info/refs" in self.path:
                    web.asked += 1
                    web.asking.set()
                if "/objects/" in self.path:
                    web.sending.set()
                if web.hang or (web.hang_objects and "/objects/" in self.path):
                    web.released.wait(60)
                if web.status != 200:
                    self.send_response(web.status)
                    self.send_header("WWW-Authenticate", 'Basic realm="mill"')
                    self.end_headers()
                    return
                super().do_GET()

            def log_message(self, format: str, *args: object) -> None:
                pass

        self.server = _Server(("127.0.0.1", 0), partial(Handler, directory=str(folder)))
        self.host = f"127.0.0.1:{self.server.server_address[1]}"
        threading.Thread(target=partial(self.server.serve_forever, 0.02), daemon=True).start()


@pytest.fixture
def web(tmp_path: Path) -> Iterator[Web]:
    (tmp_path / "repositories").mkdir(exist_ok=True)
    web = Web(tmp_path / "repositories")
    yield web
    web.released.set()
    web.server.shutdown()
    web.server.server_close()


def gits() -> list[psutil.Process]:
    """Every git below this process, and what it started."""
    found: list[psutil.Process] = []
    for process in psutil.Process().children(recursive=True):
        with contextlib.suppress(psutil.NoSuchProcess):
            if process.name().startswith("git") and process.status() != psutil.STATUS_ZOMBIE:
                found.append(process)
    return found


def the_mirror(tmp_path: Path) -> Path:
    (place,) = (tmp_path / "mirrors").glob("*.git")
    return place


async def test_those_who_wait_for_a_fetch_do_not_fetch_again(
    repository: Repository, mirrors: Mirrors, web: Web
) -> None:
    tip = repository.commit("One")
    repository.git("update-server-info")
    address = f"http://{web.host}/wheel/.git"
    await mirrors.resolve(address, tip)
    alone, web.asked = web.asked, 0
    tip = repository.commit("Two")
    repository.git("update-server-info")
    commits = await asyncio.gather(*(mirrors.resolve(address, tip) for _ in range(20)))
    assert {commit.revision for commit in commits} == {tip}
    assert 1 <= web.asked <= alone


async def test_a_fetch_goes_on_when_who_asked_for_it_has_no_more_time(
    repository: Repository, mirrors: Mirrors, web: Web, tmp_path: Path
) -> None:
    """A first fetch may take minutes: whoever asks again finds what it brought."""
    tip = repository.commit("One")
    repository.git("update-server-info")
    address = f"http://{web.host}/wheel/.git"
    web.hang_objects = True
    task = asyncio.create_task(mirrors.resolve(address, tip))
    await asyncio.to_thread(web.sending.wait, 20)
    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await task
    asked = web.asked
    again = asyncio.create_task(mirrors.resolve(address, tip))
    web.released.set()
    assert (await again).title == "One"
    assert web.asked == asked


async def test_an_unknown_repository_is_named_with_gits_reason(mirrors: Mirrors, tmp_path: Path) -> None:
    with pytest.raises(
        SourceUnreachable, match=f"repository {tmp_path}/none cannot be read: .*not appear to be a"
    ):
        await mirrors.resolve(f"{tmp_path}/none")


async def test_a_server_that_asks_for_a_password_gets_none_and_nobody_is_prompted(
    mirrors: Mirrors, web: Web, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    asked = tmp_path / "asked"
    helper = tmp_path / "askpass"
    helper.write_text(f"#!/bin/sh\ntouch {asked}\necho sesame\n")
    helper.chmod(0o755)
    monkeypatch.setenv("SSH_ASKPASS", str(helper))
    monkeypatch.setenv("GIT_ASKPASS", str(helper))
    web.status = 401
    with pytest.raises(SourceUnreachable, match=r"could not read Username.*terminal prompts disabled"):
        await mirrors.resolve(f"http://{web.host}/wheel/.git")
    assert not asked.exists()


async def test_a_password_in_an_address_is_in_no_message(mirrors: Mirrors, web: Web) -> None:
    web.status = 403
    with pytest.raises(SourceUnreachable) as refused:
        await mirrors.resolve(f"http://miller:sesame@{web.host}/wheel/.git")
    assert "sesame" not in str(refused.value)
    assert web.host in str(refused.value)


async def test_a_password_is_in_no_command_line(mirrors: Mirrors, web: Web) -> None:
    """Git's own helper for http gets the address as an argument, but without the password."""
    web.hang = True
    task = asyncio.create_task(mirrors.resolve(f"http://miller:sesame@{web.host}/wheel/.git"))
    await asyncio.to_thread(web.asking.wait, 60)
    commands = [" ".join(process.cmdline()) for process in gits()]
    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await task
    assert commands
    assert not any("ls-remote" in command and "sesame" in command for command in commands)


async def test_cancelling_ends_git_and_all_it_started(mirrors: Mirrors, web: Web) -> None:
    web.hang = True
    task = asyncio.create_task(mirrors.resolve(f"http://{web.host}/wheel/.git"))
    await asyncio.to_thread(web.asking.wait, 60)
    started = gits()
    assert len(started) >= 2  # git and its helper for http
    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await task
    await asyncio.to_thread(psutil.wait_procs, started, 60)
    assert not [p for p in started if p.is_running() and p.status() != psutil.STATUS_ZOMBIE]


async def test_a_server_that_hangs_is_unreachable_after_the_timeout(web: Web, tmp_path: Path) -> None:
    web.hang = True
    with pytest.raises(SourceUnreachable, match=r"git ls-remote did not end within 0.3 s"):
        await Mirrors(tmp_path / "mirrors", timeout=0.3).resolve(f"http://{web.host}/wheel/.git")


async def test_a_machine_without_git_says_so(
    mirrors: Mirrors, repository: Repository, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("PATH", "/nowhere")
    with pytest.raises(SourceUnreachable, match="install git"):
        await mirrors.resolve(repository.address)


async def test_a_failed_first_fetch_leaves_nothing_half_made(
    mirrors: Mirrors, repository: Repository, tmp_path: Path
) -> None:
    repository.commit("One", {"a": b"1"})
    blob = repository.git("rev-parse", "HEAD:a")
    damaged = repository.place / ".git" / "objects" / blob[:2] / blob[2:]
    kept = damaged.read_bytes()
    damaged.unlink()
    with pytest.raises(SourceUnreachable):
        await mirrors.resolve(repository.address)
    assert [p.suffix for p in (tmp_path / "mirrors").iterdir()] == [".gitconfig"]
    damaged.write_bytes(kept)
    assert (await mirrors.resolve(repository.address)).title == "One"


def cut_objects(mirror: Path) -> None:
    for file in (*mirror.glob("objects/??/*"), *mirror.glob("objects/pack/*.pack")):
        file.chmod(0o600)
        os.truncate(file, 10)


def lose_objects(mirror: Path) -> None:
    for file in mirror.glob("objects/??/*"):
        file.unlink()


DAMAGE: dict[str, Callable[[Path], object]] = {
    "no HEAD": lambda mirror: (mirror / "HEAD").unlink(),
    "empty": lambda mirror: (shutil.rmtree(mirror), mirror.mkdir()),
    "no objects": lambda mirror: shutil.rmtree(mirror / "objects"),
    "objects lost": lose_objects,
    "objects cut": cut_objects,
    "refs of nonsense": lambda mirror: (mirror / "packed-refs").write_text("nonsense"),
    "config of nonsense": lambda mirror: (mirror / "config").write_text("[nonsense"),
    "left locked": lambda mirror: [
        (mirror / name).touch() for name in ("packed-refs.lock", "refs/heads/main.lock", "shallow.lock")
    ],
}


@pytest.mark.parametrize("damage", DAMAGE)
async def test_a_damaged_mirror_is_made_anew(
    damage: str, mirrors: Mirrors, repository: Repository, tmp_path: Path
) -> None:
    first = repository.commit("One", {"a": b"1"})
    await mirrors.resolve(repository.address)
    DAMAGE[damage](the_mirror(tmp_path))
    second = repository.commit("Two", {"a": b"2"})
    assert (await mirrors.resolve(repository.address, second)).title == "Two"
    assert await mirrors.read_file(repository.address, first, "a") == b"1"
    assert await mirrors.read_file(repository.address, second, "a") == b"2"
    assert sorted(p.suffix for p in (tmp_path / "mirrors").iterdir()) == [".git", ".gitconfig"]


async def test_one_lost_file_is_fetched_again(
    mirrors: Mirrors, repository: Repository, tmp_path: Path
) -> None:
    tip = repository.commit("One", {"a": b"1"})
    await mirrors.resolve(repository.address)
    blob = repository.git("rev-parse", "HEAD:a")
    (the_mirror(tmp_path) / "objects" / blob[:2] / blob[2:]).unlink()
    assert await mirrors.read_file(repository.address, tip, "a") == b"1"


async def test_a_damaged_mirror_stays_while_its_repository_cannot_be_reached(
    mirrors: Mirrors, repository: Repository, tmp_path: Path
) -> None:
    repository.commit("One")
    await mirrors.resolve(repository.address)
    repository.vanish()
    with pytest.raises(SourceUnreachable):
        await mirrors.resolve(repository.address, "a" * 40)
    assert the_mirror(tmp_path).is_dir()


async def test_only_the_allowed_protocols_reach_a_transport(tmp_path: Path) -> None:
    """The second lock behind the check of addresses."""
    config = tmp_path / "config"
    config.write_text(
        f'[remote "origin"]\n\turl = "ext::touch {tmp_path}/touched"\n[protocol]\n\tallow = always\n'
    )
    answer = await run_git("ls-remote", "origin", folder=tmp_path, config=config, seconds=20)
    assert answer.why == "transport 'ext' not allowed"
    assert not (tmp_path / "touched").exists()
