"""A fake of somebody else's HTTP service: a real server on loopback that keeps what it is asked and answers as it is told."""

from __future__ import annotations

import json
import ssl
import threading
from collections.abc import Callable, Mapping
from contextlib import suppress
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from types import TracebackType
from typing import Any, NamedTuple


class Asked(NamedTuple):
    """A request as it arrived; names of headers in small letters."""

    method: str
    path: str
    headers: Mapping[str, str]
    body: bytes

    @property
    def json(self) -> Any:
        return json.loads(self.body)


class Says(NamedTuple):
    """An answer; `before` is called when the request is there and nothing is answered yet."""

    status: int = 200
    body: bytes | str | Mapping[str, Any] = b"ok"
    headers: Mapping[str, str] = {}
    before: Callable[[], object] | None = None
    hang_up: bool = False


class FakeService:
    """Answers `answers` one after the other, and for ever with the last one; with a certificate over https."""

    def __init__(self, *answers: Says, certificate: Path | None = None) -> None:
        self.answers = list(answers) or [Says()]
        self.asked: list[Asked] = []
        self._lock = threading.Lock()
        service = self

        class Handler(BaseHTTPRequestHandler):
            protocol_version = "HTTP/1.1"

            def do_POST(self) -> None:
                body = self.rfile.read(int(self.headers.get("Content-Length", 0)))
                headers = {name.lower(): value for name, value in self.headers.items()}
                says = service.take(Asked(self.command, self.path, headers, body))
                if says.before is not None:
                    says.before()
                self.close_connection = True
                if says.hang_up:
                    return
                found = says.body
                if not isinstance(found, bytes):
                    found = (found if isinstance(found, str) else json.dumps(found)).encode()
                self.send_response(says.status)
                for name, value in says.headers.items():
                    self.send_header(name, value)
                self.send_header("Content-Length", str(len(found)))
                self.end_headers()
                self.wfile.write(found)

            do_GET = do_POST

            def handle(self) -> None:
                with suppress(ssl.SSLError):  # who does not trust us hangs up
                    super().handle()

            def log_message(self, format: str, *args: Any) -> None:
                pass

        self._server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self._server.daemon_threads = True
        self.url = f"http://127.0.0.1:{self._server.server_address[1]}"
        if certificate is not None:
            context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
            context.load_cert_chain(certificate)
            self._server.socket = context.wrap_socket(
                self._server.socket, server_side=True, do_handshake_on_connect=False
            )
            self.url = f"https://localhost:{self._server.server_address[1]}"
        self._thread = threading.Thread(
            target=self._server.serve_forever, kwargs={"poll_interval": 0.05}, daemon=True
        )

    def take(self, asked: Asked) -> Says:
        with self._lock:
            self.asked.append(asked)
            return self.answers.pop(0) if len(self.answers) > 1 else self.answers[0]

    def __enter__(self) -> FakeService:
        self._thread.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._server.shutdown()
        self._server.server_close()
