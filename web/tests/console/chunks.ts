import type { StreamName } from "../../src/api/types";
import { LogStretch } from "../../src/console/log-stretch";
import { renderRow, textOf } from "../../src/console/render-row";
import type { Row } from "../../src/console/rows";
import { StyleTable } from "../../src/console/style";
import type { Chunk } from "../../src/live/frames";

export type Piece = [text: string, stream?: StreamName, step?: number, time?: number];

/** A chunk of pieces; offsets count as if every unit were a byte. */
export function chunkOf(offset: number, pieces: Piece[]): Chunk {
  const chunk: Chunk = { offset, next: offset, spans: [], text: "" };
  for (const [text, stream = "stdout", step = 0, time = 0] of pieces) {
    chunk.spans.push([chunk.next, time, stream, step, chunk.text.length]);
    chunk.text += text;
    chunk.next += text.length;
  }
  return chunk;
}

export function stretchOf(...chunks: Piece[][]): LogStretch {
  const stretch = new LogStretch(0, new StyleTable());
  for (const pieces of chunks) stretch.append(chunkOf(stretch.next, pieces));
  return stretch;
}

export function rowsOf(stretch: LogStretch): Row[] {
  return Array.from({ length: stretch.rows }, (_, index) => stretch.row(index));
}

/** What the rows say, without styles. */
export function shown(stretch: LogStretch): string[] {
  return rowsOf(stretch).map((row) => textOf(renderRow(row.text, row.style)));
}

/** The same numbers for the same seed. */
export function numbers(seed: number): (below: number) => number {
  let state = seed >>> 0;
  return (below) => {
    state = (state + 0x6d2b79f5) >>> 0;
    let t = Math.imul(state ^ (state >>> 15), state | 1);
    t ^= t + Math.imul(t ^ (t >>> 7), t | 61);
    return ((t ^ (t >>> 14)) >>> 0) % below;
  };
}
