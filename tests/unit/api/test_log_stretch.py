"""What a request wants of a log is the same wherever its bytes are: in the live tail, sealed, or moving."""

from __future__ import annotations

import random
from itertools import pairwise
from pathlib import Path

from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from tailrace.api.log_stretch import StretchWish, find_stretch, read_streams, stretch_wish
from tailrace.domain.spans import Span, Stream
from tests.support.sealing import SealedLogs

PIECES = st.lists(
    st.tuples(
        st.sampled_from(Stream),
        st.lists(st.sampled_from([b"a", b"\n", b"\xff", b"\xe6\xb0\xb4", b"\r\n"]), min_size=1, max_size=8),
    ),
    min_size=1,
    max_size=25,
)


@settings(max_examples=60, suppress_health_check=[HealthCheck.too_slow, HealthCheck.function_scoped_fixture])
@given(pieces=PIECES, draw=st.data(), seed=st.integers(0, 10**6))
def test_streams_lines_and_moments_at_any_cut(
    tmp_path: Path, pieces: list[tuple[Stream, list[bytes]]], draw: st.DataObject, seed: int
) -> None:
    """The streams' bytes are exactly theirs, and stretches put together are the whole; while it is sealed under the reader."""
    logs = SealedLogs(tmp_path, {}, random.Random(seed), frame_bytes=1 + seed % 50)
    logs.remove(7)
    logs.create(7)
    owners: list[Stream] = []
    whole = b""
    for time, (stream, parts) in enumerate(pieces):
        data = b"".join(parts)
        logs.append(7, len(whole), [Span(len(whole), time, stream, 0)], data)
        owners += [stream] * len(data)
        whole += data
    size = len(whole)
    streams = frozenset(draw.draw(st.sets(st.sampled_from(Stream), min_size=1)))
    cuts = sorted({0, size, *draw.draw(st.sets(st.integers(0, size), max_size=6))})
    got = b""
    for start, stop in pairwise(cuts):
        part = read_streams(logs, 7, start, stop, streams)
        assert part == bytes(whole[at] for at in range(start, stop) if owners[at] in streams)
        assert read_streams(logs, 7, start, stop, None) == whole[start:stop]
        got += part
    assert got == bytes(byte for byte, owner in zip(whole, owners, strict=True) if owner in streams)

    lines = whole.split(b"\n")
    lines = [line + b"\n" for line in lines[:-1]] + [lines[-1]]
    first = draw.draw(st.integers(1, len(lines) + 2))
    last = draw.draw(st.integers(first, len(lines) + 3))
    start, stop = find_stretch(logs, 7, size, stretch_wish({"lines": f"{first}-{last}"}))
    assert whole[start:stop] == b"".join(lines[first - 1 : last])
    at, until = sorted(draw.draw(st.tuples(st.integers(0, 30), st.integers(0, 30))))
    start, stop = find_stretch(logs, 7, size, StretchWish(chosen=True, at=at, until=until))
    assert whole[start:stop] == b"".join(b"".join(parts) for _, parts in pieces[at:until])
    logs.close()
