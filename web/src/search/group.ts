import type { RunHit } from "../api/types";

/** The hits of one log, in the order of its lines. */
export interface LogHits {
  log: number;
  job: string;
  attempt: number;
  hits: RunHit[];
}

/** The hits of one run. */
export interface RunHits {
  run: RunHit["run"];
  logs: LogHits[];
  count: number;
}

/** Hits by run and log, in the order in which they came: the newest run first. */
export class HitGroups {
  readonly runs: RunHits[] = [];
  count = 0;
  private readonly byRun = new Map<number, RunHits>();

  add(hit: RunHit): void {
    let group = this.byRun.get(hit.run.id);
    if (!group) {
      group = { run: hit.run, logs: [], count: 0 };
      this.byRun.set(hit.run.id, group);
      this.runs.push(group);
    }
    let own = group.logs.find((item) => item.log === hit.log);
    if (!own) group.logs.push((own = { log: hit.log, job: hit.job, attempt: hit.attempt, hits: [] }));
    own.hits.push(hit);
    group.count += 1;
    this.count += 1;
  }
}

/** Where the page shows the line of a hit. */
export function linkTo(hit: RunHit): { path: string; query: Record<string, string>; hash: string } {
  return {
    path: `/runs/${hit.run.id}`,
    query: { job: hit.job, attempt: String(hit.attempt) },
    hash: `#L${hit.line}`,
  };
}
