"""Whose webhook it is: what an organisation's webhook tells of another repository starts nothing."""

from __future__ import annotations

import pytest

from tailrace.domain.errors import Invalid
from tailrace.domain.events import Event
from tailrace.sources.base import Ignored, Source
from tailrace.sources.home import OfProject

from .forges import FORM, GITEA, GITHUB, GITLAB, Forge

every_forge = pytest.mark.parametrize("forge", [GITHUB, GITLAB, GITEA], ids=str)
HOSTS = {"github": "github.com", "gitlab": "gitlab.example.com", "gitea": "gitea.example.com"}
NAMES = {
    "github": (
        "push_branch",
        "push_delete_branch",
        "pull_request_opened",
        "workflow_run_completed",
        "workflow_job_completed",
    ),
    "gitlab": ("push_branch", "push_delete_branch", "merge_request_open"),
    "gitea": ("push_branch", "delete_branch", "pull_request_opened"),
}


def of_project(forge: Forge, path: str) -> Source:
    return OfProject(forge.source, f"https://{HOSTS[forge.name]}/{path}")


def said(forge: Forge, source: Source, name: str, more: dict[str, str] | None = None) -> Event | Ignored:
    event = (
        name.rpartition("_")[0]
        if forge is GITHUB
        else "pull_request"
        if "request" in name
        else name.split("_")[0]
    )
    event = "push" if event.startswith("push") else event
    return source.read(forge.headers(event) | (more or {}), forge.payload(name))


@pytest.mark.parametrize(
    ("forge", "name"), [(f, n) for f in (GITHUB, GITLAB, GITEA) for n in NAMES[f.name]], ids=str
)
def test_what_is_told_of_another_repository_of_the_same_host_is_ignored(forge: Forge, name: str) -> None:
    assert isinstance(said(forge, of_project(forge, "millwright/waterwheel.git"), name), Event)
    other = said(forge, of_project(forge, "millwright/windmill"), name)
    assert isinstance(other, Ignored)
    assert "millwright/waterwheel" in other.why
    assert "another repository than the project's" in other.why


@every_forge
@pytest.mark.parametrize(
    "address", ["/srv/mirrors/wheel.git", "https://mirror.example.org/wheel", "svn://h/wheel"]
)
def test_a_project_that_has_its_repository_elsewhere_hears_of_it_too(forge: Forge, address: str) -> None:
    """A mirror, or a name of the forge that only this machine knows."""
    assert isinstance(said(forge, OfProject(forge.source, address), "push_branch"), Event)


@pytest.mark.parametrize(
    ("forge", "name"),
    [
        (GITHUB, "X-GitHub-Hook-Installation-Target-Type"),
        (GITEA, "X-Gitea-Hook-Installation-Target-Type"),
        (GITEA, "X-Forgejo-Hook-Installation-Target-Type"),
    ],
    ids=str,
)
def test_a_repositorys_own_webhook_is_heard_when_the_repository_was_renamed(forge: Forge, name: str) -> None:
    old = of_project(forge, "millwright/mill")
    assert isinstance(said(forge, old, "push_branch", {name: "repository"}), Event)
    assert isinstance(said(forge, old, "push_branch", {name: "organization"}), Ignored)


@every_forge
@pytest.mark.parametrize("odd", [None, 7, "", "::", "no address"])
def test_addresses_that_are_none_refuse_nothing(forge: Forge, odd: object) -> None:
    body = forge.body("push_branch")
    home = body["project" if forge is GITLAB else "repository"]
    for key in ("html_url", "clone_url", "ssh_url", "web_url", "git_http_url", "git_ssh_url"):
        home[key] = odd
    event = forge.said("push_branch", body)
    assert isinstance(event, Event)
    assert "addresses" not in event.model_dump()


@every_forge
def test_otherwise_it_is_the_source_that_it_is_of(forge: Forge) -> None:
    source = of_project(forge, "millwright/windmill")
    assert (source.name, source.secret_headers) == (forge.source.name, forge.source.secret_headers)
    headers = forge.headers("push", FORM) | {
        "X-GitHub-Delivery": "a",
        "Idempotency-Key": "a",
        "X-Gitea-Delivery": "a",
    }
    assert source.delivery_key(headers) == forge.source.delivery_key(headers) == "a"
    assert source.event_name(headers) == forge.source.event_name(headers)
    with pytest.raises(Invalid):
        source.read(forge.headers("push"), b"[")
