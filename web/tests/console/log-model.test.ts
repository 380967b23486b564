import { describe, expect, it } from "vitest";
import { LogModel, type Item } from "../../src/console/log-model";
import { chunkOf, numbers, type Piece } from "./chunks";

function itemsOf(model: LogModel): Item[] {
  return Array.from({ length: model.rows }, (_, index) => model.item(index));
}

/** Each row as its line and text, each gap as its bytes. */
function shown(model: LogModel): string[] {
  return itemsOf(model).map((item) => ("gap" in item ? `${item.gap.from}..${item.gap.to}` : `${item.row.line}:${item.row.text}`));
}

function modelAt(from: number, ...pieces: Piece[]): LogModel {
  const model = new LogModel(from);
  if (pieces.length > 0) model.append(chunkOf(from, pieces));
  return model;
}

describe("LogModel", () => {
  it("shows a gap where bytes were skipped, and the rows in it once they were loaded", () => {
    const model = modelAt(0, ["a\nb\n"]);
    model.skip(8);
    model.append(chunkOf(8, [["e\n"]]));
    expect(shown(model)).toEqual(["1:a", "2:b", "4..8", "null:e"]);
    expect([model.lines, model.next, model.unnumbered]).toEqual([null, 10, [8]]);
    expect(model.fill(chunkOf(4, [["c\nd\n"]]))).toBe(true);
    expect(shown(model)).toEqual(["1:a", "2:b", "3:c", "4:d", "5:e"]);
    expect([model.lines, model.gaps, model.unnumbered]).toEqual([5, [], []]);
  });

  it("fills a gap from either side, or amid", () => {
    const model = modelAt(20, ["k\n"]);
    expect(shown(model)).toEqual(["0..20", "null:k"]);
    model.fill(chunkOf(18, [["j\n"]]));
    model.fill(chunkOf(0, [["a\n"]]));
    model.fill(chunkOf(8, [["e\n"]]), 4);
    expect(shown(model)).toEqual(["1:a", "2..8", "5:e", "10..18", "null:j", "null:k"]);
    model.fill(chunkOf(10, [["f\ng\nh\ni\n"]]));
    expect(shown(model)).toEqual(["1:a", "2..8", "5:e", "6:f", "7:g", "8:h", "9:i", "10:j", "11:k"]);
  });

  it("takes into a gap only what belongs there", () => {
    const model = modelAt(10, ["x\n"]);
    expect(model.fill(chunkOf(8, [["abcd"]]))).toBe(false);
    expect(model.fill(chunkOf(10, [["a"]]))).toBe(false);
    expect(shown(model)).toEqual(["0..10", "null:x"]);
  });

  it("numbers what touches from what is numbered, in both directions", () => {
    const model = modelAt(10, ["x\ny\n"]);
    model.fill(chunkOf(6, [["w\nv\n"]]));
    model.number(10, 5);
    expect(shown(model)).toEqual(["0..6", "4:w", "5:v", "6:x", "7:y"]);
    expect([1, 4, 5, 7, 8].map((line) => model.rowOfLine(line))).toEqual([-1, 1, 2, 4, -1]);
  });

  it("counts a line once that a gap cut in two", () => {
    const model = modelAt(0, ["a\nbe"]);
    model.skip(6);
    model.append(chunkOf(6, [["end\nc\n"]]));
    model.fill(chunkOf(4, [["tw"]]));
    expect(shown(model)).toEqual(["1:a", "2:betw", "2:end", "3:c"]);
    expect(itemsOf(model).map((item) => "row" in item && item.row.continued)).toEqual([false, false, true, false]);
    expect(model.rowOfLine(2)).toBe(1);
    expect(model.lines).toBe(3);
  });

  it("finds a place again when rows come and go before it", () => {
    const model = modelAt(10, ["x\ny\nz\n"]);
    const place = model.placeOf(2)!;
    expect(shown(model)[model.indexOf(place)]).toBe("null:y");
    model.fill(chunkOf(4, [["a\nb\nc\n"]]));
    expect(shown(model)[model.indexOf(place)]).toBe("null:y");
    model.fill(chunkOf(0, [["q\nr\n"]]));
    expect(shown(model)[model.indexOf(place)]).toBe("7:y");
  });

  it("a gap's place is where the rows appear that are loaded at its beginning", () => {
    const model = modelAt(0, ["a\n"]);
    model.skip(10);
    model.append(chunkOf(10, [["z\n"]]));
    const place = model.placeOf(1)!;
    expect(model.indexOf(place)).toBe(1);
    model.fill(chunkOf(2, [["b\nc\n"]]));
    expect(shown(model)[model.indexOf(place)]).toBe("2:b");
  });

  it("shows only the streams that are wanted, and finds lines and steps among them", () => {
    const model = modelAt(0, ["a\n"], ["b\n", "stderr"], ["c\n"], ["d\n", "stderr", 1]);
    model.filter(["stderr"]);
    expect(shown(model)).toEqual(["2:b", "4:d"]);
    expect([model.rowOfLine(2), model.rowOfLine(3), model.rowOfStep(1)]).toEqual([0, 1, 1]);
    model.append(chunkOf(model.next, [["e\nf"], ["g\n", "stderr", 1]]));
    expect(shown(model)).toEqual(["2:b", "4:d", "6:g"]);
    expect(model.lines).toBe(6);
    model.filter(null);
    expect(model.rows).toBe(7);
  });

  it("keeps up when rows that are shown are rewritten or erased", () => {
    const model = modelAt(0, ["a\nb\nc\n"]);
    model.filter(["stdout"]);
    expect(model.rows).toBe(3);
    model.append(chunkOf(model.next, [["\x1b[3A\x1b[Jnew\n"]]));
    expect(shown(model)).toEqual(["1:new"]);
  });

  it("lets go of what is far from the view, which is a gap then", () => {
    const model = modelAt(20, ["x\n"]);
    model.fill(chunkOf(0, [["aaaa\n"]]));
    model.fill(chunkOf(10, [["bbbb\n"]]), 4);
    expect(model.trim({ from: 10, row: 0 }, 8)).toBe(true);
    expect(shown(model)).toEqual(["0..10", "5:bbbb", "15..20", "null:x"]);
    expect(model.trim({ from: 10, row: 0 }, 8)).toBe(false);
    expect(model.trim(null, 2)).toBe(true);
    expect(shown(model)).toEqual(["0..20", "null:x"]);
  });

  it("shows the same rows in whichever order its parts came", () => {
    const lines = Array.from({ length: 60 }, (_, i) => `line ${i}\n`);
    const text = lines.join("");
    const ends = lines.reduce<number[]>((all, line) => [...all, all.at(-1)! + line.length], [0]);
    for (let seed = 0; seed < 60; seed += 1) {
      const random = numbers(seed);
      const model = modelAt(ends[50]!, [text.slice(ends[50])]);
      while (model.gaps.length > 0) {
        const gap = model.gaps[random(model.gaps.length)]!;
        const [begin, end] = [ends.indexOf(gap.from), ends.indexOf(gap.to)];
        const first = begin + random(end - begin);
        const last = first + 1 + random(end - first);
        expect(model.fill(chunkOf(ends[first]!, [[text.slice(ends[first], ends[last])]]), random(3) ? null : first)).toBe(true);
      }
      expect(shown(model)).toEqual(lines.map((line, i) => `${i + 1}:${line.trimEnd()}`));
    }
  });
});
