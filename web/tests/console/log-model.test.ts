import { describe, expect, it } from "vitest";
import type { StreamName } from "../../src/api/types";
import { LogModel, ROW_LIMIT, type Row } from "../../src/console/log-model";
import { renderRow } from "../../src/console/render-row";
import type { Chunk } from "../../src/live/frames";

type Piece = [text: string, stream?: StreamName, step?: number, time?: number];

/** A chunk of pieces; offsets count as if every unit were a byte. */
function chunkOf(offset: number, pieces: Piece[]): Chunk {
  const chunk: Chunk = { offset, next: offset, spans: [], text: "" };
  for (const [text, stream = "stdout", step = 0, time = 0] of pieces) {
    chunk.spans.push([chunk.next, time, stream, step, chunk.text.length]);
    chunk.text += text;
    chunk.next += text.length;
  }
  return chunk;
}

function modelOf(...chunks: Piece[][]): LogModel {
  const model = new LogModel();
  for (const pieces of chunks) model.append(chunkOf(model.next, pieces));
  return model;
}

function rowsOf(model: LogModel): Row[] {
  return Array.from({ length: model.rows }, (_, index) => model.row(index));
}

function shown(model: LogModel): string[] {
  return rowsOf(model).map((row) => renderRow(row.text, row.style).map((run) => run.text).join(""));
}

describe("LogModel", () => {
  it("shows a line under construction at once, and goes on with it", () => {
    const model = modelOf([["one\ntw"]]);
    expect(shown(model)).toEqual(["one", "tw"]);
    model.append(chunkOf(model.next, [["o\n"]]));
    expect(shown(model)).toEqual(["one", "two"]);
    expect(model.lines).toBe(2);
  });

  it("keeps empty lines and makes no row of what follows the last newline", () => {
    expect(shown(modelOf([["\n\na\n"]]))).toEqual(["", "", "a"]);
  });

  it("is the same however the bytes were cut into chunks", () => {
    const pieces: Piece[] = [
      ["plain\n\x1b[31mred\nstill red\x1b[0m\r\nbar 1%\rbar 100%\n"],
      ["err\x1b[1mor\n", "stderr", 0, 5],
      ["half", "stdout", 1, 9],
      ["system\n", "system", 1, 9],
      ["\x1b[38;2;1;2;3mrgb\nmore 流🚰\n", "stdout", 1, 12],
    ];
    const whole = rowsOf(modelOf(pieces));
    for (const size of [1, 2, 3, 5, 8, 13]) {
      const model = new LogModel();
      for (const [text, ...rest] of pieces) {
        for (let at = 0; at < text.length; at += size) {
          model.append(chunkOf(model.next, [[text.slice(at, at + size), ...rest]]));
        }
      }
      expect(rowsOf(model)).toEqual(whole);
    }
  });

  it("tells streams apart within one line by rows that share its number", () => {
    const model = modelOf([["Password: "], ["warning\n", "stderr"], ["ok\n"]]);
    expect(rowsOf(model).map(({ line, continued, stream, text }) => [line, continued, stream, text])).toEqual([
      [1, false, "stdout", "Password: "],
      [1, true, "stderr", "warning"],
      [2, false, "stdout", "ok"],
    ]);
    expect(model.lines).toBe(2);
    expect(model.rowOfLine(2)).toBe(2);
    expect(model.rowOfLine(1)).toBe(0);
    expect(model.rowOfLine(3)).toBe(-1);
  });

  it("carries a colour over the end of a line, per stream, and drops it with the step", () => {
    const model = modelOf([["\x1b[31mred\nred\n"], ["plain\n", "stderr"], ["red\n"], ["plain\n", "stdout", 1]]);
    expect(rowsOf(model).map((row) => row.style.fg)).toEqual([-1, 1, -1, 1, -1]);
  });

  it("understands an escape sequence that a chunk's end cut", () => {
    const model = modelOf([["\x1b"]], [["[3"]], [["1"]], [["mred\nred\n"]]);
    expect(rowsOf(model).map((row) => row.style.fg)).toEqual([-1, 1]);
    expect(shown(model)).toEqual(["red", "red"]);
  });

  it("knows where each step begins", () => {
    const model = modelOf([["a\nb\n"], ["c\n", "system", 1], ["d\n", "stdout", 1], ["e\n", "stdout", 2]]);
    expect([0, 1, 2, 3].map((step) => model.rowOfStep(step))).toEqual([0, 2, 4, -1]);
    expect(model.stepOfRow(3)).toBe(1);
  });

  it("gives each row the time at which it began", () => {
    const model = modelOf([["a\nb", "stdout", 0, 10]], [["b\nc\n", "stdout", 0, 20]]);
    expect(rowsOf(model).map((row) => row.time)).toEqual([10, 10, 20]);
  });

  it("cuts a very long line and says how much is left out", () => {
    const model = modelOf([["x".repeat(100_000)]], [["y".repeat(100_000) + "\nnext\n"]]);
    expect(model.row(0).text).toBe("x".repeat(ROW_LIMIT));
    expect(model.row(0).omitted).toBe(200_001 - ROW_LIMIT);
    expect(model.row(1).text).toBe("next");
  });

  it("shows the end of a long line that was rewritten over and over", () => {
    const model = modelOf([[Array.from({ length: 20_000 }, (_, i) => `\r${i}%`).join("")]]);
    expect(shown(model)).toEqual(["19999%"]);
    expect(model.row(0).omitted).toBe(0);
  });

  it("holds a million lines in little more than their text and finds each", { timeout: 30_000 }, () => {
    const model = new LogModel();
    for (let chunk = 0; chunk < 1000; chunk += 1) {
      const text = Array.from({ length: 1000 }, (_, i) => `\x1b[32mline\x1b[0m ${chunk * 1000 + i + 1}\n`).join("");
      model.append(chunkOf(model.next, [[text]]));
    }
    expect(model.rows).toBe(1_000_000);
    expect(model.row(model.rowOfLine(654_321)).text).toBe("\x1b[32mline\x1b[0m 654321");
  });
});
