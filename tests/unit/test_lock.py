"""requirements.lock says what pyproject.toml asks for, and nothing of the machine that wrote it."""

from __future__ import annotations

import re
import tomllib
from pathlib import Path

from packaging.requirements import Requirement
from packaging.utils import canonicalize_name

CHECKOUT = Path(__file__).parents[2]
LOCK = (CHECKOUT / "requirements.lock").read_text()
PINS = {
    canonicalize_name(name): version
    for name, version in re.findall(r"^([A-Za-z0-9._-]+)==(\S+)", LOCK, flags=re.MULTILINE)
}


def asked_for() -> list[Requirement]:
    project = tomllib.loads((CHECKOUT / "pyproject.toml").read_text())
    return [
        Requirement(line)
        for line in (
            *project["project"]["dependencies"],
            *project["project"]["optional-dependencies"]["server"],
            *project["dependency-groups"]["dev"],
            *project["build-system"]["requires"],
        )
    ]


def test_every_direct_dependency_is_locked_at_a_version_that_is_allowed() -> None:
    stale = [
        str(requirement)
        for requirement in asked_for()
        if not requirement.specifier.contains(PINS.get(canonicalize_name(requirement.name), "0"))
    ]
    assert stale == [], "run `make lock`"


def test_nothing_is_locked_that_nobody_asked_for() -> None:
    """A dependency that was taken out of pyproject.toml is gone from the lock too."""
    asked = {canonicalize_name(requirement.name) for requirement in asked_for()}
    direct = {
        canonicalize_name(name)
        for name in re.findall(
            r"^([A-Za-z0-9._-]+)==(?:(?!\n[a-z])[\s\S])*?tailrace \(pyproject\.toml", LOCK, flags=re.MULTILINE
        )
    }
    assert direct <= asked, "run `make lock`"
    assert len(direct) > 20


def test_every_package_has_hashes() -> None:
    entries = re.split(r"^(?=[A-Za-z0-9])", LOCK, flags=re.MULTILINE)[1:]
    assert len(entries) == len(PINS)
    assert [entry.split()[0] for entry in entries if "--hash=sha256:" not in entry] == []


def test_the_lock_names_no_host_and_no_path() -> None:
    assert re.findall(r".*(?:://|@ |--\S*(?:index|find-links|host)|(?:^|\s)[~.]?/\S).*", LOCK) == []
