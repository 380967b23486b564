/**
 * A FAKE Tailrace server, for looking at the page and for its tests; nothing of it ships.
 *
 *   npm run build && npm run fake            http://127.0.0.1:8000/login#code=fake
 *   PORT=8010 LINES=200000 npm run fake
 *
 * Besides the API it answers POST /fake/…:
 *   /fake/restart?away=1500   cut every connection and refuse new ones for so many ms
 *   /fake/run?kind=KIND       start a run: steady, burst, failing, progress, pull, large, stalled, dropped, removed, quiet, retried
 *   /fake/ask                 ask for one more approval
 *   /fake/archive?state=away  the archive cannot be reached, or can again (ok)
 *   /fake/gap?log=7           pretend that the watchers of a log were too slow: skip ahead and tell the gap
 */
import { readFile } from "node:fs/promises";
import { createServer } from "node:http";
import path from "node:path";
import { fileURLToPath } from "node:url";
import { WebSocketServer } from "ws";
import { answerSearch } from "./fake-search.mjs";
import { FakeWorld } from "./fake-world.mjs";

const DIST = path.resolve(path.dirname(fileURLToPath(import.meta.url)), "../dist");
const TYPES = { ".html": "text/html; charset=utf-8", ".js": "text/javascript", ".css": "text/css", ".svg": "image/svg+xml" };
const POLICY = "default-src 'self'; style-src 'self' 'unsafe-inline'; img-src 'self' data:; connect-src 'self' ws: wss:";
const CHUNK = 64 * 1024;
const SLOW = 1 << 20;
const SPANS = 1000;

