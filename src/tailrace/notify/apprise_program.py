"""The program that has Apprise carry one message, or look at one address. It runs in whatever Python has Apprise, 3.9 or newer.

It imports nothing of Tailrace. Standard input has one JSON object: `url`; `proxy` (HOST:PORT, the only place that may be
connected to) and `title`, `text`, `lines`, `type` of a message, without which the address is only looked at. Standard output
gets one: `service`, what Apprise calls it; `refused`, why it is not used; `ok`, what Apprise says became of the message; `words`,
what it complained of; `exchanges`, a list of what was asked of servers: `method`, `host`, and `status` with `words` and
`retry_after`, or `fault` with `words`.
"""

from __future__ import annotations

import sys

if __name__ == "__main__":
    del sys.path[0]  # this file's folder: its neighbours have names of the standard library's modules

import importlib
import json
import logging
import mimetypes
import os
import resource
import signal
from typing import Any

SECONDS = 90
"""After which it ends by itself: whoever started it may be gone."""
MEMORY = 1 << 29
"""Bytes of address space: a server's answer is read to its end."""
WORDS = 300
"""Characters of an answer, and of a complaint."""
CONNECT_S = 10.0
READ_S = 25.0
"""Apprise's own 4 s are short where a message must not be sent twice: an answer that comes later is one that was lost."""

NOT_INSTALLED = 3
"""The exit status where this Python has no Apprise."""
OWN_KINDS = {
    "dingtalk": "dingtalk",
    "wecombot": "wecom",
    "feishu": "feishu",
    "lark": "feishu",
    "mailto": "email",
    "mailtos": "email",
}
"""Services that Tailrace speaks to itself. Apprise takes what the robots among them refuse for a success."""

_FORBIDDEN = frozenset(
    (
        *("os.exec", "os.fork", "os.forkpty", "os.posix_spawn", "os.system", "pty.spawn", "subprocess.Popen"),
        *("os.chmod", "os.chown", "os.link", "os.mkdir", "os.remove", "os.rename", "os.rmdir", "os.symlink"),
        *("os.truncate", "socket.bind"),
    )
)
"""Events of Python's auditing: other programs, changes of the disk, services of its own."""
_UNSENT = ("NewConnectionError", "ConnectTimeoutError", "NameResolutionError")
_UNSAFE = ("CERTIFICATE_VERIFY_FAILED", "WRONG_VERSION_NUMBER")


def _fence(proxy: str | None) -> None:
    """From here on: no connection but to the proxy, no other program, no file written, none read but Python's own.

    An address can name files (templates, keys) and machines; it is for whoever may write channels, who may read neither here.
    """
    host, _, port = (proxy or ":0").rpartition(":")
    allowed = (host, int(port))
    roots = tuple(
        os.path.realpath(place) + os.sep for place in sys.path if place and os.path.realpath(place) != os.sep
    )
    single = {os.path.realpath(place) for place in (*mimetypes.knownfiles, os.devnull, *sys.path)}

    def look(event: str, args: tuple[Any, ...]) -> None:
        if event == "open":
            place, mode, flags = args
            if isinstance(place, int):
                return
            writes = flags & (os.O_WRONLY | os.O_RDWR | os.O_CREAT | os.O_TRUNC | os.O_APPEND)
            found = os.path.realpath(os.fsdecode(place))
            if writes and found != os.devnull:
                raise PermissionError(f"a channel writes no file: {found} ({mode})")
            if found not in single and not found.startswith((*roots, "/usr/share/zoneinfo/")):
                raise PermissionError(f"a channel reads no file of this machine: {found}")
        elif event == "socket.connect":
            if tuple(args[1][:2]) != allowed:
                raise PermissionError("a channel goes by http and https only")
        elif event in ("socket.sendto", "socket.sendmsg"):
            if args[1] is not None:
                raise PermissionError("a channel goes by http and https only")
        elif event in _FORBIDDEN:
            raise PermissionError(f"a channel does not {event}")

    sys.addaudithook(look)


def _watch(exchanges: list[dict[str, Any]]) -> None:
    """Write down what becomes of each request, and follow no redirect: secrets would go there."""
    adapters: Any = importlib.import_module("requests.adapters")
    sessions: Any = importlib.import_module("requests.sessions")
    send = adapters.HTTPAdapter.send

    def watched(self: Any, request: Any, *args: Any, **more: Any) -> Any:
        seen: dict[str, Any] = {
            "method": request.method,
            "host": request.url.split("/")[2].rpartition("@")[2],
        }
        exchanges.append(seen)
        try:
            answer = send(self, request, *args, **more)
            body = b"" if 200 <= answer.status_code < 300 else answer.content
        except Exception as error:
            cause = _cause(error)
            seen.update(fault=_fault(cause), words=str(cause)[:WORDS])
            raise
        seen.update(
            status=answer.status_code,
            retry_after=answer.headers.get("Retry-After"),
            words=body[: 4 * WORDS].decode(errors="replace")[:WORDS],
        )
        return answer

    def nowhere(self: Any, answer: Any) -> None:
        return None

    adapters.HTTPAdapter.send = watched
    sessions.SessionRedirectMixin.get_redirect_target = nowhere


