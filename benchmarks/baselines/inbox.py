"""The plainest inbox: `inbox.py DATABASE SECRET` checks a signature, stores the body with a commit of its own, answers 202."""

from __future__ import annotations

import asyncio
import hashlib
import hmac
import socket
import sqlite3
import sys
import zlib
from concurrent.futures import ThreadPoolExecutor

import uvicorn
import uvloop
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.routing import Route


def create(database: str, secret: bytes) -> Starlette:
    """One thread has the connection, as one may write."""
    pool = ThreadPoolExecutor(1)
    connection = sqlite3.connect(database, isolation_level=None, check_same_thread=False)
    connection.execute("PRAGMA journal_mode = WAL")
    connection.execute("PRAGMA synchronous = FULL")
    connection.execute("CREATE TABLE delivery (id INTEGER PRIMARY KEY, key TEXT UNIQUE, body BLOB)")

    def store(key: str, body: bytes) -> int | None:
        return connection.execute(
            "INSERT INTO delivery (key, body) VALUES (?, ?)", (key, zlib.compress(body))
        ).lastrowid

    async def receive(request: Request) -> Response:
        body = await request.body()
        right = "sha256=" + hmac.new(secret, body, hashlib.sha256).hexdigest()
        if not hmac.compare_digest(request.headers["x-hub-signature-256"], right):
            return Response(status_code=401)
        key = request.headers["x-github-delivery"]
        id = await asyncio.get_running_loop().run_in_executor(pool, store, key, body)
        return JSONResponse({"delivery": id}, 202)

    return Starlette(routes=[Route("/", receive, methods=["POST"])])


async def serve(app: Starlette) -> None:
    """Until the process is ended."""
    config = uvicorn.Config(app, http="httptools", log_config=None, access_log=False, lifespan="off")
    with socket.create_server(("127.0.0.1", 0), backlog=4096) as listening:
        print(listening.getsockname()[1], flush=True)
        await uvicorn.Server(config).serve(sockets=[listening])


if __name__ == "__main__":
    uvloop.run(serve(create(sys.argv[1], sys.argv[2].encode())))
