type Numbers = Float64Array | Uint32Array | Uint16Array | Uint8Array;

/** A typed array that grows: one number per row without an object per row. */
export class Growing<T extends Numbers> {
  length = 0;
  private numbers: T;

  constructor(private readonly make: (size: number) => T) {
    this.numbers = make(1024);
  }

  push(value: number): void {
    if (this.length === this.numbers.length) {
      const larger = this.make(this.length * 2);
      larger.set(this.numbers);
      this.numbers = larger;
    }
    this.numbers[this.length] = value;
    this.length += 1;
  }

  /** Forget all from an index on. */
  truncate(length: number): void {
    this.length = Math.min(this.length, length);
  }

  at(index: number): number {
    return this.numbers[index] ?? 0;
  }

  /** Index of the last value that is at most `value`, in ascending numbers; -1 when all are larger. */
  lastAtMost(value: number): number {
    let low = 0;
    let high = this.length;
    while (low < high) {
      const middle = (low + high) >> 1;
      if (this.at(middle) <= value) low = middle + 1;
      else high = middle;
    }
    return low - 1;
  }
}
