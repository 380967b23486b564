/** How the fake server searches: as the real one answers, but line by line and with JavaScript's expressions. */

const EXCERPT = 400;

/** The hits of one log, from a byte offset on; one object per line with a match. */
export function* hitsIn(log, { q, regex, matchCase, from = 0 }) {
  const pattern = new RegExp(regex ? q : q.replace(/[\\^$.*+?()[\]{}|/-]/g, "\\$&"), matchCase ? "g" : "gi");
  const bytes = log.bytes;
  let line = 1;
  for (let at = bytes.indexOf(10); at >= 0 && at < from; at = bytes.indexOf(10, at + 1)) line += 1;
  for (let at = from; at < bytes.length; line += 1) {
    const newline = bytes.indexOf(10, at);
    const end = newline < 0 ? bytes.length : newline;
    const text = bytes.toString("utf8", at, end);
    const matches = [...text.matchAll(pattern)];
    if (matches.length > 0) {
      const cut = Math.max(0, matches[0].index - 100);
      const ranges = matches
        .map((match) => [match.index - cut, match.index - cut + match[0].length])
        .filter(([, to]) => to <= EXCERPT);
      const [, time, stream, step] = log.spans[Math.max(0, log.spanAt(at))] ?? [0, 0, "stdout", 0];
      yield { line, offset: at + Buffer.byteLength(text.slice(0, matches[0].index)), text: text.slice(cut, cut + EXCERPT), ranges, time, stream, step };
    }
    at = end + 1;
  }
}

/** Answer `GET /api/logs/{log}/search` and, with `logs` of many runs, `GET /api/search`. */
export async function answerSearch(response, search, logs, { slow = 0 } = {}) {
  const wish = { q: search.get("q") ?? "", regex: search.get("regex") === "1", matchCase: search.get("case") === "1", from: Number(search.get("from") ?? 0) };
  const limit = Number(search.get("limit") ?? 1000);
  response.writeHead(200, { "Content-Type": "application/x-ndjson", "X-Accel-Buffering": "no" });
  let gone = false;
  response.on("close", () => (gone = true));
  const end = { hits: 0, searched: 0, limited: false };
  let count = 0;
  try {
    for (const { log, facts } of logs) {
      count += 1;
      for (const hit of hitsIn(log, wish)) {
        if (gone) return;
        if (end.hits === limit) {
          end.limited = true;
          break;
        }
        end.hits += 1;
        response.write(`${JSON.stringify({ ...facts, ...hit })}\n`);
        if (slow) await new Promise((resolve) => setTimeout(resolve, slow));
      }
      end.searched += Math.max(0, log.size - wish.from);
      if (end.limited) break;
    }
    response.end(`${JSON.stringify({ end: logs.many ? { ...end, logs: count } : end })}\n`);
  } catch (error) {
    response.end(`${JSON.stringify({ error: { status: 400, title: "Bad request", detail: `q: ${error.message}` } })}\n`);
  }
}
