import type { Socket, Timers } from "../../src/live/connection";

/** The other end of a connection, in the hands of a test. */
export class FakeSocket implements Socket {
  readyState = 0;
  onopen: Socket["onopen"] = null;
  onmessage: Socket["onmessage"] = null;
  onclose: Socket["onclose"] = null;
  onerror: Socket["onerror"] = null;
  readonly sent: unknown[] = [];

  send(data: string): void {
    this.sent.push(JSON.parse(data));
  }

  close(): void {
    this.readyState = 3;
  }

  accept(): void {
    this.readyState = 1;
    this.onopen?.(undefined as never);
  }

  tell(frame: unknown): void {
    this.onmessage?.({ data: JSON.stringify(frame) });
  }

  break(): void {
    this.readyState = 3;
    this.onclose?.(undefined as never);
  }
}

/** Time that passes when the test says so, ms. */
export class FakeTimers implements Timers {
  now = 0;
  private readonly tasks = new Map<number, { at: number; task: () => void }>();
  private ids = 0;

  set(task: () => void, ms: number): number {
    this.ids += 1;
    this.tasks.set(this.ids, { at: this.now + ms, task });
    return this.ids;
  }

  clear(timer: unknown): void {
    this.tasks.delete(timer as number);
  }

  pass(ms: number): void {
    const until = this.now + ms;
    for (;;) {
      const due = [...this.tasks].filter(([, item]) => item.at <= until).sort((a, b) => a[1].at - b[1].at)[0];
      if (!due) break;
      this.tasks.delete(due[0]);
      this.now = due[1].at;
      due[1].task();
    }
    this.now = until;
  }
}
