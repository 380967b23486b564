"""How much of its job's output a log takes."""

from __future__ import annotations

from collections.abc import Callable

from tailrace.domain.plan.model import LogSpec
from tailrace.domain.sizes import size_words
from tailrace.runner.characters import unfinished


class LogLimit:
    """Lets output pass until the log has its limit, then none. `dropped` counts the bytes that did not pass.

    `exceeded` is called, once, when a job that must not go on has written more.
    """

    def __init__(self, spec: LogSpec, exceeded: Callable[[int], None]) -> None:
        self._spec = spec
        self._exceeded = exceeded
        self.reached = False
        self.dropped = 0

    def take(self, size: int, data: bytes) -> bytes:
        """What of `data` still goes into a log of `size` bytes; no character is cut."""
        if not self.reached:
            if size + len(data) <= self._spec.limit:
                return data
            self.reached = True
            if self._spec.when_full == "fail":
                self._exceeded(self._spec.limit)
            kept = data[: max(self._spec.limit - size, 0)]
            kept = kept[: len(kept) - unfinished(kept)]
        else:
            kept = b""
        self.dropped += len(data) - len(kept)
        return kept

    @property
    def beginning(self) -> str:
        """What the log says where it begins to lack bytes."""
        return f"the log's limit of {size_words(self._spec.limit)} is reached; what follows is not kept"

    @property
    def total(self) -> str:
        """What the log says at its end."""
        return f"{self.dropped:,} bytes were not kept: the log's limit is {size_words(self._spec.limit)}"
