import { describe, expect, it } from "vitest";
import type { StreamName } from "../../src/api/types";
import { LogStretch, REWRITABLE } from "../../src/console/log-stretch";
import { renderRow } from "../../src/console/render-row";
import { ROW_LIMIT } from "../../src/console/rows";
import { StyleTable } from "../../src/console/style";
import { chunkOf, numbers, rowsOf, shown, stretchOf, type Piece } from "./chunks";
import { terminal } from "./terminal";

/** All that a person sees of a stretch. */
function seen(stretch: LogStretch): unknown[] {
  return rowsOf(stretch).map(({ text, style, ...row }) => ({ ...row, runs: renderRow(text, style) }));
}

describe("LogStretch", () => {
  it("shows a line under construction at once, and goes on with it", () => {
    const stretch = stretchOf([["one\ntw"]]);
    expect(shown(stretch)).toEqual(["one", "tw"]);
    stretch.append(chunkOf(stretch.next, [["o\n"]]));
    expect(shown(stretch)).toEqual(["one", "two"]);
    expect([stretch.newlines, stretch.unfinished]).toEqual([2, false]);
  });

  it("keeps empty lines and makes no row of what follows the last newline", () => {
    expect(shown(stretchOf([["\n\na\n"]]))).toEqual(["", "", "a"]);
    expect(shown(stretchOf([["a\n\x1b[0m"]]))).toEqual(["a"]);
  });

  it("tells streams apart within one line by rows that share its number", () => {
    const stretch = stretchOf([["Password: "], ["warning\n", "stderr"], ["ok\n"]]);
    expect(rowsOf(stretch).map(({ line, continued, stream, text }) => [line, continued, stream, text])).toEqual([
      [1, false, "stdout", "Password: "],
      [1, true, "stderr", "warning"],
      [2, false, "stdout", "ok"],
    ]);
    expect([0, 1, 2].map((newlines) => stretch.rowAfter(newlines))).toEqual([0, 2, -1]);
  });

  it("carries a colour over the end of a line, per stream, and drops it with the step", () => {
    const stretch = stretchOf([["\x1b[31mred\nred\n"], ["plain\n", "stderr"], ["red\n"], ["plain\n", "stdout", 1]]);
    expect(rowsOf(stretch).map((row) => renderRow(row.text, row.style)[0]!.style.fg)).toEqual([1, 1, -1, 1, -1]);
  });

  it("knows where each step begins", () => {
    const stretch = stretchOf([["a\nb\n"], ["c\n", "system", 1], ["d\n", "stdout", 1], ["e\n", "stdout", 2]]);
    expect([0, 1, 2, 3].map((step) => stretch.rowOfStep(step))).toEqual([0, 2, 4, -1]);
    expect(stretch.stepOf(3)).toBe(1);
  });

  it("gives each row the time at which it began", () => {
    const stretch = stretchOf([["a\nb", "stdout", 0, 10]], [["b\nc\n", "stdout", 0, 20]]);
    expect(rowsOf(stretch).map((row) => row.time)).toEqual([10, 10, 20]);
  });

  it("cuts a very long line and says how much is left out", () => {
    const stretch = stretchOf([["x".repeat(100_000)]], [["y".repeat(100_000) + "\nnext\n"]]);
    expect(stretch.row(0).text).toBe("x".repeat(ROW_LIMIT));
    expect(stretch.row(0).omitted).toBe(200_001 - ROW_LIMIT);
    expect(stretch.row(1).text).toBe("next");
  });

  it("holds a million lines in little more than their text and finds each", { timeout: 30_000 }, () => {
    const stretch = stretchOf();
    for (let chunk = 0; chunk < 1000; chunk += 1) {
      const text = Array.from({ length: 1000 }, (_, i) => `\x1b[32mline\x1b[0m ${chunk * 1000 + i + 1}\n`).join("");
      stretch.append(chunkOf(stretch.next, [[text]]));
    }
    expect(stretch.rows).toBe(1_000_000);
    expect(shown(stretchOf([[stretch.row(stretch.rowAfter(654_320)).text]]))).toEqual(["line 654321"]);
  });
});

