import { describe, expect, it } from "vitest";
import { columnAfter } from "../../src/console/columns";
import { cssOf, markRuns, renderRow, textOf, wrapRuns } from "../../src/console/render-row";
import { applySgr, BOLD, INVERSE, PLAIN, RGB, sgrOf, UNDERLINE } from "../../src/console/style";

function text(raw: string): string {
  return renderRow(raw, PLAIN).map((run) => run.text).join("");
}

describe("renderRow", () => {
  it("leaves plain text as it is, markup too", () => {
    expect(renderRow("<b>&amp;</b> 流", PLAIN)).toEqual([{ text: "<b>&amp;</b> 流", style: PLAIN }]);
    expect(renderRow("", PLAIN)).toEqual([]);
  });

  it("splits text where the style changes", () => {
    const runs = renderRow("a\x1b[31mb\x1b[1mc\x1b[0md", PLAIN);
    expect(runs.map((run) => [run.text, run.style.fg, run.style.flags])).toEqual([
      ["a", -1, 0],
      ["b", 1, 0],
      ["c", 1, BOLD],
      ["d", -1, 0],
    ]);
  });

  it("drops what is left of other sequences and controls", () => {
    expect(text("\x1b[?25la\x1b[2Kb\x00c\x07\x1b")).toBe("abc");
    expect(text("end\x1b[3")).toBe("end");
    expect(renderRow("\x1b[>4;2mx", PLAIN)).toEqual([{ text: "x", style: PLAIN }]);
  });
});

describe("markRuns", () => {
  const runs = renderRow("ab\x1b[31mcd\x1b[0mef", PLAIN);
  const marks = (ranges: [number, number][]): string => markRuns(runs, ranges).map((run) => (run.hit ? `<${run.text}>` : run.text)).join("|");

  it("marks stretches, also across styles", () => {
    expect(marks([])).toBe("ab|cd|ef");
    expect(marks([[0, 1]])).toBe("<a>|b|cd|ef");
    expect(marks([[1, 5]])).toBe("a|<b>|<cd>|<e>|f");
    expect(marks([[0, 2], [3, 4], [5, 6]])).toBe("<ab>|c|<d>|e|<f>");
  });

  it("does not stumble over empty stretches", () => {
    expect(marks([[1, 1], [4, 6]])).toBe("a|b|cd|<ef>");
  });
});

describe("wrapRuns", () => {
  const lines = (raw: string, columns: number): string[] => wrapRuns(renderRow(raw, PLAIN), columns).map(textOf);

  it("cuts at so many columns, across styles", () => {
    expect(lines("abc\x1b[31mdefg", 3)).toEqual(["abc", "def", "g"]);
    expect(lines("abc", 3)).toEqual(["abc"]);
    expect(lines("", 3)).toEqual([""]);
  });

  it("cuts no wide character in two", () => {
    expect(lines("a日志b", 3)).toEqual(["a日", "志b"]);
    expect(lines("日志", 1)).toEqual(["日", "志"]);
  });
});

describe("applySgr", () => {
  const colours: [string, number][] = [
    ["31", 1],
    ["97", 15],
    ["38;5;208", 208],
    ["38:5:208", 208],
    ["38;2;1;2;3", RGB | 0x010203],
    ["38:2:1:2:3", RGB | 0x010203],
    ["38:2::1:2:3", RGB | 0x010203],
    ["31;39", -1],
    ["31;", -1],
  ];
  for (const [parameters, colour] of colours) {
    it(`${parameters} makes the text ${colour}`, () => expect(applySgr(PLAIN, parameters).fg).toBe(colour));
  }

  it("goes on after a colour of the palette", () => {
    expect(applySgr(PLAIN, "38;5;9;48;2;0;0;255;4")).toEqual({ fg: 9, bg: RGB | 0xff, flags: UNDERLINE });
  });

  it("ignores what it does not know", () => {
    expect(applySgr(PLAIN, "38;7;1;?;999")).toMatchObject({ fg: -1, bg: -1 });
  });
});

describe("cssOf", () => {
  it("takes named colours from the theme and computes the others", () => {
    expect(cssOf(PLAIN)).toBeNull();
    expect(cssOf(applySgr(PLAIN, "32"))).toEqual({ color: "var(--ansi-2)" });
    expect(cssOf(applySgr(PLAIN, "38;5;196"))).toEqual({ color: "rgb(255,0,0)" });
    expect(cssOf(applySgr(PLAIN, "38;5;244"))).toEqual({ color: "rgb(128,128,128)" });
    expect(cssOf(applySgr(PLAIN, "48;2;1;2;3"))).toEqual({ backgroundColor: "#010203" });
  });

  it("keeps black and white on a coloured ground readable in both themes", () => {
    expect(cssOf(applySgr(PLAIN, "97;41"))).toEqual({ color: "#ffffff", backgroundColor: "var(--ansi-1)" });
    expect(cssOf(applySgr(PLAIN, "30;42"))).toEqual({ color: "#0b0f13", backgroundColor: "var(--ansi-2)" });
    expect(cssOf(applySgr(PLAIN, "97"))).toEqual({ color: "var(--ansi-15)" });
  });

  it("swaps text and paper for inverse, also where they are the theme's", () => {
    expect(cssOf(applySgr(PLAIN, "7"))).toEqual({ color: "var(--console-bg)", backgroundColor: "var(--console-fg)" });
    expect(cssOf(applySgr(PLAIN, "7;31"))).toEqual({ color: "var(--console-bg)", backgroundColor: "var(--ansi-1)" });
  });
});

describe("sgrOf", () => {
  it("says a style so that it is understood again, whatever was before", () => {
    const styles = [PLAIN, { fg: 3, bg: 200, flags: BOLD | INVERSE }, { fg: RGB | 0x010203, bg: RGB, flags: UNDERLINE }];
    for (const style of styles) expect(applySgr(applySgr(PLAIN, "1;2;31;44"), sgrOf(style).slice(2, -1))).toEqual(style);
  });
});

describe("columnAfter", () => {
  it("gives wide characters two columns, marks none, and tabs as many as there are to the next stop", () => {
    expect([columnAfter("abc"), columnAfter("日志"), columnAfter("━━"), columnAfter("✔")]).toEqual([3, 4, 2, 1]);
    expect([columnAfter("e\u0301"), columnAfter("a\tb"), columnAfter("\t", 7)]).toEqual([1, 9, 8]);
  });
});
