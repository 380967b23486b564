import { readLines } from "./ndjson";
import { Problem } from "./problem";
import type {
  Agent,
  AgentMode,
  Archive,
  Artifact,
  Channel,
  ChannelDraft,
  CronPreview,
  Cursor,
  Delivery,
  DeliveryDetail,
  Hit,
  Job,
  Notification,
  Page,
  Plan,
  PlanDifference,
  PlanDraft,
  PlanVersion,
  Project,
  ProjectDraft,
  Refusal,
  ReplayAnswer,
  ReplaysAnswer,
  Rule,
  RuleDraft,
  Run,
  RunDraft,
  RunHit,
  RunSummary,
  SearchItem,
  Secret,
  SecretDraft,
  Session,
  Spans,
  Trigger,
  TriggerDraft,
} from "./types";

export interface RunFilter {
  state?: string;
  project?: string;
  plan?: string;
  branch?: string;
  limit?: number;
  cursor?: Cursor;
}

export interface DeliveryFilter {
  project?: string;
  state?: string;
  cursor?: Cursor;
}

export interface NotificationFilter {
  state?: string;
  channel?: string;
  cursor?: Cursor;
}

export interface LogQuery {
  q: string;
  regex: boolean;
  case: boolean;
  /** Byte offset to begin at. */
  from?: number;
  limit?: number;
}

export interface RunsQuery extends Omit<LogQuery, "from"> {
  project?: string;
  plan?: string;
  branch?: string;
  state?: string;
  /** ISO 8601. */
  since?: string;
  until?: string;
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
  changePlan = (id: number, draft: Pick<PlanDraft, "name" | "definition">): Promise<Plan> =>
    this.json("PUT", `/api/plans/${id}`, draft);

  removePlan = (id: number): Promise<void> => this.nothing("DELETE", `/api/plans/${id}`);
  removedProjects = (): Promise<Project[]> => this.all("/api/projects", { removed: 1 });
  restoreProject = (id: number): Promise<Project> => this.json("POST", `/api/projects/${id}/restore`);
  removedPlans = (): Promise<Plan[]> => this.all("/api/plans", { removed: 1 });
  restorePlan = (id: number): Promise<Plan> => this.json("POST", `/api/plans/${id}/restore`);
  versions = (plan: number): Promise<PlanVersion[]> => this.all(`/api/plans/${plan}/versions`);
  difference = (plan: number, from: number, to: number): Promise<PlanDifference> =>
    this.json("GET", `/api/plans/${plan}/diff${query({ from, to })}`);
  /** The text of that version is in force again, as a new version. */
  restoreVersion = (plan: number, number: number): Promise<Plan> =>
    this.json("POST", `/api/plans/${plan}/versions/${number}/restore`);

  triggers = (project?: number): Promise<Trigger[]> => this.all("/api/triggers", { project, limit: 500 });
  addTrigger = (draft: TriggerDraft): Promise<Trigger> => this.json("POST", "/api/triggers", draft);
  changeTrigger = (id: number, draft: Omit<TriggerDraft, "plan">): Promise<Trigger> =>
    this.json("PATCH", `/api/triggers/${id}`, draft);
  removeTrigger = (id: number): Promise<void> => this.nothing("DELETE", `/api/triggers/${id}`);
  setTriggerMode = (id: number, mode: "enable" | "disable", why: string): Promise<Trigger> =>
    this.json("POST", `/api/triggers/${id}/${mode}`, { why: why || null });
  checkTrigger = (id: number): Promise<Trigger> => this.json("POST", `/api/triggers/${id}/check`);
  previewCron = (expression: string, zone: string, signal: AbortSignal): Promise<CronPreview> =>
    this.json("GET", `/api/cron${query({ expression, zone, count: 5 })}`, undefined, signal);

  deliveries = (filter: DeliveryFilter): Promise<Page<Delivery>> =>
    this.json("GET", `/api/deliveries${query({ ...filter })}`);
  delivery = (id: number): Promise<DeliveryDetail> => this.json("GET", `/api/deliveries/${id}`);
  deliveryBodyUrl = (id: number): string => `${this.base}/api/deliveries/${id}/body`;
  replay = (id: number): Promise<ReplayAnswer> => this.json("POST", `/api/deliveries/${id}/replay`);
  replayMany = (ids: readonly number[]): Promise<ReplaysAnswer> =>
    this.json("POST", "/api/deliveries/replay", { ids });
  refusals = (): Promise<Refusal[]> => this.all("/api/refusals");