def _cause(error: BaseException) -> BaseException:
    """What requests and urllib3 have wrapped."""
    inner = error.args[0] if error.args and isinstance(error.args[0], BaseException) else error
    inner = getattr(inner, "reason", None) or inner
    return getattr(inner, "original_error", None) or inner


def _fault(cause: BaseException) -> str:
    """`unsafe`: its encryption is not good; `unreached`: nothing was said to it; `broken`: nobody knows what it took."""
    said = str(cause)
    if any(word in said for word in _UNSAFE):
        return "unsafe"
    unsent = type(cause).__name__ in _UNSENT or said.startswith("Tunnel connection failed")
    return "unreached" if unsent else "broken"


class _Complaints(logging.Handler):
    """What Apprise warned of."""

    def __init__(self) -> None:
        super().__init__(logging.WARNING)
        self.found: list[str] = []

    def emit(self, record: logging.LogRecord) -> None:
        self.found.append(record.getMessage())

    def words(self) -> str:
        return "; ".join(dict.fromkeys(self.found))[:WORDS]


def _load(apprise: Any, url: str, complaints: _Complaints) -> tuple[Any, str | None]:
    """What speaks to the service, and why it is not used if it is not."""
    own = _own_kind({url.partition(":")[0].lower()})
    if own is not None:
        return None, own
    asset = apprise.AppriseAsset(async_mode=False, secure_logging=True)
    plugin = apprise.Apprise.instantiate(url, asset=asset)
    if plugin is None:
        return None, complaints.words() or "Apprise knows no such service"
    schemes: set[str] = set()
    for said in (plugin.protocol, plugin.secure_protocol):
        schemes.update((said,) if isinstance(said, str) else said or ())
    modules = [sys.modules.get(kind.__module__) for kind in type(plugin).__mro__]
    if not any(hasattr(module, "requests") for module in modules):
        return (
            plugin,
            "it is not spoken to by http or https, and nothing else passes the guard of private addresses",
        )
    return plugin, _own_kind(schemes)  # those of an address as the service itself writes it


def _own_kind(schemes: set[str]) -> str | None:
    kinds = sorted({OWN_KINDS[scheme] for scheme in schemes if scheme in OWN_KINDS})
    return f"a channel of kind {kinds[0]} is made for it" if kinds else None


def _fit(text: str, lines: str, most: int) -> str:
    """Both as one text of at most `most` characters: the log's oldest lines go first, then the text's end."""
    while lines and len(text) + len(lines) + 2 > most:
        lines = lines.partition("\n")[2]
    body = f"{text}\n\n{lines}" if lines else text
    return body if len(body) <= most else body[: max(0, most - 1)] + "…"


def _send(apprise: Any, plugin: Any, asked: dict[str, Any]) -> bool:
    # What an address may say of these would send a message twice, or hide that it was not taken.
    plugin.retry, plugin.optional, plugin.redirects = 0, False, False
    plugin.socket_connect_timeout = max(plugin.socket_connect_timeout, CONNECT_S)
    plugin.socket_read_timeout = max(plugin.socket_read_timeout, READ_S)
    most = plugin.body_maxlen - (len(asked["title"]) + 2 if plugin.title_maxlen <= 0 else 0)
    sender = apprise.Apprise(asset=plugin.asset)
    sender.add(plugin)
    return sender.notify(
        title=asked["title"],
        body=_fit(asked["text"], asked["lines"], most) or asked["title"],
        notify_type=asked["type"],
        body_format="text",
    )


def _limit(what: int, most: int) -> None:
    hard = resource.getrlimit(what)[1]
    least = most if hard == resource.RLIM_INFINITY else min(most, hard)
    resource.setrlimit(what, (least, least))


def main() -> int:
    asked: dict[str, Any] = json.load(sys.stdin)
    # What others print is not our answer.
    answering = os.fdopen(os.dup(1), "w", encoding="utf-8")
    os.dup2(2, 1)
    signal.alarm(SECONDS)
    _limit(resource.RLIMIT_CORE, 0)  # it would hold the address
    _limit(resource.RLIMIT_AS, MEMORY)
    _fence(asked.get("proxy"))
    complaints = _Complaints()
    logging.getLogger("apprise").addHandler(complaints)
    logging.getLogger("apprise").setLevel(logging.WARNING)
    try:
        apprise: Any = importlib.import_module("apprise")
    except ModuleNotFoundError as missing:
        print(missing, file=sys.stderr)
        return NOT_INSTALLED
    exchanges: list[dict[str, Any]] = []
    _watch(exchanges)
    plugin, refused = _load(apprise, asked["url"], complaints)
    told: dict[str, Any] = {"service": str(getattr(plugin, "service_name", "")), "refused": refused}
    if refused is None and "title" in asked:
        complaints.found.clear()
        try:
            told["ok"] = _send(apprise, plugin, asked) is True
        except Exception as error:
            told["ok"] = False
            complaints.found.append(repr(error))
    json.dump({**told, "words": complaints.words(), "exchanges": exchanges}, answering)
    answering.close()
    return 0


if __name__ == "__main__":
    sys.exit(main())
