"""E-mail, by SMTP."""

from __future__ import annotations

import asyncio
import smtplib
import socket
import ssl
import threading
from collections.abc import Mapping
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from email.message import EmailMessage
from email.policy import SMTP as SMTP_POLICY
from email.utils import formatdate

from tailrace.domain.channels import EmailSettings
from tailrace.guard import Guard, TargetRefused, TargetUnknown
from tailrace.notify.base import Message, Undelivered, joined

TIMEOUT_S = 20.0
"""Of each of the server's answers, or what there is of one."""
WHOLE_S = 120.0
"""Of the whole conversation: less than a claim holds, however slowly the server drips."""
AT_ONCE = 2


class Mailer:
    """Sends mail in threads of its own: a slow mail server takes none of those that logs are read by."""

    def __init__(self, guard: Guard, whole_s: float = WHOLE_S) -> None:
        self._guard = guard
        self._whole_s = whole_s
        self._threads = ThreadPoolExecutor(AT_ONCE, "mail")

    async def send(self, settings: EmailSettings, secrets: Mapping[str, str], message: Message) -> None:
        """Raises Undelivered."""
        loop = asyncio.get_running_loop()
        await loop.run_in_executor(
            self._threads, send, self._guard, settings, dict(secrets), message, self._whole_s
        )

    def close(self) -> None:
        self._threads.shutdown(wait=False, cancel_futures=True)


def compose(settings: EmailSettings, message: Message) -> EmailMessage:
    """The mail; its Message-ID is the same each time it is sent."""
    mail = EmailMessage(policy=SMTP_POLICY)
    mail["From"] = settings.sender
    mail["To"] = ", ".join(settings.to)
    mail["Subject"] = " ".join(message.subject.split())
    mail["Date"] = formatdate(message.at / 1000)
    mail["Message-ID"] = f"<{message.id}@{settings.sender.rpartition('@')[2]}>"
    mail["Auto-Submitted"] = "auto-generated"
    mail.set_content(joined(message.text, message.lines) + "\n")
    return mail


class _Deadline:
    """Hangs up when the time is over, whatever another thread is waiting for; `passed` says that it did."""

    def __init__(self, seconds: float) -> None:
        self.passed = False
        self._lock = threading.Lock()
        self._connection: socket.socket | None = None
        self._timer = threading.Timer(seconds, self._hang_up)
        self._timer.daemon = True

    def __enter__(self) -> _Deadline:
        self._timer.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._timer.cancel()
        with self._lock:
            if self._connection is not None:
                self._connection.close()
                self._connection = None

    def watch(self, connection: socket.socket) -> None:
        """This is the connection. Raises TimeoutError when it is too late already."""
        with self._lock:
            if self.passed:
                raise TimeoutError("there was no time left")
            self._connection = connection.dup()  # encryption takes the one that there is

    def _hang_up(self) -> None:
        with self._lock:
            self.passed = True
            if self._connection is not None:
                with suppress(OSError):
                    self._connection.shutdown(socket.SHUT_RDWR)


def send(
    guard: Guard,
    settings: EmailSettings,
    secrets: Mapping[str, str],
    message: Message,
    whole_s: float = WHOLE_S,
) -> None:
    """Send it, in this thread and in so many seconds; raises Undelivered."""
    where = f"{settings.host}:{settings.port}"
    try:
        body = compose(settings, message).as_bytes()
    except (UnicodeError, ValueError) as error:
        raise Undelivered(f"the mail cannot be written: {error}", final=True) from None
    with _Deadline(whole_s) as deadline:
        try:
            refused = _converse(guard, settings, secrets, body, deadline)
        except Undelivered:
            raise
        except (OSError, smtplib.SMTPException, TargetRefused, TargetUnknown) as error:
            if deadline.passed:
                raise Undelivered(f"{where} had not taken the mail after {whole_s:g} s") from None
            raise _told(where, error) from None
    if refused:
        shown = "; ".join(f"{to}: {words}" for to, words in refused.items())
        raise Undelivered(f"{where} refused some, all others have it: {shown}", final=True)


def _converse(
    guard: Guard, settings: EmailSettings, secrets: Mapping[str, str], body: bytes, deadline: _Deadline
) -> dict[str, str]:
    """Whom the server refused, with its words."""
    with _connect(guard, settings, deadline) as server:
        if settings.user is not None:
            _sign_in(server, settings.user, secrets["password"])
        refused = _envelope(server, settings)
        _hand_over(server, f"{settings.host}:{settings.port}", body)
    return refused


