import type { SpanItem } from "../api/types";
import type { Chunk, ChunkSpan } from "./frames";

/**
 * Raw bytes of a log, from byte offset `from`, as a chunk like those that come live.
 * An incomplete character at the end is left for the next call unless `last`; invalid bytes become U+FFFD.
 */
export function decodeBytes(bytes: Uint8Array, from: number, spans: readonly SpanItem[], last: boolean): Chunk {
  const usable = last ? bytes.length : completeLength(bytes);
  const next = from + usable;
  const pieces: string[] = [];
  const marks: ChunkSpan[] = [];
  let index = 0;
  let at = from;
  for (let i = spanAt(spans, from); at < next; i += 1) {
    const [, time, stream, step] = spans[i] ?? [0, 0, "stdout" as const, 0];
    const until = Math.min(spans[i + 1]?.[0] ?? next, next);
    if (until <= at) continue;
    // A decoder per piece: a character cut by a span is replaced on both sides, as the server does it.
    const text = new TextDecoder("utf-8", { ignoreBOM: true }).decode(bytes.subarray(at - from, until - from));
    marks.push([at, time, stream, step, index]);
    pieces.push(text);
    index += text.length;
    at = until;
  }
  return { offset: from, next, spans: marks, text: pieces.join("") };
}

/** Index of the span in force at a byte offset; 0 when all begin later. */
export function spanAt(spans: readonly SpanItem[], offset: number): number {
  let low = 0;
  let high = spans.length;
  while (low < high) {
    const middle = (low + high) >> 1;
    if (spans[middle]![0] <= offset) low = middle + 1;
    else high = middle;
  }
  return Math.max(0, low - 1);
}

/** How many bytes there are before a character that the end cuts. */
function completeLength(bytes: Uint8Array): number {
  for (let back = 1; back <= Math.min(3, bytes.length); back += 1) {
    const byte = bytes[bytes.length - back]!;
    if (byte < 0x80) break;
    if (byte >= 0xc0) {
      const length = byte >= 0xf0 ? 4 : byte >= 0xe0 ? 3 : 2;
      // Alone it makes no progress and would be asked for again for ever.
      return length > back && bytes.length > back ? bytes.length - back : bytes.length;
    }
  }
  return bytes.length;
}
