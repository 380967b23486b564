"""The way to a repository: past the guard, by the address, at each redirect, and for each program that goes there."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager
from functools import partial
from http.server import SimpleHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from threading import Thread

import pytest

from tailrace.domain.credentials import Credentials, Opener, Remote
from tailrace.domain.errors import SourceUnreachable
from tailrace.guard import Guard, TargetRefused, TargetUnknown
from tailrace.sources.mirror import Mirrors
from tailrace.sources.subversion import Subversion
from tailrace.sources.ways import UNGUARDED, Ways
from tests.support.lying_server import lying, moved, ok
from tests.support.svn import SvnRepository, served, with_login

from .conftest import Repository

CLOSED = Ways(Guard.allowing("repository_allowed", [], own_networks=True))
HERE = Ways(Guard.allowing("repository_allowed", ["127.0.0.1"], own_networks=True))
"""127.0.0.1 is allowed; 127.0.0.2 stands for what is not."""
FOR_GOOD = "301 Moved Permanently"
"""The redirect that svn follows."""


@asynccontextmanager
async def web(folder: Path) -> AsyncGenerator[tuple[str, list[str]]]:
    """A web server that has repositories as files: HOST:PORT, and what it was asked for."""
    asked: list[str] = []

    class Handler(SimpleHTTPRequestHandler):
        def do_GET(self) -> None:
            asked.append(self.path)
            super().do_GET()

        def log_message(self, format: str, *args: object) -> None:
            pass

    server = ThreadingHTTPServer(("127.0.0.1", 0), partial(Handler, directory=str(folder)))
    Thread(target=partial(server.serve_forever, 0.02), daemon=True).start()
    yield f"127.0.0.1:{server.server_address[1]}", asked
    server.shutdown()
    server.server_close()


async def _says(host: str, port: int, request: str) -> str:
    """What a proxy or server answers to the raw request, to the end."""
    reader, writer = await asyncio.open_connection(host, port)
    writer.write(request.encode())
    answer = (await reader.read()).decode()
    writer.close()
    return answer


async def test_a_repository_on_this_machine_s_loopback_is_not_asked(
    repository: Repository, tmp_path: Path
) -> None:
    """The sentence names the machine, why, and what an admin can do."""
    tip = repository.commit("One")
    async with web(repository.place.parent) as (host, asked):
        for address in (f"http://{host}/wheel/.git", f"git://{host}/wheel"):
            with pytest.raises(SourceUnreachable, match=r"127\.0\.0\.1 is a loopback.*repository_allowed"):
                await Mirrors(tmp_path / "mirrors", ways=CLOSED).resolve(address, tip)
    assert asked == []


async def test_a_repository_that_an_admin_allows_is_mirrored(repository: Repository, tmp_path: Path) -> None:
    """Through the proxy: what the repository is asked is the same."""
    tip = repository.commit("One", {"file": b"one"})
    repository.git("update-server-info")
    mirrors = Mirrors(tmp_path / "mirrors", ways=HERE)
    async with web(repository.place.parent) as (host, asked):
        address = f"http://{host}/wheel/.git"
        assert (await mirrors.resolve(address)).revision == tip
        assert await mirrors.read_file(address, tip, "file") == b"one"
        assert "/wheel/.git/info/refs?service=git-upload-pack" in asked


async def test_a_redirect_leads_nowhere_that_the_guard_does_not_allow(tmp_path: Path) -> None:
    """Neither git nor svn; the reason is that of the guard."""
    async with lying("127.0.0.2") as inside, lying() as liar:
        inside_url = f"http://127.0.0.2:{inside.port}"
        liar.answer = lambda request: moved(f"{inside_url}{request.split()[1]}")
        with pytest.raises(
            SourceUnreachable, match=r"127\.0\.0\.2 is a loopback address.*repository_allowed"
        ):
            await Mirrors(tmp_path, ways=HERE).resolve(f"http://127.0.0.1:{liar.port}/wheel.git")
        assert "/wheel.git/info/refs" in liar.asked[0]
        liar.answer = lambda _request: moved(f"{inside_url}/wheels", FOR_GOOD)
        with pytest.raises(SourceUnreachable, match=r"127\.0\.0\.2 is a loopback address"):
            await Subversion(tmp_path, ways=HERE).resolve(f"svn+http://127.0.0.1:{liar.port}/wheels")
        assert "OPTIONS /wheels" in liar.asked[-1]
        assert "Proxy-" not in liar.asked[-1]
    assert inside.asked == []


@pytest.mark.parametrize("in_address", [True, False])
async def test_svn_shows_a_password_to_the_address_alone(tmp_path: Path, in_address: bool) -> None:
    """It would show it to every server that it is redirected to, in the address or in a secret."""
    async with lying() as thief, lying() as liar:
        thief.answer = lambda _request: (
            b'HTTP/1.1 401 No\r\nWWW-Authenticate: Basic realm="x"\r\nContent-Length: 0\r\n\r\n'
        )
        there = f"http://127.0.0.1:{thief.port}/wheels"
        liar.answer = lambda _request: moved(there, FOR_GOOD)
        login = "kim:hush@" if in_address else ""
        address = f"svn+http://{login}127.0.0.1:{liar.port}/wheels"
        named = Opener(Credentials(secret="SVN", user="kim"), "shop", "secret/7/SVN", "hush")
        with pytest.raises(SourceUnreachable) as refused:
            await Subversion(tmp_path, ways=HERE).resolve(Remote(address, None if in_address else named))
        assert "OPTIONS /wheels" in liar.asked[0]
        assert thief.asked == []
        told = f"127.0.0.1:{thief.port} is not 127.0.0.1:{liar.port}, and the login is for that alone"
        assert told in str(refused.value)
        with pytest.raises(SourceUnreachable):
            await Subversion(tmp_path, ways=HERE).resolve(f"svn+http://127.0.0.1:{liar.port}/wheels")
        assert "OPTIONS /wheels" in thief.asked[0], "without a login a redirect is followed"


async def test_a_redirect_to_what_is_allowed_is_followed(repository: Repository, tmp_path: Path) -> None:
    """As that of a project which was renamed."""
    tip = repository.commit("One")
    repository.git("update-server-info")
    async with web(repository.place.parent) as (host, _), lying() as liar:
        liar.answer = lambda request: moved(f"http://{host}{request.split()[1].replace('old', 'wheel/.git')}")
        found = await Mirrors(tmp_path / "m", ways=HERE).resolve(f"http://127.0.0.1:{liar.port}/old")
    assert found.revision == tip


async def test_subversion_s_own_protocol_is_guarded_too(tmp_path: Path) -> None:
    repository = SvnRepository(tmp_path / "wheels")
    repository.commit("One", {"trunk/file": "one"})
    with served(repository) as address:
        with pytest.raises(SourceUnreachable, match="loopback"):
            await Subversion(tmp_path / "svn", ways=CLOSED).resolve(address)
        assert (await Subversion(tmp_path / "svn", ways=HERE).resolve(with_login(address))).revision == "2"


async def test_the_disk_of_this_machine_needs_no_way(repository: Repository, tmp_path: Path) -> None:
    """A path is no request: `tailrace up` registers a checkout like this."""
    tip = repository.commit("One")
    for number, address in enumerate((repository.address, f"file://{repository.address}")):
        mirrors = Mirrors(tmp_path / f"mirrors-{number}", ways=CLOSED)
        assert (await mirrors.resolve(address)).revision == tip


async def test_networks_of_ones_own_are_where_repositories_lie() -> None:
    """Forges of companies are there; a cloud's metadata is not let through with them."""
    for address in ("ssh://git@10.1.2.3/a/b", "git@192.168.0.7:a/b.git", "svn://172.16.3.4/a"):
        async with CLOSED.to(address) as way:
            assert way.proxy is None
    for address in ("http://169.254.169.254/latest", "git@100.100.100.200:a", "svn+https://[::1]/a"):
        with pytest.raises(TargetRefused):
            async with CLOSED.to(address):
                pass


