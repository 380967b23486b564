"""The parts of GitHub's payloads that we read; a field's description is what an error says was expected."""

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


class Person(Payload):
    """Who wrote a commit, or pushed."""

    name: str = Field(description=A_STRING)


class HeadCommit(Payload):
    """The commit that a branch or tag points at after a push."""

    id: Hash = Field(description=A_HASH)
    message: str = Field(description=A_STRING)
    timestamp: Moment = None
    author: Person | None = Field(None, description=A_PERSON)
    url: WebAddress | None = Field(None, description=A_LINK)


class Commit(Payload):
    """A commit of a push, as far as its files go."""

    added: Paths | None = Field(None, description=PATHS)
    removed: Paths | None = Field(None, description=PATHS)
    modified: Paths | None = Field(None, description=PATHS)


class Push(Payload):
    """A branch or tag that moved, began or ended."""

    ref: FullRef = Field(description=A_REF)
    before: Hash | None = Field(None, description=A_HASH)
    after: Hash = Field(description=A_HASH)
    created: bool = Field(False, description=A_BOOLEAN)
    deleted: bool = Field(False, description=A_BOOLEAN)
    forced: bool = Field(False, description=A_BOOLEAN)
    head_commit: HeadCommit | None = Field(None, description="a commit, or null")
    pusher: Person | None = Field(None, description=A_PERSON)
    compare: WebAddress | None = Field(None, description=A_LINK)
    commits: Many[Commit] = Field((), description=COMMITS)
    repository: Home | None = Field(None, description="a repository")


class User(Payload):
    """An account."""

    login: str = Field(description=A_STRING)


class Repository(Payload):
    """A repository, by owner and name."""

    full_name: str = Field(description="OWNER/NAME")


class Head(Payload):
    """The side of a pull request that is to be merged; its repository is null when the fork is gone."""

    ref: RefName = Field(description=A_BRANCH)
    sha: Hash = Field(description=A_HASH)
    repo: Repository | None = Field(description="a repository, or null")


class Base(Payload):
    """The side of a pull request that it is to be merged into."""

    ref: RefName = Field(description=A_BRANCH)
    repo: Repository = Field(description="a repository")


class PullRequest(Payload):
    """A pull request as it is now."""

    title: str = Field(description=A_STRING)
    user: User | None = Field(None, description="an object with a login, or null")
    head: Head = Field(description="an object with ref, sha and repo")
    base: Base = Field(description="an object with ref and repo")
    html_url: WebAddress | None = Field(None, description=A_LINK)
    merged: bool | None = Field(None, description=A_BOOLEAN)


class PullRequestChange(Payload):
    """Something that was done to a pull request."""

    action: str = Field(pattern=r"^[a-z_]{1,64}$", description="a word such as opened")
    number: int = Field(ge=1, lt=2**31, description=A_NUMBER)
    pull_request: PullRequest = Field(description="a pull request")
    # There when the action is synchronize.
    before: Hash | None = Field(None, description=A_HASH)
    repository: Home | None = Field(None, description="a repository")


class Ping(Payload):
    """What GitHub sends when a webhook is made."""

    zen: str = Field(description=A_STRING)
