import { afterEach, beforeEach, expect, it } from "vitest";
// @ts-expect-error The fake server is plain JavaScript.
import { startFakeServer } from "../../dev/fake-server.mjs";
import { createApi, type Api } from "../../src/api/client";
import { LogLoader } from "../../src/console/log-loader";
import { LogModel } from "../../src/console/log-model";
import { decodeBytes } from "../../src/live/decode";

interface FakeLog {
  bytes: Buffer;
  size: number;
  append(text: string, options?: object): void;
}

let server: { url: string; world: { logs: Map<number, FakeLog>; start(options: object): { jobs: { attempts: { log: number }[] }[] } }; close(): Promise<void> };
const real = globalThis.fetch;
let api: Api;
let log: FakeLog;
let id: number;

beforeEach(async () => {
  server = await startFakeServer({ seed: false });
  api = createApi(server.url);
  globalThis.fetch = (input, init) => real(input, { ...init, headers: { ...init?.headers, Authorization: "Bearer fake" } });
  id = server.world.start({ kind: "quiet" }).jobs[0]!.attempts[0]!.log;
  log = server.world.logs.get(id)!;
});

afterEach(async () => {
  globalThis.fetch = real;
  await server.close();
});

/** Lines of a hundred bytes, each in a span of its own. */
function write(lines: number): void {
  for (let i = 1; i <= lines; i += 1) log.append(`${`line ${i} 流`.padEnd(97)}\n`, { time: i * 10, step: Math.floor(i / 10_000) });
}

/** A model that has the end of the log, and what loads the rest. */
function look(from: number): { model: LogModel; loader: LogLoader } {
  const model = new LogModel(from);
  model.append(decodeBytes(log.bytes.subarray(from), from, [[from, 0, "stdout", 0]], true));
  return { model, loader: new LogLoader(id, api, model, () => {}) };
}

function line(model: LogModel, index: number): unknown {
  const item = model.item(index);
  return "gap" in item ? item.gap : [item.row.line, item.row.text.trim()];
}

it("loads a far line with its surroundings, and numbers everything", async () => {
  write(30_000);
  const { model, loader } = look(log.bytes.indexOf("line 29990 "));
  await loader.loadLine(15_000);
  const row = model.rowOfLine(15_000);
  expect(line(model, row)).toEqual([15_000, "line 15000 流"]);
  expect(line(model, row - 100)).toEqual([14_900, "line 14900 流"]);
  expect(line(model, model.rows - 1)).toEqual([30_000, "line 30000 流"]);
  expect(model.gaps).toHaveLength(2);
  const item = model.item(row);
  expect("row" in item && [item.row.time, item.row.step]).toEqual([150_000, 1]);
});

it("loads a line that overlaps with what is here, and one whose surroundings are long", async () => {
  log.append(`${"x".repeat(700_000)}\nafter\n`);
  write(100);
  const from = log.bytes.indexOf("line 50 ");
  const { model, loader } = look(from);
  await loader.loadLine(2);
  expect(line(model, model.rowOfLine(2))).toEqual([2, "after"]);
  expect(model.gaps).toEqual([{ from: 0, to: 700_001 }]);
  expect(line(model, model.rowOfLine(60))).toEqual([60, "line 58 流"]);
});

it("fills a gap from its end in whole lines, and from its beginning, until nothing is missing", async () => {
  write(20_000);
  const { model, loader } = look(log.bytes.indexOf("line 19991 "));
  const sides = ["end", "start", "start", "end"] as const;
  for (let turn = 0; model.gaps.length > 0; turn += 1) {
    expect(turn).toBeLessThan(20);
    await loader.loadGap(model.gaps[0]!, sides[turn % 4]!);
  }
  expect(model.rows).toBe(20_000);
  for (const n of [1, 5243, 10_001, 19_990, 20_000]) expect(line(model, n - 1)).toEqual([n, `line ${n} 流`]);
});

it("loads what came at a moment", async () => {
  write(30_000);
  const { model, loader } = look(log.bytes.indexOf("line 29990 "));
  await loader.loadAt(new Date(100_000).toISOString());
  expect(line(model, model.rowOfStep(1))).toEqual([10_000, "line 10000 流"]);
});

it("what is wanted last counts", async () => {
  write(30_000);
  const { model, loader } = look(log.bytes.indexOf("line 29990 "));
  const first = loader.loadLine(5000);
  const second = loader.loadLine(20_000);
  await Promise.all([first, second]);
  expect(model.rowOfLine(20_000)).toBeGreaterThan(0);
  expect(model.rowOfLine(5000)).toBe(-1);
  expect(loader.busy).toBe(false);
});
