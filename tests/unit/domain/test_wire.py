"""What agent and server say to each other arrives as it was sent; what is garbage is refused as such."""

from __future__ import annotations

import hashlib
import json
import struct
import typing
import zlib
from typing import Any

import pytest
from hypothesis import example, given
from hypothesis import strategies as st
from pydantic import BaseModel, TypeAdapter, ValidationError

from tailrace.domain import wire
from tailrace.domain.errors import Invalid
from tailrace.domain.facts import Started
from tailrace.domain.lease import Lease, Need
from tailrace.domain.plan import JobSpec, RunStep
from tailrace.domain.report import Load, MachineReport
from tailrace.domain.spans import SPAN_BYTES, Span, Stream, pack_spans
from tailrace.domain.wire import (
    AGENT_MESSAGE,
    MAX_CHUNK_BYTES,
    MAX_CHUNK_SPANS,
    PROTOCOL,
    SERVER_MESSAGE,
    Hello,
    Leased,
    Said,
    Trouble,
    pack_chunk,
    unpack_chunk,
)

TEXT = st.text(st.characters(codec="utf-8", exclude_characters="\0"))
WORDS = st.text(st.characters(codec="utf-8", exclude_characters="\0"), max_size=200)
BYTES = st.integers(0, 2**63 - 1)
IDS = st.integers(1, 2**63 - 1)
LEASES = st.builds(
    Lease,
    attempt=IDS,
    number=IDS,
    cookie=TEXT,
    log=IDS,
    run=IDS,
    run_number=IDS,
    project=TEXT,
    plan=TEXT,
    repository=TEXT,
    revision=st.none() | TEXT,
    ref=st.none() | TEXT,
    branch=st.none() | TEXT,
    event=TEXT,
    needs=st.dictionaries(TEXT, st.builds(Need, outcome=TEXT, outputs=st.dictionaries(TEXT, TEXT))),
    job=st.builds(
        JobSpec,
        name=TEXT,
        needs=st.lists(TEXT).map(tuple),
        variables=st.dictionaries(TEXT, TEXT),
        timeout_s=st.integers(1, 3600),
        checkout=st.booleans(),
        steps=st.lists(st.builds(RunStep, name=TEXT, run=TEXT)).map(tuple),
    ),
    variables=st.dictionaries(TEXT, TEXT),
    grace_s=st.floats(0, 100),
)
SECRETS = st.builds(wire.JobSecrets, values=st.dictionaries(TEXT, TEXT), refused=st.none() | TEXT)
HELD = st.lists(st.builds(wire.Held, attempt=IDS, cookie=TEXT)).map(tuple)
FIELDS: dict[str, st.SearchStrategy[Any]] = {
    "protocol": st.integers(1, 9),
    "times": st.integers(1, 9),
    "version": TEXT,
    "labels": st.lists(TEXT).map(tuple),
    "projects": st.none() | st.lists(TEXT).map(tuple),
    "once": st.booleans(),
    "capacity": st.integers(0, 2**31 - 1),
    "machine": st.none()
    | st.builds(
        MachineReport,
        hostname=WORDS,
        system=WORDS,
        architecture=WORDS,
        processors=st.integers(0, 2**31 - 1),
        memory=BYTES,
        disk=BYTES,
        tools=st.dictionaries(WORDS, WORDS, max_size=5),
    ),
    "load": st.none() | st.builds(Load, waiting=st.floats(0, 1e6), memory_free=BYTES, disk_free=BYTES),
    "holds": HELD,
    "free": st.integers(0, 2**31 - 1),
    "attempt": IDS,
    "agent": IDS,
    "log": IDS,
    "index": st.integers(0, 2**63 - 1),
    "fact": st.builds(Started, time=st.integers(0, 2**63 - 1)),
    "size": st.integers(0, 2**63 - 1),
    "crc32": st.integers(0, 2**32 - 1),
    "message": TEXT,
    "beat_s": st.floats(0, 1000),
    "lease": LEASES,
    "secrets": SECRETS,
    "end": st.integers(0, 2**63 - 1),
    "closed": st.booleans(),
    "received": st.integers(0, 2**63 - 1),
    "durable": st.integers(0, 2**63 - 1),
    "by": TEXT,
    "why": TEXT,
    "watched": st.booleans(),
    "freed": st.integers(0, 2**63 - 1),
    "retry_s": st.floats(0, 1000),
}


def _kinds(union: Any) -> tuple[type[BaseModel], ...]:
    return typing.get_args(typing.get_args(union)[0])


