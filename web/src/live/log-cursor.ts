import type { LogState } from "../api/types";
import type { Chunk, LogFrame, TopicError } from "./frames";

export type CursorAction =
  | { do: "append"; chunk: Chunk }
  | { do: "watch" }
  | { do: "fill"; from: number; to: number }
  | { do: "end"; state: LogState }
  | { do: "fail"; error: TopicError };

/**
 * Decides, for one log, what to do with each frame so that its bytes are appended once, whole and in order,
 * whatever the way here lost, doubled or shuffled. Does no I/O: the caller carries the actions out.
 */
export class LogCursor {
  private position: number;
  private target: number | null = null;
  private held: LogFrame[] = [];
  private asked = false;
  private over = false;

  /** @param from byte offset wanted first */
  constructor(from: number) {
    this.position = from;
  }

  /** The next byte offset that is wanted. */
  get next(): number {
    return this.position;
  }

  /** Whether the log's end was reached: nothing more is wanted. */
  get ended(): boolean {
    return this.over;
  }

  /** Whether bytes are being loaded by range. */
  get filling(): boolean {
    return this.target !== null;
  }

  receive(frame: LogFrame): CursorAction[] {
    if (this.over) return [];
    if (this.target !== null) {
      this.held.push(frame);
      return [];
    }
    if (frame.chunk) return this.chunk(frame.chunk);
    if (frame.gap) return this.gap(frame.gap.to);
    if (frame.end) return this.end(frame.end.size, frame.end.state);
    if (frame.error) return [{ do: "fail", error: frame.error }];
    return [];
  }

  /** A piece that was loaded by range, beginning at `next`. Those that do not are ignored. */
  filled(chunk: Chunk): CursorAction[] {
    if (this.target === null || chunk.offset !== this.position || chunk.next <= chunk.offset) return [];
    this.position = chunk.next;
    const actions: CursorAction[] = [{ do: "append", chunk }];
    if (this.position < this.target) return actions;
    this.target = null;
    const held = this.held;
    this.held = [];
    for (const frame of held) actions.push(...this.receive(frame));
    return actions;
  }

  /** The connection is new, or an answer to a watch is overdue: what was on its way is void, ask from `next`. */
  restart(): void {
    this.target = null;
    this.held = [];
    this.asked = false;
  }

  /** A watch from `next` is on its way: until it is answered, frames from elsewhere are no news. */
  hold(): void {
    this.asked = true;
  }

  private chunk(chunk: Chunk): CursorAction[] {
    if (chunk.next <= this.position) return [];
    if (chunk.offset !== this.position) return this.resync();
    this.asked = false;
    this.position = chunk.next;
    return [{ do: "append", chunk }];
  }

  private gap(to: number): CursorAction[] {
    if (to <= this.position) return [];
    this.asked = false;
    this.target = to;
    return [{ do: "fill", from: this.position, to }];
  }

  private end(size: number, state: LogState): CursorAction[] {
    if (size > this.position) return this.resync();
    this.over = true;
    return [{ do: "end", state }];
  }

  /** Ask once: the frames that the server sent before it reads the question would raise it again. */
  private resync(): CursorAction[] {
    if (this.asked) return [];
    this.asked = true;
    return [{ do: "watch" }];
  }
}
