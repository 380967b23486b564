"""The messages between agent and server, protocol 4.

Text frames are JSON, one message each, told apart by `kind`. Binary frames are log bytes, see `pack_chunk`.
The agent speaks first (`hello`); the server answers `welcome`, then `resume` or `drop` for each attempt that the agent holds.
Any frame from an agent renews its leases.
"""

from __future__ import annotations

import struct
from collections.abc import Sequence
from itertools import pairwise
from typing import Annotated, Literal, NamedTuple

from pydantic import BaseModel, ConfigDict, Field, TypeAdapter, ValidationError

from tailrace import crc
from tailrace.domain.errors import Invalid
from tailrace.domain.facts import Fact
from tailrace.domain.lease import Lease
from tailrace.domain.report import Load, MachineReport
from tailrace.domain.spans import SPAN_BYTES, Span, pack_spans, unpack_spans
from tailrace.domain.text import Text

PROTOCOL = 4
"""Raised with whatever the other side cannot pass over: also a new field of a plan's values, which refuse what they do not know."""
OLDEST_PROTOCOL = 4
"""Agents of this protocol and later ones up to `PROTOCOL` are understood, and understand a lease."""
MAX_CHUNK_BYTES = 256 * 1024
MAX_CHUNK_SPANS = 4096
WINDOW_BYTES = 4 * 1024 * 1024
"""How many unacknowledged log bytes a connection may have on the way."""

Id = Annotated[int, Field(ge=1, lt=2**63)]  # what the store's ids have room for
Count = Annotated[int, Field(ge=0, lt=2**63)]


class _Message(BaseModel):
    model_config = ConfigDict(frozen=True)


class Held(_Message):
    """An attempt whose runner or whose unsent output is on the agent."""

    attempt: Id
    cookie: str


class Greeting(_Message):
    """What the hello of every protocol has, those to come too: it is read before the rest, which only its own protocol explains."""

    kind: Literal["hello"]
    protocol: int
    version: Text = "of an unknown version"


class Hello(_Message):
    """First word of an agent: what it is, and the attempts that it holds.

    `projects` are the names of those whose work it takes; None: of all. `once`: its machine lives for one job.
    """

    kind: Literal["hello"] = "hello"
    protocol: int = PROTOCOL
    version: Text
    labels: tuple[Text, ...]
    capacity: int = Field(ge=0, lt=2**31)
    machine: MachineReport | None = None
    holds: tuple[Held, ...] = ()
    projects: tuple[Text, ...] | None = None
    once: bool = False


class Ready(_Message):
    """The agent could take this many more attempts now; replaces what it said before."""

    kind: Literal["ready"] = "ready"
    free: int = Field(ge=0, lt=2**31)


class Beat(_Message):
    """The agent is alive, and this is how busy its machine is."""

    kind: Literal["beat"] = "beat"
    load: Load | None = None


class Said(_Message):
    """A fact from an attempt's journal; `index` is its line there. Sent again after each reconnect until it is noted."""

    kind: Literal["said"] = "said"
    attempt: Id
    index: Count
    fact: Fact


class CloseLog(_Message):
    """All bytes of the log were sent: it is `size` bytes with this CRC-32, of which the agent still has those from `freed` on."""

    kind: Literal["close_log"] = "close_log"
    attempt: Id
    log: Id
    size: Count
    crc32: int = Field(ge=0, le=0xFFFFFFFF)
    freed: Count = 0


class Gap(_Message):
    """The server asked for bytes that it had called durable, and that the agent has freed: those before `end` will not come."""

    kind: Literal["gap"] = "gap"
    attempt: Id
    log: Id
    end: Count


class Stalled(_Message):
    """The attempt's output stands still, because of `why`; or (null) it goes on."""

    kind: Literal["stalled"] = "stalled"
    attempt: Id
    why: Text | None


class Trouble(_Message):
    """An error of the agent's own, for the people who run it."""

    kind: Literal["trouble"] = "trouble"
    message: Text
    attempt: Id | None = None


class Welcome(_Message):
    """The server's answer to `hello`: the agent must send any frame at least every `beat_s` seconds."""

    kind: Literal["welcome"] = "welcome"
    version: str
    agent: int
    beat_s: float


class JobSecrets(_Message):
    """The secrets that a job wants, by name; or why it cannot have them (`refused`): then the agent ends it as `setup_failed`.

    `opener` is the secret that the lease's `credentials` name: for the checkout, and no step gets it.
    `token` lets the attempt's runner keep and fetch artifacts, where its job does. For the agent's memory alone: no
    representation shows the values.
    """

    values: dict[str, str] = Field(default={}, repr=False)
    refused: Text | None = None
    token: str | None = Field(default=None, repr=False)
    opener: str | None = Field(default=None, repr=False)


class Leased(_Message):
    """Work for the agent."""

    kind: Literal["leased"] = "leased"
    lease: Lease
    secrets: JobSecrets = JobSecrets()


class Resume(_Message):
    """Go on with this attempt: the server has its log up to `end` bytes (`closed`: whole and verified).

    `secrets` comes along as long as the server has not heard that it started: an agent that was restarted meanwhile needs them.
    """

    kind: Literal["resume"] = "resume"
    attempt: int
    log: int
    end: int
    closed: bool = False
    secrets: JobSecrets | None = None


class Noted(_Message):
    """The fact with this index is stored (and so are those before it)."""

    kind: Literal["noted"] = "noted"
    attempt: int
    index: int