def _any(model: type[BaseModel]) -> st.SearchStrategy[BaseModel]:
    return st.builds(model, **{name: FIELDS[name] for name in model.model_fields if name != "kind"})


EVERY: list[tuple[TypeAdapter[Any], type[BaseModel]]] = [
    *((AGENT_MESSAGE, model) for model in _kinds(wire.AgentMessage)),
    *((SERVER_MESSAGE, model) for model in _kinds(wire.ServerMessage)),
]


@pytest.mark.parametrize(("adapter", "model"), EVERY, ids=[model.__name__ for _, model in EVERY])
@given(data=st.data())
def test_every_message_round_trips(
    adapter: TypeAdapter[Any], model: type[BaseModel], data: st.DataObject
) -> None:
    message = data.draw(_any(model))
    frame = message.model_dump_json()
    assert len(frame.encode()) > 0
    assert adapter.validate_json(frame) == message


def test_nothing_that_is_printed_of_a_message_shows_secrets() -> None:
    """Messages end up in logs when something is wrong with them."""
    secrets = wire.JobSecrets(values={"TOKEN": "hush-hush"})
    assert "hush" not in repr(secrets)
    assert "hush" not in str(wire.Resume(attempt=1, log=1, end=0, secrets=secrets))
    for frame in (
        '{"kind": "resume", "attempt": 1, "log": 1, "end": 0, "secrets": {"values": ["hush"]}}',
        '{"kind": "resume", "secrets": {"values": {"A": "hush"',
        '{"kind": "hush"}',
    ):
        with pytest.raises(ValidationError) as caught:
            SERVER_MESSAGE.validate_json(frame)
        assert wire.faults_of(caught.value)
        assert ("hush" in wire.faults_of(caught.value)) is (frame == '{"kind": "hush"}')


@given(frame=st.text() | st.sampled_from(["{}", "[]", "null", '{"kind":"hello"}', '{"kind":"leased"}']))
def test_a_text_frame_that_is_no_message_is_a_validation_error(frame: str) -> None:
    for adapter in (AGENT_MESSAGE, SERVER_MESSAGE):
        with pytest.raises(ValidationError):
            adapter.validate_json(frame)


def test_a_side_does_not_take_the_other_sides_messages() -> None:
    with pytest.raises(ValidationError):
        SERVER_MESSAGE.validate_json(Hello(version="1", labels=(), capacity=1).model_dump_json())


@pytest.mark.parametrize(
    "frame",
    [
        '{"kind":"said","attempt":9223372036854775808,"index":0,"fact":{"kind":"started","time":1}}',
        '{"kind":"said","attempt":1,"index":-1,"fact":{"kind":"started","time":1}}',
        '{"kind":"close_log","attempt":1,"log":1,"size":-1,"crc32":0}',
        '{"kind":"close_log","attempt":1,"log":1,"size":1,"crc32":4294967296}',
        '{"kind":"ready","free":-1}',
    ],
)
def test_numbers_that_no_row_could_hold_are_refused(frame: str) -> None:
    with pytest.raises(ValidationError):
        AGENT_MESSAGE.validate_json(frame)


def test_trouble_may_hold_anything() -> None:
    assert Trouble(message="disk\0full").message == "disk\N{REPLACEMENT CHARACTER}full"


def test_a_fact_within_a_message_keeps_its_kind() -> None:
    said = Said(attempt=1, index=0, fact=Started(time=5))
    assert said.model_dump(mode="json")["fact"] == {"kind": "started", "time": 5}


def test_a_lease_names_its_folder_and_its_steps() -> None:
    job = JobSpec(name="test", steps=(RunStep(name="make", run="make"),))
    lease = Leased.model_validate_json(
        Leased(
            lease=Lease(
                attempt=3,
                number=1,
                cookie="c0ffee",
                log=1,
                run=1,
                run_number=1,
                project="p",
                plan="p",
                repository="r",
                job=job,
            )
        ).model_dump_json()
    ).lease
    assert lease.folder == "3-c0ffee"
    assert lease.step_names == ("checkout", "make")
    assert lease.model_copy(update={"job": job.model_copy(update={"checkout": False})}).step_names == (
        "make",
    )


@st.composite
def chunks(draw: st.DrawFn) -> tuple[int, int, list[Span], bytes]:
    data = draw(st.binary(max_size=300))
    offset = draw(st.integers(0, 2**40))
    starts = sorted(draw(st.lists(st.integers(0, len(data) - 1), max_size=8))) if data else []
    spans = [
        Span(
            offset + start,
            draw(st.integers(0, 2**62)),
            draw(st.sampled_from(Stream)),
            draw(st.integers(0, 9)),
        )
        for start in starts
    ]
    return draw(IDS), offset, spans, data


