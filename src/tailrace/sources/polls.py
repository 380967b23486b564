"""Looking, whatever a trigger looks at."""

from __future__ import annotations

from tailrace.domain.address import is_subversion
from tailrace.domain.polls import Found, LookFailed, Wanted
from tailrace.domain.triggers import GitSettings, SubversionSettings, UrlSettings
from tailrace.guard import Guard
from tailrace.sources.git_poll import GitPoll
from tailrace.sources.patience import within
from tailrace.sources.repositories import Repositories
from tailrace.sources.svn_poll import SubversionPoll
from tailrace.sources.url_poll import UrlPoll

_KEEPERS = {"git": "git", "subversion": "Subversion"}


class Polls:
    """Looks once each time it is asked, and remembers nothing.

    `repositories` are those that plans are read from: their mirrors serve both. `guard` says which URLs may be asked.
    """

    def __init__(self, repositories: Repositories, guard: Guard) -> None:
        self._git = GitPoll(repositories.git)
        self._subversion = SubversionPoll(repositories.subversion)
        self._url = UrlPoll(guard)

    async def look(self, wanted: Wanted) -> Found:
        """What is there now; raises LookFailed, SourceUnreachable, RevisionNotFound, Invalid."""
        kind = wanted.settings.kind
        if kind in _KEEPERS and (kind == "subversion") != is_subversion(wanted.repository):
            kept = _KEEPERS["subversion" if kind == "git" else "git"]
            raise LookFailed(
                f"the project's repository is one of {kept}: a trigger of kind {kind} cannot look at it"
            )
        match wanted.settings:
            case GitSettings() as settings:
                return await self._git.look(
                    wanted, settings
                )  # it bounds what it asks itself, and not a first clone
            case SubversionSettings() as settings:
                async with within(settings.timeout_s):
                    return await self._subversion.look(wanted, settings)
            case UrlSettings() as settings:
                async with within(settings.timeout_s):
                    return await self._url.look(wanted, settings)
            case other:
                raise LookFailed(f"a trigger of kind {other.kind} does not look at anything")
