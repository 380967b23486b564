"""Real git repositories over http, by git's own server, for who knows the password."""

from __future__ import annotations

import base64
import os
import subprocess
import threading
from collections.abc import Generator, Mapping
from contextlib import contextmanager
from functools import partial
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

ANYBODY = "*"


class GitHttp:
    """Serves the repositories in a folder to whom `logins` (passwords by user; ANYBODY: with any) let in.

    `seen` are the logins that were offered, in order: user and password, or None.
    """

    def __init__(self, folder: Path, logins: Mapping[str, str]) -> None:
        self.logins: Mapping[str, str] = logins
        self.seen: list[tuple[str, str] | None] = []
        self.server = ThreadingHTTPServer(("127.0.0.1", 0), partial(_Handler, self, folder))
        self.host = f"127.0.0.1:{self.server.server_address[1]}"
        self.thread = threading.Thread(target=self.server.serve_forever, args=(0.02,), daemon=True)

    def address(self, name: str) -> str:
        return f"http://{self.host}/{name}"

    def lets_in(self, header: str | None) -> bool:
        """Whether this is the Authorization of one who may."""
        if header is None or not header.startswith("Basic "):
            self.seen.append(None)
            return not self.logins
        user, _, password = base64.b64decode(header.removeprefix("Basic ")).decode().partition(":")
        self.seen.append((user, password))
        return password in (self.logins.get(user), self.logins.get(ANYBODY))


@contextmanager
def git_http(folder: Path, logins: Mapping[str, str]) -> Generator[GitHttp]:
    """A server while this lasts."""
    git = GitHttp(folder, logins)
    git.thread.start()
    try:
        yield git
    finally:
        git.server.shutdown()
        git.server.server_close()


class _Handler(BaseHTTPRequestHandler):
    def __init__(self, git: GitHttp, folder: Path, *arguments: object) -> None:
        self.git = git
        self.folder = folder
        super().__init__(*arguments)  # pyright: ignore[reportArgumentType]

    def do_GET(self) -> None:
        self._serve(b"")

    def do_POST(self) -> None:
        if self.headers.get("Transfer-Encoding") == "chunked":
            body = b""
            while size := int(self.rfile.readline(), 16):
                body += self.rfile.read(size)
                self.rfile.readline()
            self.rfile.readline()
        else:
            body = self.rfile.read(int(self.headers.get("Content-Length") or 0))
        self._serve(body)

    def _serve(self, body: bytes) -> None:
        if not self.git.lets_in(self.headers.get("Authorization")):
            self.send_response(401)
            self.send_header("WWW-Authenticate", 'Basic realm="mill"')
            self.send_header("Content-Length", "0")
            self.end_headers()
            return
        path, _, query = self.path.partition("?")
        env = {
            "PATH": os.environ["PATH"],
            "GIT_PROJECT_ROOT": str(self.folder),
            "GIT_HTTP_EXPORT_ALL": "1",
            "GIT_CONFIG_COUNT": "1",
            "GIT_CONFIG_KEY_0": "safe.directory",
            "GIT_CONFIG_VALUE_0": "*",
            "GIT_PROTOCOL": self.headers.get("Git-Protocol", ""),
            "HTTP_CONTENT_ENCODING": self.headers.get("Content-Encoding", ""),
            "REQUEST_METHOD": self.command,
            "PATH_INFO": path,
            "QUERY_STRING": query,
            "CONTENT_TYPE": self.headers.get("Content-Type", ""),
            "CONTENT_LENGTH": str(len(body)),
            "REMOTE_ADDR": "127.0.0.1",
        }
        done = subprocess.run(["git", "http-backend"], env=env, input=body, capture_output=True)
        head, _, answer = done.stdout.partition(b"\r\n\r\n")
        headers = [line.split(": ", 1) for line in head.decode().split("\r\n") if line]
        status = next((value for name, value in headers if name == "Status"), "200 OK")
        self.send_response(int(status.split()[0]))
        for name, value in headers:
            if name != "Status":
                self.send_header(name, value)
        self.send_header("Content-Length", str(len(answer)))
        self.end_headers()
        self.wfile.write(answer)

    def log_message(self, format: str, *args: object) -> None:
        pass
