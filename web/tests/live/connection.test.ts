import { beforeEach, describe, expect, it } from "vitest";
import { Backoff } from "../../src/live/backoff";
import { LiveConnection, type ConnectionState, type TopicWatcher } from "../../src/live/connection";
import type { TopicFrame } from "../../src/live/frames";
import { FakeSocket, FakeTimers } from "./fake-socket";

let sockets: FakeSocket[];
let timers: FakeTimers;
let states: ConnectionState[];
let refused: number;
let connection: LiveConnection;

function watcher(from = 0): TopicWatcher & { heard: TopicFrame[]; from: number } {
  return {
    topic: "log/7",
    from,
    heard: [],
    ask() {
      return { topic: "log/7", from: this.from };
    },
    receive(frame) {
      this.heard.push(frame);
    },
  };
}

beforeEach(() => {
  sockets = [];
  states = [];
  refused = 0;
  timers = new FakeTimers();
  connection = new LiveConnection({
    open: () => {
      sockets.push(new FakeSocket());
      return sockets.at(-1)!;
    },
    refused: () => (refused += 1),
    changed: (state) => states.push(state),
    timers,
    backoff: new Backoff(() => 0.5),
  });
});

describe("LiveConnection", () => {
  it("opens one socket for all watchers and asks for each topic", () => {
    connection.watch(watcher());
    connection.watch({ topic: "runs", ask: () => ({ topic: "runs" }), receive: () => {} });
    expect(sockets).toHaveLength(1);
    sockets[0]!.accept();
    expect(sockets[0]!.sent).toEqual([
      { op: "watch", topic: "log/7", from: 0 },
      { op: "watch", topic: "runs" },
    ]);
  });

  it("gives frames to those who watch their topic, and to them only", () => {
    const log = watcher();
    connection.watch(log);
    sockets[0]!.accept();
    sockets[0]!.tell({ topic: "log/7", chunk: {} });
    sockets[0]!.tell({ topic: "log/8", chunk: {} });
    sockets[0]!.tell({ beat: 1 });
    sockets[0]!.onmessage?.({ data: "not json" });
    expect(log.heard).toEqual([{ topic: "log/7", chunk: {} }]);
  });

  it("reconnects and asks from where each watcher stands by then", () => {
    const log = watcher();
    connection.watch(log);
    sockets[0]!.accept();
    log.from = 400;
    sockets[0]!.break();
    expect(connection.state).toBe("waiting");
    timers.pass(1000);
    sockets[1]!.accept();
    expect(sockets[1]!.sent).toEqual([{ op: "watch", topic: "log/7", from: 400 }]);
    expect(states).toEqual(["connecting", "open", "waiting", "connecting", "open"]);
  });

  it("hears nothing more from a socket that it gave up", () => {
    const log = watcher();
    connection.watch(log);
    sockets[0]!.accept();
    const late = sockets[0]!.onmessage!;
    sockets[0]!.break();
    late({ data: JSON.stringify({ topic: "log/7" }) });
    expect(log.heard).toEqual([]);
  });

  it("comes back when the server said, not before", () => {
    connection.watch(watcher());
    sockets[0]!.accept();
    sockets[0]!.tell({ retry: 1500 });
    sockets[0]!.break();
    timers.pass(1499);
    expect(sockets).toHaveLength(1);
    timers.pass(1);
    expect(sockets).toHaveLength(2);
  });

  it("takes a connection for dead when nothing was heard for 40 s, and a beat keeps it alive", () => {
    connection.watch(watcher());
    sockets[0]!.accept();
    timers.pass(39_000);
    sockets[0]!.tell({ beat: 1 });
    timers.pass(39_000);
    expect(connection.state).toBe("open");
    timers.pass(1000);
    expect(connection.state).toBe("waiting");
    expect(sockets[0]!.readyState).toBe(3);
  });

  it("waits longer after each failure in a row, and says when it was refused", () => {
    connection.watch(watcher());
    const waits: number[] = [];
    for (let i = 0; i < 12; i += 1) {
      const before = timers.now;
      sockets.at(-1)!.break();
      const count = sockets.length;
      while (sockets.length === count) timers.pass(50);
      waits.push(timers.now - before);
    }
    expect(refused).toBe(12);
    expect(waits[3]).toBeGreaterThan(waits[0]!);
    expect(Math.max(...waits)).toBeLessThanOrEqual(12_050);
  });

  it("begins with short waits again after a connection that carried something", () => {
    connection.watch(watcher());
    for (let i = 0; i < 6; i += 1) {
      sockets.at(-1)!.break();
      timers.pass(20_000);
    }
    sockets.at(-1)!.accept();
    sockets.at(-1)!.tell({ beat: 1 });
    sockets.at(-1)!.break();
    const count = sockets.length;
    timers.pass(400);
    expect(sockets).toHaveLength(count + 1);
  });

  it("tries at once when it is hurried", () => {
    connection.watch(watcher());
    sockets[0]!.accept();
    sockets[0]!.tell({ retry: 60_000 });
    sockets[0]!.break();
    connection.hurry();
    expect(sockets).toHaveLength(2);
    timers.pass(60_000);
    expect(sockets.filter((socket) => socket.readyState !== 3)).toHaveLength(1);
  });

  it("unwatches a topic when its last watcher leaves", () => {
    const leaveFirst = connection.watch(watcher());
    sockets[0]!.accept();
    const leaveSecond = connection.watch(watcher());
    leaveFirst();
    expect(sockets[0]!.sent).not.toContainEqual({ op: "unwatch", topic: "log/7" });
    leaveSecond();
    leaveSecond();
    expect(sockets[0]!.sent.filter((frame) => (frame as { op: string }).op === "unwatch")).toHaveLength(1);
  });

  it("does not come back when nobody watches", () => {
    const leave = connection.watch(watcher());
    sockets[0]!.accept();
    leave();
    sockets[0]!.break();
    timers.pass(60_000);
    expect(connection.state).toBe("idle");
    expect(sockets).toHaveLength(1);
    connection.watch(watcher());
    expect(sockets).toHaveLength(2);
  });
});
