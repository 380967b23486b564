import { Backoff } from "./backoff";
import { parseFrame, type ClientFrame, type Topic, type TopicFrame } from "./frames";

/** The part of WebSocket that is used, so that a test can be the other end. */
export interface Socket {
  readonly readyState: number;
  onopen: ((event: never) => void) | null;
  onmessage: ((event: { data: string }) => void) | null;
  onclose: ((event: never) => void) | null;
  onerror: ((event: never) => void) | null;
  send(data: string): void;
  close(): void;
}

export interface Timers {
  set(task: () => void, ms: number): unknown;
  clear(timer: unknown): void;
}

export type ConnectionState = "idle" | "connecting" | "open" | "waiting";

/** Someone who watches one topic. */
export interface TopicWatcher {
  readonly topic: Topic;
  /** What to ask for now; called for the first time and after each reconnect, so that it can name its own position. */
  ask(): Omit<Extract<ClientFrame, { op: "watch" }>, "op">;
  receive(frame: TopicFrame): void;
}

export interface ConnectionOptions {
  open: () => Socket;
  /** Called when a try ends without having been open: the handshake's status is hidden from scripts. */
  refused?: () => void;
  changed?: (state: ConnectionState) => void;
  backoff?: Backoff;
  timers?: Timers;
  /** Nothing heard for this long means that the connection is dead, ms. */
  silence?: number;
}

const OPEN = 1;

const browserTimers: Timers = {
  set: (task, ms) => setTimeout(task, ms),
  clear: (timer) => clearTimeout(timer as ReturnType<typeof setTimeout>),
};

/**
 * The page's one WebSocket, shared by all watchers, kept up while anyone watches.
 * Frames may be lost when it breaks: a watcher resumes by what it asks for next, the connection remembers nothing.
 */
export class LiveConnection {
  private readonly watchers = new Map<Topic, Set<TopicWatcher>>();
  private readonly backoff: Backoff;
  private readonly timers: Timers;
  private readonly silence: number;
  private socket: Socket | null = null;
  private silenceTimer: unknown = null;
  private retryTimer: unknown = null;
  private announced: number | null = null;
  private current: ConnectionState = "idle";

  constructor(private readonly options: ConnectionOptions) {
    this.backoff = options.backoff ?? new Backoff();
    this.timers = options.timers ?? browserTimers;
    this.silence = options.silence ?? 40_000;
  }

  get state(): ConnectionState {
    return this.current;
  }

  /** Watch until the returned function is called. */
  watch(watcher: TopicWatcher): () => void {
    const others = this.watchers.get(watcher.topic) ?? new Set();
    others.add(watcher);
    this.watchers.set(watcher.topic, others);
    if (this.current === "idle") this.connect();
    // A second watcher of a list asks again: the server then sends the whole state, which both may have.
    else this.ask(watcher);
    return () => this.leave(watcher);
  }

  /** Ask the server again for a topic from where its watcher stands. */
  ask(watcher: TopicWatcher): void {
    this.send({ op: "watch", ...watcher.ask() });
  }

  /** As `ask`, when the server watches for us already and shall begin elsewhere. */
  askAgain(watcher: TopicWatcher): void {
    this.send({ op: "unwatch", topic: watcher.topic });
    this.ask(watcher);
  }

  /** Try now instead of later: the network or the page came back. */
  hurry(): void {
    if (this.current !== "waiting") return;
    this.timers.clear(this.retryTimer);
    this.connect();
  }

  /** End the connection and do not come back until someone watches again. */
  close(): void {
    this.drop();
    this.timers.clear(this.retryTimer);
    this.watchers.clear();
    this.become("idle");
  }

  private leave(watcher: TopicWatcher): void {
    const others = this.watchers.get(watcher.topic);
    if (!others?.delete(watcher) || others.size > 0) return;
    this.watchers.delete(watcher.topic);
    this.send({ op: "unwatch", topic: watcher.topic });
  }

  private connect(): void {
    this.become("connecting");
    this.announced = null;
    const socket = this.options.open();
    let opened = false;
    this.socket = socket;
    this.listen();
    socket.onopen = () => {
      if (socket !== this.socket) return;
      opened = true;
      this.listen();
      this.become("open");
      for (const others of this.watchers.values()) {
        for (const watcher of others) this.ask(watcher);
      }
    };
    socket.onmessage = (event) => {
      if (socket === this.socket) this.receive(event.data);
    };
    socket.onclose = () => {
      if (socket !== this.socket) return;
      if (!opened) this.options.refused?.();
      this.lost();
    };
  }

  private receive(data: string): void {
    this.listen();
    // Only a connection that carried something counts as a success, not one that a proxy accepts and drops.
    this.backoff.reset();
    const frame = parseFrame(data);
    if (!frame) return;
    if ("retry" in frame && typeof frame.retry === "number") {
      this.announced = frame.retry;
    } else if ("topic" in frame && typeof frame.topic === "string") {
      for (const watcher of [...(this.watchers.get(frame.topic as Topic) ?? [])]) watcher.receive(frame as TopicFrame);
    }
  }

  private listen(): void {
    this.timers.clear(this.silenceTimer);
    this.silenceTimer = this.timers.set(() => this.lost(), this.silence);
  }

  private lost(): void {
    this.drop();
    if (this.watchers.size === 0) {
      this.become("idle");
      return;
    }
    this.become("waiting");
    this.retryTimer = this.timers.set(() => this.connect(), this.announced ?? this.backoff.next());
    this.announced = null;
  }

  private drop(): void {
    this.timers.clear(this.silenceTimer);
    const socket = this.socket;
    this.socket = null;
    if (!socket) return;
    socket.onopen = socket.onmessage = socket.onclose = socket.onerror = null;
    socket.close();
  }

  private send(frame: ClientFrame): void {
    if (this.current === "open" && this.socket?.readyState === OPEN) this.socket.send(JSON.stringify(frame));
  }

  private become(state: ConnectionState): void {
    if (state === this.current) return;
    this.current = state;
    this.options.changed?.(state);
  }
}
