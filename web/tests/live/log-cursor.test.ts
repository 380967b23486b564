import { describe, expect, it } from "vitest";
import type { Chunk, LogFrame } from "../../src/live/frames";
import { LogCursor, type CursorAction } from "../../src/live/log-cursor";

const BYTES = "0123456789".repeat(10);

function chunk(offset: number, next: number): Chunk {
  return { offset, next, spans: [[offset, 0, "stdout", 0, 0]], text: BYTES.slice(offset, next) };
}

function frame(offset: number, next: number): LogFrame {
  return { topic: "log/1", chunk: chunk(offset, next) };
}

/** Runs frames through a cursor and keeps what it appended. */
class Reader {
  text = "";
  asked = 0;
  fills: [number, number][] = [];
  ended = false;
  constructor(readonly cursor = new LogCursor(0)) {}

  take(...frames: LogFrame[]): this {
    for (const item of frames) this.carry(this.cursor.receive(item));
    return this;
  }

  fill(from: number, to: number): this {
    this.carry(this.cursor.filled(chunk(from, to)));
    return this;
  }

  private carry(actions: CursorAction[]): void {
    for (const action of actions) {
      if (action.do === "append") this.text += action.chunk.text;
      else if (action.do === "watch") this.asked += 1;
      else if (action.do === "skip") {
        expect(action.from).toBe(this.text.length);
        this.text += "_".repeat(action.to - action.from);
      } else if (action.do === "fill") this.fills.push([action.from, action.to]);
      else if (action.do === "end") this.ended = true;
    }
  }
}

