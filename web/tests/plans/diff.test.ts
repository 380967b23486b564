import { expect, it } from "vitest";
import { diffLines } from "../../src/plans/diff";

it("lines of a unified diff are told apart, and its file names are left out", () => {
  const diff = "--- version 1\n+++ version 2\n@@ -1,2 +1,2 @@\n jobs:\n--- old\n+++ new\n";
  expect(diffLines(diff)).toEqual([
    { kind: "place", text: "@@ -1,2 +1,2 @@" },
    { kind: "same", text: " jobs:" },
    { kind: "removed", text: "--- old" },
    { kind: "added", text: "+++ new" },
  ]);
  expect(diffLines("")).toEqual([]);
});
