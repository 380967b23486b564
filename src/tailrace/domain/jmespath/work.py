"""How much one evaluation may do: the JSON is a stranger's, and an expression can ask for more than there is time for."""

from __future__ import annotations

from tailrace.domain.jmespath.faults import Fault

MAX_WORK = 2_000_000
"""Steps: about half a second. A filter over the 40,000 commits of a payload of 4 MiB takes less than half of it."""

_CHARACTERS = 16
"""That are copied or compared for one step."""


class Work:
    """Steps that are left. Whoever is about to handle many things pays for all of them before the first.

    A step is a node that is evaluated, an element that is handled, or sixteen characters.
    """

    def __init__(self, most: int = MAX_WORK) -> None:
        self._most = most
        self._left = most

    def pay(self, steps: int) -> None:
        """Raises Fault when that is more than is left."""
        self._left -= steps
        if self._left < 0:
            raise Fault(
                None, f"it takes more than {self._most} steps on this JSON, which is all that it may take"
            )

    def pay_text(self, characters: int) -> None:
        """For text that is copied or compared; raises Fault when that is more than is left."""
        self.pay(1 + characters // _CHARACTERS)
