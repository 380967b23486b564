"""The fence around Apprise, and how it reads what went wrong: in a process of its own, as it runs; no Apprise is needed."""

from __future__ import annotations

import json
import socket
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from tailrace.notify import apprise_program

BEFORE = """
import sys
sys.path.insert(0, {folder!r})
import apprise_program
apprise_program._fence({proxy!r})
"""


def fenced(code: str, proxy: str | None = None) -> str:
    """What code prints behind the fence, or the last line of its complaint."""
    place = Path(apprise_program.__file__)
    done = subprocess.run(
        [sys.executable, "-c", BEFORE.format(folder=str(place.parent), proxy=proxy) + code],
        capture_output=True,
        text=True,
        check=False,
        cwd="/",
    )
    return done.stdout.strip() or done.stderr.strip().splitlines()[-1]


def test_only_the_proxy_is_connected_to() -> None:
    """Neither another port of the same machine, nor a socket of this one, nor a datagram."""
    with socket.create_server(("127.0.0.1", 0)) as proxy, socket.create_server(("127.0.0.1", 0)) as other:
        here, there = (f"127.0.0.1:{one.getsockname()[1]}" for one in (proxy, other))
        dial = "import socket; socket.create_connection(('127.0.0.1', {})); print('through')"
        assert fenced(dial.format(here.rpartition(":")[2]), here) == "through"
        assert "by http and https only" in fenced(dial.format(there.rpartition(":")[2]), here)
        assert "by http and https only" in fenced(dial.format(here.rpartition(":")[2]), None)
        for code in (
            "import socket; socket.socket(socket.AF_UNIX).connect('/dev/log')",
            "import socket; socket.socket(type=socket.SOCK_DGRAM).sendto(b'x', ('127.0.0.1', 514))",
            "import socket; socket.socket(type=socket.SOCK_DGRAM).sendmsg([b'x'], [], 0, ('127.0.0.1', 514))",
        ):
            assert "by http and https only" in fenced(code, here)


def test_no_file_is_read_but_pythons_own(tmp_path: Path) -> None:
    """An address can name a template or a key; also by a link beside what may be read."""
    kept = tmp_path / "kept"
    kept.write_text("s3cret")
    link = tmp_path / "link"
    link.symlink_to(kept)
    for place in (kept, link, f"{Path(json.__file__).parent}/../../../../../../{kept}", "/etc/passwd"):
        assert "reads no file" in fenced(f"print(open({str(place)!r}).read())")
        assert "reads no file" in fenced(
            f"import os; print(os.read(os.open({str(place)!r}, os.O_RDONLY), 9))"
        )
    assert (
        fenced("import decimal, sqlite3, zoneinfo; print(zoneinfo.ZoneInfo('Asia/Shanghai'))")
        == "Asia/Shanghai"
    )


def test_nothing_is_written_and_nothing_is_started(tmp_path: Path) -> None:
    place = str(tmp_path / "new")
    assert "writes no file" in fenced(f"open({place!r}, 'w')")
    assert "writes no file" in fenced(f"import os; os.open({place!r}, os.O_CREAT)")
    assert fenced("open('/dev/null', 'w'); print('fine')") == "fine"
    for code in (
        "import subprocess; subprocess.run(['true'])",
        "import os; os.system('true')",
        "import os; os.fork()",
        "import os; os.posix_spawn('/bin/true', ['true'], {})",
        "import os; os.execv('/bin/true', ['true'])",
        f"import os; os.mkdir({place!r})",
        f"import os; os.rename({str(tmp_path)!r}, {place!r})",
        f"import os; os.remove({place!r})",
        "import socket; socket.socket().bind(('127.0.0.1', 0))",
    ):
        assert "a channel does not" in fenced(code)
    assert not Path(place).exists()


def test_a_python_without_apprise_says_so(tmp_path: Path) -> None:
    """By its exit status; its neighbours here do not stand in the way of the standard library's modules."""
    done = subprocess.run(
        [sys.executable, "-S", apprise_program.__file__],
        input=json.dumps({"url": "json://x"}),
        capture_output=True,
        text=True,
        check=False,
        cwd=tmp_path,
    )
    assert (done.returncode, done.stdout) == (apprise_program.NOT_INSTALLED, "")
    assert "No module named 'apprise'" in done.stderr


def named(name: str, *args: Any, **attributes: Any) -> Exception:
    """An exception as a library raises it that is not imported here."""
    return type(name, (Exception,), attributes)(*args)


@pytest.mark.parametrize(
    ("error", "fault"),
    [
        (
            named(
                "ProxyError",
                named(
                    "MaxRetryError",
                    reason=named(
                        "ProxyError", original_error=OSError("Tunnel connection failed: 403 Forbidden")
                    ),
                ),
            ),
            "unreached",
        ),
        (
            named(
                "ProxyError",
                named(
                    "MaxRetryError", reason=named("ProxyError", original_error=ConnectionResetError("reset"))
                ),
            ),
            "broken",
        ),
        (
            named(
                "ProxyError",
                named(
                    "MaxRetryError", reason=named("ProxyError", original_error=named("NewConnectionError"))
                ),
            ),
            "unreached",
        ),
        (
            named(
                "SSLError",
                named("MaxRetryError", reason=OSError("[SSL: CERTIFICATE_VERIFY_FAILED] self-signed")),
            ),
            "unsafe",
        ),
        (named("SSLError", named("MaxRetryError", reason=OSError("[SSL: UNEXPECTED_EOF]"))), "broken"),
        (named("ConnectionError", named("ProtocolError", "aborted", ConnectionResetError())), "broken"),
        (named("ReadTimeout", named("ReadTimeoutError", "Read timed out.")), "broken"),
    ],
)
def test_what_went_wrong_is_told_apart(error: Exception, fault: str) -> None:
    """What may have been taken is never called unreached."""
    assert apprise_program._fault(apprise_program._cause(error)) == fault  # pyright: ignore[reportPrivateUsage]


def test_a_long_message_loses_the_oldest_lines_of_the_log_first() -> None:
    fit = apprise_program._fit  # pyright: ignore[reportPrivateUsage]
    assert fit("text", "one\ntwo\nthree", 100) == "text\n\none\ntwo\nthree"
    assert fit("text", "one\ntwo\nthree", 15) == "text\n\ntwo\nthree"
    assert fit("a long text", "one", 8) == "a long …"
