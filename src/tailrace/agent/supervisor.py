"""The attempts on this machine: found, leased, started, watched, reported, removed."""

from __future__ import annotations

import asyncio
from collections import deque
from pathlib import Path

import structlog

from tailrace import __version__
from tailrace.agent.attempt import Attempt
from tailrace.agent.job_users import NO_USERS, JobUsers
from tailrace.agent.link import Link
from tailrace.agent.machine import load
from tailrace.agent.report import report
from tailrace.agent.runners import Runners, now_ms
from tailrace.agent.wake import wakes
from tailrace.domain.errors import Conflict, Invalid
from tailrace.domain.lease import Lease
from tailrace.domain.outcome import Outcome, Reason
from tailrace.domain.plan.model import NO_LIMITS, LimitsSpec
from tailrace.domain.report import Load, MachineReport
from tailrace.domain.states import AttemptState
from tailrace.domain.wire import (
    Abort,
    Ack,
    Drop,
    Held,
    Hello,
    JobSecrets,
    Leased,
    LogClosed,
    Noted,
    Ready,
    Refused,
    Resume,
    Rewind,
    ServerMessage,
    Trouble,
    Unnoted,
    Watch,
    Welcome,
)
from tailrace.runner.folder import AttemptFolder
from tailrace.runner.freed import freeable
from tailrace.runner.warm import WarmParent

LOOK_S = 1.0
"""How often every attempt is looked at without a wake: the price of a lost datagram, and of a runner that died."""
STALL_S = 3.0
"""A runner that cannot write says so several times a second: one that has said nothing for so long can write again."""
DROP_GRACE_S = 1.0
"""The time between SIGTERM and SIGKILL for what the server has given up: the next attempt may run already."""

_log = structlog.get_logger("agent")


