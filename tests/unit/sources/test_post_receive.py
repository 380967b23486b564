"""The hook that makes a bare repository speak GitHub's webhooks speaks them well."""

from __future__ import annotations

import shutil
import threading
from collections.abc import Callable, Iterator
from functools import partial
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import pytest

from tailrace.domain.events import Event, EventKind
from tailrace.sources.github import GitHub

from .conftest import Repository

HOOK = Path(__file__).parents[2] / "support" / "post_receive.py"
SECRET = "a secret that is long enough"


class Inbox:
    """What was posted: headers and raw bodies."""

    def __init__(self) -> None:
        self.posts: list[tuple[dict[str, str], bytes]] = []
        inbox = self

        class Handler(BaseHTTPRequestHandler):
            def do_POST(self) -> None:
                body = self.rfile.read(int(self.headers["Content-Length"]))
                inbox.posts.append((dict(self.headers.items()), body))
                self.send_response(202)
                self.end_headers()
                self.wfile.write(b'{"delivery": 1, "runs": [1]}')

            def log_message(self, format: str, *args: object) -> None:
                pass

        self.server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self.url = f"http://127.0.0.1:{self.server.server_address[1]}/hooks/github/wheel"
        threading.Thread(target=partial(self.server.serve_forever, 0.02), daemon=True).start()

    def events(self) -> list[Event]:
        """Everything that came since the last time, verified and read."""
        posts, self.posts = self.posts, []
        github = GitHub()
        events: list[Event] = []
        for headers, body in posts:
            github.verify(SECRET.encode(), headers, body)
            event = github.read(headers, body)
            assert isinstance(event, Event)
            events.append(event)
        assert len({github.delivery_key(headers) for headers, _ in posts} - {None}) == len(posts)
        return events


@pytest.fixture
def inbox() -> Iterator[Inbox]:
    inbox = Inbox()
    yield inbox
    inbox.server.shutdown()
    inbox.server.server_close()


@pytest.fixture
def pusher(new_repository: Callable[..., Repository], tmp_path: Path, inbox: Inbox) -> Repository:
    """A checkout whose origin has the hook."""
    pusher, bare = new_repository("wheel"), tmp_path / "wheel.git"
    pusher.git("init", "--quiet", "--bare", "--initial-branch=main", str(bare))
    shutil.copy(HOOK, bare / "hooks" / "post-receive")
    pusher.git("-C", str(bare), "config", "tailrace.hook-url", inbox.url)
    pusher.git("-C", str(bare), "config", "tailrace.hook-secret", SECRET)
    pusher.git("remote", "add", "origin", str(bare))
    return pusher


def test_a_branch(pusher: Repository, inbox: Inbox) -> None:
    first = pusher.commit("One", {"a": b"1"})
    pusher.git("push", "--quiet", "origin", "main")
    (event,) = inbox.events()
    assert (event.kind, event.ref, event.revision) == (EventKind.PUSH, "refs/heads/main", first)
    assert (event.title, event.author, event.action) == ("One", "Mia Miller", "created")
    pusher.commit("Two", {"größer b": b"1"})
    third = pusher.commit("Three\n\nWith more to say")
    pusher.git("push", "--quiet", "origin", "main")
    (event,) = inbox.events()
    assert (event.revision, event.title, event.action) == (third, "Three", None)
    pusher.git("reset", "--quiet", "--hard", first)
    fourth = pusher.commit("Four")
    pusher.git("push", "--quiet", "--force", "origin", "main")
    (event,) = inbox.events()
    assert (event.revision, event.action) == (fourth, "forced")


def test_tags_and_deletions_in_one_push(pusher: Repository, inbox: Inbox) -> None:
    tip = pusher.commit("One")
    pusher.git("tag", "light")
    pusher.git("tag", "-a", "heavy", "-m", "A tag with a message")
    pusher.git("push", "--quiet", "origin", "main", "main:feature/größer", "light", "heavy")
    events = {event.ref: event for event in inbox.events()}
    assert set(events) == {
        "refs/heads/main",
        "refs/heads/feature/größer",
        "refs/tags/light",
        "refs/tags/heavy",
    }
    assert {event.revision for event in events.values()} == {tip}
    assert events["refs/tags/heavy"].kind is EventKind.TAG
    pusher.git("push", "--quiet", "--delete", "origin", "feature/größer", "heavy")
    deleted = {event.ref: event.deleted for event in inbox.events()}
    assert deleted == {"refs/heads/feature/größer": True, "refs/tags/heavy": True}
