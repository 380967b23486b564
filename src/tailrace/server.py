"""The composition root: settings in, running server out."""

from __future__ import annotations

import asyncio
import fcntl
import os
import secrets
import signal
import socket
import tempfile
from collections.abc import AsyncGenerator, Awaitable, Callable, Collection, Coroutine, Generator
from contextlib import AsyncExitStack, asynccontextmanager, contextmanager, suppress
from functools import partial
from pathlib import Path
from typing import Any

import structlog
import uvicorn
from fastapi import FastAPI

from tailrace.api.agent_socket import MAX_FRAME_BYTES, AgentSockets
from tailrace.api.app import ArtifactParts, Parts, create_app
from tailrace.api.auth import hash_of, new_secret
from tailrace.api.detach import DetachableHttp, DetachableWebSocket
from tailrace.api.runs import Runs
from tailrace.api.tokens_gone import TokensGone
from tailrace.api.tokens_used import TokensUsed
from tailrace.api.topics import Topics
from tailrace.artifacts.keeping import Keeper
from tailrace.artifacts.reading import Reader
from tailrace.artifacts.retention import ArtifactRetention
from tailrace.dispatch.dispatcher import Dispatcher
from tailrace.dispatch.lapses import LapseKeeper
from tailrace.domain.errors import Invalid, LogRemoved
from tailrace.guard import Guard
from tailrace.ingest.desk import Desk
from tailrace.ingest.handovers import Terms
from tailrace.ingest.left_logs import LeftLogs
from tailrace.ingest.stalls import Stalls
from tailrace.live.bus_memory import MemoryBus
from tailrace.live.connections import BEAT_S, Connections
from tailrace.live.hub import LogHub, LogView
from tailrace.live.resync import Resync
from tailrace.live.room import make_room
from tailrace.live.scopes import SEALING
from tailrace.live.topics import TopicHub
from tailrace.logs.archive import Archive
from tailrace.logs.base import end_of
from tailrace.logs.composite import CompositeLogs
from tailrace.logs.proof import Prover
from tailrace.logs.retention import Retention
from tailrace.logs.sealer import Sealer, remove_sealed_tails
from tailrace.logs.search import LogSearch
from tailrace.logs.segment_reader import Segments
from tailrace.logs.tail_file import FileLogStore
from tailrace.notify.apprise import Apprise
from tailrace.notify.http import Http
from tailrace.notify.mail import Mailer
from tailrace.notify.outbox_retention import OutboxRetention
from tailrace.notify.post import Post
from tailrace.notify.sender import Sender
from tailrace.settings import ADMIN_TOKEN_FILE, ServerSettings
from tailrace.sources.polls import Polls
from tailrace.sources.repositories import Repositories
from tailrace.sources.ways import Ways
from tailrace.store import Store, open_store
from tailrace.store.agents import add_agent_token
from tailrace.store.artifact_retention import ArtifactRules
from tailrace.store.identity import ADMIN, add_login_code, set_token
from tailrace.store.logs import find_log, find_logs
from tailrace.store.retention import Rules
from tailrace.store.sealing import SealingKey
from tailrace.store.segments import find_sealed
from tailrace.triggers.inbox_retention import InboxRetention
from tailrace.triggers.planner import Planner
from tailrace.triggers.poller import Poller

SECRET_KEY_FILE = "secret-key"
"""A chunk with its spans has 340 KiB at most."""
UP_TOKEN_LIFE_MS = 10 * 60 * 1000

_log = structlog.get_logger("server")


class RunningServer:
    """A server that answers: its address, its store, and what the commands that start it need."""

    def __init__(self, url: str, local_url: str, store: Store, admin_token: str) -> None:
        self.url = url
        self.local_url = local_url
        self.store = store
        self.admin_token = admin_token

    async def make_agent_token(self) -> str:
        """A registration token for the agent that `tailrace up` starts beside this server."""
        token = new_secret()
        await self.store.write(add_agent_token, hash_of(token), (), UP_TOKEN_LIFE_MS)
        return token

    async def make_login_link(self, page: str) -> str:
        """A sign-in link for the admin: a one-time code in the URL's fragment, good for ten minutes."""
        code = new_secret()
        await self.store.write(add_login_code, hash_of(code), ADMIN, UP_TOKEN_LIFE_MS)
        return f"{self.url}/login#code={code}&next={page}"