class Supervisor:
    """Holds attempts for whatever server the agent is connected to; the `Peer` of its `Connection`.

    An attempt takes up one of `capacity` places until its journal says that it finished, not until its log is uploaded. More
    leases than places wait for one. It takes `most` attempts in its life; None: any number.
    """

    def __init__(
        self,
        folder: Path,
        labels: tuple[str, ...],
        capacity: int,
        warm: WarmParent,
        machine: MachineReport | None = None,
        most: int | None = None,
        server_url: str = "",
        limits: LimitsSpec = NO_LIMITS,
        users: JobUsers = NO_USERS,
        projects: tuple[str, ...] | None = None,
    ) -> None:
        """`projects` are the names of those whose work it takes; None: of all."""
        self._folder = folder
        self._projects = projects
        self._machine = machine
        self._attempts = folder / "attempts"
        self._labels = labels
        self._capacity = capacity
        self._limits = limits
        self._users = users
        self._runners = Runners(warm, self._advance, self._complain, server_url)
        self._held: dict[int, Attempt] = {}
        self._dropped: list[Attempt] = []
        self._link: Link | None = None
        self._told_free: int | None = None
        self._troubles: deque[Trouble] = deque(maxlen=100)
        self._stopping = False
        self._once = most == 1
        self._left = most

    # What is on this machine

    def adopt(self) -> None:
        """Take up what an earlier agent left: its runners may have gone on, ended or died meanwhile."""
        folders = AttemptFolder.all(self._attempts)
        for folder in sorted(folders, key=lambda found: found.path.stat().st_mtime):
            try:
                attempt = Attempt(folder.lease(), folder)
                attempt.look()
            except (Invalid, ValueError, OSError) as error:
                self.complain(
                    f"attempt folder {folder.path} cannot be taken up and is left as it is: {error}"
                )
                continue
            attempt.runner = attempt.begun or attempt.alive
            attempt.user = folder.user
            self._take(attempt)
            _log.info("taking up", attempt=folder.path.name, alive=attempt.alive)

    async def run(self) -> None:
        """Watch the attempts until cancelled."""
        with wakes(self._folder, self._woken, self._stalled):
            while True:
                self.look()
                await asyncio.sleep(LOOK_S)

    def look(self) -> None:
        """Look at every attempt, and do what is due."""
        for attempt in [*self._held.values(), *self._dropped]:
            self._advance(attempt)

    @property
    def busy(self) -> bool:
        """Whether something is being done to an attempt's folder."""
        return any(attempt.busy for attempt in [*self._held.values(), *self._dropped])

    @property
    def idle(self) -> bool:
        """Whether it holds nothing."""
        return not self._held and not self._dropped

    @property
    def spent(self) -> bool:
        """Whether it takes no more attempts."""
        return self._left == 0

    def take_no_more(self) -> None:
        """Tell the server so; what it leased before it heard of that is done."""
        self._left = 0
        self._tell_free()

    @property
    def unsettled(self) -> int:
        """How many attempts the server does not know all about yet."""
        return sum(not attempt.settled for attempt in self._held.values())

    @property
    def unfinished(self) -> int:
        """How many attempts have not ended yet."""
        return sum(attempt.finished is None for attempt in self._held.values())

    @property
    def stalled(self) -> int:
        """How many attempts' output stands still."""
        return sum(attempt.stalled is not None for attempt in self._held.values())

    def abort_all(self, by: str, grace_s: float) -> None:
        """Abort every attempt, with no more than this grace, and take no more."""
        self._stopping = True
        for attempt in list(self._held.values()):
            self._abort(attempt, by, grace_s)
        self._tell_free()

    async def close(self) -> None:
        """Let go; runners go on."""
        await self._runners.close()
        for attempt in [*self._held.values(), *self._dropped]:
            attempt.close()

    def complain(self, message: str, attempt: int | None = None) -> None:
        """Tell people here and on the server of an error of the agent's own."""
        _log.error(message)
        trouble = Trouble(message=message[:4000], attempt=attempt)
        if self._link is not None:
            self._link.say(trouble)
        else:
            self._troubles.append(trouble)

    # What the connection asks and tells

    def hello(self) -> Hello:
        """What the agent is, and what it holds."""
        held = (attempt for attempt in self._held.values() if not attempt.settled)
        return Hello(
            version=__version__,
            labels=self._labels,
            capacity=self._capacity,
            machine=self._machine,
            projects=self._projects,
            once=self._once,
            holds=tuple(Held(attempt=attempt.id, cookie=attempt.lease.cookie) for attempt in held),
        )

    def load(self) -> Load:
        """How busy the machine is."""
        return load(self._folder)

    def connected(self, link: Link) -> None:
        """A server listens; it will say of each attempt whether we go on with it."""
        self._link = link
        while self._troubles:
            link.say(self._troubles.popleft())
        self._tell_free()

    def disconnected(self) -> None:
        """What was not acknowledged may not have arrived."""
        self._link = None
        self._told_free = None
        for attempt in self._held.values():
            attempt.resumed = False
            attempt.said = attempt.noted
            attempt.told_stalled = None
            attempt.hush_until = 0.0

    def heard(self, message: ServerMessage) -> None:
        """Do what the server says."""
        match message:
            case Leased(lease=lease, secrets=secrets):
                self._lease(lease, secrets)
            case Resume():
                self._resume(message)
            case Noted():
                if (attempt := self._held.get(message.attempt)) is not None:
                    attempt.noted = max(attempt.noted, message.index + 1)
                    self._advance(attempt)
            case Unnoted():
                if (attempt := self._held.get(message.attempt)) is not None:
                    # Also one that was noted before: it was said twice, and the server waits for it now.
                    attempt.said = attempt.noted = min(attempt.said, attempt.noted, message.index)
                    attempt.hush_until = _clock() + message.retry_s
            case Ack() | Rewind() | Refused() | LogClosed() | Watch():
                self._hear_of_log(message)
            case Abort():
                if (attempt := self._held.get(message.attempt)) is not None:
                    self._abort(attempt, message.by, times=message.times)
            case Drop():
                if (attempt := self._held.get(message.attempt)) is not None:
                    self._drop(attempt, message.why)
            case Welcome():
                pass

    def _lease(self, lease: Lease, secrets: JobSecrets) -> None:
        lease = self._limited(lease)
        known = self._held.get(lease.attempt)
        if known is not None and known.lease.cookie == lease.cookie:
            known.secrets = secrets
            self._go_on(known, 0)
            return
        try:
            if self._projects is None or lease.project in self._projects:
                attempt = Attempt(lease, AttemptFolder.create(self._attempts, lease))
            else:
                words = f"this agent takes work of {', '.join(self._projects)}, and was given some of {lease.project}"
                attempt = self._refuse(lease, words)
        except (OSError, Conflict) as error:
            attempt = self._refuse(lease, f"the agent cannot make the attempt's folder: {error}")
        attempt.secrets = secrets
        self._take(attempt)
        self._go_on(attempt, 0)

    def _limited(self, lease: Lease) -> Lease:
        """With the agent's own limits, where they are lower."""
        limits = lease.job.limits.capped(self._limits)
        return lease.model_copy(update={"job": lease.job.model_copy(update={"limits": limits})})

    def _refuse(self, lease: Lease, detail: str) -> Attempt:
        """An attempt that ends before it begins."""
        self.complain(f"attempt {lease.folder}: {detail}", lease.attempt)
        attempt = Attempt(lease, None)
        reason = Reason.SETUP_FAILED
        attempt.never_begin(Outcome(state=AttemptState.FAILED, reason=reason, detail=detail), now_ms())
        return attempt

    def _resume(self, message: Resume) -> None:
        attempt = self._held.get(message.attempt)
        if attempt is None:
            return
        if message.closed:
            attempt.log_closed = True
        if message.secrets is not None and not attempt.runner:
            attempt.secrets = message.secrets
        self._go_on(attempt, message.end)

    def _go_on(self, attempt: Attempt, end: int) -> None:
        if self._link is not None and not attempt.resumed:
            attempt.resumed = True
            if not attempt.log_closed:
                self._link.uploader.add(attempt.log, attempt, end)
        self._advance(attempt)

    def _hear_of_log(self, message: Ack | Rewind | Refused | LogClosed | Watch) -> None:
        if self._link is None:
            return
        uploader = self._link.uploader
        upload = uploader.get(message.log)
        match message:
            case Watch():
                uploader.watch(message.log, message.watched)
            case Ack() if upload is not None:
                upload.acknowledge(message.received, message.durable)
            case Rewind() if upload is not None:
                upload.rewind(message.end)
            case Refused() if upload is not None:
                upload.refuse(message.end, _clock() + message.retry_s)
            case _:
                pass
        attempt = next((one for one in self._held.values() if one.log == message.log), None)
        if attempt is not None:
            if isinstance(message, LogClosed):
                attempt.log_closed = True
                uploader.remove(message.log)
                self._advance(attempt)
            else:
                self._report(attempt)
                self._free(attempt)
        self._link.nudge()

    # What happens to an attempt

    def _take(self, attempt: Attempt) -> None:
        """Hold it; another one with its id is of another server, or of another life of this one."""
        older = self._held.get(attempt.id)
        if older is not None:
            self._drop(older, "another attempt has taken its id")
        self._held[attempt.id] = attempt
        if self._left:
            self._left -= 1

    def _woken(self, names: set[str]) -> None:
        for attempt in [one for one in self._held.values() if one.lease.folder in names]:
            try:
                had_finished = attempt.finished is not None
                attempt.look()
            except (OSError, ValueError) as error:
                self._complain(f"attempt {attempt.lease.folder}: {error}", attempt)
                continue
            if attempt.finished is not None and not had_finished:
                self._advance(attempt)
            else:
                self._report(attempt)

    def _stalled(self, name: str, why: str | None) -> None:
        for attempt in [one for one in self._held.values() if one.lease.folder == name]:
            if why is not None and attempt.stalled is None:
                _log.warning("an output stands still", attempt=name, why=why)
            attempt.stalled, attempt.stalled_at = why, _clock()
            self._report(attempt)

    def _advance(self, attempt: Attempt) -> None:
        """Take the next step with this attempt, if one is due; one that was removed has none."""
        try:
            if attempt in self._dropped:
                self._end_dropped(attempt)
            elif self._held.get(attempt.id) is attempt:
                self._advance_held(attempt)
        except (OSError, ValueError, Conflict) as error:
            self._complain(f"attempt {attempt.lease.folder}: {error}; trying again", attempt)
        self._fill()
        self._tell_free()

    def _advance_held(self, attempt: Attempt) -> None:
        alive = attempt.runner and attempt.alive  # before the look: a runner's last word is then seen
        attempt.look()
        if attempt.finished is not None or _clock() - attempt.stalled_at > STALL_S:
            attempt.stalled = None
        self._report(attempt)
        if attempt.busy:
            return
        if attempt.settled and not alive:
            self._remove(attempt)
        elif attempt.finished is None and attempt.runner and not alive and attempt.folder is not None:
            self._runners.finish(attempt, attempt.folder)
        elif attempt.finished is None and not attempt.runner and (outcome := attempt.hopeless) is not None:
            attempt.never_begin(outcome, now_ms())
            self._report(attempt)
        else:
            self._free(attempt)

    def _free(self, attempt: Attempt) -> None:
        """Give back to the disk what the server will not lose, a MiB at least."""
        upload = self._link.uploader.get(attempt.log) if self._link is not None else None
        if upload is None or attempt.busy or not attempt.freeable:
            return
        if freeable(upload.durable) > attempt.freed:
            self._runners.free(attempt, upload.durable)

    def _end_dropped(self, attempt: Attempt) -> None:
        alive = attempt.runner and attempt.alive
        attempt.look()
        if attempt.busy or alive:
            return
        if attempt.runner and attempt.finished is None and attempt.folder is not None:
            self._runners.finish(attempt, attempt.folder)  # ends what its dead runner left running
        else:
            self._remove(attempt)

    def _abort(
        self, attempt: Attempt, by: str, grace_s: float | None = None, times: int | None = None
    ) -> None:
        """`times` is how often it was wanted; None: once more."""
        times = attempt.aborts + 1 if times is None else times
        if times <= attempt.aborts or attempt.finished is not None:
            return
        attempt.abort_by, attempt.aborts = attempt.abort_by or by, times
        if attempt.runner and attempt.folder is not None:
            self._runners.abort(attempt, attempt.folder, by, grace_s)
        else:
            self._advance(attempt)

    def _drop(self, attempt: Attempt, why: str) -> None:
        _log.warning("dropped", attempt=attempt.lease.folder, why=why)
        del self._held[attempt.id]
        attempt.dropped = why
        self._dropped.append(attempt)
        if self._link is not None:
            self._link.uploader.remove(attempt.log)
        # Its steps of `finally` would undo what the next attempt does: they end too, or never begin.
        attempt.aborts += 2
        if attempt.runner and attempt.folder is not None:
            by = f"the server, which dropped it: {why}"
            self._runners.abort(attempt, attempt.folder, by, DROP_GRACE_S)
        self._advance(attempt)

    def _remove(self, attempt: Attempt) -> None:
        if attempt.folder is None:
            self._removed(attempt)
        else:
            self._runners.remove(attempt, attempt.folder, self._removed)

    def _removed(self, attempt: Attempt) -> None:
        if self._held.get(attempt.id) is attempt:
            del self._held[attempt.id]
        if attempt in self._dropped:
            self._dropped.remove(attempt)

    # What the server is told

    def _report(self, attempt: Attempt) -> None:
        if self._link is not None and attempt.resumed and attempt.dropped is None:
            report(attempt, self._link, self._complain, _clock())

    def _complain(self, message: str, attempt: Attempt) -> None:
        if not attempt.complained:
            attempt.complained = True
            self.complain(message, attempt.id)

    def _fill(self) -> None:
        """Start what waits for a place. What an earlier agent did not start waits until the server says that it is ours still."""
        places = 0 if self._stopping else self._capacity - self._running()
        for attempt in self._held.values():
            if places <= 0:
                return
            if attempt.runner or attempt.busy or attempt.finished or attempt.folder is None:
                continue
            if attempt.resumed and attempt.equipped and attempt.hopeless is None:
                self._start(attempt, attempt.folder)
                places = self._capacity - self._running()

    def _start(self, attempt: Attempt, folder: AttemptFolder) -> None:
        taken = {one.user for one in self._carried() if one.user is not None}
        try:
            attempt.user = self._users.give(folder, taken)
        except OSError as error:
            self._complain(f"attempt {attempt.lease.folder}: {error}; trying again", attempt)
            return
        self._runners.start(attempt, folder)

    def _carried(self) -> list[Attempt]:
        return [one for one in (*self._held.values(), *self._dropped) if one.runner and one.finished is None]

    def _running(self) -> int:
        return len(self._carried())

    def _tell_free(self) -> None:
        waiting = sum(one.finished is None and not one.runner for one in self._held.values())
        free = 0 if self._stopping else max(self._capacity - self._running() - waiting, 0)
        free = free if self._left is None else min(free, self._left)
        if self._link is not None and free != self._told_free:
            self._told_free = free
            self._link.say(Ready(free=free))


def _clock() -> float:
    return asyncio.get_running_loop().time()