/** Start it; `port` 0 takes a free one. */
export async function startFakeServer({ port = 0, lines = 100_000, seed = true } = {}) {
  const world = new FakeWorld({ lines });
  if (seed) world.seed();
  const clients = new Set();
  let awayUntil = 0;

  const server = createServer((request, response) => {
    if (Date.now() < awayUntil) return void request.socket.destroy();
    handle(request, response).catch((error) => {
      console.error(error);
      problem(response, 500, String(error));
    });
  });
  const sockets = new WebSocketServer({ noServer: true, perMessageDeflate: false });

  server.on("upgrade", (request, socket, head) => {
    const signedIn = /tailrace_session=fake/.test(request.headers.cookie ?? "") || request.headers.authorization;
    if (Date.now() < awayUntil || request.url !== "/api/live" || !signedIn) return void socket.destroy();
    sockets.handleUpgrade(request, socket, head, (ws) => {
      const client = new Client(ws, world);
      clients.add(client);
      ws.on("close", () => clients.delete(client));
    });
  });
  const unsubscribe = world.onChange((topic) => {
    for (const client of clients) client.wake(topic);
  });
  const beat = setInterval(() => {
    for (const client of clients) client.send({ beat: Date.now() });
  }, 15_000);

  async function handle(request, response) {
    const url = new URL(request.url, "http://fake");
    const body = request.method === "GET" || request.method === "HEAD" ? null : await read(request);
    if (url.pathname.startsWith("/fake/")) return control(url, response);
    if (url.pathname.startsWith("/api/")) return api(request, url, body, response);
    await page(url, response);
  }

  function control(url, response) {
    if (url.pathname === "/fake/restart") {
      awayUntil = Date.now() + Number(url.searchParams.get("away") ?? 1500);
      for (const client of clients) client.restart(url.searchParams.get("abrupt") === null);
      return json(response, 200, {});
    }
    if (url.pathname === "/fake/run") return json(response, 201, world.start({ kind: url.searchParams.get("kind") ?? "steady" }));
    if (url.pathname === "/fake/ask") {
      world.people.ask("deploy", "production", 0);
      return json(response, 201, {});
    }
    if (url.pathname === "/fake/archive") {
      const away = url.searchParams.get("state") === "away";
      Object.assign(world.archive, { state: away ? "away" : "ok", detail: away ? "s3://logs: connection refused" : null });
      Object.assign(world.archive, away ? { waiting_bytes: 734003200, waiting_logs: 12, since: new Date().toISOString() } : { waiting_bytes: 0, waiting_logs: 0, since: null });
      return json(response, 200, world.archive);
    }
    if (url.pathname === "/fake/gap") {
      for (const client of clients) client.skip(Number(url.searchParams.get("log")));
      return json(response, 200, {});
    }
    problem(response, 404, "no such control");
  }

  function api(request, url, body, response) {
    const route = `${request.method} ${url.pathname}`;
    if (route === "POST /api/sessions") {
      if (body?.code !== "fake" && body?.token !== "trt_fake") return problem(response, 401, "The code is unknown, used or older than ten minutes.");
      response.setHeader("Set-Cookie", "tailrace_session=fake; HttpOnly; SameSite=Strict; Path=/");
      return json(response, 200, { name: "admin" });
    }
    if (!/tailrace_session=fake/.test(request.headers.cookie ?? "") && !request.headers.authorization) {
      return problem(response, 401, "Sign in first.");
    }
    if (route === "DELETE /api/session") {
      response.setHeader("Set-Cookie", "tailrace_session=; Max-Age=0; Path=/");
      return void response.writeHead(204).end();
    }
    if (route === "GET /api/session") return json(response, 200, { name: "admin", role: "admin", version: "0.1.0" });
    const match = /^\/api\/([a-z-]+)(?:\/(\d+))?(?:\/([a-z]+))?$/.exec(url.pathname);
    if (!match) return problem(response, 404, "There is no such path.");
    const [, kind, id, action] = match;
    if (kind === "logs") return log(request, url, Number(id), action, response);
    if (kind === "search") return void answerSearch(response, url.searchParams, world.logsOf(url.searchParams), { slow: 5 });
    const answer = world.rest(request.method, kind, id ? Number(id) : null, action ?? null, body, url.searchParams);
    if (answer.status >= 400) return problem(response, answer.status, answer.detail, answer.errors);
    if (answer.status === 204) return void response.writeHead(204).end();
    json(response, answer.status, answer.body);
  }

  function log(request, url, id, action, response) {
    const found = world.logs.get(id);
    if (!found || found.state === "removed") return problem(response, 404, `There is no log ${id}.`);
    const search = url.searchParams;
    if (action === "search") return void answerSearch(response, search, [{ log: found, facts: {} }]);
    let from = Number(search.get("from") ?? 0);
    let to = Math.min(found.size, Number(search.get("to") ?? found.size));
    if (action === "spans") return json(response, 200, found.spansOf(from, to, SPANS));
    if (search.has("lines")) {
      const [first, last] = search.get("lines").split("-");
      from = found.offsetOfLine(Number(first));
      to = last ? found.offsetOfLine(Number(last) + 1) : found.size;
    } else if (search.has("at")) from = found.offsetOfTime(Date.parse(search.get("at")));
    response.writeHead(200, {
      "Content-Type": "text/plain; charset=utf-8",
      "Content-Length": to - from,
      "X-Log-Size": found.size,
      "X-Log-State": found.state,
      "X-Log-Offset": from,
    });
    response.end(request.method === "HEAD" ? undefined : found.bytes.subarray(from, to));
  }

  async function page(url, response) {
    const file = path.join(DIST, path.normalize(url.pathname));
    const wanted = path.extname(file) && file.startsWith(DIST) ? file : path.join(DIST, "index.html");
    try {
      const content = await readFile(wanted);
      response.writeHead(200, { "Content-Type": TYPES[path.extname(wanted)] ?? "application/octet-stream", "Content-Security-Policy": POLICY });
      response.end(content);
    } catch {
      problem(response, 404, "No such file; was the page built?");
    }
  }

  await new Promise((resolve) => server.listen(port, "127.0.0.1", resolve));
  return {
    world,
    url: `http://127.0.0.1:${server.address().port}`,
    restart: (away, polite = true) => {
      awayUntil = Date.now() + away;
      for (const client of clients) client.restart(polite);
    },
    skip: (id) => {
      for (const client of clients) client.skip(id);
    },
    async close() {
      clearInterval(beat);
      unsubscribe();
      world.close();
      for (const client of clients) client.ws.terminate();
      server.closeAllConnections();
      await new Promise((resolve) => server.close(resolve));
    },
  };
}

/** One WebSocket: a cursor per watched log, frames coalesced to one per log each 25 ms. */
class Client {
  constructor(ws, world) {
    this.ws = ws;
    this.world = world;
    this.topics = new Map();
    this.dirty = new Set();
    this.timer = null;
    ws.on("message", (data) => this.receive(JSON.parse(String(data))));
    ws.on("error", () => {});
  }

