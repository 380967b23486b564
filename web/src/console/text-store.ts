import { Growing } from "./growing";

const BLOCK = 64 * 1024;

/**
 * Text that grows, and shrinks at its end, addressed by UTF-16 index. Kept in blocks: one growing string would be copied whole
 * each time it is read, and a string per chunk or per line costs more than its text.
 */
export class TextStore {
  private readonly blocks: string[] = [];
  private readonly starts = new Growing((size) => new Float64Array(size));
  private tail = "";
  private tailStart = 0;

  get length(): number {
    return this.tailStart + this.tail.length;
  }

  append(text: string): void {
    this.tail += text;
    if (this.tail.length < BLOCK) return;
    this.blocks.push(this.tail);
    this.starts.push(this.tailStart);
    this.tailStart += this.tail.length;
    this.tail = "";
  }

  /** Forget all from an index on. */
  truncate(length: number): void {
    while (this.tailStart > length) {
      this.tail = this.blocks.pop()!;
      this.tailStart = this.starts.at(this.blocks.length);
      this.starts.truncate(this.blocks.length);
    }
    this.tail = this.tail.slice(0, Math.max(0, length - this.tailStart));
  }

  slice(from: number, to: number): string {
    if (from >= this.tailStart) return this.tail.slice(from - this.tailStart, to - this.tailStart);
    const pieces: string[] = [];
    for (let i = Math.max(0, this.starts.lastAtMost(from)); i < this.blocks.length; i += 1) {
      const start = this.starts.at(i);
      if (start >= to) break;
      pieces.push(this.blocks[i]!.slice(Math.max(0, from - start), to - start));
    }
    if (to > this.tailStart) pieces.push(this.tail.slice(0, to - this.tailStart));
    return pieces.join("");
  }
}