class _Uvicorn(uvicorn.Server):
    """uvicorn waits for open streams for ever, and raises its signal again at the end: we end both ourselves."""

    def __init__(
        self, config: uvicorn.Config, ready: Callable[[], None], before_exit: Callable[[int], Awaitable[None]]
    ) -> None:
        super().__init__(config)
        self._ready = ready
        self._before_exit = before_exit
        self._exiting: asyncio.Task[None] | None = None

    @contextmanager
    def capture_signals(self) -> Generator[None]:
        loop = asyncio.get_running_loop()
        for sign in (signal.SIGINT, signal.SIGTERM):
            loop.add_signal_handler(sign, self._exit, sign)
        try:
            yield
        finally:
            for sign in (signal.SIGINT, signal.SIGTERM):
                loop.remove_signal_handler(sign)

    async def startup(self, sockets: list[socket.socket] | None = None) -> None:
        await super().startup(sockets)
        if self.started:
            self._ready()

    def _exit(self, sign: signal.Signals) -> None:
        if self._exiting is not None:
            self.force_exit = self.should_exit = True
            return
        self._exiting = asyncio.create_task(self._exit_in_order(sign))

    async def _exit_in_order(self, sign: signal.Signals) -> None:
        try:
            await self._before_exit(sign)
        finally:
            self.should_exit = True


async def serve(
    settings: ServerSettings,
    ready: Callable[[RunningServer], None] | None = None,
    before_exit: Callable[[int], Awaitable[None]] | None = None,
) -> None:
    """Run a server until SIGINT or SIGTERM; a second signal does not wait.

    `ready` is called once it answers, `before_exit` with the signal while it still answers. Raises Invalid for what
    cannot work.
    """
    data = settings.data_dir
    data.mkdir(parents=True, exist_ok=True, mode=0o700)
    held = _hold(data)
    listening = _listen(settings)
    local_url = _address(settings.host, listening)
    url = settings.url or local_url
    async with AsyncExitStack() as stack:
        stack.callback(os.close, held)
        store = await open_store(settings.database_url or f"sqlite:///{data / 'tailrace.db'}")
        stack.push_async_callback(store.close)
        admin_token = _kept_secret(data / ADMIN_TOKEN_FILE, settings.admin_token, new_secret)
        await store.write(set_token, ADMIN, hash_of(admin_token))
        parts, background = await _compose(settings, store, url, stack)
        running = RunningServer(url, local_url, store, admin_token)

        @asynccontextmanager
        async def lifespan(_app: FastAPI) -> AsyncGenerator[None]:
            tasks = [asyncio.create_task(loop()) for loop in background]
            try:
                yield
            finally:
                for task in tasks:
                    task.cancel()
                await asyncio.gather(*tasks, return_exceptions=True)

        async def leave(sign: int) -> None:
            if before_exit is not None:
                await before_exit(sign)
            parts.search.close()
            await asyncio.gather(parts.desk.hub.close(), parts.topics.close(), parts.sockets.close())

        def answers() -> None:
            if ready is not None:
                ready(running)

        config = uvicorn.Config(
            create_app(parts, lifespan),
            lifespan="on",
            log_config=None,
            access_log=False,
            http=DetachableHttp,
            ws=DetachableWebSocket,
            ws_per_message_deflate=False,
            ws_max_size=MAX_FRAME_BYTES,
            timeout_graceful_shutdown=5,
            server_header=False,
            proxy_headers=False,
        )
        await _Uvicorn(config, answers, leave).serve(sockets=[listening])


