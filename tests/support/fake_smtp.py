"""A small real SMTP server on loopback, in a thread: keeps the mails that it takes and answers as it is told.

Debian's mail servers want a system's mailboxes; this one speaks RFC 5321 as far as a client that sends mail does.
"""

from __future__ import annotations

import base64
import email
import email.policy
import socketserver
import ssl
import threading
from collections.abc import Mapping
from email.message import EmailMessage
from pathlib import Path
from types import TracebackType
from typing import NamedTuple


class Taken(NamedTuple):
    """A mail with its envelope; `login` is who signed in, `encrypted` whether the connection was."""

    sender: str
    to: tuple[str, ...]
    mail: EmailMessage
    login: str | None
    encrypted: bool


class FakeSmtp:
    """`says` replaces the answer to a verb (`RCPT b@example.org` for one recipient); None hangs up instead."""

    def __init__(
        self,
        says: Mapping[str, str | None] | None = None,
        *,
        certificate: Path | None = None,
        login: tuple[str, str] | None = None,
        tls: bool = False,
    ) -> None:
        self.taken: list[Taken] = []
        server = self
        answers = dict(says or {})
        context = None
        if certificate is not None:
            context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
            context.load_cert_chain(certificate)

        class Handler(socketserver.StreamRequestHandler):
            def setup(self) -> None:
                if tls:
                    assert context is not None
                    self.request = context.wrap_socket(self.request, server_side=True)
                super().setup()

            def say(self, text: str) -> None:
                self.wfile.write(f"{text}\r\n".encode())

            def handle(self) -> None:
                sender, who, encrypted = "", None, tls
                to: list[str] = []
                self.say("220 fake ESMTP")
                while line := self.rfile.readline().decode().strip():
                    verb = line.split(" ", 1)[0].upper()
                    address = line.partition("<")[2].partition(">")[0]
                    key = f"{verb} {address}" if f"{verb} {address}" in answers else verb
                    if key in answers:
                        said = answers[key]
                        if said is None:
                            return
                        self.say(said)
                        continue
                    match verb:
                        case "EHLO":
                            self.say("250-fake")
                            if context is not None and not encrypted:
                                self.say("250-STARTTLS")
                            if login is not None:
                                self.say("250-AUTH PLAIN")
                            self.say("250 8BITMIME")
                        case "STARTTLS":
                            assert context is not None
                            self.say("220 go on")
                            self.request = context.wrap_socket(self.request, server_side=True)
                            super().setup()
                            encrypted = True
                        case "AUTH":
                            _, user, password = base64.b64decode(line.split(" ")[2]).decode().split("\0")
                            if (user, password) != login:
                                self.say("535 5.7.8 who are you")
                                continue
                            who = user
                            self.say("235 welcome")
                        case "MAIL":
                            sender = address
                            self.say("250 ok")
                        case "RCPT":
                            to.append(address)
                            self.say("250 ok")
                        case "DATA":
                            self.say("354 go on")
                            body = b""
                            while (part := self.rfile.readline()) != b".\r\n":
                                if not part:
                                    return
                                body += part.removeprefix(b".") if part.startswith(b"..") else part
                            mail = email.message_from_bytes(body, policy=email.policy.default)
                            assert isinstance(mail, EmailMessage)
                            server.taken.append(Taken(sender, tuple(to), mail, who, encrypted))
                            if "TAKEN" in answers:
                                return
                            self.say("250 taken")
                        case "QUIT":
                            self.say("221 bye")
                            return
                        case _:
                            self.say("250 ok")

        class Server(socketserver.ThreadingTCPServer):
            daemon_threads = True

            def handle_error(self, request: object, client_address: object) -> None:
                """A client that hung up."""

        self._server = Server(("127.0.0.1", 0), Handler)
        self.port: int = self._server.server_address[1]
        self._thread = threading.Thread(
            target=self._server.serve_forever, kwargs={"poll_interval": 0.05}, daemon=True
        )

    def __enter__(self) -> FakeSmtp:
        self._thread.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._server.shutdown()
        self._server.server_close()
