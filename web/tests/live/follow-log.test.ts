import { afterEach, beforeEach, expect, it } from "vitest";
// @ts-expect-error The fake server is plain JavaScript.
import { startFakeServer } from "../../dev/fake-server.mjs";
import { Api } from "../../src/api/client";
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
  api = new Api(server.url);
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
