import { describe, expect, it } from "vitest";
import { columnsOf, cssOf, renderRow } from "../../src/console/render-row";
import { applySgr, BOLD, PLAIN, RGB, UNDERLINE } from "../../src/console/style";

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

  it("overwrites after a carriage return, as a terminal does", () => {
    expect(text("10%\r55%\r100%")).toBe("100%");
    expect(text("abcdef\rxy")).toBe("xycdef");
    expect(text("abcdef\r\x1b[Kxy")).toBe("xy");
    expect(text("waiting...\r\x1b[2Kdone")).toBe("done");
    expect(text("50%\r")).toBe("50%");
  });

  it("moves on the line by backspace and cursor sequences", () => {
    expect(text("|\b/\b-")).toBe("-");
    expect(text("ab\x1b[3Gc")).toBe("abc");
    expect(text("a\x1b[2Cb")).toBe("a  b");
    expect(text("abc\x1b[2Dx")).toBe("axc");
  });

  it("drops titles, other sequences and controls", () => {
    expect(text("\x1b]0;title\x07a\x1b[2J\x1b[1;1Hb\x1b(B\x00c\x07")).toBe("abc");
    expect(text("\x1b]8;;http://x\x1b\\link\x1b]8;;\x1b\\")).toBe("link");
    expect(text("end\x1b[3")).toBe("end");
  });

  it("keeps whole characters beyond 16 bits", () => {
    expect(text("\x1b[1m🚰🚰\rx")).toBe("x🚰");
  });

  it("does not run away on a huge cursor move", () => {
    expect(text("\x1b[999999999Cx").length).toBeLessThan(10_000);
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

describe("columnsOf", () => {
  it("gives wide characters two columns", () => {
    expect([columnsOf("abc"), columnsOf("日志"), columnsOf("━━")]).toEqual([3, 4, 2]);
  });
});
