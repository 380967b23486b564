"""Spans: records of 20 bytes, and the stretch of a log that each covers."""

from __future__ import annotations

import struct

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tailrace.domain.spans import (
    SPAN_BYTES,
    STREAMS_BY_WORD,
    Span,
    Stream,
    pack_spans,
    spans_within,
    unpack_spans,
)

SPANS = st.lists(
    st.builds(
        Span,
        offset=st.integers(0, 2**64 - 1),
        time=st.integers(-(2**63), 2**63 - 1),
        stream=st.sampled_from(Stream),
        step=st.integers(0, 2**16 - 1),
    ),
    max_size=20,
)


@st.composite
def logs(draw: st.DrawFn) -> list[Span]:
    """The spans of a log, from its first byte on; a span may be empty."""
    rest = draw(st.lists(st.integers(0, 200), max_size=12))
    return [
        Span(offset, 1_700_000_000_000 + n, draw(st.sampled_from(Stream)), draw(st.integers(0, 9)))
        for n, offset in enumerate([0, *sorted(rest)])
    ]


@given(spans=SPANS, torn=st.binary(max_size=SPAN_BYTES - 1))
def test_records_round_trip_and_a_torn_last_one_is_left_out(spans: list[Span], torn: bytes) -> None:
    data = pack_spans(spans)
    assert len(data) == 20 * len(spans)
    assert unpack_spans(data) == spans
    assert unpack_spans(data + torn) == spans
    assert unpack_spans(memoryview(bytearray(data + torn))) == spans


def test_the_record_is_as_documented() -> None:
    span = Span(offset=0x0102030405060708, time=-2, stream=Stream.STDERR, step=0x0A0B)
    assert pack_spans([span]) == bytes.fromhex("0807060504030201 feffffffffffffff 02 00 0b0a")


def test_an_unknown_stream_is_an_error() -> None:
    with pytest.raises(ValueError):
        unpack_spans(struct.pack("<QqBxH", 0, 0, 9, 0))


def _in_force(spans: list[Span], at: int) -> Span:
    return [span for span in spans if span.offset <= at][-1]


@given(spans=logs(), start=st.integers(0, 220), stop=st.integers(0, 220))
def test_the_spans_within_a_range_tile_it_and_say_what_the_whole_log_says(
    spans: list[Span], start: int, stop: int
) -> None:
    within = spans_within(spans, start, stop)
    if start >= stop:
        assert within == []
        return
    assert within[0].offset == start
    assert all(start <= span.offset < stop for span in within)
    assert [span.offset for span in within] == sorted(span.offset for span in within)
    for at in range(start, stop):
        assert _in_force(within, at)[1:] == _in_force(spans, at)[1:]


def test_a_log_without_spans_has_none_within() -> None:
    assert spans_within([], 0, 10) == []


def test_streams_have_words() -> None:
    assert STREAMS_BY_WORD == {"stdout": Stream.STDOUT, "stderr": Stream.STDERR, "system": Stream.SYSTEM}