def _told(where: str, error: Exception) -> Undelivered:
    match error:
        case TargetRefused():
            return Undelivered(str(error), final=True)
        case TargetUnknown():
            return Undelivered(str(error))
        case smtplib.SMTPNotSupportedError():
            return Undelivered(f"{where}: {error}", final=True)
        case smtplib.SMTPResponseException():
            return _answered(where, error.smtp_code, error.smtp_error)
        case ssl.SSLError():
            return Undelivered(f"{where} cannot be reached safely: {error}", final=True)
        case _:
            return Undelivered(f"{where} cannot be reached: {error}")


class _Guarded(smtplib.SMTP):
    """Connects to the very address that the guard looked at."""

    def __init__(self, guard: Guard, host: str, port: int, name: str, deadline: _Deadline) -> None:
        self._guard, self._deadline = guard, deadline
        super().__init__(host, port, name, timeout=TIMEOUT_S)

    def _get_socket(self, host: str, port: int, timeout: float) -> socket.socket:
        return _connect_to(self._guard, host, port, timeout, self._deadline)


class _GuardedSsl(smtplib.SMTP_SSL):
    """Likewise, encrypted from the first byte."""

    def __init__(
        self, guard: Guard, host: str, port: int, name: str, deadline: _Deadline, context: ssl.SSLContext
    ) -> None:
        self._guard, self._deadline = guard, deadline
        super().__init__(host, port, name, timeout=TIMEOUT_S, context=context)

    def _get_socket(self, host: str, port: int, timeout: float) -> socket.socket:
        plain = _connect_to(self._guard, host, port, timeout, self._deadline)
        return self.context.wrap_socket(plain, server_hostname=host)


def _connect_to(guard: Guard, host: str, port: int, timeout: float, deadline: _Deadline) -> socket.socket:
    """The first address of the host that answers."""
    failure: OSError | None = None
    for address in guard.addresses_now(host, port):
        try:
            connection = socket.create_connection((address, port), timeout)
        except OSError as error:
            if deadline.passed:
                raise
            failure = error
        else:
            deadline.watch(connection)
            return connection
    assert failure is not None
    raise failure


def _connect(guard: Guard, settings: EmailSettings, deadline: _Deadline) -> smtplib.SMTP:
    context = ssl.create_default_context()
    name = socket.gethostname()
    if settings.security == "tls":
        return _GuardedSsl(guard, settings.host, settings.port, name, deadline, context)
    server = _Guarded(guard, settings.host, settings.port, name, deadline)
    try:
        if settings.security == "starttls":
            server.starttls(context=context)
        server.ehlo_or_helo_if_needed()
    except BaseException:
        server.close()
        raise
    return server


def _sign_in(server: smtplib.SMTP, user: str, password: str) -> None:
    try:
        server.login(user, password)
    except UnicodeEncodeError:  # what smtplib does with other characters
        raise Undelivered("user and password of a mail server must be ASCII", final=True) from None


def _envelope(server: smtplib.SMTP, settings: EmailSettings) -> dict[str, str]:
    """Say from whom and to whom; whom the server refuses, with its words. Raises when it refuses all."""
    code, words = server.mail(settings.sender)
    if code != 250:
        raise smtplib.SMTPResponseException(code, words)
    refused: dict[str, str] = {}
    for to in settings.to:
        code, words = server.rcpt(to)
        if code not in (250, 251):
            refused[to] = f"{code} {words.decode(errors='replace')}"
            if len(refused) == len(settings.to):
                raise smtplib.SMTPResponseException(code, words)
    return refused


def _hand_over(server: smtplib.SMTP, where: str, body: bytes) -> None:
    try:
        code, words = server.data(body)
    except smtplib.SMTPDataError:
        raise
    except (OSError, smtplib.SMTPServerDisconnected) as error:
        raise Undelivered(f"{where} did not say whether it took the mail: {error}", unsure=True) from None
    if code != 250:
        raise smtplib.SMTPResponseException(code, words)


def _answered(where: str, code: int, words: bytes | str) -> Undelivered:
    shown = words.decode(errors="replace") if isinstance(words, bytes) else words
    return Undelivered(f"{where}: {code} {shown}"[:300], final=500 <= code < 600)
