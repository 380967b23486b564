import { Growing } from "./growing";

const BEGINS = "::group::";
const ENDS = "::endgroup::";

/** What a row is to the groups of a log. */
export type GroupMark = "begins" | "ends" | null;

/** So much of a row tells whether it is a mark, UTF-16 units. */
export const MARK_LENGTH = ENDS.length;
/** So much of a row that begins a group is not its name. */
export const BEGINS_LENGTH = BEGINS.length;

export function markOf(text: string): GroupMark {
  return text.startsWith(BEGINS) ? "begins" : text.startsWith(ENDS) ? "ends" : null;
}

/** A text that has a mark somewhere, or is one cut off at its end. */
export function mayMark(text: string): boolean {
  return text.includes("group::");
}

/** Whether more may make a mark of it. */
export function isBeginning(text: string): boolean {
  return text !== "" && (BEGINS.startsWith(text) || ENDS.startsWith(text));
}

/** Rows [head, last] of a group; its head stays when it is folded. */
export interface Group {
  head: number;
  last: number;
}

/** The rows of a stretch at which groups begin and end. Groups may stand within groups; none is longer than its step. */
export class GroupTable {
  private readonly rows = new Growing((size) => new Float64Array(size));
  private readonly ends = new Growing((size) => new Uint8Array(size));

  push(row: number, mark: "begins" | "ends"): void {
    this.rows.push(row);
    this.ends.push(mark === "ends" ? 1 : 0);
  }

  /** Forget those from a row on. */
  truncate(row: number): void {
    const length = this.rows.lastAtMost(row - 1) + 1;
    this.rows.truncate(length);
    this.ends.truncate(length);
  }

  at(row: number): GroupMark {
    const index = this.rows.lastAtMost(row);
    if (index < 0 || this.rows.at(index) !== row) return null;
    return this.ends.at(index) === 1 ? "ends" : "begins";
  }

  /** All groups by their heads. @param lastOfStep the last row of the step that a row belongs to */
  groups(lastOfStep: (row: number) => number): Group[] {
    const groups: Group[] = [];
    let open: Group[] = [];
    for (let index = 0; index < this.rows.length; index += 1) {
      const row = this.rows.at(index);
      open = open.filter((group) => group.last >= row);
      if (this.ends.at(index) === 1) {
        const group = open.pop();
        if (group) group.last = row;
      } else {
        const group = { head: row, last: lastOfStep(row) };
        groups.push(group);
        open.push(group);
      }
    }
    return groups;
  }
}