@given(chunk=chunks())
def test_a_chunk_round_trips(chunk: tuple[int, int, list[Span], bytes]) -> None:
    log, offset, spans, data = chunk
    found = unpack_chunk(pack_chunk(log, offset, spans, memoryview(data)))
    assert (found.log, found.offset, found.spans, bytes(found.data)) == chunk
    assert found.end == offset + len(data)


def test_the_largest_chunk_is_a_chunk_and_one_byte_or_span_more_is_not() -> None:
    data = bytes(MAX_CHUNK_BYTES)
    spans = [Span(n, 0, Stream.STDOUT, 0) for n in range(MAX_CHUNK_SPANS)]
    assert unpack_chunk(pack_chunk(1, 0, spans, data)).end == MAX_CHUNK_BYTES
    with pytest.raises(Invalid):
        unpack_chunk(pack_chunk(1, 0, spans, data + b"x"))
    with pytest.raises(Invalid):
        unpack_chunk(pack_chunk(1, 0, [*spans, spans[-1]], data))


@given(frame=st.binary(max_size=120))
@example(frame=b"")
@example(frame=struct.pack("<BxxxIQQI", 1, 2**32 - 1, 1, 0, 0))
@example(frame=struct.pack("<BxxxIQQI", 1, 1, 1, 0, 0) + struct.pack("<QqBxH", 0, 0, 0, 0) + b"x")
def test_garbage_is_invalid_and_nothing_else(frame: bytes) -> None:
    try:
        chunk = unpack_chunk(frame)
    except Invalid:
        return
    assert chunk.data == frame[28 + SPAN_BYTES * len(chunk.spans) :]


@given(chunk=chunks(), data=st.data())
def test_a_damaged_chunk_is_invalid(chunk: tuple[int, int, list[Span], bytes], data: st.DataObject) -> None:
    frame = bytearray(pack_chunk(*chunk))
    frame[data.draw(st.integers(0, len(frame) - 1))] ^= data.draw(st.integers(1, 255))
    cut = data.draw(st.integers(0, len(frame)))
    for damaged in (bytes(frame), bytes(frame[:cut])):
        with pytest.raises(Invalid):
            unpack_chunk(damaged)


def test_a_chunk_that_was_damaged_on_its_way_says_so() -> None:
    """While its bytes are still in the spool."""
    frame = bytearray(pack_chunk(7, 10, [Span(10, 0, Stream.STDOUT, 0)], b"hello"))
    frame[-1] ^= 1
    with pytest.raises(Invalid, match="log 7 at 10 was damaged on its way"):
        unpack_chunk(bytes(frame))


@pytest.mark.parametrize(
    "offsets", [[9], [15], [12, 11]], ids=["before its bytes", "behind its bytes", "out of order"]
)
def test_spans_outside_the_bytes_or_out_of_order_are_refused(offsets: list[int]) -> None:
    spans = [Span(offset, 0, Stream.STDOUT, 0) for offset in offsets]
    with pytest.raises(Invalid, match="outside its bytes 10–15 or out of order"):
        unpack_chunk(pack_chunk(1, 10, spans, b"hello"))


def test_an_unknown_stream_is_refused() -> None:
    record = bytearray(pack_spans([Span(0, 0, Stream.STDOUT, 0)]))
    record[16] = 7
    assert len(record) == SPAN_BYTES
    header = struct.pack("<BxxxIQQ", 1, 1, 1, 0)
    frame = header + struct.pack("<I", zlib.crc32(header + record + b"x")) + record + b"x"
    with pytest.raises(Invalid, match="unknown stream"):
        unpack_chunk(frame)


def test_other_messages_are_another_protocol() -> None:
    """Who does not know a field refuses it, so a new one is for agents that say that they know it.

    When this fails: raise PROTOCOL in tailrace.domain.wire, and OLDEST_PROTOCOL where old agents do not understand what is
    sent; then put the new digest here.
    """
    fields = {
        name: sorted(model.get("properties", {}))
        for message in (AGENT_MESSAGE, SERVER_MESSAGE)
        for name, model in message.json_schema()["$defs"].items()
    }
    digest = hashlib.sha256(json.dumps(fields, sort_keys=True).encode()).hexdigest()[:16]
    assert (PROTOCOL, digest) == (4, "8c151eef952c80d6")
