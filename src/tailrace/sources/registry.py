"""The sources by the word in a hook's URL."""

from __future__ import annotations

from collections.abc import Mapping

from tailrace.sources.base import Source
from tailrace.sources.gitea import Gitea
from tailrace.sources.github import GitHub
from tailrace.sources.gitlab import GitLab


def all_sources() -> Mapping[str, Source]:
    """Every source that there is, by its name."""
    return {source.name: source for source in (GitHub(), GitLab(), Gitea())}
