"""E-mail: handed to a mail server that speaks SMTP, or not, with what the server said."""

from __future__ import annotations

import socket
import threading
from contextlib import suppress
from dataclasses import replace
from pathlib import Path
from select import select
from typing import Any

import pytest

from tailrace.domain.channels import EmailSettings
from tailrace.domain.notifications import What
from tailrace.guard import Guard
from tailrace.notify.base import Message, Undelivered
from tailrace.notify.mail import send
from tests.support.certificates import make_certificate
from tests.support.fake_smtp import FakeSmtp

GUARD = Guard.allowing("allow_private_targets", ["localhost"])
MESSAGE = Message(
    "tr-1-7",
    What.FAILED,
    "shop #4\r\nBcc: all@example.org failed 构建",
    "job test: 失败\n.a line that begins with a dot",
    "boom",
    "https://ci.example.org/runs/4",
    1_700_000_000_000,
)


def settings(server: FakeSmtp, **more: Any) -> EmailSettings:
    return EmailSettings.model_validate(
        {
            "host": "localhost",
            "port": server.port,
            "security": "none",
            "sender": "ci@example.org",
            "to": ["a@example.org", "b@example.org"],
            **more,
        }
    )


@pytest.fixture(scope="module")
def certificate(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return make_certificate(tmp_path_factory.mktemp("certificate"))


@pytest.mark.parametrize("greets", [True, False])
def test_a_server_that_drips_is_left(greets: bool) -> None:
    """Each of its bytes comes in time; all of them together do not."""
    with socket.create_server(("127.0.0.1", 0)) as listening:

        def drip() -> None:
            connection, _ = listening.accept()
            with connection, suppress(OSError):
                if greets:
                    connection.sendall(b"220 hello\r\n")
                while True:
                    connection.sendall(b"2")
                    if select([connection], [], [], 0.05)[0] and not connection.recv(999):
                        return

        dripping = threading.Thread(target=drip)
        dripping.start()
        port = listening.getsockname()[1]
        asked = EmailSettings(host="127.0.0.1", port=port, security="none", sender="a@b.org", to=("c@d.org",))
        guard = Guard.allowing("allow_private_targets", ["127.0.0.1"])
        with pytest.raises(Undelivered, match=r"had not taken the mail after 0\.3 s") as found:
            send(guard, asked, {}, MESSAGE, 0.3)
        assert not found.value.final
        dripping.join(30)
        assert not dripping.is_alive(), "it hung up"


@pytest.mark.parametrize("text", [MESSAGE.text, "job test\n.a line that begins with a dot"])
def test_a_mail_arrives_whole(text: str) -> None:
    """Any script, lines that begin with a dot, and no header that a text smuggles in."""
    with FakeSmtp() as server:
        send(GUARD, settings(server), {}, replace(MESSAGE, text=text))
    (taken,) = server.taken
    assert (taken.sender, taken.to) == ("ci@example.org", ("a@example.org", "b@example.org"))
    assert taken.mail["Subject"] == "shop #4 Bcc: all@example.org failed 构建"
    assert taken.mail["Bcc"] is None
    assert taken.mail["Message-ID"] == "<tr-1-7@example.org>"
    assert taken.mail.get_content().split() == f"{text}\n\nboom\n".split()


@pytest.mark.parametrize("security", ["starttls", "tls"])
def test_mail_is_encrypted_and_signed_in(
    certificate: Path, monkeypatch: pytest.MonkeyPatch, security: str
) -> None:
    """The server's certificate is checked, and its name."""
    with FakeSmtp(certificate=certificate, login=("ci", "pass\\word"), tls=security == "tls") as server:
        wanted = settings(server, security=security, user="ci")
        with pytest.raises(Undelivered, match="cannot be reached safely") as caught:
            send(GUARD, wanted, {"password": "pass\\word"}, MESSAGE)
        assert caught.value.final
        monkeypatch.setenv("SSL_CERT_FILE", str(certificate))
        send(GUARD, wanted, {"password": "pass\\word"}, MESSAGE)
        with pytest.raises(Undelivered, match="535") as caught:
            send(GUARD, wanted, {"password": "another"}, MESSAGE)
        assert caught.value.final
    (taken,) = server.taken
    assert (taken.login, taken.encrypted) == ("ci", True)


def test_a_server_without_encryption_gets_no_mail_that_wants_it() -> None:
    """Nobody in between can talk us out of it."""
    with FakeSmtp() as server:
        with pytest.raises(Undelivered, match="STARTTLS") as caught:
            send(GUARD, settings(server, security="starttls"), {}, MESSAGE)
        assert caught.value.final
    assert server.taken == []


@pytest.mark.parametrize(
    ("says", "final", "unsure", "words"),
    [
        ({"MAIL": "451 later"}, False, False, "451 later"),
        ({"MAIL": "550 go away"}, True, False, "550 go away"),
        ({"RCPT": "550 nobody"}, True, False, "550 nobody"),
        ({"RCPT": "450 busy"}, False, False, "450 busy"),
        ({"DATA": "554 spam"}, True, False, "554 spam"),
        ({"MAIL": None}, False, False, "cannot be reached"),
        ({"TAKEN": None}, False, True, "did not say whether"),
    ],
)
def test_what_the_server_says_decides(says: Any, final: bool, unsure: bool, words: str) -> None:
    """Refused for good, for now, or nobody knows."""
    with FakeSmtp(says) as server, pytest.raises(Undelivered, match=words) as caught:
        send(GUARD, settings(server), {}, MESSAGE)
    assert (caught.value.final, caught.value.unsure) == (final, unsure)


def test_those_whom_the_server_refuses_are_named_and_the_others_have_it() -> None:
    """One bad address does not keep the mail from the others."""
    with (
        FakeSmtp({"RCPT b@example.org": "550 nobody"}) as server,
        pytest.raises(Undelivered, match=r"all others have it: b@example\.org: 550 nobody"),
    ):
        send(GUARD, settings(server), {}, MESSAGE)
    assert server.taken[0].to == ("a@example.org",)


def test_a_private_mail_server_is_refused_unless_it_is_allowed() -> None:
    """It is not even connected to."""
    with FakeSmtp() as server, pytest.raises(Undelivered, match="allow_private_targets") as caught:
        send(Guard("allow_private_targets"), settings(server), {}, MESSAGE)
    assert caught.value.final
    assert server.taken == []


def test_a_mail_server_that_nobody_knows_is_tried_again() -> None:
    """Its name may be there later."""
    with FakeSmtp() as server, pytest.raises(Undelivered, match="cannot be resolved") as caught:
        send(GUARD, settings(server, host="nowhere.invalid"), {}, MESSAGE)
    assert not caught.value.final