describe("LogStretch, of output that is rewritten,", () => {
  const cases: [string, string, string[]][] = [
    ["a carriage return", "10%\r55%\r100%\ndone\n", ["100%", "done"]],
    ["a shorter text", "abcdef\rxy\n", ["xycdef"]],
    ["erase to the end", "abcdef\r\x1b[Kxy\n", ["xy"]],
    ["erase the line", "waiting...\r\x1b[2Kdone\n", ["done"]],
    ["erase to the beginning", "abcdef\x1b[3D\x1b[1Kx\n", ["   xef"]],
    ["a carriage return at the end", "50%\r", ["50%"]],
    ["lines that end as on Windows", "a\r\nb\r\n\r\nc", ["a", "b", "", "c"]],
    ["backspaces", "|\b/\b-\n", ["-"]],
    ["columns", "ab\x1b[3Gc\x1b[2Cd\x1b[4De\n", ["abe  d"]],
    ["wide characters that are half overwritten", "日志\r\x1b[Cx\n", [" x志"]],
    ["tabs", "abc\tdef\r\t\bXY\n", ["abc    XYef"]],
    ["characters beyond 16 bits", "\x1b[1m🚰🚰\rx\n", ["x 🚰"]],
    ["deleted and blanked characters", "abcdef\r\x1b[2P\x1b[Xz\n", ["zdef"]],
    ["two bars above each other", "a 1%\nb 1%\n\x1b[2Aa 9%\nb 9%\nend\n", ["a 9%", "b 9%", "end"]],
    ["a line above that is erased", "one\ntwo\n\x1b[1A\x1b[2Kthree\n", ["one", "three"]],
    ["docker's way", "a: 1\nb: 1\n\x1b[2A\x1b[2K\ra: 2\r\x1b[2B\x1b[1A\x1b[2K\rb: 2\r\x1b[1Bend\n", ["a: 2", "b: 2", "end"]],
    ["erase below", "a\nb\nc\n\x1b[3Ax\x1b[Jy\n", ["xy"]],
    ["moves that need a screen", "a\x1b[2J\x1b[1;1Hb\x1b[?25l\n", ["ab"]],
    ["titles and links", "\x1b]0;title\x07a\x1b]8;;http://x\x1b\\link\x1b]8;;\x1b\\\x1b(B\x00b\x07\n", ["alink\x00b\x07"]],
    ["a sequence that never ends", "end\x1b[3", ["end"]],
  ];
  for (const [name, text, rows] of cases) {
    it(`shows what a terminal would: ${name}`, () => {
      expect(shown(stretchOf([[text]]))).toEqual(rows.map((row) => row.replace(/[\x00\x07]/g, "")));
    });
  }

  it("keeps the line numbers of the log: newlines that came, whatever they moved", () => {
    const stretch = stretchOf([["a\nb\n\x1b[2Aa\nb\n\x1b[2Aa\nb\nend\n"]]);
    expect(rowsOf(stretch).map((row) => row.line)).toEqual([1, 2, 7]);
    expect([0, 1, 2, 5, 6].map((newlines) => stretch.rowAfter(newlines))).toEqual([0, 1, 1, 1, 2]);
  });

  it("does not let one stream or step rewrite what another wrote", () => {
    const stretch = stretchOf([["out\n"], ["err\n\x1b[5Anew\n", "stderr"], ["\x1b[9Aend\n", "stdout", 1]]);
    expect(shown(stretch)).toEqual(["out", "new", "end"]);
  });

  it("puts what cuts into a bar on a row of its own, and goes on after it", () => {
    const stretch = stretchOf([["\r10%"], ["trouble\n", "stderr"], ["\r20%\r30%\n"]]);
    expect(shown(stretch)).toEqual(["10%", "trouble", "30%"]);
  });

  it("does not run away on huge moves", () => {
    expect(shown(stretchOf([["\x1b[999999999Cx\n"]]))[0]!.length).toBeLessThan(10_000);
    const rows = Array.from({ length: 200 }, (_, i) => `${i}`);
    const lifted = shown(stretchOf([[`${rows.join("\n")}\n\x1b[999Atop\n`]]));
    expect(lifted[200 - REWRITABLE]).toBe("top");
    expect(lifted).toHaveLength(200);
  });

  it("takes no room for what was overwritten: a million rewrites of one line, and of five", { timeout: 60_000 }, () => {
    const one = stretchOf([["before\n"]]);
    for (let i = 0; i < 1000; i += 1) {
      one.append(chunkOf(one.next, [[Array.from({ length: 1000 }, (_, k) => `\r\x1b[32m${i * 1000 + k}%\x1b[0m\x1b[K`).join("")]]));
    }
    expect(shown(one)).toEqual(["before", "999999%"]);
    expect(one.size).toBeLessThan(1000);
    const five = stretchOf();
    for (let i = 0; i < 1000; i += 1) {
      const frame = Array.from({ length: 200 }, (_, k) => `a ${i}.${k}\nb\nc\nd\ne\n\x1b[5A`).join("");
      five.append(chunkOf(five.next, [[frame]]));
    }
    expect(shown(five)).toEqual(["a 999.199", "b", "c", "d", "e"]);
    expect(five.size).toBeLessThan(1000);
  });

  const TOKENS = [
    ..."ab 流🚰é\t",
    "long text ",
    "\n", "\n", "\r", "\r\n", "\b", "\x1b[K", "\x1b[1K", "\x1b[2K", "\x1b[A", "\x1b[2A", "\x1b[B", "\x1b[E", "\x1b[F", "\x1b[J",
    "\x1b[3C", "\x1b[2D", "\x1b[5G", "\x1b[2P", "\x1b[2X", "\x1b[?25l", "\x1bM", "\x1b]0;t\x07", "\x1b(B",
  ];
  const STYLES = ["\x1b[31m", "\x1b[0m", "\x1b[1;44m", "\x1b[38;2;1;2;3m", "\x1b[m"];

  it("is as a plain model of a terminal has it, for any output", () => {
    for (let seed = 0; seed < 3000; seed += 1) {
      const random = numbers(seed);
      const text = Array.from({ length: 1 + random(40) }, () => TOKENS[random(TOKENS.length)]!).join("");
      const rows = shown(stretchOf([[text]])).map((row) => expand(row));
      expect(rows, JSON.stringify(text)).toEqual(terminal(text));
    }
  });

  it("is the same however the bytes were cut into chunks", () => {
    const streams: StreamName[] = ["stdout", "stdout", "stdout", "stderr", "system"];
    for (let seed = 0; seed < 1500; seed += 1) {
      const random = numbers(seed);
      const all = [...TOKENS, ...STYLES];
      const pieces: Piece[] = Array.from({ length: 1 + random(4) }, (_, i) => [
        Array.from({ length: 1 + random(25) }, () => all[random(all.length)]!).join(""),
        streams[random(streams.length)]!,
        Math.floor(i / 2),
        i * 10,
      ]);
      const cut = new LogStretch(0, new StyleTable());
      for (const [text, ...rest] of pieces) {
        let part = "";
        for (const character of text) {
          part += character;
          if (random(3) > 0) continue;
          cut.append(chunkOf(cut.next, [[part, ...rest]]));
          part = "";
        }
        if (part) cut.append(chunkOf(cut.next, [[part, ...rest]]));
      }
      const whole = stretchOf(...pieces.map((piece) => [piece]));
      expect(seen(cut), JSON.stringify(pieces)).toEqual(seen(whole));
      expect([cut.newlines, cut.unfinished, cut.next]).toEqual([whole.newlines, whole.unfinished, whole.next]);
    }
  });
});

/** Tabs as blanks, and none at the end, so that rows that were rewritten and rows that were not are alike. */
function expand(row: string): string {
  let text = "";
  let column = 0;
  for (const character of row) {
    const width = character === "\t" ? 8 - (column % 8) : /[流🚰]/u.test(character) ? 2 : 1;
    text += character === "\t" ? " ".repeat(width) : character;
    column += width;
  }
  return text.trimEnd();
}
