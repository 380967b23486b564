"""The sources by the word in a hook's URL."""

from __future__ import annotations

from collections.abc import Mapping

from tailrace.domain.errors import Invalid
from tailrace.domain.hooks import GenericHook
from tailrace.sources.base import Source
from tailrace.sources.generic import Generic
from tailrace.sources.gitea import Gitea
from tailrace.sources.github import GitHub
from tailrace.sources.gitlab import GitLab
from tailrace.sources.home import OfProject


class Sources:
    """Every source that there is; the generic one is as the project wants it."""

    def __init__(self) -> None:
        self._forges: Mapping[str, Source] = {forge.name: forge for forge in (GitHub(), GitLab(), Gitea())}

    @property
    def names(self) -> tuple[str, ...]:
        """The words, in the order in which they are described."""
        return (*self._forges, Generic().name)

    def source(self, name: str, hook: GenericHook | None, repository: str | None = None) -> Source:
        """The source of that name, for a project with this `hook` and `repository`; raises Invalid."""
        if name == Generic().name:
            return Generic(hook or GenericHook())
        found = self._forges.get(name)
        if found is None:
            raise Invalid(f"source {name!r}: expected {', '.join(self.names)}")
        return found if repository is None else OfProject(found, repository)