async def test_a_name_that_nobody_knows_is_told_but_for_ssh() -> None:
    """Whose own settings may know it."""
    with pytest.raises(TargetUnknown, match=r"nobody\.invalid cannot be resolved"):
        async with CLOSED.to("https://nobody.invalid/a"):
            pass
    async with CLOSED.to("git@nobody.invalid:a/b") as way:
        assert way.proxy is None


async def test_a_tunnel_ends_where_the_guard_says() -> None:
    """That is how https goes; the bytes are passed on as they are."""
    async with lying() as liar, HERE.to(f"https://127.0.0.1:{liar.port}/a") as way:
        assert way.proxy is not None
        host, _, port = way.proxy.partition(":")
        liar.answer = lambda _request: ok(b"through")
        tunnel = f"CONNECT 127.0.0.1:{liar.port} HTTP/1.1\r\nHost: x\r\n\r\nGET / HTTP/1.1\r\n\r\n"
        said = await _says(host, int(port), tunnel)
        assert said.startswith("HTTP/1.1 200 Connection established\r\n\r\nHTTP/1.1 200 OK")
        assert said.endswith("through")
        assert way.refused == []
        said = await _says(host, int(port), f"CONNECT 127.0.0.2:{liar.port} HTTP/1.1\r\nHost: x\r\n\r\n")
        assert said.startswith("HTTP/1.1 403 ")
        assert "loopback" in way.refused[0]
    with pytest.raises(ConnectionRefusedError):
        await _says(host, int(port), "CONNECT 127.0.0.1:1 HTTP/1.1\r\n\r\n")


