"""A real server of ssh, for the real ssh: AsyncSSH, where it is installed. It executes what it is asked to, for who has the key."""

from __future__ import annotations

import asyncio
import importlib
import importlib.util
import shutil
import threading
from collections.abc import Generator
from contextlib import contextmanager
from typing import Any

import pytest

needs_ssh = pytest.mark.skipif(
    importlib.util.find_spec("asyncssh") is None or shutil.which("ssh") is None,
    reason="needs AsyncSSH (pip install asyncssh) and ssh",
)


class SshServer:
    """Listens on `port` of 127.0.0.1, as the machine that `known_host` is a line for; lets in who has one of `keys`."""

    def __init__(self) -> None:
        self._ssh: Any = importlib.import_module("asyncssh")
        self._own = self._ssh.generate_private_key("ssh-ed25519")
        self.keys: list[Any] = []
        self.offered: list[str] = []
        self.port = 0

    def new_key(self, kind: str = "ssh-ed25519", passphrase: str | None = None) -> str:
        """A private key that is let in, as a file of it reads."""
        key = self._ssh.generate_private_key(kind)
        self.keys.append(key.convert_to_public())
        return str(key.export_private_key(passphrase=passphrase).decode())

    @property
    def known_host(self) -> str:
        public = self._own.convert_to_public().export_public_key().decode().strip()
        return f"[127.0.0.1]:{self.port} {public}\n"

    def change_itself(self) -> None:
        """Be another machine from now on, as somebody between would be."""
        self._own = self._ssh.generate_private_key("ssh-ed25519")

    async def listen(self) -> Any:
        outer = self

        class Gate(self._ssh.SSHServer):  # pyright: ignore[reportUntypedBaseClass]
            def begin_auth(self, username: str) -> bool:
                return True

            def public_key_auth_supported(self) -> bool:
                return True

            def validate_public_key(self, username: str, key: Any) -> bool:
                outer.offered.append(key.get_fingerprint())
                return key in outer.keys

        async def execute(process: Any) -> None:
            pipe = asyncio.subprocess.PIPE
            child = await asyncio.create_subprocess_shell(
                process.command, stdin=pipe, stdout=pipe, stderr=pipe, start_new_session=True
            )
            await process.redirect(stdin=child.stdin, stdout=child.stdout, stderr=child.stderr)
            process.exit(await child.wait())

        listening = await self._ssh.create_server(
            Gate,
            "127.0.0.1",
            self.port,
            server_host_keys=[self._own],
            process_factory=execute,
            encoding=None,
            reuse_address=True,
        )
        self.port = listening.get_port()
        return listening


@contextmanager
def ssh_server() -> Generator[SshServer]:
    """A server while this lasts."""
    server = SshServer()
    with listening(server):
        yield server


@contextmanager
def listening(server: SshServer) -> Generator[None]:
    """The server listens, in a thread, while this lasts."""
    loop = asyncio.new_event_loop()
    ready = threading.Event()

    async def run(done: asyncio.Event) -> None:
        acceptor = await server.listen()
        ready.set()
        await done.wait()
        acceptor.close()
        await acceptor.wait_closed()

    done = asyncio.Event()

    def work() -> None:
        asyncio.set_event_loop(loop)
        loop.run_until_complete(run(done))
        tasks = asyncio.all_tasks(loop)
        for task in tasks:
            task.cancel()
        loop.run_until_complete(asyncio.gather(*tasks, return_exceptions=True))
        loop.close()

    thread = threading.Thread(target=work, daemon=True)
    thread.start()
    assert ready.wait(30), "the server of ssh does not listen"
    try:
        yield
    finally:
        loop.call_soon_threadsafe(done.set)
        thread.join(10)
