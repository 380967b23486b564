import { expect, it } from "vitest";
import { readLines } from "../../src/api/ndjson";

function bodyOf(pieces: Uint8Array[], cancelled: () => void = () => {}): ReadableStream<Uint8Array> {
  return new ReadableStream({
    pull(controller) {
      const piece = pieces.shift();
      if (piece) controller.enqueue(piece);
      else controller.close();
    },
    cancel: cancelled,
  });
}

it("gives the same values however the bytes were cut, within characters too", async () => {
  const values = [{ text: "流🚰" }, { end: { hits: 1 } }, [1, 2]];
  const bytes = new TextEncoder().encode(`${values.map((value) => JSON.stringify(value)).join("\n")}\n\n`);
  for (const size of [1, 2, 3, 7, bytes.length]) {
    const pieces: Uint8Array[] = [];
    for (let at = 0; at < bytes.length; at += size) pieces.push(bytes.slice(at, at + size));
    const got: unknown[] = [];
    for await (const value of readLines(bodyOf(pieces))) got.push(value);
    expect(got).toEqual(values);
  }
});

it("takes a last line that has no newline", async () => {
  const got: unknown[] = [];
  for await (const value of readLines(bodyOf([new TextEncoder().encode('{"a":1}\n{"b":2}')]))) got.push(value);
  expect(got).toEqual([{ a: 1 }, { b: 2 }]);
});

it("tells the server when nobody reads on", async () => {
  let cancelled = false;
  const endless = bodyOf(Array.from({ length: 1000 }, () => new TextEncoder().encode("1\n")), () => (cancelled = true));
  for await (const _ of readLines(endless)) break;
  expect(cancelled).toBe(true);
});
