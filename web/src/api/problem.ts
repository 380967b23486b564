import type { DefinitionError, FieldError, ProblemBody } from "./types";

/** What the server said was wrong; `status` 0 means that the server could not be reached. */
export class Problem extends Error {
  readonly status: number;
  readonly title: string;
  readonly errors: readonly DefinitionError[];
  readonly fields: readonly FieldError[];

  constructor(body: Partial<ProblemBody> & { status: number }) {
    super(body.detail || body.title || `HTTP ${body.status}`);
    this.name = "Problem";
    this.status = body.status;
    this.title = body.title ?? "";
    const errors = body.errors ?? [];
    this.errors = errors.filter((error) => "line" in error);
    this.fields = errors.filter((error) => "place" in error);
  }

  /** Whatever was thrown, as a problem. */
  static of(error: unknown): Problem {
    return error instanceof Problem ? error : new Problem({ status: 500, detail: String(error) });
  }

  static async from(response: Response): Promise<Problem> {
    try {
      const body = (await response.json()) as Partial<ProblemBody>;
      return new Problem({ ...body, status: response.status });
    } catch {
      // A proxy in between answers with its own page; its status is all there is to tell.
      return new Problem({ status: response.status, title: response.statusText });
    }
  }
}
