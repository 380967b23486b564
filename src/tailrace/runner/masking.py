"""Masking: no secret, and no form of one, leaves the runner for disk or wire.

Every form of every secret is found wherever it begins, so that forms which overlap are hidden as one. The search is in two
parts: RE2 finds where a form may begin, by its first bytes, in one pass that is as fast with a thousand forms as with one;
there the forms themselves are compared. A form that has begun when the bytes end is kept back until more come.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

import re2  # pyright: ignore[reportMissingTypeStubs]

from tailrace.domain.errors import Invalid
from tailrace.domain.secrets import masked_parts
from tailrace.runner.masking_forms import SHORTEST_FORM, forms_of

MASK = b"***"
"""Always the same, so that it tells nothing of what it hides."""
LOOSE = 2
"""Bytes. What so little begins is far more often something else: after a pause it is shown (see `MaskedStream.settle`)."""
TORN = 8
"""Bytes. What so much begins was to be a secret, although its stream ended before the rest came."""
_ANCHOR = 16
_MAX_MEMORY = 512 * 1024 * 1024

_re2: Any = re2


class Masker:
    """The forms of some secrets, ready to be found; serves any number of streams. Raises Invalid when they are too many.

    `longest` is the length of the longest form, in bytes.
    """

    def __init__(self, values: Iterable[str]) -> None:
        parts = {part for value in values for part in masked_parts(value)}
        forms = {form for part in parts for form in forms_of(part)}
        anchors = {form[:_ANCHOR] for form in forms}
        self.longest = max(map(len, forms), default=0)
        self._beginnings = frozenset(
            anchor[:length] for anchor in anchors for length in range(1, len(anchor))
        )
        self._longest_beginning = max(map(len, self._beginnings), default=0)
        self._by_beginning: dict[bytes, list[bytes]] = {}
        for form in sorted(forms, key=len, reverse=True):
            self._by_beginning.setdefault(form[:SHORTEST_FORM], []).append(form)
        self._anchors = _compile(anchors) if anchors else None

    def __bool__(self) -> bool:
        """Whether there is anything to mask."""
        return self._anchors is not None

    def stream(self) -> MaskedStream:
        """A stream of bytes to be masked."""
        return MaskedStream(self)

    def seam(self) -> Seam:
        """Where streams become one log."""
        return Seam(self)

    def mask(self, data: bytes) -> bytes:
        """`data`, whole, masked."""
        stream = self.stream()
        return stream.feed(data) + stream.end()

    def text(self, text: str) -> str:
        """`text`, whole, masked."""
        if self._anchors is None:
            return text
        return self.mask(text.encode("utf-8", "surrogateescape")).decode("utf-8", "surrogateescape")

    def find(self, data: bytes, start: int) -> int:
        """Where, from `start` on, a form may begin whose first bytes are all there; -1 where none does."""
        if self._anchors is None:
            return -1
        found = self._anchors.search(data, start)
        return -1 if found is None else found.start()

    def matches(self, data: bytes, start: int) -> tuple[int, bool]:
        """Where the longest form that begins at `start` ends (-1: no whole one does), and whether a longer one may have begun."""
        room, rest = len(data) - start, None
        for form in self._by_beginning.get(data[start : start + SHORTEST_FORM], ()):
            if len(form) > room:
                rest = data[start:] if rest is None else rest
                if form.startswith(rest):
                    return self._whole(data, start), True
            elif data.startswith(form, start):
                return start + len(form), False
        return -1, False

    def beginning_at_end(self, data: bytes) -> int:
        """How many bytes at the end of `data` begin a form, of those too few for `find`."""
        for length in range(min(self._longest_beginning, len(data)), 0, -1):
            if data[-length:] in self._beginnings:
                return length
        return 0

    def end_across(self, data: bytes, place: int) -> int:
        """Where the last form ends that begins before `place` and ends behind it; `place` where there is none."""
        last, start = place, self.find(data, 0)
        while 0 <= start < place:
            last = max(last, self._whole(data, start))
            start = self.find(data, start + 1)
        return last

    def _whole(self, data: bytes, start: int) -> int:
        forms = self._by_beginning.get(data[start : start + SHORTEST_FORM], ())
        return next((start + len(form) for form in forms if data.startswith(form, start)), -1)


class MaskedStream:
    """Masks one stream of bytes, however it is cut into pieces: what comes out, joined, is the same for every way of cutting.

    Only `settle` depends on time, and shows no more than the first LOOSE bytes of anything.
    """

    def __init__(self, masker: Masker) -> None:
        self._masker = masker
        self._held = b""
        self._told = 0  # bytes of it that are in the output already, as they are or as a mask
        self._masked = False  # whether these are masked: then what overlaps them goes on with their mask

    @property
    def loose(self) -> bool:
        """Whether `settle` would show something."""
        return self._told < len(self._held) <= LOOSE

    def feed(self, data: bytes) -> bytes:
        """More of the stream; what of it can be shown."""
        return self._advance(data, False)

    def settle(self) -> bytes:
        """Nothing more came for a while: show what was kept back, if it is at most LOOSE bytes.

        They are remembered: when the rest of a form follows, it is masked.
        """
        if not self.loose:
            return b""
        shown, self._told, self._masked = self._held[self._told :], len(self._held), False
        return shown

    def end(self) -> bytes:
        """Nothing more will come: what began a form with TORN bytes or more is masked as if it were whole, less is shown."""
        return self._advance(b"", True)

    def _advance(self, data: bytes, final: bool) -> bytes:
        masker = self._masker
        data = self._held + data if self._held else data
        out: list[bytes] = []
        told, masked = self._told, self._masked

        def hide(start: int, end: int) -> None:
            nonlocal told, masked
            if start >= told or not masked:
                out.extend((data[told:start], MASK))
                told, masked = max(end, told), True
            elif end > told:
                told = end

        begun = masker.beginning_at_end(data)
        stop = len(data) - (0 if final and begun < TORN else begun)
        start = masker.find(data, 0)
        while 0 <= start < stop:
            end, unfinished = masker.matches(data, start)
            if unfinished:
                stop = start
                break
            if end >= 0:
                hide(start, end)
            start = masker.find(data, start + 1)
        if stop < len(data):
            end = len(data) if final else masker.matches(data, stop)[0]
            if end >= 0:
                hide(stop, end)
        if stop > told:
            out.append(data if stop == len(data) and not told else data[told:stop])
            told, masked = stop, False
        self._held, self._told, self._masked = data[stop:], told - stop, masked
        return b"".join(out)


class Seam:
    """Joins masked streams to one log: where a form comes about between the pieces of two, what completes it is masked."""

    def __init__(self, masker: Masker) -> None:
        self._masker = masker
        self._reach = masker.longest - 1
        self._tail = b""

    def join(self, data: bytes) -> bytes:
        """The next piece of a stream, as it may follow the pieces before it."""
        tail = self._tail
        end = self._masker.end_across(tail + data[: self._reach], len(tail)) - len(tail)
        if end:
            data = MASK + data[end:]
        self._tail = (tail + data[-self._reach :])[-self._reach :]
        return data


def _compile(anchors: Iterable[bytes]) -> Any:
    options = _re2.Options()
    options.encoding = _re2.Options.Encoding.LATIN1  # bytes, whatever they are
    options.never_capture = True
    options.log_errors = False  # its messages would quote what is to be hidden
    options.max_mem = _MAX_MEMORY
    try:
        return _re2.compile(b"|".join(map(_re2.escape, sorted(anchors))), options)
    except _re2.error:
        raise Invalid(
            "the job's secrets have too many lines to be masked: use fewer or shorter ones"
        ) from None
