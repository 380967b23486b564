import type { SpanItem, Spans } from "../api/types";
import { decodeBytes } from "./decode";
import type { Chunk } from "./frames";

/** The part of the REST API that gives bytes of a log. */
export interface LogSource {
  logBytes(log: number, from: number, to: number, signal?: AbortSignal): Promise<Uint8Array>;
  spans(log: number, from: number, to: number, signal?: AbortSignal): Promise<Spans>;
}

/**
 * The bytes [from, to) of a log as a chunk like those that come live; less when they end in the midst of a character
 * and `to` is before `last`, the end of what is wanted. Rejects when there are none.
 */
export async function loadRange(
  source: LogSource,
  log: number,
  from: number,
  to: number,
  last: number,
  signal?: AbortSignal,
): Promise<Chunk> {
  const [bytes, spans] = await Promise.all([source.logBytes(log, from, to, signal), loadSpans(source, log, from, to, signal)]);
  if (bytes.length === 0) throw new Error(`log ${log}: no bytes at ${from}, though there are some up to ${to}`);
  return decodeBytes(bytes, from, spans, from + bytes.length >= last);
}

/** The spans of [from, to), the one in force at `from` first. The server gives them in pages. */
export async function loadSpans(
  source: LogSource,
  log: number,
  from: number,
  to: number,
  signal?: AbortSignal,
): Promise<SpanItem[]> {
  const items: SpanItem[] = [];
  for (let at: number | null = from; at !== null && at < to; ) {
    const page: Spans = await source.spans(log, at, to, signal);
    items.push(...page.items);
    at = page.next !== null && page.next > at ? page.next : null;
  }
  return items;
}
