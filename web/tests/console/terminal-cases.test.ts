import { readFileSync } from "node:fs";
import { describe, expect, it } from "vitest";
import { shown, stretchOf } from "./chunks";

interface Case {
  name: string;
  input: string[];
  lines: string[];
}

// The same cases hold for the server and the commands: tests/unit/domain/test_settled.py.
const path = new URL("../../../tests/payloads/terminal_cases.json", import.meta.url);
const { cases } = JSON.parse(readFileSync(path, "utf-8")) as { cases: Case[] };

describe("what a terminal shows", () => {
  it.each(cases)("$name", ({ input, lines }) => {
    // Blanks at the end are not seen on the page, which leaves them out.
    const rows = shown(stretchOf(...input.map((piece) => [[piece] as [string]])));
    expect(rows.map((row) => row.trimEnd())).toEqual(lines.map((line) => line.trimEnd()));
  });
});
