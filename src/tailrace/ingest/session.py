"""What one connected agent says, applied: its facts to the store, its bytes to the logs, both to whoever watches."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable, Iterable, Sequence

import structlog

from tailrace.domain.errors import (
    Invalid,
    LeaseLost,
    LogMismatch,
    NoRoom,
    NotFound,
    OffsetMismatch,
)
from tailrace.domain.report import Load
from tailrace.domain.states import AttemptState, LogState
from tailrace.domain.wire import (
    Abort,
    Ack,
    Chunk,
    CloseLog,
    Drop,
    Gap,
    Held,
    JobSecrets,
    Leased,
    LogClosed,
    Refused,
    Resume,
    Rewind,
    Said,
    ServerMessage,
    Stalled,
    Trouble,
    Watch,
    unpack_chunk,
)
from tailrace.ingest.desk import Desk
from tailrace.ingest.facts import Facts
from tailrace.ingest.filler import append_words, fill_piece
from tailrace.ingest.handovers import hand_over
from tailrace.ingest.room import RETRY_S
from tailrace.live.scopes import AGENTS, SEALING, wake_ended, wake_run
from tailrace.logs.base import LogStore, base_after, end_of
from tailrace.store.aborts import attempts_to_abort
from tailrace.store.agents import HeldAttempt, held_attempts, note_trouble
from tailrace.store.leases import Handover, Lapsed, end_lapsed, read_handovers, renew_leases
from tailrace.store.logs import LogOwner, close_log, find_owner
from tailrace.store.oversize import end_oversize, is_oversize
from tailrace.store.segments import find_sealed, unseal
from tailrace.store.stalls import truncate_log

Send = Callable[[ServerMessage], None]

_log = structlog.get_logger("ingest")


class Session:
    """One connection of one agent.

    It accepts bytes and facts only for attempts that this agent holds, and log bytes only at the log's end, so that a frame
    that comes twice changes nothing and a gap cannot arise. Frames are applied one after the other.
    """

    def __init__(self, desk: Desk, agent_id: int, send: Send) -> None:
        self._desk = desk
        self._agent_id = agent_id
        self._send = send
        self._facts = Facts(desk, agent_id, send, self._drop)
        self._attempts: dict[int, int] = {}  # attempt -> its log
        self._logs: dict[int, int] = {}  # log -> its attempt
        self._durable: dict[int, int] = {}  # log -> bytes that are on disk for certain
        self._dirty: set[int] = set()
        self._dropped: set[int] = set()  # logs that the agent was told to send no more of
        self._agent_why: dict[int, str] = {}  # attempt -> why its runner cannot write
        self._own_why: dict[int, str] = {}  # attempt -> why this server does not take its bytes
        self._given_up: set[int] = set()  # logs whose last line says that they are not whole

    async def begin(self, holds: Iterable[Held]) -> None:
        """Compare what the agent holds with what the store says it holds, and tell it how to go on."""
        named = {held.attempt: held for held in holds}
        for own in await self._desk.store.read(held_attempts, self._agent_id):
            held = named.pop(own.attempt_id, None)
            await self._go_on(own.attempt_id, own.stalled)
            if held is not None and held.cookie == own.cookie:
                await self._resume(own.attempt_id, own.log_id, begun=own.state is not AttemptState.LEASED)
            elif own.state is AttemptState.LEASED:
                for handover in await self._desk.store.read(read_handovers, [own.attempt_id]):
                    await self._deliver_again(handover)
            else:
                await self._lose(own)
        for left in await self._desk.left_logs.of(self._agent_id):
            if left.attempt_id not in named:
                await self._truncate(left.log_id, left.run_id)
        for held in named.values():
            await self._settle_old(held)
        await self.tell_aborts()

    def deliver(self, handover: Handover) -> None:
        """Hand the agent new work."""
        lease = handover.lease
        self._adopt(lease.attempt, lease.log)
        self._send(
            Leased(
                lease=self._desk.terms.apply(lease),
                secrets=hand_over(self._desk.key, self._agent_id, handover),
            )
        )

    async def _deliver_again(self, handover: Handover) -> None:
        """What was leased before; a server that was ended, or an older one, may have leased what nobody can be given."""
        if not is_oversize(handover.lease):
            self.deliver(handover)
            return
        ended = await self._desk.store.write(end_oversize, handover.lease)
        if ended is not None:
            self._desk.bus.publish(SEALING)
            wake_ended(self._desk.bus, ended.run_id, ended.queued)

    async def tell_untold(self) -> None:
        """Hand over what was leased between `begin` and the agent's new seat: its earlier connection was told, in vain.

        To be called before any frame is applied: what has ended meanwhile must not be handed over again.
        """
        held = await self._desk.store.read(held_attempts, self._agent_id)
        untold = [
            one.attempt_id
            for one in held
            if one.state is AttemptState.LEASED and one.attempt_id not in self._attempts
        ]
        for handover in await self._desk.store.read(read_handovers, untold) if untold else ():
            await self._deliver_again(handover)

    async def tell_aborts(self) -> None:
        """Tell the agent what it has to end; harmless when it knows already."""
        for wanted in await self._desk.store.read(attempts_to_abort, self._agent_id):
            self._send(Abort(attempt=wanted.attempt_id, by=wanted.by, times=wanted.times))

    async def check(self) -> None:
        """Something about this agent changed elsewhere: tell it what it lost and what it has to end."""
        own = {held.attempt_id for held in await self._desk.store.read(held_attempts, self._agent_id)}
        for attempt_id in [attempt for attempt in self._attempts if attempt not in own]:
            owner = await self._desk.store.read(find_owner, attempt_id)
            if owner is None or not self._owns(owner):
                self._drop(attempt_id, "its lease ran out and this agent lost it")
        await self.tell_aborts()

    async def said_all(self, messages: Sequence[Said]) -> None:
        """Store facts that came together, then wake whoever they concern."""
        await self._facts.store(messages)

    async def chunks(self, frames: Sequence[bytes]) -> None:
        """Append log bytes; what cannot be kept is refused, and the agent keeps it and tries again. Raises Invalid, LeaseLost."""
        taken, wrong = await asyncio.to_thread(self._take, frames)
        acks: dict[int, Ack] = {}
        for chunk, end in taken:
            log = chunk.log
            if isinstance(end, int):
                attempt_id = self._logs.get(log)
                if attempt_id in self._own_why:
                    await self._take_again(attempt_id)
                self._desk.hub.grew(log, chunk.offset, chunk.spans, chunk.data)
                self._dirty.add(log)
                acks[log] = Ack(log=log, received=end, durable=self._durable.get(log, 0))
                continue
            if log in acks:
                self._send(acks.pop(log))
            if isinstance(end, Rewind):
                self._send(end)
            else:
                await self._refuse(log, end)
        for ack in acks.values():
            self._send(ack)
        if wrong is not None:
            raise wrong

    async def close_logs(self, messages: Sequence[CloseLog]) -> None:
        """Close logs that ended together, side by side: each waits for the disk and for a commit."""
        last = {message.log: message for message in messages}
        await asyncio.gather(*map(self.close_log, last.values()))

    async def close_log(self, message: CloseLog) -> None:
        """Verify that the log is whole, make it durable, then close it."""
        owner = await self._desk.store.read(find_owner, message.attempt)
        if owner is None or not self._owns(owner) or owner.log_id != message.log:
            self._drop(message.attempt, "its log is not open for this agent")
            return
        try:
            if owner.log_state is LogState.OPEN and not await self._close(message, owner.run_id):
                return
        except (OSError, NoRoom) as error:
            await self._refuse(message.log, error)
            return
        self._forget(message.attempt)
        self._send(LogClosed(log=message.log))

    async def gap(self, message: Gap) -> None:
        """Bytes that this server had lost will not come: say so in their place, so that the others keep their addresses."""
        log = message.log
        if self._attempts.get(message.attempt) != log:
            return
        part = await self._desk.store.read(find_sealed, log)
        try:
            await asyncio.to_thread(self._desk.logs.create, log)
            if part is not None and part.segments:
                last = part.segments[-1]
                in_force = await asyncio.to_thread(self._desk.reader.spans, log, last.stop - 1, last.stop)
                await asyncio.to_thread(self._desk.logs.begin_at, log, base_after(last), in_force[-1:])
            held = await asyncio.to_thread(self._desk.logs.end, log)
            if held < message.end:
                _log.error("bytes of a log are lost", log=log, start=held, stop=message.end)
            first = True
            while piece := await asyncio.to_thread(
                fill_piece, self._desk.logs, log, message.end, _now(), first=first
            ):
                self._desk.hub.grew(log, *piece)
                first = False
        except OSError as error:
            await self._refuse(log, error)
            return
        self._dirty.add(log)
        end = await asyncio.to_thread(end_of, self._desk.logs, log)
        self._send(Ack(log=log, received=end, durable=0))

    async def stalled(self, message: Stalled) -> None:
        """Show why an output stands still, or that it goes on."""
        if message.attempt not in self._attempts:
            return
        if message.why is None:
            self._agent_why.pop(message.attempt, None)
        else:
            self._agent_why[message.attempt] = message.why
        await self._show_stalled(message.attempt)

    async def trouble(self, message: Trouble) -> None:
        """Keep and show an error of the agent's own."""
        _log.warning("an agent reports trouble", agent=self._agent_id, message=message.message)
        try:
            await self._desk.store.write(note_trouble, self._agent_id, message.message)
        except NoRoom as error:
            self._desk.room.refuse(error)
        self._desk.bus.publish(AGENTS)

    async def renew(self, load: Load | None = None) -> None:
        """The agent was heard of: renew all its leases; `load` is what it said last of its machine."""
        await self._desk.store.write(renew_leases, self._agent_id, self._desk.lease_ms, load)

    @property
    def unsynced(self) -> bool:
        """Whether something arrived that is not durable yet."""
        return bool(self._dirty)

    @property
    def holds(self) -> bool:
        """Whether the agent was given attempts that it has not settled."""
        return bool(self._attempts)

    async def sync(self) -> None:
        """Make what arrived durable, and tell the agent that it may free it. Raises OSError when all were tried."""
        trouble: OSError | None = None
        for log in tuple(self._dirty):
            self._dirty.discard(log)
            try:
                durable = await asyncio.to_thread(self._desk.logs.sync, log)
            except OSError as error:
                self._dirty.add(log)
                trouble = error
                continue
            if log not in self._logs:
                continue  # closed or dropped meanwhile
            self._durable[log] = durable
            self._send(Ack(log=log, received=durable, durable=durable))
        if trouble is not None:
            raise trouble

    def watched(self, log: int, watched: bool) -> None:
        """The first watcher of a log came, or the last one left: its cadence changes."""
        if log in self._logs:
            self._send(Watch(log=log, watched=watched))

    def _take(
        self, frames: Sequence[bytes]
    ) -> tuple[list[tuple[Chunk, int | Rewind | OSError]], Invalid | LeaseLost | None]:
        """Append chunks, up to one that must not come: each with its log's end then, or with why it was not taken. For a thread."""
        taken = list[tuple[Chunk, int | Rewind | OSError]]()
        for frame in frames:
            try:
                chunk = unpack_chunk(frame)
            except Invalid as error:
                return taken, error
            if chunk.log in self._dropped:
                continue  # it was on its way when the agent was told
            if chunk.log not in self._logs:
                return taken, LeaseLost(0, f"log {chunk.log} belongs to no attempt that this agent holds")
            taken.append((chunk, self._append(chunk)))
        return taken, None

    def _append(self, chunk: Chunk) -> int | Rewind | OSError:
        try:
            if chunk.offset == 0:
                self._desk.logs.create(chunk.log)
            return self._desk.logs.append(chunk.log, chunk.offset, chunk.spans, chunk.data)
        except OffsetMismatch as error:
            return Rewind(log=chunk.log, end=error.end)
        except NotFound:  # somebody took its files
            return Rewind(log=chunk.log, end=0)
        except OSError as error:
            return error

    async def _close(self, message: CloseLog, run_id: int) -> bool:
        logs, log = self._desk.logs, message.log
        try:
            end = await asyncio.to_thread(_make_whole, logs, message)
        except LogMismatch as error:
            if message.freed:
                await self._give_up(message, run_id, error)
                return True
            # Bytes went wrong between there and here: take them all anew, the agent still has them.
            _log.error(
                "a log does not match its checksum; asking for all of it again", log=log, error=str(error)
            )
            self._durable.pop(log, None)
            await self._desk.store.write(unseal, log)
            await asyncio.to_thread(logs.remove, log)
            await asyncio.to_thread(logs.create, log)
            self._send(Rewind(log=log, end=0))
            return False
        if end < message.size:
            self._send(Rewind(log=log, end=end))
            return False
        self._dirty.discard(log)
        if await self._desk.store.write(close_log, log, message.size, message.crc32):
            self._desk.hub.ended(log, message.size, LogState.CLOSED)
            self._desk.bus.publish(SEALING)
            wake_run(self._desk.bus, run_id)
        return True

    async def _give_up(self, message: CloseLog, run_id: int, error: LogMismatch) -> None:
        """The log is not what its writer wrote, and the agent has freed what could have mended it: end it, and say so."""
        log = message.log
        _log.error("a log is damaged for good", log=log, error=str(error))
        if log not in self._given_up:
            words = f"this log is not whole: {error}"
            piece = await asyncio.to_thread(append_words, self._desk.logs, log, words, _now())
            self._given_up.add(log)
            self._desk.hub.grew(log, *piece)
        await asyncio.to_thread(self._desk.logs.sync, log)
        await self._truncate(log, run_id)

    async def _truncate(self, log: int, run_id: int) -> None:
        size = await asyncio.to_thread(end_of, self._desk.reader, log)
        if await self._desk.store.write(truncate_log, log, size):
            self._desk.hub.ended(log, size, LogState.TRUNCATED)
            self._desk.bus.publish(SEALING)
            wake_run(self._desk.bus, run_id)

    async def _refuse(self, log: int, error: OSError | NoRoom) -> None:
        """This server cannot keep what was sent: the agent keeps it, and whoever looks at the run is told."""
        why = self._desk.room.refuse(error)
        end = await asyncio.to_thread(end_of, self._desk.logs, log)
        self._send(Refused(log=log, end=end, why=why, retry_s=RETRY_S))
        attempt_id = self._logs.get(log)
        if attempt_id is not None and self._own_why.get(attempt_id) != why:
            _log.error("log bytes cannot be kept", log=log, error=str(error))
            self._own_why[attempt_id] = why
            await self._show_stalled(attempt_id)

    async def _take_again(self, attempt_id: int) -> None:
        del self._own_why[attempt_id]
        await self._show_stalled(attempt_id)

    async def _go_on(self, attempt_id: int, stored: str | None) -> None:
        """What an earlier connection said is over; whoever stands still says so again."""
        if self._desk.stalls.shown(attempt_id, stored) is not None:
            await self._desk.stalls.say(attempt_id, None)

    async def _show_stalled(self, attempt_id: int) -> None:
        why = self._own_why.get(attempt_id) or self._agent_why.get(attempt_id)
        await self._desk.stalls.say(attempt_id, why)

    async def _resume(self, attempt_id: int, log: int, *, begun: bool = True, closed: bool = False) -> None:
        logs = self._desk.reader if closed else self._desk.logs
        end = await asyncio.to_thread(end_of, logs, log)
        secrets = None if begun else await self._secrets_of(attempt_id)
        self._adopt(attempt_id, log)
        self._send(Resume(attempt=attempt_id, log=log, end=end, closed=closed, secrets=secrets))

    async def _secrets_of(self, attempt_id: int) -> JobSecrets:
        """An agent that was restarted before the attempt began has forgotten them: they are on no disk."""
        (handover,) = await self._desk.store.read(read_handovers, [attempt_id])
        return hand_over(self._desk.key, self._agent_id, handover)

    async def _settle_old(self, held: Held) -> None:
        """An attempt that the store does not count as held: it ended, or it is not this agent's (any more)."""
        owner = await self._desk.store.read(find_owner, held.attempt)
        if owner is not None and owner.cookie == held.cookie and self._owns(owner):
            await self._go_on(held.attempt, owner.stalled)
            await self._resume(held.attempt, owner.log_id, closed=owner.log_state is not LogState.OPEN)
        else:
            self._drop(held.attempt, self._why_not_held(held, owner))

    async def _lose(self, own: HeldAttempt) -> None:
        size = await asyncio.to_thread(end_of, self._desk.reader, own.log_id)
        lapsed = Lapsed(own.attempt_id, own.run_id, own.log_id, self._agent_id, own.state)
        ended = await self._desk.store.write(end_lapsed, lapsed, size, returned=True)
        if ended is not None:
            self._desk.hub.ended(own.log_id, size, LogState.TRUNCATED)
            self._desk.bus.publish(SEALING)
            wake_ended(self._desk.bus, ended.run_id, ended.queued)

    def _why_not_held(self, held: Held, owner: LogOwner | None) -> str:
        if owner is None or owner.cookie != held.cookie:
            return "this server knows no such attempt"
        if owner.lost:
            return "its lease ran out while this agent was away, so this server counts it as lost"
        return "this server does not count it as held by this agent"

    def _owns(self, owner: LogOwner) -> bool:
        return owner.agent_id == self._agent_id and not owner.lost

    def _adopt(self, attempt_id: int, log: int) -> None:
        self._attempts[attempt_id] = log
        self._logs[log] = attempt_id
        self._dropped.discard(log)
        if self._desk.hub.watched(log):
            self._send(Watch(log=log, watched=True))

    def _drop(self, attempt_id: int, why: str) -> None:
        log = self._attempts.get(attempt_id)
        if log is not None:
            self._dropped.add(log)
        self._forget(attempt_id)
        self._send(Drop(attempt=attempt_id, why=why))

    def _forget(self, attempt_id: int) -> None:
        log = self._attempts.pop(attempt_id, None)
        self._facts.forget(attempt_id)
        self._agent_why.pop(attempt_id, None)
        self._own_why.pop(attempt_id, None)
        if log is not None:
            self._logs.pop(log, None)
            self._durable.pop(log, None)
            self._dirty.discard(log)


def _make_whole(logs: LogStore, message: CloseLog) -> int:
    """Verify a log and make it durable; where it ends, which may be too early. Raises LogMismatch. For a thread."""
    logs.create(message.log)  # one to which nothing was ever written is a log too
    end = logs.end(message.log)
    if end >= message.size:
        logs.verify(message.log, message.size, message.crc32)
        logs.sync(message.log)
    return end


def _now() -> int:
    """Milliseconds since the epoch."""
    return time.time_ns() // 1_000_000
