/** How long to wait before the n-th try in a row, in ms. Full range jitter: many pages must not return together. */
export class Backoff {
  private tries = 0;

  constructor(
    private readonly random: () => number = Math.random,
    private readonly first = 400,
    private readonly most = 12_000,
  ) {}

  next(): number {
    const ceiling = Math.min(this.most, this.first * 1.8 ** this.tries);
    this.tries += 1;
    return ceiling / 2 + (ceiling / 2) * this.random();
  }

  reset(): void {
    this.tries = 0;
  }
}
