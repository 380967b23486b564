/** A log of the fake server: bytes and spans, growing in memory. */
export class FakeLog {
  constructor() {
    this.state = "open";
    this.size = 0;
    this.spans = [];
    this.store = Buffer.alloc(1 << 16);
  }

  get bytes() {
    return this.store.subarray(0, this.size);
  }

  append(text, { stream = "stdout", step = 0, time = Date.now() } = {}) {
    const bytes = Buffer.isBuffer(text) ? text : Buffer.from(text);
    while (this.size + bytes.length > this.store.length) {
      this.store = Buffer.concat([this.store, Buffer.alloc(this.store.length)]);
    }
    const last = this.spans.at(-1);
    if (!last || last[2] !== stream || last[3] !== step || time - last[1] > 5) this.spans.push([this.size, time, stream, step]);
    bytes.copy(this.store, this.size);
    this.size += bytes.length;
  }

  /** The next chunk from a byte offset, at most `most` bytes, never cutting a character. */
  chunk(from, most) {
    let to = Math.min(this.size, from + most);
    while (to < this.size && to > from && (this.store[to] & 0xc0) === 0x80) to -= 1;
    if (to <= from) return null;
    let i = this.spanAt(from);
    const spans = [];
    let text = "";
    for (let at = from; at < to; i += 1) {
      const until = Math.min(to, this.spans[i + 1]?.[0] ?? to);
      spans.push([at, ...this.spans[i].slice(1), text.length]);
      text += this.store.toString("utf8", at, until);
      at = until;
    }
    return { offset: from, next: to, spans, text };
  }

  /** The byte at which a line begins, counted from 1; the end when there are fewer. */
  offsetOfLine(line) {
    let at = 0;
    for (let i = 1; i < line; i += 1) {
      const newline = this.bytes.indexOf(10, at);
      if (newline < 0) return this.size;
      at = newline + 1;
    }
    return at;
  }

  /** The first byte whose span's time is at least `time`; the end when there is none. */
  offsetOfTime(time) {
    return this.spans.find((span) => span[1] >= time)?.[0] ?? this.size;
  }

  /** The spans of [from, to), the one in force at `from` first. */
  spansOf(from, to, most) {
    const first = Math.max(0, this.spanAt(from));
    const items = this.spans.slice(first, first + most).filter((span) => span[0] < to);
    const after = this.spans[first + most];
    return { items, size: this.size, next: after && after[0] < to ? after[0] : null };
  }

  spanAt(offset) {
    let low = 0;
    let high = this.spans.length;
    while (low < high) {
      const middle = (low + high) >> 1;
      if (this.spans[middle][0] <= offset) low = middle + 1;
      else high = middle;
    }
    return low - 1;
  }
}