  channels = (): Promise<Channel[]> => this.all("/api/channels");
  addChannel = (draft: ChannelDraft): Promise<Channel> => this.json("POST", "/api/channels", draft);
  /** What is left out stays; `secrets` replaces all of them. */
  changeChannel = (
    id: number,
    change: Partial<Omit<ChannelDraft, "project"> & { enabled: boolean }>,
  ): Promise<Channel> => this.json("PATCH", `/api/channels/${id}`, change);
  removeChannel = (id: number): Promise<void> => this.nothing("DELETE", `/api/channels/${id}`);
  testChannel = (id: number): Promise<{ ok: boolean; detail: string }> =>
    this.json("POST", `/api/channels/${id}/test`);
  rules = (): Promise<Rule[]> => this.all("/api/notification-rules");
  addRule = (draft: RuleDraft): Promise<Rule> => this.json("POST", "/api/notification-rules", draft);
  changeRule = (id: number, change: Partial<Pick<Rule, "on" | "branches" | "enabled">>): Promise<Rule> =>
    this.json("PATCH", `/api/notification-rules/${id}`, change);
  removeRule = (id: number): Promise<void> => this.nothing("DELETE", `/api/notification-rules/${id}`);
  notifications = (filter: NotificationFilter): Promise<Page<Notification>> =>
    this.json("GET", `/api/notifications${query({ ...filter })}`);
  sendAgain = (id: number): Promise<Notification> => this.json("POST", `/api/notifications/${id}/retry`);

  runs = (filter: RunFilter): Promise<Page<RunSummary>> => this.json("GET", `/api/runs${query({ ...filter })}`);
  run = (id: number): Promise<Run> => this.json("GET", `/api/runs/${id}`);
  startRun = (draft: RunDraft): Promise<Run> => this.json("POST", "/api/runs", draft);
  abortRun = (id: number): Promise<Run> => this.json("POST", `/api/runs/${id}/abort`);
  rerun = (id: number): Promise<Run> => this.json("POST", `/api/runs/${id}/rerun`);
  retryFailed = (id: number): Promise<Run> => this.json("POST", `/api/runs/${id}/rerun`, { jobs: "failed" });
  retryJob = (id: number): Promise<Job> => this.json("POST", `/api/jobs/${id}/retry`);

  /** Decide an approval; `why` may be empty. */
  decide = (id: number, approve: boolean, why: string): Promise<unknown> =>
    this.json("POST", `/api/approvals/${id}`, { approve, why: why || null });

  artifacts = (run: number): Promise<Artifact[]> => this.all(`/api/runs/${run}/artifacts`);
  /** Where a person downloads an artifact, sees it in place, and downloads all of a run. */
  artifactUrl = (id: number): string => `${this.base}/api/artifacts/${id}`;
  artifactViewUrl = (id: number): string => `${this.base}/api/artifacts/${id}/view`;
  artifactsZipUrl = (run: number): string => `${this.base}/api/runs/${run}/artifacts.zip`;

  secrets = (project?: number): Promise<Secret[]> => this.all("/api/secrets", { project });
  setSecret = (draft: SecretDraft): Promise<Secret> => this.json("POST", "/api/secrets", draft);
  removeSecret = (id: number): Promise<void> => this.nothing("DELETE", `/api/secrets/${id}`);

  agents = (): Promise<Agent[]> => this.all("/api/agents");
  /** Give an agent work, or none; `why` may be empty. */
  setAgentMode = (id: number, mode: AgentMode, why: string): Promise<Agent> =>
    this.json("PATCH", `/api/agents/${id}`, { mode, why: why || null });

  archive = (): Promise<Archive> => this.json("GET", "/api/archive");

  /** One page of the spans of [from, to). */
  spans = (log: number, from: number, to: number, signal?: AbortSignal): Promise<Spans> =>
    this.json("GET", `/api/logs/${log}/spans?from=${from}&to=${to}`, undefined, signal);

