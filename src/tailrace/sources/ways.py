"""The way of git and svn to a repository: past the guard, also where a redirect leads them, or a name that says another thing."""

from __future__ import annotations

from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from urllib.request import getproxies, proxy_bypass

from tailrace.domain.address import Host, host_of, is_subversion
from tailrace.guard import Guard, TargetUnknown
from tailrace.proxy import Target, guarded_proxy


@dataclass(frozen=True)
class Way:
    """How a program goes to one repository. `proxy` is HOST:PORT on loopback, None where it goes by itself; `follows` says whether
    it may follow redirects; `refused` says, afterwards, where it was not let through or found nobody, and why."""

    proxy: str | None = None
    follows: bool = True
    refused: list[str] = field(default_factory=list[str])

    def for_git(self) -> dict[str, str]:
        """What git's environment has to say of it."""
        settings = {} if self.follows else {"http.followRedirects": "false"}
        if self.proxy is not None:
            settings["http.proxy"] = f"http://{self.proxy}"
        said = {"GIT_CONFIG_COUNT": str(len(settings))} if settings else {}
        for number, (name, value) in enumerate(settings.items()):
            said |= {f"GIT_CONFIG_KEY_{number}": name, f"GIT_CONFIG_VALUE_{number}": value}
        # Else git would go past the proxy to the machines that these name.
        return said if self.proxy is None else {**said, "NO_PROXY": "", "no_proxy": ""}


class Ways:
    """Ways to repositories, past `guard`; None lets through everything.

    Over http and https a program gets a proxy of its own, for as long as it runs, that connects to the very addresses which the
    guard looked at. Where the environment names a proxy already, git goes by that and follows no redirect; svn reads no environment
    for one, and could not be told to follow none. Over ssh, git:// and svn:// the guard is asked before the program starts. What
    lies on this machine's own disk needs no way.
    """

    def __init__(self, guard: Guard | None) -> None:
        self._guard = guard

    @asynccontextmanager
    async def to(self, repository: str, *, alone: bool = False) -> AsyncGenerator[Way]:
        """Good while the context lasts; `alone`: a proxy lets through to no machine and port but those of the address.

        Raises TargetRefused, TargetUnknown.
        """
        host = host_of(repository)
        if host is None or self._guard is None:
            yield Way()
            return
        outer = host.scheme in ("http", "https") and not is_subversion(repository) and _has_proxy(host)
        try:
            await self._guard.addresses(host.name, host.port)
        except TargetUnknown:
            # ssh may know it from its own settings, and a proxy by its own means.
            if host.scheme != "ssh" and not outer:
                raise
        if host.scheme not in ("http", "https") or outer:
            yield Way(follows=not outer)
            return
        only = Target(host.name, host.port) if alone else None
        async with guarded_proxy(self._guard, only) as proxy:
            yield Way(proxy.address, True, proxy.refused)


UNGUARDED = Ways(None)


def _has_proxy(host: Host) -> bool:
    """Whether the server's environment names a proxy for it."""
    named = getproxies()
    return (host.scheme in named or "all" in named) and not proxy_bypass(host.name)
