"""The parts of Gitea's and Forgejo's payloads that we read; a field's description is what an error says was expected."""

from __future__ import annotations

from typing import Literal

from pydantic import Field

from tailrace.sources.fields import (
    A_BOOLEAN,
    A_BRANCH,
    A_HASH,
    A_NUMBER,
    A_PERSON,
    A_REF,
    A_STRING,
    COMMITS,
    PATHS,
    FullRef,
    Hash,
    Many,
    Paths,
    RefName,
)
from tailrace.sources.home import Home
from tailrace.sources.payload import Payload

_AN_ACCOUNT = "an account, or null"
_A_REPOSITORY = "a repository"
_AN_ADDRESS = "an address, or null"


class Author(Payload):
    """Who wrote a commit."""

    name: str = Field(description=A_STRING)


class Commit(Payload):
    """A commit of a push, with the files that it touched; Gitea before 1.13 does not say them."""

    id: Hash = Field(description=A_HASH)
    message: str = Field(description=A_STRING)
    author: Author | None = Field(None, description=A_PERSON)
    # "" where Gitea has none.
    url: str | None = Field(None, description=_AN_ADDRESS)
    added: Paths | None = Field(None, description=PATHS)
    removed: Paths | None = Field(None, description=PATHS)
    modified: Paths | None = Field(None, description=PATHS)


class Account(Payload):
    """A user or an organisation."""

    login: str = Field(description=A_STRING)


class Push(Payload):
    """A branch or tag that moved, began or ended."""

    ref: FullRef = Field(description=A_REF)
    before: Hash = Field(description=A_HASH)
    after: Hash = Field(description=A_HASH)
    commits: Many[Commit] | None = Field(None, description=f"{COMMITS}, or null")
    total_commits: int | None = Field(None, description="a number, or null")
    head_commit: Commit | None = Field(None, description="a commit, or null")
    pusher: Account | None = Field(None, description=_AN_ACCOUNT)
    repository: Home = Field(description=_A_REPOSITORY)


class Deletion(Payload):
    """A branch or tag that ended, by its short name."""

    ref: RefName = Field(description=A_BRANCH)
    ref_type: Literal["branch", "tag"] = Field(description="branch or tag")
    sender: Account | None = Field(None, description=_AN_ACCOUNT)
    repository: Home = Field(description=_A_REPOSITORY)


class Head(Payload):
    """The side of a pull request that is to be merged; its repository is null when the fork is gone."""

    ref: RefName = Field(description=A_BRANCH)
    sha: Hash = Field(description=A_HASH)
    repo_id: int = Field(description="a repository's id")
    repo: Home | None = Field(description="a repository, or null")


class Base(Payload):
    """The side of a pull request that it is to be merged into."""

    ref: RefName = Field(description=A_BRANCH)
    repo_id: int = Field(description="a repository's id")


class PullRequest(Payload):
    """A pull request as it is now."""

    title: str = Field(description=A_STRING)
    user: Account | None = Field(None, description=_AN_ACCOUNT)
    head: Head = Field(description="an object with ref, sha, repo_id and repo")
    base: Base = Field(description="an object with ref and repo_id")
    merged: bool | None = Field(None, description=A_BOOLEAN)
    html_url: str | None = Field(None, description=_AN_ADDRESS)


class PullRequestChange(Payload):
    """Something that was done to a pull request."""

    action: str = Field(pattern=r"^[a-z_]{1,64}$", description="a word such as opened")
    number: int = Field(gt=0, lt=2**31, description=A_NUMBER)
    pull_request: PullRequest = Field(description="a pull request")
    repository: Home = Field(description=_A_REPOSITORY)