  /** Lines in which something is found, as they are found; a search that is not wanted any more ends by its signal. */
  searchLog = (log: number, wanted: LogQuery, signal: AbortSignal): AsyncGenerator<SearchItem> =>
    this.stream(`/api/logs/${log}/search${query(flags(wanted))}`, signal);

  /** The same over the logs of many runs, newest run first. */
  searchRuns = (wanted: RunsQuery, signal: AbortSignal): AsyncGenerator<SearchItem<RunHit>> =>
    this.stream(`/api/search${query(flags(wanted))}`, signal);

  /** The bytes [from, to) of a log; fewer when the log ends earlier. */
  async logBytes(log: number, from: number, to: number, signal?: AbortSignal): Promise<Uint8Array> {
    const response = await this.send("GET", `/api/logs/${log}?from=${from}&to=${to}`, undefined, signal);
    return new Uint8Array(await response.arrayBuffer());
  }

  /**
   * The lines [first, last] of a log, counted from 1, and the byte offset at which they begin;
   * no more than `most` bytes of them.
   */
  async logLines(
    log: number,
    first: number,
    last: number,
    most: number,
    signal?: AbortSignal,
  ): Promise<{ bytes: Uint8Array; offset: number }> {
    const response = await this.send("GET", `/api/logs/${log}?lines=${first}-${last}`, undefined, signal);
    const offset = offsetOf(response);
    const reader = response.body!.getReader();
    const bytes = new Uint8Array(most);
    let length = 0;
    for (;;) {
      const { done, value } = await reader.read();
      if (done) break;
      const piece = value.subarray(0, most - length);
      bytes.set(piece, length);
      length += piece.length;
      if (length < most) continue;
      await reader.cancel();
      break;
    }
    return { bytes: bytes.subarray(0, length), offset };
  }

  /** The byte offset of the first output at or after a moment (ISO 8601). */
  async logOffsetAt(log: number, time: string, signal?: AbortSignal): Promise<number> {
    const response = await this.send("HEAD", `/api/logs/${log}${query({ at: time })}`, undefined, signal);
    return offsetOf(response);
  }

  /** How many newlines there are before a byte at which a line begins; null when the server does not say. */
  async newlinesBefore(log: number, offset: number, signal: AbortSignal): Promise<number | null> {
    const first: LogQuery = { q: "^", regex: true, case: true, from: offset, limit: 1 };
    for await (const item of this.searchLog(log, first, signal)) {
      if ("line" in item) return (item as Hit).offset === offset ? (item as Hit).line - 1 : null;
    }
    return null;
  }

  /** Where a person can download a log whole. */
  logUrl = (log: number): string => `${this.base}/api/logs/${log}`;

  /** Every page of a list. */
  private async all<T>(path: string, filter: Record<string, number | undefined> = {}): Promise<T[]> {
    const items: T[] = [];
    let cursor: Cursor | null = null;
    do {
      const page: Page<T> = await this.json("GET", path + query({ ...filter, cursor: cursor ?? "" }));
      items.push(...page.items);
      cursor = page.next ?? null;
    } while (cursor);
    return items;
  }

  private async json<T>(method: string, path: string, body?: unknown, signal?: AbortSignal): Promise<T> {
    const response = await this.send(method, path, body, signal);
    return (await response.json()) as T;
  }

  private async *stream<T>(path: string, signal: AbortSignal): AsyncGenerator<T> {
    const response = await this.send("GET", path, undefined, signal);
    yield* readLines<T>(response.body!);
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

/** Where in its log an answer begins. */
function offsetOf(response: Response): number {
  const told = response.headers.get("X-Log-Offset");
  if (told === null) throw new Problem({ status: 502, detail: "The answer has no X-Log-Offset: a proxy took it away." });
  return Number(told);
}

/** Parameters as the server reads them: 1 and 0 for yes and no. */
function flags(wanted: LogQuery | RunsQuery): Record<string, string | number | undefined> {
  return { ...wanted, regex: Number(wanted.regex), case: Number(wanted.case) };
}

function query(values: Record<string, string | number | undefined>): string {
  const search = new URLSearchParams();
  for (const [key, value] of Object.entries(values)) {
    if (value !== undefined && value !== "") search.set(key, String(value));
  }
  const text = search.toString();
  return text && `?${text}`;
}
