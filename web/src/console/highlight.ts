import type { Hit } from "../api/types";

/** What is searched for, as it concerns a row that is shown. */
export interface Wanted {
  q: string;
  regex: boolean;
  case: boolean;
}

const SPECIAL = /[\\^$.*+?()[\]{}|/-]/g;
const MOST = 200;

/**
 * Where a row's text has what is searched for. A regular expression is the server's to understand, in its own dialect
 * and in linear time: of one, the texts that it found in the line are marked.
 */
export function rangesIn(text: string, wanted: Wanted, hit: Hit | null): [number, number][] {
  if (wanted.q === "") return [];
  const words = wanted.regex ? found(hit) : [wanted.q];
  if (words.length === 0) return [];
  const pattern = new RegExp(words.map((word) => word.replace(SPECIAL, "\\$&")).join("|"), wanted.regex || wanted.case ? "g" : "gi");
  const ranges: [number, number][] = [];
  for (const match of text.matchAll(pattern)) {
    ranges.push([match.index, match.index + match[0].length]);
    if (ranges.length === MOST) break;
  }
  return ranges;
}

function found(hit: Hit | null): string[] {
  const words = new Set((hit?.ranges ?? []).map(([from, to]) => plain(hit!.text.slice(from, to))).filter(Boolean));
  // The longest first: an alternation takes the first that fits.
  return [...words].sort((a, b) => b.length - a.length);
}

const ESCAPES = /\x1b(?:\[[0-?]*[ -/]*[@-~]?|\][^\x07\x1b]*(?:\x07|\x1b\\)?|[ -/]*[0-~]?)|[\x00-\x08\x0a-\x1f\x7f]/g;

/** Text without escape sequences and controls. */
export function plain(text: string): string {
  return text.replace(ESCAPES, "");
}

/**
 * A hit's text in stretches, marked or not; escape sequences are left out, and of what is before the first match no
 * more than `lead` units are kept.
 */
export function stretchesOf(hit: Hit, lead: number): { text: string; hit: boolean }[] {
  const stretches: { text: string; hit: boolean }[] = [];
  let at = 0;
  const add = (to: number, marked: boolean): void => {
    const text = plain(hit.text.slice(at, to));
    if (text) stretches.push({ text, hit: marked });
    at = Math.max(at, to);
  };
  for (const [from, to] of hit.ranges) {
    if (to <= at) continue;
    add(from, false);
    add(to, true);
  }
  add(hit.text.length, false);
  const [first] = stretches;
  if (first && !first.hit && stretches.length > 1 && first.text.length > lead) first.text = `…${first.text.slice(-lead)}`;
  return stretches;
}
