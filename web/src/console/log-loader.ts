import type { Gap } from "../live/frames";
import { decodeBytes } from "../live/decode";
import { loadRange, loadSpans, type LogSource } from "../live/load-range";
import type { LogModel } from "./log-model";

/** How much one request asks for, bytes. */
const SLICE = 512 * 1024;
/** Lines before one that somebody goes to. */
const CONTEXT = 100;
const AFTER = 1000;

/** What can be asked of a log besides its bytes. */
export interface LineSource extends LogSource {
  logLines(
    log: number,
    first: number,
    last: number,
    most: number,
    signal?: AbortSignal,
  ): Promise<{ bytes: Uint8Array; offset: number }>;
  logOffsetAt(log: number, time: string, signal?: AbortSignal): Promise<number>;
  newlinesBefore(log: number, offset: number, signal: AbortSignal): Promise<number | null>;
}

/** Loads what is missing of a log into its model. One thing at a time: what is asked for last counts. */
export class LogLoader {
  private running: AbortController | null = null;
  private readonly numbering = new AbortController();
  private readonly asked = new Set<number>();

  constructor(
    private readonly log: number,
    private readonly source: LineSource,
    private readonly model: LogModel,
    private readonly changed: () => void,
  ) {}

  get busy(): boolean {
    return this.running !== null;
  }

  stop(): void {
    this.running?.abort();
    this.numbering.abort();
  }

  /** Load a slice of a gap, from its beginning or before its end. Rejects when the server cannot be asked. */
  loadGap(gap: Gap, side: "start" | "end"): Promise<void> {
    return this.alone(async (signal) => {
      if (side === "start") {
        const to = Math.min(gap.to, gap.from + SLICE);
        this.take(await loadRange(this.source, this.log, gap.from, to, gap.to, signal));
        return;
      }
      const from = Math.max(gap.from, gap.to - SLICE);
      const [bytes, spans] = await Promise.all([
        this.source.logBytes(this.log, from, gap.to, signal),
        loadSpans(this.source, this.log, from, gap.to, signal),
      ]);
      const skipped = from === gap.from ? 0 : lineStart(bytes);
      this.take(decodeBytes(bytes.subarray(skipped), from + skipped, spans, true));
    });
  }

  /** Load what is around a line, counted from 1, unless it is here. */
  loadLine(line: number): Promise<void> {
    return this.alone(async (signal) => {
      await this.number(signal);
      if (this.model.rowOfLine(line) >= 0) return;
      let first = Math.max(1, line - CONTEXT);
      let got = await this.source.logLines(this.log, first, line + AFTER, SLICE, signal);
      let at = afterNewlines(got.bytes, line - first);
      if (at < 0 && first < line) {
        // What is before it is long.
        first = line;
        got = await this.source.logLines(this.log, first, line + AFTER, SLICE, signal);
        at = afterNewlines(got.bytes, 0);
      }
      if (at < 0) return;
      const { bytes, offset } = got;
      const gap = this.model.gaps.find((item) => offset + at >= item.from && offset + at < item.to);
      if (!gap) return;
      const begin = Math.max(0, gap.from - offset);
      const end = Math.min(bytes.length, gap.to - offset);
      const spans = await loadSpans(this.source, this.log, offset + begin, offset + end, signal);
      const chunk = decodeBytes(bytes.subarray(begin, end), offset + begin, spans, offset + end === gap.to);
      this.take(chunk, first - 1 + newlinesIn(bytes.subarray(0, begin)));
    });
  }

  /** Load what came at a moment (ISO 8601), unless it is here; the byte offset at which it begins. */
  async loadAt(time: string): Promise<number> {
    let offset = 0;
    await this.alone(async (signal) => {
      offset = await this.source.logOffsetAt(this.log, time, signal);
      const gap = this.model.gaps.find((item) => offset >= item.from && offset < item.to);
      if (!gap) return;
      const to = Math.min(gap.to, offset + SLICE);
      this.take(await loadRange(this.source, this.log, offset, to, gap.to, signal));
      await this.number(signal);
    });
    return offset;
  }

  /** Find out the line numbers of what has none. */
  async number(signal: AbortSignal = this.numbering.signal): Promise<void> {
    for (const from of this.model.unnumbered) {
      if (this.asked.has(from)) continue;
      this.asked.add(from);
      try {
        const before = await this.source.newlinesBefore(this.log, from, signal);
        if (before === null) continue;
        this.model.number(from, before);
        this.changed();
      } catch {
        // Numbers are a convenience; they are asked for again when they are needed.
        this.asked.delete(from);
      }
    }
  }

  private take(chunk: ReturnType<typeof decodeBytes>, before: number | null = null): void {
    if (this.model.fill(chunk, before)) this.changed();
  }

  private async alone(task: (signal: AbortSignal) => Promise<void>): Promise<void> {
    this.running?.abort();
    const mine = new AbortController();
    this.running = mine;
    try {
      await task(mine.signal);
    } catch (error) {
      if (!mine.signal.aborted) throw error;
    } finally {
      if (this.running === mine) this.running = null;
    }
  }
}

const NEWLINE = 10;

/** Where the first whole line begins; where the first whole character does, if there is none. */
function lineStart(bytes: Uint8Array): number {
  const newline = bytes.indexOf(NEWLINE);
  if (newline >= 0 && newline + 1 < bytes.length) return newline + 1;
  let at = 0;
  while (at < 3 && (bytes[at]! & 0xc0) === 0x80) at += 1;
  return at;
}

/** Index after so many newlines, if there is something; else -1. */
function afterNewlines(bytes: Uint8Array, count: number): number {
  let at = 0;
  for (let i = 0; i < count; i += 1) {
    const newline = bytes.indexOf(NEWLINE, at);
    if (newline < 0) return -1;
    at = newline + 1;
  }
  return at < bytes.length ? at : -1;
}

function newlinesIn(bytes: Uint8Array): number {
  let count = 0;
  for (let at = bytes.indexOf(NEWLINE); at >= 0; at = bytes.indexOf(NEWLINE, at + 1)) count += 1;
  return count;
}
