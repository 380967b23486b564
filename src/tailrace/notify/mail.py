"""E-mail, by SMTP."""

from __future__ import annotations

import asyncio
import smtplib
import socket
import ssl
from collections.abc import Mapping
from concurrent.futures import ThreadPoolExecutor
from email.message import EmailMessage
from email.policy import SMTP as SMTP_POLICY
from email.utils import formatdate

from tailrace.domain.channels import EmailSettings
from tailrace.guard import Guard, TargetRefused, TargetUnknown
from tailrace.notify.base import Message, Undelivered, joined

TIMEOUT_S = 20.0
"""Of each of the server's answers."""
AT_ONCE = 2


class Mailer:
    """Sends mail in threads of its own: a slow mail server takes none of those that logs are read by."""

    def __init__(self, guard: Guard) -> None:
        self._guard = guard
        self._threads = ThreadPoolExecutor(AT_ONCE, "mail")

    async def send(self, settings: EmailSettings, secrets: Mapping[str, str], message: Message) -> None:
        """Raises Undelivered."""
        loop = asyncio.get_running_loop()
        await loop.run_in_executor(self._threads, send, self._guard, settings, dict(secrets), message)

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


def send(guard: Guard, settings: EmailSettings, secrets: Mapping[str, str], message: Message) -> None:
    """Send it, in this thread; raises Undelivered."""
    where = f"{settings.host}:{settings.port}"
    try:
        body = compose(settings, message).as_bytes()
    except (UnicodeError, ValueError) as error:
        raise Undelivered(f"the mail cannot be written: {error}", final=True) from None
    try:
        with _connect(guard, settings) as server:
            if settings.user is not None:
                _sign_in(server, settings.user, secrets["password"])
            refused = _envelope(server, settings)
            _hand_over(server, where, body)
    except TargetRefused as error:
        raise Undelivered(str(error), final=True) from None
    except TargetUnknown as error:
        raise Undelivered(str(error)) from None
    except smtplib.SMTPNotSupportedError as error:
        raise Undelivered(f"{where}: {error}", final=True) from None
    except smtplib.SMTPResponseException as error:
        raise _answered(where, error.smtp_code, error.smtp_error) from None
    except ssl.SSLError as error:
        raise Undelivered(f"{where} cannot be reached safely: {error}", final=True) from None
    except (OSError, smtplib.SMTPException) as error:
        raise Undelivered(f"{where} cannot be reached: {error}") from None
    if refused:
        shown = "; ".join(f"{to}: {words}" for to, words in refused.items())
        raise Undelivered(f"{where} refused some, all others have it: {shown}", final=True)


class _Guarded(smtplib.SMTP):
    """Connects to the very address that the guard looked at."""

    def __init__(self, guard: Guard, host: str, port: int, name: str) -> None:
        self._guard = guard
        super().__init__(host, port, name, timeout=TIMEOUT_S)

    def _get_socket(self, host: str, port: int, timeout: float) -> socket.socket:
        return _connect_to(self._guard, host, port, timeout)


class _GuardedSsl(smtplib.SMTP_SSL):
    """Likewise, encrypted from the first byte."""

    def __init__(self, guard: Guard, host: str, port: int, name: str, context: ssl.SSLContext) -> None:
        self._guard = guard
        super().__init__(host, port, name, timeout=TIMEOUT_S, context=context)

    def _get_socket(self, host: str, port: int, timeout: float) -> socket.socket:
        plain = _connect_to(self._guard, host, port, timeout)
        return self.context.wrap_socket(plain, server_hostname=host)


def _connect_to(guard: Guard, host: str, port: int, timeout: float) -> socket.socket:
    """The first address of the host that answers."""
    failure: OSError | None = None
    for address in guard.addresses_now(host, port):
        try:
            return socket.create_connection((address, port), timeout)
        except OSError as error:
            failure = error
    assert failure is not None
    raise failure


def _connect(guard: Guard, settings: EmailSettings) -> smtplib.SMTP:
    context = ssl.create_default_context()
    name = socket.gethostname()
    if settings.security == "tls":
        return _GuardedSsl(guard, settings.host, settings.port, name, context)
    server = _Guarded(guard, settings.host, settings.port, name)
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
