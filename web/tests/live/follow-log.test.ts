import { afterEach, beforeEach, expect, it } from "vitest";
// @ts-expect-error The fake server is plain JavaScript.
import { startFakeServer } from "../../dev/fake-server.mjs";
import { createApi, type Api } from "../../src/api/client";
import { Backoff } from "../../src/live/backoff";
import { LiveConnection, type Socket } from "../../src/live/connection";
import { LogFollower, type FollowOptions } from "../../src/live/follow-log";
import type { Chunk } from "../../src/live/frames";

interface FakeLog {
  bytes: Buffer;
  size: number;
  state: string;
  append(text: string | Buffer, options?: object): void;
}

let server: {
  url: string;
  world: { logs: Map<number, FakeLog>; changed(topic: string): void; start(options: object): { jobs: { attempts: { log: number }[] }[] } };
  restart(away: number, polite?: boolean): void;
  skip(log: number): void;
  close(): Promise<void>;
};
const AUTHORIZATION = { Authorization: "Bearer fake" };
const real = globalThis.fetch;
let connection: LiveConnection;
let api: Api;

beforeEach(async () => {
  server = await startFakeServer({ seed: false });
  api = createApi(server.url);
  // What the browser does with its cookie.
  globalThis.fetch = (input, init) => real(input, { ...init, headers: { ...init?.headers, ...AUTHORIZATION } });
  connection = new LiveConnection({
    // Node's own, which behaves like the browser's and can send a header.
    open: () => new WebSocket(`${server.url.replace("http", "ws")}/api/live`, { headers: AUTHORIZATION } as never) as Socket,
    backoff: new Backoff(Math.random, 20, 60),
  });
});

afterEach(async () => {
  globalThis.fetch = real;
  connection.close();
  await server.close();
});

function newLog(): [number, FakeLog] {
  const run = server.world.start({ kind: "quiet" });
  const id = run.jobs[0]!.attempts[0]!.log;
  return [id, server.world.logs.get(id)!];
}

function follow(id: number, options: FollowOptions = {}) {
  const got = { text: "", next: 0, state: "" };
  let over = (): void => {};
  const ended = new Promise<void>((resolve) => (over = resolve));
  const follower = new LogFollower(
    id,
    connection,
    api,
    {
      append(chunk: Chunk) {
        expect(chunk.offset).toBe(got.next);
        got.text += chunk.text;
        got.next = chunk.next;
      },
      ended(state) {
        got.state = state;
        over();
      },
      failed() {},
    },
    { backoff: new Backoff(Math.random, 20, 60), ...options },
  );
  return { got, ended, follower };
}

function write(id: number, log: FakeLog, from: number, to: number): void {
  for (let i = from; i < to; i += 1) log.append(`line ${i} 流 🚰\n`, { stream: i % 7 === 0 ? "stderr" : "stdout", time: i * 10 });
  server.world.changed(`log/${id}`);
}

async function until(condition: () => boolean): Promise<void> {
  while (!condition()) await new Promise((resolve) => setTimeout(resolve, 5));
}

it("a log that ended already arrives whole", async () => {
  const [id, log] = newLog();
  write(id, log, 0, 20_000);
  log.state = "closed";
  const { got, ended } = follow(id);
  await ended;
  expect(got.text).toBe(log.bytes.toString());
  expect(got.state).toBe("closed");
});

it("restarts of the server, polite and abrupt, neither lose nor double a byte", async () => {
  const [id, log] = newLog();
  const { got, ended } = follow(id);
  for (let i = 0; i < 8; i += 1) {
    write(id, log, i * 1000, i * 1000 + 600);
    const mark = log.size;
    if (i % 2 === 0) await until(() => got.next > mark - 5000);
    server.restart(30, i % 3 !== 0);
    write(id, log, i * 1000 + 600, i * 1000 + 1000);
    if (i % 2 === 1) await until(() => got.next === log.size);
  }
  log.state = "closed";
  server.world.changed(`log/${id}`);
  await ended;
  expect(got.text).toBe(log.bytes.toString());
});