class Ack(_Message):
    """`received` (bytes) moves the window; up to `durable` (bytes) the agent may free its spool."""

    kind: Literal["ack"] = "ack"
    log: int
    received: int
    durable: int


class Rewind(_Message):
    """The bytes did not continue the log: send from `end`."""

    kind: Literal["rewind"] = "rewind"
    log: int
    end: int


class Refused(_Message):
    """The log, which ends at `end`, takes nothing now: send from there, or close it, in `retry_s` seconds; keep all until then."""

    kind: Literal["refused"] = "refused"
    log: int
    end: int
    why: str
    retry_s: float


class Unnoted(_Message):
    """The fact with this index could not be stored: say it, and those after it, again in `retry_s` seconds."""

    kind: Literal["unnoted"] = "unnoted"
    attempt: int
    index: int
    why: str
    retry_s: float


class LogClosed(_Message):
    """The log has ended on the server: whole and durable, unless bytes of it were lost.

    The agent may remove the attempt's folder when its facts are noted.
    """

    kind: Literal["log_closed"] = "log_closed"
    log: int


class Abort(_Message):
    """End this attempt: SIGTERM, the lease's grace, SIGKILL. `by` says who or what wants it.

    `times` is how often it was wanted: the second time ends the steps of `finally`. The same one may be told twice.
    """

    kind: Literal["abort"] = "abort"
    attempt: int
    by: str
    times: int = 1


class Drop(_Message):
    """The agent does not hold this attempt any more: stop its runner, send nothing, remove its folder."""

    kind: Literal["drop"] = "drop"
    attempt: int
    why: str


class Watch(_Message):
    """Whether anybody watches this log: it decides how often small pieces are sent."""

    kind: Literal["watch"] = "watch"
    log: int
    watched: bool


AgentMessage = Annotated[
    Hello | Ready | Beat | Said | CloseLog | Gap | Stalled | Trouble, Field(discriminator="kind")
]
ServerMessage = Annotated[
    Welcome | Leased | Resume | Noted | Unnoted | Ack | Rewind | Refused | LogClosed | Abort | Drop | Watch,
    Field(discriminator="kind"),
]
AGENT_MESSAGE: TypeAdapter[AgentMessage] = TypeAdapter(AgentMessage)
SERVER_MESSAGE: TypeAdapter[ServerMessage] = TypeAdapter(ServerMessage)


def faults_of(error: ValidationError) -> str:
    """What is wrong with a message, without its words: they may be secret."""
    faults = error.errors(include_url=False, include_input=False, include_context=False)
    return "; ".join(
        f"{'.'.join(map(str, fault['loc'])) or 'message'}: {fault['msg']}" for fault in faults[:5]
    )


_CHUNK_HEADER = struct.Struct("<BxxxIQQ")
_CHECK = struct.Struct("<I")
_HEADER_BYTES = _CHUNK_HEADER.size + _CHECK.size
_CHUNK_KIND = 1


class Chunk(NamedTuple):
    """Bytes of a log from `offset` on, and the spans that begin within them."""

    log: int
    offset: int
    spans: list[Span]
    data: memoryview

    @property
    def end(self) -> int:
        return self.offset + len(self.data)


def pack_chunk(log: int, offset: int, spans: Sequence[Span], data: bytes | memoryview) -> bytes:
    """A binary frame, little endian: kind u8 = 1, three zero bytes, number of spans u32, log u64, offset u64, CRC-32 u32 of the
    frame without these four bytes, spans, bytes."""
    header = _CHUNK_HEADER.pack(_CHUNK_KIND, len(spans), log, offset)
    packed = pack_spans(spans)
    check = crc.crc32(data, crc.crc32(packed, crc.crc32(header)))
    return b"".join((header, _CHECK.pack(check), packed, data))


def unpack_chunk(frame: bytes) -> Chunk:
    """The chunk in a binary frame; raises Invalid when the frame is not one."""
    if len(frame) < _HEADER_BYTES:
        raise Invalid(
            f"a binary frame of {len(frame)} bytes is shorter than a chunk's header ({_HEADER_BYTES})"
        )
    kind, count, log, offset = _CHUNK_HEADER.unpack_from(frame)
    begin = _HEADER_BYTES + count * SPAN_BYTES
    if (
        kind != _CHUNK_KIND
        or count > MAX_CHUNK_SPANS
        or len(frame) < begin
        or len(frame) - begin > MAX_CHUNK_BYTES
    ):
        raise Invalid(
            f"a binary frame of kind {kind} with {count} spans and {len(frame)} bytes is not a chunk"
            f" (kind 1, at most {MAX_CHUNK_SPANS} spans and {MAX_CHUNK_BYTES} bytes)"
        )
    view = memoryview(frame)
    (check,) = _CHECK.unpack_from(frame, _CHUNK_HEADER.size)
    if crc.crc32(view[_HEADER_BYTES:], crc.crc32(view[: _CHUNK_HEADER.size])) != check:
        raise Invalid(f"a chunk of log {log} at {offset} was damaged on its way: its CRC-32 differs")
    try:
        spans = unpack_spans(view[_HEADER_BYTES:begin])
    except ValueError as error:
        raise Invalid(f"a chunk of log {log} at {offset} has a span of an unknown stream") from error
    data = view[begin:]
    end = offset + len(data)
    if any(not offset <= span.offset < end for span in spans) or any(
        a.offset > b.offset for a, b in pairwise(spans)
    ):
        raise Invalid(f"a chunk of log {log} has spans outside its bytes {offset}–{end} or out of order")
    return Chunk(log, offset, spans, data)