  receive({ op, topic, from, at }) {
    if (op === "unwatch") return void this.topics.delete(topic);
    const [kind, id] = topic.split("/");
    const start = at === undefined ? from ?? 0 : this.world.logs.get(Number(id))?.offsetOfTime(at);
    this.topics.set(topic, kind === "log" ? { next: start } : {});
    if (at !== undefined && start > 0) this.send({ topic, gap: { from: 0, to: start } });
    if (kind === "runs") this.send({ topic, items: this.world.summaries().slice(0, 50) });
    else if (kind === "agents") this.send({ topic, items: this.world.agents });
    else if (kind === "approvals") this.send(this.world.people.waiting());
    else if (kind === "run") {
      const run = this.world.runs.get(Number(id));
      this.send(run ? { topic, run: this.world.whole(run) } : { topic, error: { status: 404, detail: `There is no run ${id}.` } });
    } else if (!this.world.logs.has(Number(id)) || this.world.logs.get(Number(id)).state === "removed") {
      this.send({ topic, error: { status: 404, detail: `There is no log ${id}.` } });
    } else this.wake(topic);
  }

  wake(topic) {
    if (topic.startsWith("run/") && this.topics.has("runs")) this.dirty.add(`runs:${topic}`);
    if (this.topics.has(topic)) this.dirty.add(topic);
    if (this.dirty.size > 0) this.timer ??= setTimeout(() => this.flush(), 25);
  }

  flush() {
    this.timer = null;
    const topics = [...this.dirty];
    this.dirty.clear();
    for (const topic of topics) {
      const [kind, id] = topic.split("/");
      if (kind === "runs:run") this.send({ topic: "runs", items: [this.world.summary(this.world.runs.get(Number(id)))] });
      else if (kind === "run") this.send({ topic, run: this.world.whole(this.world.runs.get(Number(id))) });
      else if (kind === "agents") this.send({ topic, items: this.world.agents });
      else if (kind === "approvals") this.send(this.world.people.waiting());
      else if (kind === "log") this.log(topic, Number(id));
    }
  }

  log(topic, id) {
    const cursor = this.topics.get(topic);
    const log = this.world.logs.get(id);
    if (!cursor || !log) return;
    let sent = 0;
    while (cursor.next < log.size && this.ws.bufferedAmount < SLOW && sent < 8) {
      const chunk = log.chunk(cursor.next, CHUNK);
      if (!chunk) break;
      this.send({ topic, chunk });
      cursor.next = chunk.next;
      sent += 1;
    }
    if (cursor.next < log.size) {
      this.dirty.add(topic);
      this.timer ??= setTimeout(() => this.flush(), 5);
    } else if (log.state !== "open" && !cursor.ended) {
      cursor.ended = true;
      this.send({ topic, end: { size: log.size, state: log.state } });
    }
  }

  skip(id) {
    const cursor = this.topics.get(`log/${id}`);
    const log = this.world.logs.get(id);
    if (!cursor || !log || cursor.next >= log.size) return;
    this.send({ topic: `log/${id}`, gap: { from: cursor.next, to: log.size } });
    cursor.next = log.size;
  }

  restart(polite) {
    if (polite) this.send({ retry: 300 + Math.round(Math.random() * 300) });
    if (polite) this.ws.close(1012);
    else this.ws.terminate();
  }

  send(frame) {
    if (this.ws.readyState === this.ws.OPEN) this.ws.send(JSON.stringify(frame));
  }
}

function json(response, status, body) {
  response.writeHead(status, { "Content-Type": "application/json" }).end(JSON.stringify(body));
}

function problem(response, status, detail, errors) {
  response
    .writeHead(status, { "Content-Type": "application/problem+json" })
    .end(JSON.stringify({ type: "about:blank", title: "Error", status, detail, ...(errors ? { errors } : {}) }));
}

async function read(request) {
  const pieces = [];
  for await (const piece of request) pieces.push(piece);
  const text = Buffer.concat(pieces).toString();
  return text ? JSON.parse(text) : null;
}

if (process.argv[1] === fileURLToPath(import.meta.url)) {
  const server = await startFakeServer({ port: Number(process.env.PORT ?? 8000), lines: Number(process.env.LINES ?? 100_000) });
  console.log(`FAKE Tailrace server: ${server.url}/login#code=fake`);
}