@pytest.mark.parametrize(
    "request_line",
    ["GET / HTTP/1.1", "GET ftp://127.0.0.1/ HTTP/1.1", "nonsense", "CONNECT 127.0.0.1:port HTTP/1.1"],
)
async def test_what_is_no_request_to_a_proxy_gets_no_answer(request_line: str) -> None:
    async with HERE.to("http://127.0.0.1/a") as way:
        assert way.proxy is not None
        host, _, port = way.proxy.partition(":")
        assert await _says(host, int(port), f"{request_line}\r\n\r\n") == ""


async def test_a_server_that_is_not_there_is_told(tmp_path: Path) -> None:
    """By who did not answer, and not by the number of our proxy's answer."""
    with pytest.raises(SourceUnreachable, match=r"127\.0\.0\.1:1 cannot be reached: Connection refused"):
        await Mirrors(tmp_path, ways=HERE).resolve("http://127.0.0.1:1/a")
    with pytest.raises(SourceUnreachable, match=r"127\.0\.0\.1:1 cannot be reached: Connection refused"):
        await Subversion(tmp_path / "svn", ways=HERE).resolve("svn+http://127.0.0.1:1/a")


async def test_where_the_environment_names_a_proxy_git_goes_by_that(monkeypatch: pytest.MonkeyPatch) -> None:
    """It follows no redirect then: the proxy is not asked for what `no_proxy` names."""
    monkeypatch.setenv("https_proxy", "http://proxy.invalid:3128")
    monkeypatch.setenv("no_proxy", "127.0.0.1")
    async with CLOSED.to("https://nobody.invalid/a") as way:
        assert (way.proxy, way.follows) == (None, False)
        assert way.for_git() == {
            "GIT_CONFIG_COUNT": "1",
            "GIT_CONFIG_KEY_0": "http.followRedirects",
            "GIT_CONFIG_VALUE_0": "false",
        }
    async with HERE.to("https://127.0.0.1/a") as way:
        assert way.proxy is not None
        assert way.for_git()["no_proxy"] == ""


async def test_svn_is_guarded_also_where_the_environment_names_a_proxy(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """It reads no environment for one: it would go by itself, wherever a redirect leads it."""
    for name in ("http_proxy", "https_proxy", "all_proxy"):
        monkeypatch.setenv(name, "http://proxy.invalid:3128")
    async with lying("127.0.0.2") as inside, lying() as liar:
        liar.answer = lambda _request: moved(f"http://127.0.0.2:{inside.port}/wheels", FOR_GOOD)
        with pytest.raises(SourceUnreachable, match=r"127\.0\.0\.2 is a loopback address"):
            await Subversion(tmp_path, ways=HERE).resolve(f"svn+http://127.0.0.1:{liar.port}/wheels")
        assert "OPTIONS /wheels" in liar.asked[-1]
        with pytest.raises(SourceUnreachable, match="loopback"):
            await Subversion(tmp_path, ways=CLOSED).resolve(f"svn+http://127.0.0.1:{liar.port}/wheels")
    assert inside.asked == []
    async with HERE.to("svn+https://127.0.0.1/a") as way:
        assert way.proxy is not None


async def test_many_go_at_a_time(repository: Repository, tmp_path: Path) -> None:
    """Each has a way of its own."""
    tip = repository.commit("One")
    repository.git("update-server-info")
    async with web(repository.place.parent) as (host, _):
        found = await asyncio.gather(
            *(
                Mirrors(tmp_path / f"m{number}", ways=HERE).resolve(f"http://{host}/wheel/.git")
                for number in range(4)
            )
        )
    assert {one.revision for one in found} == {tip}


async def test_without_a_guard_every_way_is_open() -> None:
    async with UNGUARDED.to("http://127.0.0.1/a") as way:
        assert (way.proxy, way.for_git()) == (None, {})
