import type { LogState } from "../api/types";
import { Backoff } from "./backoff";
import type { LiveConnection, Timers, TopicWatcher } from "./connection";
import type { Chunk, ClientFrame, LogFrame, LogStart, Topic, TopicError, TopicFrame } from "./frames";
import { loadRange, type LogSource } from "./load-range";
import { LogCursor, type CursorAction } from "./log-cursor";

export interface LogSink {
  append(chunk: Chunk): void;
  ended(state: LogState): void;
  failed(error: TopicError): void;
  /**
   * The server left out the bytes [from, to) because we were slow; the next chunk begins at `to`.
   * Without this method they are loaded by range first, and the sink gets every byte.
   */
  skipped?(from: number, to: number): void;
}

export interface FollowOptions {
  /** Where to begin; the first byte unless said otherwise. */
  start?: LogStart;
  timers?: Timers;
  backoff?: Backoff;
  /** How much of a gap one request asks for, bytes. */
  slice?: number;
  /** How long the server may take to answer a second watch before it is asked again, ms. */
  patience?: number;
}

const timers: Timers = {
  set: (task, ms) => setTimeout(task, ms),
  clear: (timer) => clearTimeout(timer as ReturnType<typeof setTimeout>),
};

/**
 * Follows one log to its end, over any number of connections: what the sink gets, joined, is the log from where it
 * begins, no byte lost or doubled, but for what it was told is skipped.
 */
export class LogFollower implements TopicWatcher {
  readonly topic: Topic;
  private readonly cursor: LogCursor;
  private readonly timers: Timers;
  private readonly backoff: Backoff;
  private readonly start: LogStart;
  private readonly slice: number;
  private readonly patience: number;
  private readonly leave: () => void;
  private fetching: AbortController | null = null;
  private overdue: unknown = null;
  private stopped = false;

  constructor(
    private readonly log: number,
    private readonly connection: LiveConnection,
    private readonly source: LogSource,
    private readonly sink: LogSink,
    options: FollowOptions = {},
  ) {
    this.topic = `log/${log}`;
    this.start = options.start ?? { from: 0 };
    this.cursor = new LogCursor("from" in this.start ? this.start.from : null, sink.skipped ? "skip" : "fill");
    this.timers = options.timers ?? timers;
    this.backoff = options.backoff ?? new Backoff();
    this.slice = options.slice ?? 1 << 20;
    this.patience = options.patience ?? 5000;
    this.leave = connection.watch(this);
  }

  /** The next byte offset that is wanted; null before the server has said where a start by time or lines is. */
  get next(): number | null {
    return this.cursor.next;
  }

  stop(): void {
    this.stopped = true;
    this.fetching?.abort();
    this.timers.clear(this.overdue);
    this.leave();
  }

  ask(): Omit<Extract<ClientFrame, { op: "watch" }>, "op"> {
    this.fetching?.abort();
    this.fetching = null;
    this.timers.clear(this.overdue);
    this.cursor.restart();
    const next = this.cursor.next;
    return { topic: this.topic, ...(next === null ? this.start : { from: next }) };
  }

  receive(frame: TopicFrame): void {
    if (!this.stopped) this.carryOut(this.cursor.receive(frame as LogFrame));
  }

  private carryOut(actions: CursorAction[]): void {
    for (const action of actions) {
      if (this.stopped) return;
      switch (action.do) {
        case "append":
          this.timers.clear(this.overdue);
          this.sink.append(action.chunk);
          break;
        case "watch":
          this.askAgain();
          break;
        case "skip":
          this.timers.clear(this.overdue);
          this.sink.skipped!(action.from, action.to);
          break;
        case "fill":
          void this.fill(action.from, action.to);
          break;
        case "end":
          this.sink.ended(action.state);
          this.stop();
          break;
        case "fail":
          this.fail(action.error);
          break;
      }
    }
  }

  private askAgain(): void {
    this.connection.askAgain(this);
    // `ask` restarted the cursor, so stale frames may raise the question once more; the answer settles it.
    this.cursor.hold();
    this.overdue = this.timers.set(() => this.askAgain(), this.patience);
  }

  private fail(error: TopicError): void {
    this.sink.failed(error);
    if (error.status >= 500 || error.status === 429) {
      this.timers.clear(this.overdue);
      this.overdue = this.timers.set(() => this.askAgain(), this.backoff.next());
    }
  }

  private async fill(from: number, to: number): Promise<void> {
    const fetching = new AbortController();
    this.fetching = fetching;
    let at = from;
    while (at < to && !fetching.signal.aborted) {
      try {
        const chunk = await loadRange(this.source, this.log, at, Math.min(to, at + this.slice), to, fetching.signal);
        if (fetching.signal.aborted) return;
        at = chunk.next;
        this.backoff.reset();
        this.carryOut(this.cursor.filled(chunk));
      } catch {
        if (fetching.signal.aborted) return;
        // Nothing is lost by waiting: what comes meanwhile is held behind the gap.
        await new Promise<void>((resolve) => this.timers.set(resolve, this.backoff.next()));
      }
    }
  }
}
