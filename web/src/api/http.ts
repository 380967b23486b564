import { readLines } from "./ndjson";
import { Problem } from "./problem";
import type { Cursor, Page } from "./types";

/** Asks the server. Every method throws `Problem`. */
export class Http {
  /** Server time minus this machine's, in ms; 0 until it is known to matter. */
  skew = 0;

  constructor(
    readonly base: string,
    private readonly onSignedOut: () => void = () => {},
  ) {}

  get<T>(path: string, signal?: AbortSignal): Promise<T> {
    return this.json("GET", path, undefined, signal);
  }
  post<T>(path: string, body?: unknown): Promise<T> {
    return this.json("POST", path, body);
  }
  put<T>(path: string, body: unknown): Promise<T> {
    return this.json("PUT", path, body);
  }
  patch<T>(path: string, body: unknown): Promise<T> {
    return this.json("PATCH", path, body);
  }
  async delete(path: string): Promise<void> {
    await this.send("DELETE", path);
  }

  /** Every page of a list. */
  async all<T>(path: string, filter: Record<string, number | undefined> = {}): Promise<T[]> {
    const items: T[] = [];
    let cursor: Cursor | null = null;
    do {
      const page: Page<T> = await this.get(path + query({ ...filter, cursor: cursor ?? "" }));
      items.push(...page.items);
      cursor = page.next ?? null;
    } while (cursor);
    return items;
  }

  /** What an answer of lines says, as it comes. */
  async *lines<T>(path: string, signal: AbortSignal): AsyncGenerator<T> {
    const response = await this.send("GET", path, undefined, signal);
    yield* readLines<T>(response.body!);
  }

  async send(method: string, path: string, body?: unknown, signal?: AbortSignal): Promise<Response> {
    const init: RequestInit = { method, credentials: "same-origin" };
    if (body !== undefined) {
      init.headers = { "Content-Type": "application/json" };
      init.body = JSON.stringify(body);
    }
    if (signal) init.signal = signal;
    let response: Response;
    try {
      response = await fetch(this.base + path, init);
    } catch (error) {
      if (signal?.aborted) throw error;
      throw new Problem({ status: 0, detail: "unreachable" });
    }
    this.noteTime(response.headers.get("Date"));
    if (response.ok) return response;
    if (response.status === 401 && path !== "/api/sessions") this.onSignedOut();
    throw await Problem.from(response);
  }

  private async json<T>(method: string, path: string, body?: unknown, signal?: AbortSignal): Promise<T> {
    const response = await this.send(method, path, body, signal);
    return (await response.json()) as T;
  }

  private noteTime(date: string | null): void {
    if (!date) return;
    const skew = Date.parse(date) - Date.now();
    // The header counts whole seconds and is as old as the way here: less than this is noise.
    this.skew = Math.abs(skew) > 3000 ? skew : 0;
  }
}

/** `?a=1&b=2`, without what is empty; nothing where all is. */
export function query(values: Record<string, string | number | undefined>): string {
  const search = new URLSearchParams();
  for (const [key, value] of Object.entries(values)) {
    if (value !== undefined && value !== "") search.set(key, String(value));
  }
  const text = search.toString();
  return text && `?${text}`;
}
