import { describe, expect, it } from "vitest";
import { copyRows } from "../../src/console/copy-rows";
import { LogModel } from "../../src/console/log-model";
import { chunkOf, numbers, stretchOf, type Piece } from "./chunks";

function modelOf(...chunks: Piece[][]): LogModel {
  const model = new LogModel();
  for (const pieces of chunks) model.append(chunkOf(model.next, pieces));
  return model;
}

/** Each row as the state of its group and its text. */
function shown(model: LogModel): string[] {
  return Array.from({ length: model.rows }, (_, index) => {
    const item = model.item(index);
    if ("gap" in item) return "gap";
    return { open: "-", folded: "+", ends: "=", none: " " }[item.group ?? "none"] + item.row.text;
  });
}

function fold(model: LogModel, name: string): void {
  model.toggle(shown(model).findIndex((row) => row.slice(1) === `::group::${name}`));
}

const LOG = "a\n::group::one\nb\nc\n::endgroup::\nd\n";

describe("groups", () => {
  it("fold to their heads, and unfold", () => {
    const model = modelOf([[LOG]]);
    const whole = [" a", "-::group::one", " b", " c", "=::endgroup::", " d"];
    expect(shown(model)).toEqual(whole);
    fold(model, "one");
    expect(shown(model)).toEqual([" a", "+::group::one", " d"]);
    fold(model, "one");
    expect(shown(model)).toEqual(whole);
  });

  it("are found however their lines are cut into chunks", () => {
    for (let at = 1; at < LOG.length; at += 1) {
      const stretch = stretchOf([[LOG.slice(0, at)]], [[LOG.slice(at)]]);
      expect(stretch.groups(), String(at)).toEqual([{ head: 1, last: 4 }]);
    }
    const each = stretchOf(...[...LOG].map((unit): Piece[] => [[unit]]));
    expect(each.groups()).toEqual([{ head: 1, last: 4 }]);
  });

  it("may be within each other", () => {
    const model = modelOf([["::group::a\n1\n::group::b\n2\n::endgroup::\n3\n::endgroup::\n4\n"]]);
    fold(model, "b");
    expect(shown(model)).toEqual(["-::group::a", " 1", "+::group::b", " 3", "=::endgroup::", " 4"]);
    fold(model, "a");
    expect(shown(model)).toEqual(["+::group::a", " 4"]);
    fold(model, "a");
    expect(shown(model)).toEqual(["-::group::a", " 1", "+::group::b", " 3", "=::endgroup::", " 4"]);
  });

  it("end with their step, and an end without a beginning is nothing", () => {
    const model = modelOf([
      ["::endgroup::\n::group::a\n1\n", "stdout", 0],
      ["2\n::endgroup::\n3\n", "stdout", 1],
    ]);
    fold(model, "a");
    expect(shown(model)).toEqual(["=::endgroup::", "+::group::a", " 2", "=::endgroup::", " 3"]);
  });

  it("take in what comes while they are folded, up to their end", () => {
    const model = modelOf([["::group::a\n1\n"]]);
    fold(model, "a");
    for (let n = 0; n < 100; n += 1) model.append(chunkOf(model.next, [[`${n}\n`]]));
    expect(shown(model)).toEqual(["+::group::a"]);
    model.append(chunkOf(model.next, [["::endgroup::\nafter\n"]]));
    expect(shown(model)).toEqual(["+::group::a", " after"]);
  });

  it("are only what a job said, at the beginning of a line", () => {
    const model = modelOf([["::group::x\n", "system"], ["say ::group::x\n"], [" ::endgroup::\n"]]);
    expect(shown(model)).toEqual([" ::group::x", " say ::group::x", "  ::endgroup::"]);
  });

  it("go with what is overwritten", () => {
    const model = modelOf([["::group::x\n"], ["\x1b[1A\x1b[2Kgone\nb\n"]]);
    expect(shown(model)).toEqual([" gone", " b"]);
    model.append(chunkOf(model.next, [["\x1b[1A\x1b[2K::group::y\nc\n"]]));
    expect(shown(model)).toEqual([" gone", "-::group::y", " c"]);
  });

  it("open for a line that is looked for in them", () => {
    const model = modelOf([[LOG]]);
    fold(model, "one");
    model.reveal(6);
    expect(model.rows).toBe(3);
    model.reveal(2);
    expect(model.rows).toBe(3);
    model.reveal(4);
    expect(model.rows).toBe(6);
    expect(model.rowOfLine(4)).toBe(3);
  });

  it("are copied whole, folded or not, and stay as they are", () => {
    const model = modelOf([[LOG]]);
    fold(model, "one");
    expect(copyRows(model, null)).toBe(LOG);
    expect(copyRows(model, { from: 3, to: 4 })).toBe("b\nc\n");
    expect(shown(model)).toEqual([" a", "+::group::one", " d"]);
  });

  it("hide the same rows whether they are folded before or after those came", () => {
    for (let seed = 0; seed < 200; seed += 1) {
      const next = numbers(seed);
      const lines = Array.from({ length: 120 }, () => ["x\n", "::group::g\n", "::endgroup::\n", "y\rz\n"][Math.max(0, next(6) - 2)]!);
      const early = new LogModel();
      const late = modelOf([[lines.join("")]]);
      const heads = new Set<number>();
      lines.forEach((line) => {
        early.append(chunkOf(early.next, [[line]]));
        const index = early.rows - 1;
        const item = index >= 0 ? early.item(index) : null;
        if (item && "row" in item && item.group === "open" && next(2) === 0) {
          heads.add(item.row.line!);
          early.toggle(index);
        }
      });
      for (const line of [...heads].reverse()) late.toggle(late.rowOfLine(line));
      expect(shown(early), String(seed)).toEqual(shown(late));
    }
  });
});