it("gaps are loaded by range, in slices, while the log goes on", async () => {
  const [id, log] = newLog();
  write(id, log, 0, 10);
  const { got, ended } = follow(id, { slice: 1000 });
  await until(() => got.next === log.size);
  for (let i = 0; i < 5; i += 1) {
    write(id, log, 100 + i * 1000, 400 + i * 1000);
    server.skip(id);
    write(id, log, 400 + i * 1000, 600 + i * 1000);
    if (i === 2) server.restart(20, false);
    await until(() => got.next === log.size);
  }
  log.state = "closed";
  server.world.changed(`log/${id}`);
  await ended;
  expect(got.text).toBe(log.bytes.toString());
});

it("a log that does not exist is told as an error", async () => {
  const problem = await new Promise((resolve) => {
    new LogFollower(999, connection, api, { append() {}, ended() {}, failed: resolve });
  });
  expect(problem).toMatchObject({ status: 404 });
});

it("a sink that wants to know is told what was skipped, and gets what follows at once", async () => {
  const [id, log] = newLog();
  write(id, log, 0, 10);
  const got = { bytes: Buffer.alloc(0), next: 0 };
  const skipped: [number, number][] = [];
  new LogFollower(id, connection, api, {
    append(chunk) {
      expect(chunk.offset).toBe(got.next);
      got.next = chunk.next;
    },
    skipped(from, to) {
      expect(from).toBe(got.next);
      skipped.push([from, to]);
      got.next = to;
    },
    ended() {},
    failed() {},
  });
  await until(() => got.next === log.size);
  write(id, log, 10, 300);
  server.skip(id);
  write(id, log, 300, 310);
  await until(() => got.next === log.size);
  expect(skipped).toHaveLength(1);
  server.restart(20, false);
  write(id, log, 310, 320);
  await until(() => got.next === log.size);
  expect(skipped).toHaveLength(1);
});

it("begins at a moment, and resumes by offset after a restart", async () => {
  const [id, log] = newLog();
  write(id, log, 0, 100);
  const texts: string[] = [];
  const follower = new LogFollower(
    id,
    connection,
    api,
    { append: (chunk) => void texts.push(chunk.text), ended() {}, failed() {} },
    { start: { at: 500 }, backoff: new Backoff(Math.random, 20, 60) },
  );
  expect(follower.next).toBeNull();
  await until(() => follower.next === log.size);
  server.restart(20, false);
  write(id, log, 100, 200);
  await until(() => follower.next === log.size);
  expect(texts.join("")).toBe(log.bytes.toString("utf8", log.bytes.indexOf("line 50 ")));
});

it("many logs and lists share one connection, and each has its bytes", { timeout: 20_000 }, async () => {
  const logs = Array.from({ length: 12 }, newLog);
  const followed = logs.map(([id]) => follow(id, { slice: 2000 }));
  const frames: string[] = [];
  for (const topic of ["runs", "agents"] as const) {
    connection.watch({ topic, ask: () => ({ topic }), receive: (frame) => void frames.push(frame.topic) });
  }
  for (let round = 0; round < 5; round += 1) {
    for (const [id, log] of logs) write(id, log, round * 100, round * 100 + 100);
    if (round === 1) server.skip(logs[3]![0]);
    if (round === 2) server.restart(20, false);
    if (round === 3) server.restart(20, true);
    await until(() => followed.every(({ got }, i) => got.next === logs[i]![1].size));
  }
  for (const [id, log] of logs) {
    log.state = "closed";
    server.world.changed(`log/${id}`);
  }
  await Promise.all(followed.map(({ ended }) => ended));
  for (const [i, { got }] of followed.entries()) expect(got.text).toBe(logs[i]![1].bytes.toString());
  expect(new Set(frames)).toEqual(new Set(["runs", "agents"]));
});

it("a gap that spans more spans than one answer has keeps each byte's stream", async () => {
  const [id, log] = newLog();
  const got: Chunk[] = [];
  new LogFollower(id, connection, api, { append: (chunk) => void got.push(chunk), ended() {}, failed() {} });
  await until(() => connection.state === "open");
  // More than the fake server's page of 1000 spans.
  for (let i = 0; i < 3000; i += 1) log.append(`${i}\n`, { stream: i % 2 ? "stderr" : "stdout", time: i * 10 });
  server.skip(id);
  server.world.changed(`log/${id}`);
  await until(() => got.at(-1)?.next === log.size);
  const spans = got.flatMap((chunk) => chunk.spans);
  expect(spans).toHaveLength(3000);
  expect(spans.at(-1)!.slice(1, 4)).toEqual([29_990, "stderr", 0]);
});
