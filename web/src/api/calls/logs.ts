import type { LogQuery, RunsQuery } from "../filters";
import { query, type Http } from "../http";
import { Problem } from "../problem";
import type { Hit, RunHit, SearchItem, Spans } from "../types";

/** The bytes of logs, and searches in them. */
export const logCalls = (http: Http) => {
  /** Lines in which something is found, as they are found; a search that is not wanted any more ends by its signal. */
  const searchLog = (log: number, wanted: LogQuery, signal: AbortSignal): AsyncGenerator<SearchItem> =>
    http.lines(`/api/logs/${log}/search${query(flags(wanted))}`, signal);

  return {
    searchLog,

    /** The same over the logs of many runs, newest run first. */
    searchRuns: (wanted: RunsQuery, signal: AbortSignal): AsyncGenerator<SearchItem<RunHit>> =>
      http.lines(`/api/search${query(flags(wanted))}`, signal),

    /** Where a person can download a log whole. */
    logUrl: (log: number): string => `${http.base}/api/logs/${log}`,

    /** One page of the spans of [from, to). */
    spans: (log: number, from: number, to: number, signal?: AbortSignal): Promise<Spans> =>
      http.get(`/api/logs/${log}/spans?from=${from}&to=${to}`, signal),

    /** The bytes [from, to) of a log; fewer when the log ends earlier. */
    async logBytes(log: number, from: number, to: number, signal?: AbortSignal): Promise<Uint8Array> {
      const response = await http.send("GET", `/api/logs/${log}?from=${from}&to=${to}`, undefined, signal);
      return new Uint8Array(await response.arrayBuffer());
    },

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
      const response = await http.send("GET", `/api/logs/${log}?lines=${first}-${last}`, undefined, signal);
      const offset = offsetOf(response);
      return { bytes: await beginning(response, most), offset };
    },

    /** The byte offset of the first output at or after a moment (ISO 8601). */
    async logOffsetAt(log: number, time: string, signal?: AbortSignal): Promise<number> {
      return offsetOf(await http.send("HEAD", `/api/logs/${log}${query({ at: time })}`, undefined, signal));
    },

    /** How many newlines there are before a byte at which a line begins; null when the server does not say. */
    async newlinesBefore(log: number, offset: number, signal: AbortSignal): Promise<number | null> {
      const first: LogQuery = { q: "^", regex: true, case: true, from: offset, limit: 1 };
      for await (const item of searchLog(log, first, signal)) {
        if ("line" in item) return (item as Hit).offset === offset ? (item as Hit).line - 1 : null;
      }
      return null;
    },
  };
};

/** No more than the first `most` bytes of an answer; the rest is not fetched. */
async function beginning(response: Response, most: number): Promise<Uint8Array> {
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
  return bytes.subarray(0, length);
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
