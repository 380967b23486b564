"""The three forges with the payloads that they document, in one shape: what is said of one can be asked of all."""

from __future__ import annotations

import json
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from tailrace.domain.events import Event
from tailrace.sources.base import Ignored, Source
from tailrace.sources.gitea import Gitea
from tailrace.sources.github import GitHub
from tailrace.sources.gitlab import GitLab

from .test_signatures import TIME

SECRET = b"a secret that is long enough"
FORM = "application/x-www-form-urlencoded"
OLDEST, OLD = "1a2b3c4d5e6f708192a3b4c5d6e7f80910213243", "5d0a1b2c3d4e5f60718293a4b5c6d7e8f9011223"
H1, H2 = "3f1c9a0d5b7e42f68a9b0c1d2e3f405162738495", "9c2b7e61f0d34a5586d7e8f90a1b2c3d4e5f6071"
FORK = "77aa88bb99cc00dd11ee22ff3344556677889900"
COMMITTED_AT = int(datetime(2026, 11, 20, 9, 29, 58, tzinfo=UTC).timestamp() * 1000)
MESSAGE = "Fit the new paddles\n\nThey are of oak and last longer.\n"
_EVENTS = ("pull_request", "push", "ping", "create", "delete", "issues", "workflow_run", "workflow_job")


@dataclass(frozen=True)
class Forge:
    """`header` names the event, None: the body does; `page` is where its projects are, `request` its word for pull requests."""

    name: str
    source: Source
    page: str
    header: str | None = None
    request: str = "pull_request"

    def __str__(self) -> str:
        return self.name

    def payload(self, name: str) -> bytes:
        return (Path(__file__).parents[2] / "payloads" / self.name / f"{name}.json").read_bytes()

    def body(self, name: str) -> Any:
        """The payload, to be changed."""
        return json.loads(self.payload(name))

    def headers(self, event: str, content_type: str = "application/json") -> dict[str, str]:
        return {"Content-Type": content_type} | ({} if self.header is None else {self.header: event})

    def said(self, name: str, body: Any = None, *, event: str | None = None) -> Event | Ignored:
        """What comes of a payload, or of another `body` in its place."""
        event = event or next((word for word in _EVENTS if name.startswith(word)), "")
        data = self.payload(name) if body is None else json.dumps(body).encode()
        return self.source.read(self.headers(event), data)

    def read(self, name: str, body: Any = None, *, event: str | None = None) -> Event:
        found = self.said(name, body, event=event)
        assert isinstance(found, Event)
        return found


def bare(event: Event) -> Event:
    """Without the addresses of the repository, which test_home.py looks at."""
    return event.model_copy(update={"addresses": ()})


GITHUB = Forge("github", GitHub(), "https://github.com/millwright/waterwheel", "X-GitHub-Event")
GITEA = Forge("gitea", Gitea(), "https://gitea.example.com/millwright/waterwheel", "X-Gitea-Event")
GITLAB = Forge(
    "gitlab",
    GitLab(clock=lambda: TIME),
    "https://gitlab.example.com/millwright/waterwheel/-",
    request="merge_request",
)
