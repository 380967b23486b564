import type { LogState } from "../api/types";
import type { Chunk, Gap, LogFrame, TopicError } from "./frames";

export type CursorAction =
  | { do: "append"; chunk: Chunk }
  | { do: "watch" }
  | { do: "fill"; from: number; to: number }
  | { do: "skip"; from: number; to: number }
  | { do: "end"; state: LogState }
  | { do: "fail"; error: TopicError };

/**
 * Decides, for one log, what to do with each frame so that its bytes are appended once, whole and in order,
 * whatever the way here lost, doubled or shuffled. Does no I/O: the caller carries the actions out.
 * What the server left out for a slow reader is either loaded by range before anything else (`fill`), or told (`skip`).
 */
export class LogCursor {
  private position: number | null;
  private target: number | null = null;
  private held: LogFrame[] = [];
  private asked = false;
  private over = false;

  /**
   * @param from byte offset wanted first; null when the server decides, by time or by lines
   * @param gaps what to do about bytes that the server left out
   */
  constructor(
    from: number | null,
    private readonly gaps: "fill" | "skip" = "fill",
  ) {
    this.position = from;
  }

  /** The next byte offset that is wanted; null before the server has said where the log begins for us. */
  get next(): number | null {
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
    if (frame.gap) return this.gap(frame.gap);
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
    this.position ??= chunk.offset;
    if (chunk.next <= this.position) return [];
    if (chunk.offset !== this.position) return this.resync();
    this.asked = false;
    this.position = chunk.next;
    return [{ do: "append", chunk }];
  }

  private gap({ to }: Gap): CursorAction[] {
    // Where we come in: what is before was never wanted.
    this.position ??= to;
    if (to <= this.position) return [];
    this.asked = false;
    const from = this.position;
    if (this.gaps === "skip") {
      this.position = to;
      return [{ do: "skip", from, to }];
    }
    this.target = to;
    return [{ do: "fill", from, to }];
  }

  private end(size: number, state: LogState): CursorAction[] {
    if (this.position !== null && size > this.position) return this.resync();
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
