"""The parts of GitLab's payloads that we read; a field's description is what an error says was expected."""

from __future__ import annotations

from pydantic import Field

from tailrace.sources.fields import (
    A_BOOLEAN,
    A_BRANCH,
    A_HASH,
    A_LINK,
    A_NUMBER,
    A_PERSON,
    A_REF,
    A_STRING,
    COMMITS,
    PATHS,
    FullRef,
    Hash,
    Many,
    Moment,
    Paths,
    RefName,
    WebAddress,
)
from tailrace.sources.home import Home
from tailrace.sources.payload import Payload


class Kind(Payload):
    """Which event a payload is of: system hooks of old GitLabs have only `event_name`."""

    object_kind: str | None = Field(None, description="the kind of an event, or null")
    event_name: str | None = Field(None, description="the name of an event, or null")


class Author(Payload):
    """Who wrote a commit."""

    name: str = Field(description=A_STRING)


class Commit(Payload):
    """A commit of a push, newest last; with the files that it touched."""

    id: Hash = Field(description=A_HASH)
    message: str = Field(description=A_STRING)
    timestamp: Moment = None
    author: Author | None = Field(None, description=A_PERSON)
    url: WebAddress | None = Field(None, description=A_LINK)
    added: Paths | None = Field(None, description=PATHS)
    modified: Paths | None = Field(None, description=PATHS)
    removed: Paths | None = Field(None, description=PATHS)


class Push(Payload):
    """A branch or tag that moved, began or ended."""

    ref: FullRef = Field(description=A_REF)
    before: Hash | None = Field(None, description=A_HASH)
    after: Hash = Field(description=A_HASH)
    checkout_sha: Hash | None = Field(None, description=f"{A_HASH}, or null")
    user_name: str | None = Field(None, description="a string, or null")
    commits: Many[Commit] = Field((), description=COMMITS)
    total_commits_count: int | None = Field(None, description="a number, or null")
    project: Home | None = Field(None, description="a project")


class User(Payload):
    """An account."""

    username: str | None = Field(None, description="a string, or null")
    name: str | None = Field(None, description="a string, or null")


class MergeRequestNow(Payload):
    """A merge request as it is now; `oldrev` is there when an update brought commits."""

    iid: int = Field(gt=0, lt=2**31, description=A_NUMBER)
    # Left out in a payload of a state that nobody brought about.
    action: str | None = Field(None, pattern=r"^[a-z_]{1,64}$", description="a word such as open")
    title: str = Field(description=A_STRING)
    source_branch: RefName = Field(description=A_BRANCH)
    target_branch: RefName = Field(description=A_BRANCH)
    source_project_id: int | None = Field(description="a project's id, or null")
    target_project_id: int = Field(description="a project's id")
    last_commit: Commit | None = Field(description="a commit, or null where there is none yet")
    oldrev: Hash | None = Field(None, description=A_HASH)
    url: WebAddress | None = Field(None, description=A_LINK)


class Draft(Payload):
    """Whether a merge request was one that nobody is to look at yet, and whether it is now."""

    previous: bool | None = Field(None, description=A_BOOLEAN)
    current: bool | None = Field(None, description=A_BOOLEAN)


class Changes(Payload):
    """What an update changed."""

    draft: Draft | None = Field(None, description="what was, and what is")


class MergeRequestChange(Payload):
    """Something that was done to a merge request."""

    object_attributes: MergeRequestNow = Field(description="a merge request")
    user: User | None = Field(None, description="an object with a username, or null")
    changes: Changes | None = Field(None, description="what was changed")
    project: Home | None = Field(None, description="a project")