async def _compose(
    settings: ServerSettings, store: Store, url: str, stack: AsyncExitStack
) -> tuple[Parts, list[Callable[[], Coroutine[Any, Any, None]]]]:
    data = settings.data_dir
    lease_ms = int(settings.lease_s * 1000)
    key = SealingKey(bytes.fromhex(_kept_secret(data / SECRET_KEY_FILE, settings.secret_key, _new_key)))
    archive = Archive(settings.archive_url or f"file://{data / 'archive'}")
    bus = MemoryBus()
    await bus.start()
    stack.push_async_callback(bus.close)
    tail = FileLogStore(data / "logs", on_stretch=lambda log: sealer.grew(log))
    sealer = Sealer(store, tail, archive)
    stack.callback(bus.subscribe(SEALING, lambda _note: sealer.wake()))
    segments = Segments(archive)
    logs = CompositeLogs(tail, segments, partial(store.read_now, find_sealed))
    await remove_sealed_tails(store, tail, list(tail.held()))

    async def describe(log: int) -> LogView | None:
        row = await store.read(find_log, log)
        if row is None:
            return None
        if row.removed_at is not None:
            raise LogRemoved(log, row.removed_at, row.removed_why or "")
        size = await asyncio.to_thread(end_of, logs, log) if row.size is None else row.size
        return LogView(row.state, size, row.crc32)

    async def describe_all(ids: Collection[int]) -> dict[int, LogView]:
        rows = await store.read(find_logs, ids)
        unknown = [row.id for row in rows if row.size is None]
        ends = await asyncio.to_thread(lambda: {id: end_of(logs, id) for id in unknown})
        return {row.id: LogView(row.state, ends[row.id] if row.size is None else row.size) for row in rows}

    most = make_room(settings.max_watchers, asked="max_watchers" in settings.model_fields_set)
    connections = Connections(BEAT_S, most, settings.max_watchers_per_client)
    hub = LogHub(logs, describe, connections, bus)
    stalls = Stalls(store, bus)
    runs = Runs(store, logs, bus, lease_ms, stalls.shown, key)
    topics = TopicHub(bus, Topics(store, runs, lease_ms).load, Topics.FOLLOWS)
    dispatcher = Dispatcher(store, bus, lease_ms)
    terms = Terms(settings.log_limit, settings.abort_grace_s)
    desk = Desk(
        store, tail, hub, bus, lease_ms, logs, key, left_logs=LeftLogs(store), stalls=stalls, terms=terms
    )
    sockets = AgentSockets(desk, dispatcher)
    keeper = LapseKeeper(
        store,
        logs,
        hub,
        bus,
        tick_s=min(2.0, settings.lease_s / 4),
        away_ms=lease_ms,
        log_grace_s=settings.log_grace_s,
    )
    setting = "repository_allowed (TAILRACE_REPOSITORY_ALLOWED)"
    ways = Ways(Guard.allowing(setting, settings.repository_allowed, own_networks=True))
    repositories = Repositories(data / "mirrors", ways)
    planner = Planner(store, bus, repositories, key)
    guard = Guard.allowing("poll_allowed (TAILRACE_POLL_ALLOWED)", settings.poll_allowed)
    poller = Poller(store, bus, key, Polls(repositories, guard))
    rules = Rules(settings.retention_days, settings.retention_runs, settings.retention_bytes)
    retention = Retention(store, rules, sealer.sweep_soon)
    artifact_rules = ArtifactRules(settings.artifact_days, settings.artifact_bytes)
    artifacts = ArtifactParts(
        Keeper(store, archive, bus, settings.artifact_limit),
        Reader(archive),
        ArtifactRetention(store, bus, artifact_rules, sealer.sweep_soon),
    )
    outbox_retention = OutboxRetention(store, settings.notification_days)
    inbox_retention = InboxRetention(store, data / "deliveries", settings.delivery_days)
    prover = Prover(tail, archive, segments, partial(store.read_now, find_sealed))
    guard = Guard.allowing("allow_private_targets", settings.allow_private_targets)
    http, mailer = Http(guard), Mailer(guard)
    stack.push_async_callback(http.close)
    stack.callback(mailer.close)
    post = Post(http, mailer, Apprise(guard, settings.apprise_python))
    sender = Sender(store, bus, logs, key, post, url)
    search = LogSearch(logs)
    stack.callback(search.close)
    tokens_used = TokensUsed(store)
    parts = Parts(
        desk,
        topics,
        runs,
        describe,
        sockets,
        search,
        key,
        url,
        data / "deliveries",
        sealer,
        retention,
        prover,
        artifacts,
        sender,
        inbox_retention,
        outbox_retention,
        tokens_used,
    )
    return parts, [
        dispatcher.run,
        sockets.keeping.run,
        keeper.run,
        planner.run,
        poller.run,
        sealer.run,
        retention.run,
        artifacts.retention.run,
        sender.run,
        inbox_retention.run,
        outbox_retention.run,
        Resync(hub, describe_all).run,
        tokens_used.run,
        TokensGone(store, bus, connections).run,
    ]


def _listen(settings: ServerSettings) -> socket.socket:
    family = socket.AF_INET6 if ":" in settings.host else socket.AF_INET
    listening = socket.socket(family, socket.SOCK_STREAM)
    listening.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    try:
        listening.bind((settings.host, settings.port))
    except OSError as error:
        listening.close()
        raise Invalid(
            f"listen (TAILRACE_LISTEN): {settings.listen} cannot be used: {error.strerror or error};"
            " stop what listens there, or choose another HOST:PORT"
        ) from None
    listening.listen(4096)
    return listening


def _address(host: str, listening: socket.socket) -> str:
    shown = {"0.0.0.0": "127.0.0.1", "::": "[::1]"}.get(host, f"[{host}]" if ":" in host else host)  # noqa: S104
    return f"http://{shown}:{listening.getsockname()[1]}"


def _new_key() -> str:
    return secrets.token_hex(32)


def _kept_secret(path: Path, preset: str | None, make: Callable[[], str]) -> str:
    """A secret that is preset, or kept in a file that only its owner reads and that is made, whole, at the first start."""
    if preset is not None:
        return preset
    if not path.exists():
        handle, draft = tempfile.mkstemp(dir=path.parent, prefix=f".{path.name}-")  # mode 0600
        with os.fdopen(handle, "w") as file:
            file.write(make() + "\n")
            file.flush()
            os.fsync(file.fileno())
        with suppress(FileExistsError):
            os.link(draft, path)
        Path(draft).unlink()
    return path.read_text().strip()


def _hold(data: Path) -> int:
    """The data directory is this server's alone until the process ends; raises Invalid when another server has it."""
    handle = os.open(data / "server.lock", os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
    try:
        fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        os.close(handle)
        raise Invalid(
            f"data_dir (TAILRACE_DATA_DIR): another server runs on {data}; stop it, or choose another folder"
        ) from None
    return handle
