"""Triggers: what turns events into runs of one plan. The settings of each kind, and what is shown of a trigger."""

from __future__ import annotations

import re
from enum import StrEnum
from typing import Annotated, Any, Literal

from pydantic import BaseModel, ConfigDict, Field, TypeAdapter, field_validator, model_validator

from tailrace.domain.filters import On
from tailrace.domain.model import Time

MIN_INTERVAL_S = 5
MAX_INTERVAL_S = 7 * 24 * 3600
MAX_TIMEOUT_S = 600

_WHAT = ("branches", "tags", "path", "url", "look", "expression", "zone")
"""Settings that say what is looked at; the others say how and how often, and what comes of it."""

_HEADER = re.compile(r"[!#$%&'*+.^_`|~0-9A-Za-z-]{1,100}")

Pattern = Annotated[str, Field(min_length=1, max_length=500)]
Interval = Annotated[int, Field(ge=MIN_INTERVAL_S, le=MAX_INTERVAL_S)]
Timeout = Annotated[int, Field(ge=1, le=MAX_TIMEOUT_S)]
Mode = Literal["every", "latest"]
"""`every`: a run for each commit since the last one seen; `latest`: one for the newest."""


class TriggerKind(StrEnum):
    WEBHOOK = "webhook"
    GIT = "git"
    SUBVERSION = "subversion"
    URL = "url"
    CRON = "cron"


class _Settings(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid")


class WebhookSettings(_Settings):
    """Webhooks of the project's forge. `filters` are asked beside those of the plan; null: all events are wanted."""

    kind: Literal["webhook"] = "webhook"
    filters: On | None = None


class GitSettings(_Settings):
    """Branches and tags of the project's repository, looked at every `interval_s` seconds; for at most `timeout_s`.

    `branches` and `tags` are patterns of names as those of a plan's `on`; an empty list stands for none.
    """

    kind: Literal["git"] = "git"
    branches: tuple[Pattern, ...] = ("*",)
    tags: tuple[Pattern, ...] = ()
    interval_s: Interval = 60
    mode: Mode = "latest"
    timeout_s: Timeout = 60

    @model_validator(mode="after")
    def _something(self) -> GitSettings:
        if not self.branches and not self.tags:
            raise ValueError(
                "expected a pattern in `branches` or in `tags`: with neither, nothing is looked at"
            )
        return self


class SubversionSettings(_Settings):
    """A folder of the project's repository; `path` is below the project's URL, empty for the whole.

    `user` is a name, `password` the name of a secret of the project; null: as the project's URL says.
    """

    kind: Literal["subversion"] = "subversion"
    path: Annotated[str, Field(max_length=500)] = ""
    user: Annotated[str, Field(min_length=1, max_length=200)] | None = None
    password: Annotated[str, Field(min_length=1, max_length=100)] | None = None
    interval_s: Interval = 60
    mode: Mode = "latest"
    timeout_s: Timeout = 60

    @field_validator("path")
    @classmethod
    def _inside(cls, value: str) -> str:
        if value.startswith("/") or ".." in value.split("/") or "\0" in value:
            raise ValueError("expected the path of a folder below the project's URL, such as trunk/docs")
        return value.rstrip("/")


class UrlSettings(_Settings):
    """What stands at a URL. `look` says what is compared: `auto` and `hash` the content, where `auto` saves
    reading it when the server says by ETag or Last-Modified that it is the same; `json` is the value at `path` of a JSON document.

    `headers` are sent as they are; `secret_headers` name a secret of the project each. The run is of `branch` (null: the default).
    """

    kind: Literal["url"] = "url"
    url: Annotated[str, Field(max_length=2000)]
    headers: dict[str, Annotated[str, Field(max_length=2000)]] = {}
    secret_headers: dict[str, Annotated[str, Field(min_length=1, max_length=100)]] = {}
    look: Literal["auto", "etag", "last_modified", "hash", "json"] = "auto"
    path: Annotated[str, Field(min_length=1, max_length=500)] | None = None
    branch: Annotated[str, Field(min_length=1, max_length=500)] | None = None
    interval_s: Interval = 300
    timeout_s: Timeout = 30

    @field_validator("url")
    @classmethod
    def _http(cls, value: str) -> str:
        if not value.startswith(("http://", "https://")):
            raise ValueError("expected an address such as https://example.org/releases.json")
        return value

    @field_validator("headers", "secret_headers")
    @classmethod
    def _named(cls, value: dict[str, str]) -> dict[str, str]:
        for name, text in value.items():
            if not _HEADER.fullmatch(name):
                raise ValueError(f"{name[:40]!r} is not the name of a header, such as Accept")
            if any(character in text for character in "\r\n\0"):
                raise ValueError(f"the value of {name} must be one line")
        return value

    @model_validator(mode="after")
    def _path(self) -> UrlSettings:
        if (self.look == "json") != (self.path is not None):
            raise ValueError("`path` goes with look: json, and is needed there: such as `items[0].version`")
        return self


class CronSettings(_Settings):
    """Moments. `expression` has five fields, or six with seconds first; `zone` is a name such as Europe/Berlin.

    `missed` is what happens with ticks that no server was there for: `skip` them, or run `once` for all of them.
    The run is of `branch` (null: the default).
    """

    kind: Literal["cron"] = "cron"
    expression: Annotated[str, Field(min_length=1, max_length=200)]
    zone: Annotated[str, Field(min_length=1, max_length=100)] = "UTC"
    missed: Literal["skip", "once"] = "skip"
    branch: Annotated[str, Field(min_length=1, max_length=500)] | None = None


TriggerSettings = Annotated[
    WebhookSettings | GitSettings | SubversionSettings | UrlSettings | CronSettings,
    Field(discriminator="kind"),
]
_SETTINGS: TypeAdapter[TriggerSettings] = TypeAdapter(TriggerSettings)


def read_settings(kind: str, stored: dict[str, Any] | None) -> TriggerSettings:
    """The settings of a trigger of this kind; raises pydantic's ValidationError."""
    return _SETTINGS.validate_python({**(stored or {}), "kind": kind})


def looks_elsewhere(old: TriggerSettings, new: TriggerSettings) -> bool:
    """Whether what was seen by the old settings says nothing about what is seen by the new ones."""
    return any(getattr(old, name, None) != getattr(new, name, None) for name in _WHAT)


class TriggerView(BaseModel):
    """A trigger of a plan. `mode_by`, `mode_why`, `mode_at` tell who enabled or disabled it last.

    `next_at` is when it is looked at next (null: never); `last_state` (ok, error) and `last_detail` are what came of the last time,
    `failures` how many errors came in a row.
    """

    model_config = ConfigDict(frozen=True)
    id: int
    project: int
    project_name: str
    plan: int
    plan_name: str
    name: str
    kind: TriggerKind
    settings: TriggerSettings
    enabled: bool
    mode_by: str | None
    mode_why: str | None
    mode_at: Time | None
    next_at: Time | None
    last_at: Time | None
    last_state: str | None
    last_detail: str | None
    failures: int
    created_at: Time


class Outcome(BaseModel):
    """What one trigger made of an event: a run, or `why_not` it made none; names are those of that time."""

    model_config = ConfigDict(frozen=True)
    trigger: int
    name: str
    plan: int
    plan_name: str
    run: int | None = None
    why_not: str | None = None

    @property
    def matched(self) -> bool:
        """Whether it made a run."""
        return self.run is not None
