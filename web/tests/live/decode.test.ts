import { describe, expect, it } from "vitest";
import type { SpanItem } from "../../src/api/types";
import { decodeBytes, spanAt } from "../../src/live/decode";

const encode = (text: string): Uint8Array => new TextEncoder().encode(text);
const SPANS: SpanItem[] = [
  [0, 100, "stdout", 0],
  [10, 200, "stderr", 0],
  [20, 300, "system", 1],
];

describe("decodeBytes", () => {
  it("begins with the span in force and marks where the others begin", () => {
    const chunk = decodeBytes(encode("567890123456789xyz"), 5, SPANS, true);
    expect(chunk).toEqual({
      offset: 5,
      next: 23,
      text: "567890123456789xyz",
      spans: [
        [5, 100, "stdout", 0, 0],
        [10, 200, "stderr", 0, 5],
        [20, 300, "system", 1, 15],
      ],
    });
  });

  it("leaves a character that its end cuts to the next call, unless it is the last", () => {
    const bytes = encode("ab流").subarray(0, 4);
    expect(decodeBytes(bytes, 0, SPANS, false)).toMatchObject({ next: 2, text: "ab" });
    expect(decodeBytes(bytes, 0, SPANS, true)).toMatchObject({ next: 4, text: "ab\ufffd" });
  });

  it("makes progress on bytes that are not UTF-8", () => {
    expect(decodeBytes(new Uint8Array([0xff, 0xfe, 0xe6]), 0, SPANS, false).next).toBe(2);
    expect(decodeBytes(new Uint8Array([0xe6]), 0, SPANS, false).next).toBe(1);
  });

  it("counts text in UTF-16 units, whatever the bytes were", () => {
    const bytes = new Uint8Array([...encode("流🚰"), 0xff, 0x61, 0x62, ...encode("x")]);
    const chunk = decodeBytes(bytes, 0, SPANS, true);
    expect(chunk.text).toBe("流🚰\ufffdabx");
    expect(chunk.spans[1]).toEqual([10, 200, "stderr", 0, 6]);
  });

  it("keeps a byte order mark, which is a byte of the log like any other", () => {
    expect(decodeBytes(encode("\ufeffa"), 0, SPANS, true).text).toBe("\ufeffa");
  });

  it("takes bytes for standard output when it knows no span", () => {
    expect(decodeBytes(encode("abc"), 0, [], true).spans).toEqual([[0, 0, "stdout", 0, 0]]);
  });
});

describe("spanAt", () => {
  it("finds the last span that begins at or before an offset", () => {
    expect([0, 9, 10, 19, 20, 99].map((offset) => spanAt(SPANS, offset))).toEqual([0, 0, 1, 1, 2, 2]);
  });
});
