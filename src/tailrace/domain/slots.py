"""Who may be asked at once: so many repositories in all, and of one host or repository never all of them."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable
from dataclasses import dataclass, replace

from tailrace.domain.address import host_of


@dataclass(frozen=True)
class Slots:
    """`busy` are the addresses that are asked now, one for each who asks; those `away` did not answer the last time.

    Of a repository that is away one is tried at a time: the others would wait for the same.
    """

    total: int
    of_host: int
    of_repository: int
    busy: tuple[str, ...] = ()
    away: frozenset[str] = frozenset()

    @property
    def free(self) -> int:
        """How many more may be asked, whoever they are."""
        return max(0, self.total - len(self.busy))

    def has_room(self, repository: str) -> bool:
        """Whether one more may ask this repository."""
        most = 1 if repository in self.away else self.of_repository
        host = _machine(repository)
        hosts = Counter(_machine(one) for one in self.busy)
        return self.free > 0 and self.busy.count(repository) < most and hosts[host] < self.of_host

    def chosen(self, asking: Iterable[tuple[int, str]]) -> dict[int, str]:
        """Those of these (an id, an address) that find room, in their order."""
        slots, chosen = self, dict[int, str]()
        for id, repository in asking:
            if slots.has_room(repository):
                chosen[id] = repository
                slots = slots.taken([repository])
        return chosen

    def taken(self, repositories: Iterable[str]) -> Slots:
        """With these asked too."""
        return replace(self, busy=(*self.busy, *repositories))


def _machine(repository: str) -> str:
    """Who is asked, by whatever protocol; a repository of this machine stands for itself."""
    try:
        host = host_of(repository)
    except (ValueError, KeyError):  # an address that nobody may be asked by: who plans it says so
        host = None
    return repository if host is None else host.name.lower()