describe("LogCursor", () => {
  it("appends chunks that follow each other", () => {
    const reader = new Reader().take(frame(0, 10), frame(10, 30));
    expect(reader.text).toBe(BYTES.slice(0, 30));
    expect(reader.cursor.next).toBe(30);
    expect(reader.asked).toBe(0);
  });

  it("ignores a chunk that came twice", () => {
    const reader = new Reader().take(frame(0, 10), frame(0, 10), frame(10, 20), frame(5, 20));
    expect(reader.text).toBe(BYTES.slice(0, 20));
    expect(reader.asked).toBe(0);
  });

  it("asks again, once, after a lost chunk and takes none of what follows until it is answered", () => {
    const reader = new Reader().take(frame(0, 10), frame(20, 30), frame(30, 40));
    expect(reader.text).toBe(BYTES.slice(0, 10));
    expect(reader.asked).toBe(1);
    reader.take(frame(10, 40), frame(40, 50));
    expect(reader.text).toBe(BYTES.slice(0, 50));
    expect(reader.asked).toBe(1);
  });

  it("asks again after a chunk that straddles its position", () => {
    const reader = new Reader().take(frame(0, 10), frame(5, 20));
    expect(reader.text).toBe(BYTES.slice(0, 10));
    expect(reader.asked).toBe(1);
  });

  it("asks a second time when, after an answer, another chunk is lost", () => {
    const reader = new Reader().take(frame(0, 10), frame(20, 30), frame(10, 20), frame(30, 40));
    expect(reader.asked).toBe(2);
    expect(reader.text).toBe(BYTES.slice(0, 20));
  });

  it("loads a gap by range and holds what comes meanwhile behind it", () => {
    const reader = new Reader().take(frame(0, 10), { topic: "log/1", gap: { from: 10, to: 50 } }, frame(50, 60), {
      topic: "log/1",
      end: { size: 60, state: "closed" },
    });
    expect(reader.fills).toEqual([[10, 50]]);
    expect(reader.text).toBe(BYTES.slice(0, 10));
    reader.fill(10, 30);
    expect(reader.text).toBe(BYTES.slice(0, 30));
    expect(reader.ended).toBe(false);
    reader.fill(30, 50);
    expect(reader.text).toBe(BYTES.slice(0, 60));
    expect(reader.ended).toBe(true);
  });

  it("loads a second gap that was announced while the first was loaded", () => {
    const reader = new Reader().take(
      { topic: "log/1", gap: { from: 0, to: 10 } },
      frame(10, 20),
      { topic: "log/1", gap: { from: 20, to: 40 } },
      frame(40, 50),
    );
    reader.fill(0, 10);
    expect(reader.text).toBe(BYTES.slice(0, 20));
    expect(reader.fills).toEqual([
      [0, 10],
      [20, 40],
    ]);
    reader.fill(20, 40);
    expect(reader.text).toBe(BYTES.slice(0, 50));
  });

  it("ignores a piece of a gap that does not begin where it stands", () => {
    const reader = new Reader().take({ topic: "log/1", gap: { from: 0, to: 40 } }).fill(10, 20).fill(0, 20).fill(0, 20);
    expect(reader.text).toBe(BYTES.slice(0, 20));
  });

  it("ignores a gap that lies behind it and begins one that straddles at its own position", () => {
    const reader = new Reader().take(frame(0, 20), { topic: "log/1", gap: { from: 0, to: 20 } });
    expect(reader.fills).toEqual([]);
    reader.take({ topic: "log/1", gap: { from: 10, to: 30 } });
    expect(reader.fills).toEqual([[20, 30]]);
  });

  it("after a reconnect forgets what was held and goes on from where it stands", () => {
    const reader = new Reader().take(frame(0, 10), { topic: "log/1", gap: { from: 10, to: 50 } }, frame(50, 60)).fill(10, 20);
    reader.cursor.restart();
    expect(reader.cursor.next).toBe(20);
    reader.fill(20, 50);
    expect(reader.text).toBe(BYTES.slice(0, 20));
    reader.take(frame(20, 60));
    expect(reader.text).toBe(BYTES.slice(0, 60));
  });

  it("does not believe in an end that it has not reached", () => {
    const reader = new Reader().take(frame(0, 10), { topic: "log/1", end: { size: 30, state: "closed" } });
    expect(reader.ended).toBe(false);
    expect(reader.asked).toBe(1);
    reader.take(frame(10, 30), { topic: "log/1", end: { size: 30, state: "closed" } });
    expect(reader.ended).toBe(true);
    expect(reader.take(frame(30, 40)).text).toBe(BYTES.slice(0, 30));
  });

  it("whatever is lost, doubled, shuffled or cut off, appends each byte once and in order", () => {
    let seed = 7;
    const random = (): number => (seed = (seed * 48271) % 2147483647) / 2147483647;
    for (let round = 0; round < 300; round += 1) {
      const reader = new Reader();
      let asked = 0;
      let filled = 0;
      for (let tries = 0; !reader.ended && tries < 400; tries += 1) {
        // The server sends from where it was asked to, over a way that spoils some of it.
        const frames: LogFrame[] = [];
        for (let at = reader.cursor.next ?? 0; at < BYTES.length; ) {
          const next = Math.min(BYTES.length, at + 1 + Math.floor(random() * 20));
          const luck = random();
          if (luck < 0.1) frames.push({ topic: "log/1", gap: { from: at, to: next } });
          else if (luck > 0.2) frames.push(frame(at, next));
          if (luck > 0.85) frames.push(frame(Math.max(0, at - 3), next));
          at = next;
        }
        frames.push({ topic: "log/1", end: { size: BYTES.length, state: "closed" } });
        if (random() < 0.4) frames.sort(() => random() - 0.5);
        if (random() < 0.3) frames.length = Math.floor(frames.length * random());
        reader.take(...frames);
        while (reader.fills.length > filled) {
          const [from, to] = reader.fills[filled++]!;
          const middle = from + Math.ceil((to - from) / 2);
          reader.fill(from, middle).fill(middle, to);
          expect(BYTES.startsWith(reader.text)).toBe(true);
        }
        if (reader.asked > asked || random() < 0.3) reader.cursor.restart();
        asked = reader.asked;
        expect(BYTES.startsWith(reader.text)).toBe(true);
      }
      expect(reader.text).toBe(BYTES);
    }
  });
});
