import { Problem } from "./problem";
import type {
  Cursor,
  Page,
  Plan,
  PlanDraft,
  Project,
  ProjectDraft,
  Run,
  RunDraft,
  RunSummary,
  Session,
  Spans,
} from "./types";

export interface RunFilter {
  state?: string;
  project?: string;
  plan?: string;
  branch?: string;
  limit?: number;
  cursor?: Cursor;
}

/** The REST API. Every method throws `Problem`. */
export class Api {
  /** Server time minus this machine's, in ms; 0 until it is known to matter. */
  skew = 0;

  constructor(
    private readonly base: string,
    private readonly onSignedOut: () => void = () => {},
  ) {}

  session = (): Promise<Session> => this.json("GET", "/api/session");
  signIn = (code: string): Promise<{ name: string }> => this.json("POST", "/api/sessions", { code });
  signOut = (): Promise<void> => this.nothing("DELETE", "/api/session");

  projects = (): Promise<Project[]> => this.all("/api/projects");
  addProject = (draft: ProjectDraft): Promise<Project> => this.json("POST", "/api/projects", draft);

  plans = (): Promise<Plan[]> => this.all("/api/plans");
  plan = (id: number): Promise<Plan> => this.json("GET", `/api/plans/${id}`);
  addPlan = (draft: PlanDraft): Promise<Plan> => this.json("POST", "/api/plans", draft);
  changePlan = (id: number, draft: PlanDraft): Promise<Plan> => this.json("PUT", `/api/plans/${id}`, draft);

  runs = (filter: RunFilter): Promise<Page<RunSummary>> => this.json("GET", `/api/runs${query({ ...filter })}`);
  run = (id: number): Promise<Run> => this.json("GET", `/api/runs/${id}`);
  startRun = (draft: RunDraft): Promise<Run> => this.json("POST", "/api/runs", draft);
  abortRun = (id: number): Promise<Run> => this.json("POST", `/api/runs/${id}/abort`);
  rerun = (id: number): Promise<Run> => this.json("POST", `/api/runs/${id}/rerun`);

  spans = (log: number): Promise<Spans> => this.json("GET", `/api/logs/${log}/spans`);

  /** The bytes [from, to) of a log; fewer when the log ends earlier. */
  async logBytes(log: number, from: number, to: number, signal?: AbortSignal): Promise<Uint8Array> {
    const response = await this.send("GET", `/api/logs/${log}?from=${from}&to=${to}`, undefined, signal);
    return new Uint8Array(await response.arrayBuffer());
  }

  /** Where a person can download a log whole. */
  logUrl = (log: number): string => `${this.base}/api/logs/${log}`;

  /** Every page of a list. */
  private async all<T>(path: string): Promise<T[]> {
    const items: T[] = [];
    let cursor: Cursor | null = null;
    do {
      const page: Page<T> = await this.json("GET", path + query({ cursor: cursor ?? "" }));
      items.push(...page.items);
      cursor = page.next;
    } while (cursor);
    return items;
  }

  private async json<T>(method: string, path: string, body?: unknown): Promise<T> {
    const response = await this.send(method, path, body);
    return (await response.json()) as T;
  }

  private async nothing(method: string, path: string): Promise<void> {
    await this.send(method, path);
  }

  private async send(method: string, path: string, body?: unknown, signal?: AbortSignal): Promise<Response> {
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

  private noteTime(date: string | null): void {
    if (!date) return;
    const skew = Date.parse(date) - Date.now();
    // The header counts whole seconds and is as old as the way here: less than this is noise.
    this.skew = Math.abs(skew) > 3000 ? skew : 0;
  }
}

function query(values: Record<string, string | number | undefined>): string {
  const search = new URLSearchParams();
  for (const [key, value] of Object.entries(values)) {
    if (value !== undefined && value !== "") search.set(key, String(value));
  }
  const text = search.toString();
  return text && `?${text}`;
}
